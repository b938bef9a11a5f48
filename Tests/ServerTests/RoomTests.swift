// A whole server and native clients: the life of a room.
import Bots
import EventLoop
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("Rooms of a whole server", .serialized)
struct RoomTests {
    /// A VP8 key frame of one packet: S bit, no partition; start code and a size of 320x240; then noise.
    static let keyFrame: [UInt8] =
        [0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00] + [UInt8](repeating: 0xaa, count: 200)

    /// A server, and clients that have said hello; they are not in a room.
    private func withPeople(
        _ names: String..., body: (TestServer, NativeClient.Host, [NativeClient]) throws -> Void
    ) throws {
        let server = try TestServer()
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        let people = try names.map {
            try NativeClient(host, port: server.port, user: $0, token: TestServer.token($0))
        }
        defer { for person in people { person.close() } }
        try body(server, host, people)
    }

    @Test("two people join, connect by ICE and DTLS, and each receives the other's audio and video with their number")
    func twoPeople() throws {
        try withPeople("amina", "budi") { _, _, people in
            let (amina, budi) = (people[0], people[1])
            let first = try amina.join()
            #expect(first.participants.isEmpty)
            #expect(first.slots.count == 4)
            let second = try budi.join()
            #expect(second.participants.map(\.user) == ["amina"])
            #expect(second.version == first.version + 1)
            let told = try amina.signalling.wait { message -> ParticipantDescription? in
                if case .participantJoined(let joined) = message { joined.participant } else { nil }
            }
            #expect(told.user == "budi")
            #expect(told.tracks.map(\.source) == [.microphone, .camera])
            #expect(amina.waitUntilConnected() && budi.waitUntilConnected())

            var timestamp: UInt32 = 0
            func received(_ client: NativeClient, payloadType: UInt8) -> [[UInt8]] {
                client.received.withLock { $0.rtp }.filter { $0.count > 12 && $0[1] & 127 == payloadType }
            }
            let arrives = Deadline.wait(seconds: 10) {
                timestamp &+= 960
                amina.send(audio: true, timestamp: timestamp, payload: [UInt8](repeating: 7, count: 80))
                amina.send(audio: false, timestamp: timestamp, payload: Self.keyFrame, marker: true)
                // As fast as sound is, or it leaves the picture nothing of what budi may be sent.
                Pause.milliseconds(18)
                return received(budi, payloadType: 111).count > 3 && received(budi, payloadType: 96).count > 3
            }
            #expect(arrives)
            let packet = try #require(received(budi, payloadType: 96).last)
            // One CSRC, and it is amina's number in the room.
            #expect(packet[0] & 15 == 1)
            let csrc = packet[12..<16].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            #expect(csrc == first.participant.number)
            #expect(packet.suffix(200).allSatisfy { $0 == 0xaa })
            #expect(received(amina, payloadType: 96).isEmpty)
        }
    }

    @Test("one leaves and the others are told at once; one vanishes and they are told within 12 seconds")
    func leavingAndVanishing() throws {
        try withPeople("amina", "budi", "carol") { _, _, people in
            for person in people {
                try person.join()
                #expect(person.waitUntilConnected())
            }
            #expect(try people[1].signalling.ask(.leave) == .left)
            let left = try people[0].signalling.wait { if case .participantLeft(let left) = $0 { left } else { nil } }
            #expect(left.participant == people[1].joined?.participant.id)
            #expect(left.reason == .left)
            people[2].vanish()
            let gone = try people[0].signalling.wait(milliseconds: 12_000) {
                if case .participantLeft(let left) = $0 { left } else { nil }
            }
            #expect(gone.participant == people[2].joined?.participant.id)
            #expect(gone.reason == .timedOut)
        }
    }

    @Test("the same person on the same device takes the old one's place: no ghost stays")
    func replaced() throws {
        try withPeople("amina") { server, host, people in
            let watcher = people[0]
            let old = try NativeClient(
                host, port: server.port, user: "budi", token: TestServer.token("budi"), device: "d")
            defer { old.close() }
            try watcher.join()
            try old.join()
            let new = try NativeClient(
                host, port: server.port, user: "budi", token: TestServer.token("budi"), device: "d")
            defer { new.close() }
            let joined = try new.join()
            #expect(joined.participants.map(\.user) == ["amina"])
            #expect(old.signalling.socket.closeCode() == 4409)
            var events: [String] = []
            _ = try watcher.signalling.wait { message -> Bool? in
                switch message {
                case .participantJoined(let joined): events.append("joined \(joined.participant.id)")
                case .participantLeft(let left): events.append("left \(left.participant) \(left.reason)")
                default: break
                }
                return events.count == 3 ? true : nil
            }
            #expect(events == ["joined p2", "left p2 replaced", "joined p3"])
        }
    }

    @Test("a mute is told to the others, once; an unknown track is refused")
    func mute() throws {
        try withPeople("amina", "budi") { _, _, people in
            let (amina, budi) = (people[0], people[1])
            try amina.join()
            try budi.join()
            #expect(try budi.signalling.ask(.mute(.init(mid: "0", muted: true))) == .ok(.init()))
            let told = try amina.signalling.wait { if case .trackMuted(let muted) = $0 { muted } else { nil } }
            #expect(told.track == "p2/0" && told.muted && told.version == 3)
            guard case .error(let error) = try budi.signalling.ask(.mute(.init(mid: "9", muted: true))) else {
                Issue.record("a track that is not there was muted")
                return
            }
            #expect(error.code == .unknownTrack)
        }
    }

    @Test("rooms are spread over the workers by the people in them")
    func spread() throws {
        let server = try TestServer { $0.media.workers = 2 }
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        var people: [NativeClient] = []
        defer { for person in people { person.close() } }
        for room in ["a", "b"] {
            let token = try TestServer.token(room, room: room)
            let person = try NativeClient(host, port: server.port, user: room, token: token)
            people.append(person)
            try person.join(room: room)
            #expect(person.waitUntilConnected())
            person.send(audio: true, timestamp: 960, payload: [UInt8](repeating: 7, count: 80))
        }
        // Each worker has received what its own room was sent.
        let hasBoth = Deadline.wait(seconds: 10) {
            let page = server.metrics()
            return [0, 1].allSatisfy { worker in
                let line = page.split(separator: "\n").first {
                    $0.hasPrefix("majlis_received_packets_total{worker=\"\(worker)\"}")
                }
                return (line?.split(separator: " ").last.flatMap { Int($0) } ?? 0) > 0
            }
        }
        #expect(hasBoth)
    }
}
