// Fifty people in conversation on a whole server: of each turn the first 100 ms are looked for in what others decoded, by correlating it with the
// sound that was sent.
import Bots
import EventLoop
import Glibc
import Server
import TestSupport
import Testing
import WholeServers

@Suite("First syllables on a whole server", .serialized)
struct FirstSyllableTests {
    /// How long people talk: less than half a minute, five minutes where there is time (MAJLIS_SOAK).
    private static let seconds = Sanitizer.isOn ? 10 : getenv("MAJLIS_SOAK") == nil ? 24 : 300

    private func speech() -> String {
        access("/usr/bin/espeak-ng", X_OK) == 0 ? "espeak" : "synthetic"
    }

    private func run(_ server: TestServer, _ arguments: [String]) throws -> LoadResult {
        let seed = Int.random(in: 0...Int.max)
        let options = try LoadOptions(
            [
                "--server", "http://127.0.0.1:\(server.port)", "--room", "test", "--quiet",
                "--pattern",
                "schedule", "--overlaps", "0.25", "--back-channels", "0.4", "--coughs", "3", "--noises", "2",
                "--listen", "3", "--join-rate", "25", "--seconds", "\(Self.seconds)", "--seed", "\(seed)",
            ] + arguments)
        let result = try LoadRun(options) { user, room, _ in try TestServer.token(user, room: room) }.run()
        print(
            "first syllables: seed \(seed), \(options.speech): \(result.likeBeginnings) of \(result.beginnings) as sent,",
            "\(result.wholeBeginnings) decoded whole, \(result.tally.concealed) packets made up")
        return result
    }

    /// The share of the turns that has to be heard from their beginning on.
    private static let share = Sanitizer.isOn ? 0.5 : 0.95

    @Test(
        "50 people, 6 of them in conversation, coughs, noise, agreement and overlaps: 95 % of the turns begin as they were sent"
    )
    func conversation() throws {
        let server = try TestServer()
        defer { server.stop() }
        let result = try run(server, ["--people", "50", "--talkers", "6", "--speech", speech()])
        #expect(result.joined == 50)
        #expect(result.beginnings >= (Sanitizer.isOn ? 1 : 9))
        #expect(Double(result.likeBeginnings) >= Self.share * Double(result.beginnings))
    }

    // Sixteen: the server of these tests is a debug build, in which each of their packets costs ten times as much.
    @Test("the same of people who send no levels")
    func noLevels() throws {
        let server = try TestServer()
        defer { server.stop() }
        let result = try run(server, ["--people", "16", "--talkers", "6", "--speech", speech(), "--no-levels"])
        #expect(result.joined == 16)
        #expect(result.beginnings >= (Sanitizer.isOn ? 1 : 9))
        #expect(Double(result.likeBeginnings) >= Self.share * Double(result.beginnings))
    }
}
