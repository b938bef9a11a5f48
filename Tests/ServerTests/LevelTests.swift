// Whole servers with people who send no audio levels: who speaks is found by decoding, and heard from the first syllable on; nothing is decoded
// that is encrypted from end to end.
import Bots
import Captures
import EventLoop
import Glibc
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("People who send no levels, on a whole server", .serialized)
struct LevelTests {
    private static let people = 8, talkers = 4

    /// What came of a conversation in turns.
    private struct Heard {
        /// The share of the time of turns of two seconds and more, from their second second on, in which the speaker had the floor.
        var shown = 0.0
        var turns = 0
        var whole = 0
    }

    /// Eight people, four of whom take turns for so long; everybody has two slots and sends packets of at least 60 bytes.
    private func talk(on server: TestServer, milliseconds: Int) throws -> Heard {
        let host = try BotHost()
        defer { host.stop() }
        let schedule = TalkSchedule(
            .turns, people: Self.people, talkers: Self.talkers, seed: UInt64.random(in: 0...UInt64.max),
            milliseconds: 600_000)
        let voices = try SpeechSource.synthetic.voices(Self.talkers, bitsPerSecond: 24_000, payloadBytes: 60)
        let profiles = (0..<Self.people).map { index in
            var profile = BotProfile(number: index, user: "u\(index)", room: "test")
            profile.sendsLevels = false
            profile.audioSlots = 2
            profile.attention.decodes = index == Self.people - 1
            profile.attention.keepsBeginnings = profile.attention.decodes
            profile.follows = profile.attention.decodes
            return profile
        }
        try host.join(
            profiles, at: try ServerPlace("http://127.0.0.1:\(server.port)"), schedule: schedule, voices: voices,
            joinsPerSecond: 20
        ) { user, room, _ in try TestServer.token(user, room: room) }
        #expect(Deadline.wait(seconds: 30) { host.snapshot().connected == Self.people })
        host.setTalking(true)
        #expect(Deadline.wait(seconds: Int64(milliseconds / 1_000) + 30) { host.talkMilliseconds >= milliseconds })
        let listener = Self.people - 1
        let room = try #require(host.rooms()[listener])
        let sounds = try #require(host.sounds()[listener])
        var heard = Heard()
        var right = 0, all = 0
        for person in 0..<Self.talkers {
            for (number, turn) in schedule.turns(of: person).enumerated() where turn.end < milliseconds - 1_000 {
                let key = HeardTurn(sender: UInt16(person), turn: UInt16(number))
                heard.turns += 1
                if let sound = sounds[key], Likeness.isWhole(voices[person].beginning, in: sound) { heard.whole += 1 }
                guard turn.length >= 2_000 else { continue }
                for at in stride(from: turn.start + 1_000, to: turn.end, by: 20) {
                    all += 1
                    if room.floor(at: at) == "u\(person)" { right += 1 }
                }
            }
        }
        heard.shown = Double(right) / Double(max(1, all))
        return heard
    }

    private func counter(_ name: String, _ server: TestServer) -> Int {
        let line = server.metrics().split(separator: "\n").first { $0.hasPrefix("majlis_\(name){") }
        return line?.split(separator: " ").last.flatMap { Int($0) } ?? -1
    }

    @Test("who talks has the floor, and is heard from the first syllable on")
    func talking() throws {
        let server = try TestServer()
        defer { server.stop() }
        let heard = try talk(on: server, milliseconds: Sanitizer.isOn ? 12_000 : 25_000)
        print(
            "no levels: shown \(fixed(100 * heard.shown, 1)) %, \(heard.whole) of \(heard.turns) first syllables,",
            "\(counter("decoded_levels_total", server)) decoded, \(counter("dropped_levels_total", server)) dropped")
        #expect(counter("decoded_levels_total", server) > 1_000)
        #expect(heard.turns >= 2)
        // A machine that is busy with other things loses a turn now and then.
        #expect(heard.shown >= (Sanitizer.isOn ? 0.5 : 0.85))
        #expect(heard.whole >= heard.turns - (Sanitizer.isOn ? heard.turns / 2 : 1))
    }

    @Test("where nothing may be decoded the lengths of packets tell of nobody")
    func notDecoded() throws {
        let server = try TestServer { $0.media.decodeLevels = false }
        defer { server.stop() }
        let heard = try talk(on: server, milliseconds: 12_000)
        #expect(counter("decoded_levels_total", server) == 0)
        #expect(heard.shown < 0.7)
    }

    @Test("what was found is in a capture, which holds no sound: a replay decides the same without decoding anything")
    func replayed() throws {
        var template = Array("/tmp/majlis-levels-XXXXXX".utf8CString)
        let folder = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
        defer {
            for name in FileBytes.list(folder) { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        let server = try TestServer {
            $0.captures.folder = folder
            $0.captures.record = "headers"
            $0.captures.flightRecorder = false
        }
        do {
            defer { server.stop() }
            _ = try talk(on: server, milliseconds: 6_000)
        }
        let name = try #require(FileBytes.list(folder).first { $0.hasSuffix(".pcapng") })
        let survey = try CaptureSurvey.of(try #require(FileBytes.read(folder + "/" + name)))
        #expect(survey.commands > 500 && survey.digests > 3)
        let child = try #require(ChildProcess(ChildProcess.command, ["replay", folder + "/" + name]))
        #expect(child.exitCode(seconds: 60) == 0, "\(child.text)")
    }

    @Test("what is encrypted from end to end is not decoded, whoever else is in the room")
    func encrypted() throws {
        let server = try TestServer()
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        let people = try ["amina", "budi"].map {
            try NativeClient(host, port: server.port, user: $0, token: TestServer.token($0))
        }
        defer { for person in people { person.close() } }
        for person in people {
            person.rewriteOffer = {
                $0.replacing("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n", with: "")
            }
        }
        try people[0].join(encrypted: true)
        try people[1].join()
        for person in people { #expect(person.waitUntilConnected()) }
        let packets = try SpeechSource.synthetic.voices(1, bitsPerSecond: 24_000, payloadBytes: 0)[0][.speech].packets
        func send(_ person: NativeClient, _ count: Int) {
            for frame in 0..<count {
                person.send(audio: true, timestamp: UInt32(frame) * 960, payload: packets[frame])
                Pause.milliseconds(5)
            }
        }
        let received = counter("received_packets_total", server)
        send(people[0], 40)
        #expect(Deadline.wait(seconds: 10) { counter("received_packets_total", server) >= received + 40 })
        #expect(counter("decoded_levels_total", server) == 0)
        send(people[1], 40)
        #expect(Deadline.wait(seconds: 10) { counter("decoded_levels_total", server) == 40 })
        #expect(counter("dropped_levels_total", server) == 0)
    }
}
