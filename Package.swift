// swift-tools-version: 6.2
// One manifest for the whole of Majlis. The levels and the import rules are those of docs/architecture.md; `make lint`
// fails when a source file imports what its target may not.
import PackageDescription

let fuzzing = Context.environment["MAJLIS_FUZZ"] != nil

let package = Package(
    name: "majlis",
    products: [
        .executable(name: "majlis", targets: ["majlis"]),
        .library(name: "MediaCore", targets: ["MediaCore"]),
        .library(name: "Signalling", targets: ["Signalling"]),
        // Preloaded into the server by a benchmark; never shipped.
        .library(name: "AllocationCount", type: .dynamic, targets: ["CAllocationCount"]),
    ],
    targets: [
        // Level 0: the C libraries as they are, the few kernel calls, and the embedded web client.
        .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CWebSockets", pkgConfig: "libwebsockets", providers: [.apt(["libwebsockets-dev"])]),
        .systemLibrary(name: "CNice", pkgConfig: "nice", providers: [.apt(["libnice-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CSRTP", pkgConfig: "libsrtp2", providers: [.apt(["libsrtp2-dev"])]),
        .systemLibrary(name: "COpus", pkgConfig: "opus", providers: [.apt(["libopus-dev"])]),
        .systemLibrary(name: "CVPX", pkgConfig: "vpx", providers: [.apt(["libvpx-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CSupport"),
        .target(name: "CWebClient", exclude: ["web"], cSettings: [.unsafeFlags(["-std=gnu23"])]),

        // Level 1: pure, or one thread.
        .target(name: "MediaCore"),
        .target(name: "SDP"),
        .target(name: "Signalling"),
        .target(name: "EventLoop", dependencies: ["CUV"]),

        // Level 2: one outside thing each.
        .target(name: "Tokens", dependencies: ["COpenSSL"]),
        .target(name: "Captures", dependencies: ["MediaCore"]),
        .target(name: "Negotiation", dependencies: ["SDP", "MediaCore"]),
        .target(name: "Transport", dependencies: ["EventLoop", "CNice", "COpenSSL", "CSRTP", "CSupport"]),
        // Optimised in every build, as Bots is: they keep up with real time beside what is tested.
        .target(name: "Codecs", dependencies: ["COpus", "CVPX"], swiftSettings: [.unsafeFlags(["-O"])]),
        .target(name: "Storage", dependencies: ["CSQLite", "COpenSSL"]),
        .target(name: "Push", dependencies: ["EventLoop", "Tokens", "CCurl"]),
        .target(name: "Gateway", dependencies: ["EventLoop", "CWebSockets", "CWebClient", "CZlib"]),

        // Level 3 and 4: everything composed, and the command.
        .target(
            name: "Server",
            dependencies: [
                "MediaCore", "SDP", "Signalling", "EventLoop", "Tokens", "Negotiation", "Transport", "Gateway",
                "Captures", "Codecs", "Storage", "Push",
            ]),
        .target(
            name: "Bots",
            dependencies: [
                "EventLoop", "Transport", "Signalling", "MediaCore", "SDP", "Codecs",
            ],
            swiftSettings: [.unsafeFlags(["-O"])]),
        .executableTarget(name: "majlis", dependencies: ["Server", "Bots", "Tokens"]),

        // Benchmarks: run by `make bench`, never shipped.
        .target(name: "CAllocationCount", path: "Benchmarks/CAllocationCount"),
        .executableTarget(
            name: "MediaCoreBenchmarks", dependencies: ["MediaCore", "Captures", "CAllocationCount"],
            path: "Benchmarks/MediaCoreBenchmarks"),
        .executableTarget(
            name: "BitrateReport", dependencies: ["SimulatedNetwork", "TestSupport"],
            path: "Benchmarks/BitrateReport"),
        .executableTarget(
            name: "SpeakerReport", dependencies: ["MediaCore", "SimulatedNetwork"], path: "Benchmarks/SpeakerReport"),
        .target(name: "CFloor", dependencies: ["COpenSSL"], path: "Benchmarks/CFloor"),
        .executableTarget(
            name: "ServerBenchmarks",
            dependencies: [
                "Bots", "Signalling", "Transport", "EventLoop", "Tokens", "CFloor", "WholeServers", "TestSupport",
            ],
            path: "Benchmarks/ServerBenchmarks"),

        // Tests. A library target below Tests/ is shared by test targets and never shipped.
        // Optimised in every build: simulated minutes are tests' time.
        .target(
            name: "SimulatedNetwork", dependencies: ["MediaCore"], path: "Tests/SimulatedNetwork",
            swiftSettings: [.unsafeFlags(["-O"])]),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        // Child processes, plain HTTP and bounded waits, for whole servers under test or measurement.
        .target(
            name: "WholeServers", dependencies: ["Bots", "EventLoop", "TestSupport"], path: "Tests/WholeServers"),
        .testTarget(name: "MediaCoreTests", dependencies: ["MediaCore", "SimulatedNetwork", "TestSupport"]),
        .testTarget(name: "SimulationTests", dependencies: ["MediaCore", "SimulatedNetwork", "TestSupport"]),
        .testTarget(
            name: "CapturesTests", dependencies: ["Captures", "MediaCore", "SimulatedNetwork", "TestSupport"]),
        .testTarget(name: "SDPTests", dependencies: ["SDP", "TestSupport"]),
        .testTarget(
            name: "NegotiationTests", dependencies: ["Negotiation", "SDP", "MediaCore", "TestSupport"],
            exclude: ["Offers"]),
        .executableTarget(
            name: "AnswerOffers", dependencies: ["Negotiation", "SDP", "MediaCore", "TestSupport"],
            path: "Tests/Browser/AnswerOffers"),
        .testTarget(name: "SignallingTests", dependencies: ["Signalling", "TestSupport"], exclude: ["CallModel"]),
        .testTarget(name: "TokensTests", dependencies: ["Tokens", "TestSupport"]),
        .testTarget(name: "CodecsTests", dependencies: ["Codecs", "TestSupport"]),
        .testTarget(name: "BotsTests", dependencies: ["Bots", "Codecs", "TestSupport"]),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "TestSupport"]),
        .testTarget(
            name: "StorageTests", dependencies: ["Storage", "CSQLite", "WholeServers", "TestSupport"],
            exclude: ["Fixtures"]),
        // Writes without end until it is killed; what it had acknowledged must be there afterwards.
        .executableTarget(name: "StorageWriter", dependencies: ["Storage"], path: "Tests/StorageWriter"),
        .testTarget(
            name: "PushTests", dependencies: ["Push", "EventLoop", "Tokens", "WholeServers", "TestSupport"],
            exclude: ["provider.py"]),
        .testTarget(name: "GatewayTests", dependencies: ["Gateway", "EventLoop", "COpenSSL", "TestSupport"]),
        .testTarget(
            name: "TransportTests",
            dependencies: ["Transport", "EventLoop", "CNice", "COpenSSL", "CSRTP", "TestSupport"]),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Signalling", "Tokens", "Transport", "EventLoop", "SDP", "MediaCore", "Captures",
                "Storage", "Bots", "Codecs", "WholeServers", "TestSupport",
            ]),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer executables: `make fuzz` sets MAJLIS_FUZZ to `all`, or to names with commas between them, and builds each by
//     MAJLIS_FUZZ=all swift build -c release --sanitize=fuzzer --scratch-path .build-fuzz --product FuzzRTP
// No other build sees them.
if fuzzing {
    let wanted = Context.environment["MAJLIS_FUZZ", default: "all"].split(separator: ",").map(String.init)
    for (name, dependencies) in [
        ("FuzzRTP", ["MediaCore"]), ("FuzzRTCP", ["MediaCore"]), ("FuzzDemultiplexer", ["MediaCore"]),
        ("FuzzSDP", ["SDP", "Negotiation", "MediaCore"]), ("FuzzMessages", ["Signalling"]), ("FuzzTokens", ["Tokens"]),
        ("FuzzRoom", ["MediaCore"]), ("FuzzCaptures", ["Captures"]), ("FuzzCheckpoint", ["MediaCore"]),
    ] where wanted == ["all"] || wanted == ["1"] || wanted.contains(name) {
        package.targets.append(
            .executableTarget(
                name: name, dependencies: dependencies.map { .init(stringLiteral: $0) }, path: "Tests/Fuzz/\(name)",
                exclude: ["Seeds"],
                swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
    }
}

// The walk through the larger worlds of calls, which takes sources of the tests: they stand back for it. `.ci/test calls` sets
// MAJLIS_CALL_MODEL; no other build sees it.
if Context.environment["MAJLIS_CALL_MODEL"] != nil {
    package.targets.removeAll { $0.name == "SignallingTests" }
    package.targets.append(
        .executableTarget(
            name: "CallModel", dependencies: ["Signalling"], path: "Tests/SignallingTests",
            sources: [
                "CallModel", "Call/CallWorld.swift", "Call/CallWorldChecks.swift", "Call/CallWorlds.swift",
            ],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}

// The same strictness for every Swift target, so that none can forget it.
for target in package.targets where [.regular, .executable, .test].contains(target.type) {
    if target.name.hasPrefix("C"), target.name != "Captures", target.name != "Codecs", target.name != "Cluster" {
        continue
    }
    var settings = target.swiftSettings ?? []
    settings += [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("ImmutableWeakCaptures"),
    ]
    if target.type != .test { settings.append(.strictMemorySafety()) }
    target.swiftSettings = settings
}
