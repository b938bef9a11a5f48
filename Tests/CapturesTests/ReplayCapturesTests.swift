// Every recording in Captures/ replayed: to the byte, and with its payload scrambled.

import Captures
import Glibc
import MediaCore
import TestSupport
import Testing

@Suite("Recorded captures")
struct ReplayCapturesTests {
    static let folder = ExternalCaptures.packageRoot + "/Captures"
    static let names = FileBytes.list(folder).filter { $0.hasSuffix(".pcapng") }

    static func bytes(_ name: String) throws -> [UInt8] { try #require(FileBytes.read(folder + "/" + name)) }

    /// The digests as the file beside the captures has them: a name and a digest a line.
    static func expectedDigest(_ name: String) throws -> String {
        let text = String(decoding: try #require(FileBytes.read(folder + "/digests")), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return String(try #require(line, "Captures/digests has no line for \(name)").dropFirst(name.count + 1))
    }

    /// Records the scenarios anew, where that is asked for: after a change that is meant to change what comes out.
    @Test(
        "The simulated captures are recorded anew, and real calls carried over",
        .enabled(if: unsafe getenv("MAJLIS_RECORD_CAPTURES") != nil))
    func recordAnew() throws {
        var lines: [String: String] = [:]
        for scenario in ReplayScenarios.all.sorted(by: { $0.name < $1.name }) {
            let recorder = ReplayRecorder.record(scenario, [.decisions, .digests])
            let name = scenario.name + ".pcapng"
            try write(recorder.bytes, to: Self.folder + "/" + name)
            lines[name] = recorder.digest.text
        }
        for name in Self.names where lines[name] == nil { lines[name] = try carryOver(name) }
        let text = lines.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
        try write(Array(text.utf8), to: Self.folder + "/digests")
    }

    /// The inputs of a real call stay as they were recorded; what comes out is written anew.
    private func carryOver(_ name: String) throws -> String {
        let bytes = try Self.bytes(name)
        let survey = try CaptureSurvey.of(bytes)
        var options = CaptureRewrite.Options()
        options.build = survey.build ?? ""
        options.digestScope = survey.digestScope ?? .headers
        var rewrite = CaptureRewrite(options)
        var writer = CaptureWriter()
        for event in try events(of: bytes) { try rewrite.take(event) { writer.append($0) } }
        try rewrite.finish { writer.append($0) }
        try write(writer.take(), to: Self.folder + "/" + name)
        return rewrite.digest.text
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(unsafe fopen(path, "wb"))
        let written = unsafe fwrite(bytes, 1, bytes.count, file)
        unsafe fclose(file)
        #expect(written == bytes.count)
    }

    @Test("There are captures, and none is large")
    func captures() throws {
        #expect(Self.names.count >= ReplayScenarios.all.count)
        for name in Self.names { #expect(try Self.bytes(name).count < 1_500_000, "\(name)") }
    }

    @Test("A capture replays to the byte, and its digest is the one written down", arguments: names)
    func identical(_ name: String) throws {
        let result = try Replay.run(Self.bytes(name))
        if case .different(let difference) = result.verdict { Issue.record("\(name): \(difference)") }
        #expect(result.verdict == .identical)
        #expect(result.summary.compared > 0)
        #expect(result.summary.rtpOut > 0)
        #expect(result.digest.text == (try Self.expectedDigest(name)))
    }

    @Test("With every payload scrambled the decisions and header bytes are the same", arguments: names)
    func payloadBlind(_ name: String) throws {
        let original = try events(of: Self.bytes(name)).filter { event in
            if case .digest = event { false } else { true }
        }
        var scrambler = ReplayScrambler()
        let scrambled = original.map { scrambler.scramble($0) }
        #expect(scrambler.scrambled > scrambler.left)
        // Decisions are compared one by one with those recorded; headers, lengths and events by the digest.
        let before = try replay(original) { $0.digestScope = .headers }
        let after = try replay(scrambled) { $0.digestScope = .headers }
        if case .different(let difference) = after.verdict { Issue.record("\(name): \(difference)") }
        #expect(after.digest == before.digest)
        #expect(after.summary == before.summary)
        // The payloads themselves did go through.
        let whole = try replay(scrambled)
        #expect(whole.digest.text != (try Self.expectedDigest(name)))
    }
}
