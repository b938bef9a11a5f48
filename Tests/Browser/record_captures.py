#!/usr/bin/env python3
"""Records the real calls of Captures/: browsers call through a server that records its room, headers only, and what it
recorded is replayed and checked.

    .build/venv/bin/python Tests/Browser/record_captures.py [NAME ...] [--out Captures/]

A server that was built (release, else debug, else MAJLIS_BINARY) and Debian's chromium, firefox-esr, iproute2 and nftables
are needed; the scenarios with narrow, lossy and cut links need root for network namespaces. Each capture that is good takes
the place of the one in the folder, and its digest the place of its line in `digests`. --try plays the calls and keeps
nothing.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import traceback

from playwright.sync_api import sync_playwright

import rig
from capture_file import CaptureFile
from capture_scenarios import SCENARIOS

LARGEST = 700_000
# A call that a busy machine spoilt is played again.
TRIES = 3
# The bytes of a packet that headers, extensions and descriptors may take, on the average; padding is kept whole.
MOST_KEPT = 130


class Seen:
    """What was found in a capture; the checks fail with what was there."""

    def __init__(self, path):
        self.file = CaptureFile(path)
        self.replay = replay(path)

    def least(self, decision, count):
        found = self.file.decisions[decision]
        assert found >= count, f"{found} times {decision}, and not {count}; there are {dict(self.file.decisions)}"

    def command(self, name, least):
        found = self.file.commands[name]
        assert found >= least, f"{found} times the command {name}, and not {least}"

    def people(self, least):
        assert self.file.people >= least, f"{self.file.people} people, and not {least}"

    def common(self):
        """What holds for every capture."""
        assert self.replay["verdict"] == "identical", self.replay
        assert self.replay["gaps"] == 0 and self.replay["skipped"] == 0, self.replay
        assert self.file.events["opened"] == 1 and self.file.events["checkpoint"] == 0, "it does not begin with the room"
        assert self.file.events["digest"] > 1
        assert self.file.events["rtp out"] == 0, "the outputs are in the digests, not in the file"
        kept = self.file.bytes_kept / self.file.events["rtp in"]
        assert kept < MOST_KEPT, f"{kept:.0f} bytes of each packet are in the file"
        assert self.file.size <= LARGEST, f"{self.file.size} bytes are too many"

    def tell(self):
        file, replayed = self.file, self.replay
        print(f"  {file.size / 1000:.0f} kB, {file.seconds:.1f} s, {file.people} people, {file.bytes_kept / file.bytes_in:.0%} of the bytes; in {replayed['rtpIn']} RTP, "
              f"{replayed['rtcpIn']} RTCP; out {replayed['rtpOut']} RTP")
        print(f"  decisions: {dict(file.decisions)}")
        print(f"  drops: {replayed['drops']}")


def majlis(*arguments):
    return subprocess.run([rig.binary(), *map(str, arguments)], capture_output=True, text=True)


def replay(path):
    done = majlis("replay", path, "--json")
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    return json.loads(done.stdout)


def write_digest(folder, name, digest):
    """Puts the capture's line into `digests`, which is sorted."""
    path = folder / "digests"
    lines = dict(line.split(" ", 1) for line in (path.read_text().splitlines() if path.exists() else []))
    lines[name] = digest
    path.write_text("".join(f"{name} {lines[name]}\n" for name in sorted(lines)))


def record(name, browsers, out, keeps):
    play, check, _ = SCENARIOS[name]
    call = play(browsers)
    try:
        if not keeps and not list(call.folder.rglob("*.pcapng")):
            print("  nothing was recorded")
            return
        recorded = call.recorded()
        seen = Seen(recorded)
        seen.tell()
        seen.common()
        check(seen)
        if keeps:
            target = out / f"{name}.pcapng"
            shutil.copyfile(recorded, target)
            write_digest(out, target.name, seen.replay["digest"])
    finally:
        shutil.rmtree(call.folder, ignore_errors=True)


def attempt(name, playwright, options):
    browsers = rig.Chromium(playwright)
    try:
        record(name, browsers, options.out, keeps=not options.tries)
        return True
    except Exception:
        traceback.print_exc()
        return False
    finally:
        browsers.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--out", type=pathlib.Path, default=rig.ROOT / "Captures")
    parser.add_argument("--try", dest="tries", action="store_true", help="play the calls and keep nothing")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known are {', '.join(SCENARIOS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    may = rig.may_make_namespaces()
    failed = []
    with sync_playwright() as playwright:
        for name in options.names or SCENARIOS:
            print(f"{name}: {SCENARIOS[name][0].__doc__.strip()}", flush=True)
            if SCENARIOS[name][2] and not may:
                print("  skipped: network namespaces need root")
                continue
            if not any(attempt(name, playwright, options) for _ in range(TRIES)):
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
