# Two commands matter: `make run` and `make test`. Both install what they need first.
.PHONY: run build test check-all lint format bench side-by-side soak fuzz test-asan test-tsan clean help

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

# Left out: SwiftPM's progress, the one pkg-config line that cannot be switched off, and the linker's remark about a call
# inside the toolchain's own static library.
QUIET = sed -E '/prohibited flag|^\[[0-9]+\/[0-9]+\]|^Planning|^Building|^Build (of product .* )?complete|libFoundationEssentials\.a.*mktemp|^$$/d'
RELEASE = swift build -c release --static-swift-stdlib

run: build ## install what is missing, build the release binary and serve in development mode
	@exec .build/release/majlis serve --dev $(ARGS)

build: ## build the release binary: .build/release/majlis
	@.ci/install run
	@[ -e .build/release/majlis ] || echo "== building; the first time takes a minute or two" >&2
	@$(RELEASE) --product majlis 2>&1 | $(QUIET)

test: ## install what tests need, then lint, unit, simulation, real parts, one browser scenario per feature, an hour of fifty people in simulated time, short fuzzing
	@.ci/install test
	@.ci/test

check-all: ## everything: test, then sanitizers, captures in every build, every browser scenario, every order of larger calls, a hundred kills of the server during calls, the soak, a minute of fuzzing per target
	@.ci/install test
	@.ci/test lint unit browser hour asan tsan captures browser-all calls soak fuzz-long

lint: ## import levels, names, format
	@.ci/lint

format: ## rewrite the sources in the project's format
	@swift format format -i -r Package.swift Sources Tests Benchmarks

bench: ## the benchmarks: ratios in one run, never single absolute times
	@.ci/install run
	@for product in majlis MediaCoreBenchmarks BitrateReport SpeakerReport AllocationCount ServerBenchmarks; do \
		$(RELEASE) --product $$product 2>&1 | $(QUIET) || exit 1; done
	@.build/release/MediaCoreBenchmarks
	@.build/release/BitrateReport --seeds $${MAJLIS_SEEDS:-20}
	@.build/release/SpeakerReport --seeds $${MAJLIS_SEEDS:-60}
	@.build/release/ServerBenchmarks --janus $(ARGS)

side-by-side: ## as root, an hour: Chromium to Chromium and through Majlis over the same bad links, both in one report
	@.ci/install test
	@$(RELEASE) --product majlis 2>&1 | $(QUIET)
	@.build/venv/bin/python Tests/Browser/side_by_side.py $(ARGS)

soak: ## a quarter of an hour: fifty people in one room, two hundred joins and leaves; memory, descriptors and latency stay as they were
	@.ci/install run
	@.ci/test soak

fuzz: ## a minute of fuzzing per target
	@.ci/install run
	@.ci/test fuzz-long

test-asan: ## the unit tests under AddressSanitizer
	@.ci/test asan

test-tsan: ## the unit tests under ThreadSanitizer
	@.ci/test tsan

clean: ## remove everything built
	rm -rf .build .build-asan .build-tsan .build-fuzz .build-model

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
