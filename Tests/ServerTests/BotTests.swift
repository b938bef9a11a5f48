// Bots in a room of a whole server: everybody hears those who talk, and sees those who film.
import Bots
import Server
import TestSupport
import Testing
import WholeServers

@Suite("Bots in a whole server's room", .serialized)
struct BotTests {
    /// The share of what an idle machine would bring that has to come on one that does other things too.
    private static let share = Sanitizer.isOn ? 0.05 : 0.3

    private func run(_ server: TestServer, _ arguments: [String]) throws -> LoadResult {
        let options = try LoadOptions(
            ["--server", "http://127.0.0.1:\(server.port)", "--room", "test", "--quiet"] + arguments)
        return try LoadRun(options) { user, room, _ in try TestServer.token(user, room: room) }.run()
    }

    @Test("five people, two of them talking: every one of them decodes the others' speech, and nothing is lost")
    func speech() throws {
        let server = try TestServer()
        defer { server.stop() }
        let result = try run(server, ["--people", "5", "--talkers", "2", "--pattern", "steady", "--seconds", "3"])
        #expect(result.joined == 5)
        #expect(result.failures.isEmpty)
        #expect(result.listeners == 5 && result.deaf == 0)
        #expect(result.lostEver == 0)
        #expect(result.tally.undecodable == 0)
        // Two talkers are heard by four others each, 50 packets a second; a voice has pauses.
        #expect(Double(result.tally.decoded) > Self.share * 2 * 4 * 50 * result.seconds)
        #expect(Double(result.tally.voiced) > 0.5 * Double(result.tally.decoded))
        #expect(result.tally.connectTimes.count == 5 && result.tally.mediaTimes.count == 5)
        #expect(result.tally.latency.total > 100)
    }

    @Test("turns: nobody sounds who is quiet, and each turn is heard from its first 100 ms")
    func turns() throws {
        let server = try TestServer()
        defer { server.stop() }
        let result = try run(
            server, ["--people", "4", "--talkers", "2", "--pattern", "turns", "--seed", "3", "--seconds", "9"])
        #expect(result.joined == 4)
        #expect(result.deaf == 0)
        #expect(result.lostEver == 0)
        #expect(result.tally.noisy == 0)
        #expect(result.beginnings >= 3)
        #expect(result.wholeBeginnings == result.beginnings)
    }

    @Test("a camera in three sizes: others decode its frames, and the server chooses the size")
    func video() throws {
        let server = try TestServer { $0.media.adaptBitrate = false }
        defer { server.stop() }
        let result = try run(
            server, ["--people", "3", "--talkers", "1", "--cameras", "1", "--height", "180", "--seconds", "3"])
        #expect(result.joined == 3)
        #expect(result.lostEver == 0)
        // Two people watch 30 frames a second.
        #expect(Double(result.tally.frames) > Self.share * 2 * 30 * result.seconds)
        #expect(result.tally.brokenFrames * 20 < result.tally.frames)
    }

    @Test("measuring: nothing is decoded, everything is counted, some of it timed")
    func bench() throws {
        let server = try TestServer()
        defer { server.stop() }
        let result = try run(
            server,
            [
                "--people", "6", "--talkers", "3", "--pattern", "steady", "--audio-slots", "5", "--bench", "--seconds",
                "3",
            ])
        #expect(result.joined == 6)
        #expect(result.lostEver == 0)
        #expect(result.tally.decoded == 0)
        #expect(Double(result.tally.received) > Self.share * 3 * 5 * 50 * result.seconds)
        #expect(result.tally.latency.total > 3 && result.tally.latency.total < result.tally.received / 50)
    }

    @Test("a server that takes nobody in is told of, not waited for")
    func refused() throws {
        let server = try TestServer { $0.rooms.maximumParticipants = 2 }
        defer { server.stop() }
        let result = try run(server, ["--people", "3", "--talkers", "1", "--seconds", "1"])
        #expect(result.joined == 2)
        #expect(result.failures == ["The room is full: 2 people are in it.": 1])
        let options = try LoadOptions(["--server", "http://127.0.0.1:\(server.port)", "--people", "2", "--quiet"])
        let none = try LoadRun(options) { _, _, _ in "no token" }.run()
        #expect(none.joined == 0)
        #expect(none.failures.values.reduce(0, +) == 2)
    }
}
