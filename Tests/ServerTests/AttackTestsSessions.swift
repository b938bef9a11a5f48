// Attacks on sessions and negotiation of a live server: floods, storms and offers that change everything. The watcher in the
// same room notices nothing, and what the process held before it holds afterwards.
import Bots
import EventLoop
import Glibc
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("Attacks on sessions", .serialized)
struct AttackTestsSessions {
    private static func offer(
        _ change: (String) -> String = { $0 }, ufrag: String = "abcd", sections: Int = 4, ssrc: UInt32 = 1
    ) -> String {
        var media = NativeMedia()
        media.audioSlots = sections - 2
        media.videoSlots = 0
        return change(
            NativeClient.offer(
                ufrag: ufrag, password: "abcdefghijklmnopqrstuvwx",
                fingerprint: Array(repeating: "AB", count: 32).joined(separator: ":"), candidates: [], media: media,
                audioSSRC: ssrc, videoSSRC: ssrc + 1))
    }
    private static let tracks: [ClientCommand.Track] = [
        .init(mid: "0", source: .microphone), .init(mid: "1", source: .camera),
    ]
    private static func join(_ sdp: String) -> ClientCommand {
        .join(.init(room: "test", offer: .init(type: .offer, sdp: sdp), tracks: tracks))
    }

    @Test("two hundred join, and leave or vanish, many at a time: the others are heard")
    func joinLeaveStorm() throws {
        let scene = try AttackScene { $0.rooms.maximumParticipants = 500 }
        defer { scene.stop() }
        func storm() throws {
            for _ in 0..<4 {
                let people = try (0..<50).map { index in
                    let client = try SignallingClient(port: scene.port)
                    try client.hello(
                        token: TestServer.token("guest\(index)"), device: index % 2 == 0 ? "d\(index / 4)" : nil)
                    client.command(Self.join(Self.offer()))
                    return client
                }
                for (index, client) in people.enumerated() {
                    switch index % 3 {
                    case 0: client.command(.leave)
                    case 1: client.socket.abort()
                    default: client.socket.send(opcode: 8, [0x03, 0xe8])
                    }
                }
                scene.watcher.signalling.acknowledge()
                scene.speaker.signalling.acknowledge()
            }
        }
        try scene.attack { try storm() }
    }

    @Test("the same, with sessions that end at once: descriptors and memory come back")
    func leaks() throws {
        let scene = try AttackScene(child: ["--rooms.maximumParticipants", "500", "--sessions.resumeSeconds", "1"])
        defer { scene.stop() }
        let child = try #require(scene.child)
        // A sanitizer's build takes a minute for what is a second's work, and everybody's transport has timed out by then.
        let crowd = Sanitizer.isOn ? 10 : 40
        func storm() throws {
            for round in 0..<2 {
                let people = try (0..<crowd).map { index in
                    let client = try SignallingClient(port: scene.port)
                    try client.hello(token: TestServer.token("guest\(index)"))
                    client.command(Self.join(Self.offer(ufrag: "ufrg\(round)")))
                    return client
                }
                for (index, client) in people.enumerated() {
                    if index % 2 == 0 { client.socket.abort() } else { client.command(.leave) }
                }
                scene.watcher.signalling.acknowledge()
                scene.speaker.signalling.acknowledge()
            }
        }
        let baseline = child.descriptors
        try storm()
        #expect(Deadline.wait(seconds: 20) { child.descriptors <= baseline }, "\(child.descriptors) of \(baseline)")
        let warm = child.mebibytes
        for _ in 0..<3 {
            try storm()
            #expect(Deadline.wait(seconds: 20) { child.descriptors <= baseline }, "\(child.descriptors) of \(baseline)")
        }
        // A sanitizer keeps what was freed for a while.
        #expect(child.mebibytes < warm + (Sanitizer.isOn ? 1_024 : 48), "from \(warm) to \(child.mebibytes) MiB")
        try scene.attack {}
    }

    @Test("a thousand sockets that never say hello, half of them half a request: closed in time, descriptors come back")
    func silentSockets() throws {
        let scene = try AttackScene(child: ["--sessions.helloSeconds", "1"])
        defer { scene.stop() }
        let child = try #require(scene.child)
        let baseline = child.descriptors
        try scene.attack {
            var sockets: [WebSocketClient] = []
            for _ in 0..<500 { sockets.append(try WebSocketClient(port: scene.port)) }
            let halves = (0..<500).map { _ in HalfRequest(port: scene.port) }
            #expect(sockets[0].closeCode() == 4428)
            #expect(sockets[499].closeCode() == 4428)
            sockets = []
            withExtendedLifetime(halves) {}
        }
        #expect(Deadline.wait(seconds: 20) { child.descriptors <= baseline }, "\(child.descriptors) of \(baseline)")
    }

    @Test("random bytes, random JSON and absurd values: an error or a close, and no harm")
    func absurdMessages() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        let texts = [
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","wantedHeight":-1}]}"#,
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","wantedHeight":1e308}]}"#,
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","wantedHeight":65535},{"mid":"2","wantedHeight":0}]}"#,
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","pin":"p99999999999999999999/0"}]}"#,
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","pin":"p1/🧨"},{"mid":"2","pin":"/"}]}"#,
            #"{"id":"ID","type":"subscribe","slots":[{"mid":"2","pin":"p3/0"}]}"#,
            #"{"id":"ID","type":"mute","mid":"\#(String(repeating: "m", count: 60_000))","muted":true}"#,
            #"{"id":"ID","type":"mute","mid":"ة\u0000\ud800","muted":true}"#,
            #"{"id":"ID","type":"candidate","candidate":"candidate:1 1 udp 4294967296 1.2.3.4 99999 typ host"}"#,
            #"{"id":"ID","type":"candidate","candidate":"candidate:\#(String(repeating: "9", count: 5_000))"}"#,
            #"{"id":"ID","type":"candidate","candidate":"candidate:1 1 udp 1 x.local 9 typ host","mid":"\#(String(repeating: "é", count: 300))"}"#,
            #"{"id":"ID","type":"offer","sdp":"v=0\r\n","tracks":[]}"#,
            #"{"id":"ID","type":"offer","sdp":"","tracks":[{"mid":"","source":"camera"}]}"#,
            #"{"id":"ID","type":"join","room":"test","offer":{"type":"answer","sdp":""},"tracks":[]}"#,
            #"{"id":"ID","ack":18446744073709551615,"type":"ack"}"#,
            #"{"id":"99999999999999999999999","type":"leave"}"#,
        ]
        try scene.attack {
            let mallory = try SignallingClient(port: scene.port)
            try mallory.hello(token: TestServer.token("mallory"))
            guard case .joined = try mallory.ask(Self.join(Self.offer())) else { throw WebSocketClient.Failure.broken }
            var id = 1
            for text in texts {
                id += 1
                mallory.socket.send(text.replacing("ID", with: "\(id)"))
            }
            var chance = TestChance(state: 4)
            for _ in 0..<200 {
                guard let socket = try? WebSocketClient(port: scene.port) else { continue }
                let bytes = chance.bytes(Int(chance.next() % 2_000))
                socket.send(opcode: chance.next() % 4 == 0 ? 2 : 1, bytes)
                socket.write(chance.bytes(20))
            }
        }
    }

    @Test("candidates by the thousand: garbage, names, TCP, private and multicast addresses")
    func candidateFlood() throws {
        let scene = try AttackScene {
            $0.sessions.commandsPerSecond = 10_000
            $0.sessions.commandBurst = 10_000
            $0.sessions.userCommandsPerSecond = 0
            $0.media.allowPrivateCandidates = true
        }
        defer { scene.stop() }
        let mallory = try SignallingClient(port: scene.port)
        try mallory.hello(token: TestServer.token("mallory"))
        guard case .joined = try mallory.ask(Self.join(Self.offer())) else { throw WebSocketClient.Failure.broken }
        let forms = [
            "garbage", "candidate:", "candidate:1 1 udp 1 printer.local 9 typ host",
            "candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype active", "candidate:1 1 udp 1 10.0.0.N 9 typ host",
            "candidate:1 1 udp 1 224.0.0.N 9 typ host", "candidate:1 1 udp 1 ::ffff:127.0.0.1 N typ host",
            "candidate:1 2 udp 1 127.0.0.N 9 typ host",
            "candidate:1 1 udp 1 127.0.0.N 9 typ srflx raddr 0.0.0.0 rport 9",
            "candidate:1 1 udp 1 fe80::N%lo 9 typ host", "candidate:1 1 udp 1 [::1] 9 typ relay", "",
        ]
        try scene.attack {
            for number in 0..<1_500 {
                let text = forms[number % forms.count].replacing("N", with: "\(number % 250 + 1)")
                guard case .ok = try mallory.ask(.candidate(.init(candidate: text))) else {
                    throw WebSocketClient.Failure.broken
                }
            }
        }
    }

    @Test("an offer that changes everything each time, and hundreds of ICE restarts; memory and descriptors stay")
    func reofferStorm() throws {
        let scene = try AttackScene(
            child: [
                "--sessions.commandsPerSecond", "1000", "--sessions.commandBurst", "1000",
                "--sessions.userCommandsPerSecond", "0",
            ])
        defer { scene.stop() }
        let child = try #require(scene.child)
        let mallory = try SignallingClient(port: scene.port)
        try mallory.hello(token: TestServer.token("mallory"))
        guard case .joined = try mallory.ask(Self.join(Self.offer())) else { throw WebSocketClient.Failure.broken }
        var answered = 0
        func storm(_ range: Range<Int>) throws {
            for number in range {
                var text = Self.offer(
                    ufrag: "ufrag\(number)", sections: 3 + number % 20, ssrc: UInt32(number * 7 + 1))
                switch number % 6 {
                case 0: text = text.replacing("a=mid:0", with: "a=mid:x\(number)")
                case 1: text = text.replacing("m=audio", with: "m=video")
                case 2: text = text.replacing("a=ssrc:", with: "a=ssrc:1 cname:x\r\na=ssrc:1 cname:y\r\na=ssrc:")
                case 3:
                    text = text.replacing(
                        "a=sendonly", with: "a=sendonly\r\na=rid:q send\r\na=rid:q send\r\na=simulcast:send q;q;q,q")
                case 4: text = text.replacing("a=recvonly", with: "a=inactive")
                default: break
                }
                if case .answer = try mallory.ask(.offer(.init(sdp: text, tracks: Self.tracks))) { answered += 1 }
            }
        }
        let baseline = child.descriptors
        try scene.attack { try storm(0..<200) }
        let warm = child.mebibytes
        try scene.attack { try storm(200..<600) }
        #expect(answered > 20)
        #expect(Deadline.wait(seconds: 20) { child.descriptors <= baseline }, "\(child.descriptors) of \(baseline)")
        #expect(child.mebibytes < warm + 32, "from \(warm) to \(child.mebibytes) MiB")
    }

    @Test("offers of half a megabyte, as many as may be sent: the others are heard")
    func largeOffers() throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        let mallory = try SignallingClient(port: scene.port)
        try mallory.hello(token: TestServer.token("mallory"))
        guard case .joined = try mallory.ask(Self.join(Self.offer())) else { throw WebSocketClient.Failure.broken }
        let line = "a=ssrc:123456 msid:aaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbb\r\n"
        let padding = String(repeating: line, count: min(9_800, 480_000 / line.utf8.count))
        try scene.attack {
            for number in 0..<12 {
                let text = Self.offer(ufrag: "ufrag\(number)") + padding
                guard case .answer = try mallory.ask(.offer(.init(sdp: text, tracks: Self.tracks))) else {
                    throw WebSocketClient.Failure.broken
                }
            }
        }
    }
}

/// A TCP connection that has sent half of a request.
private final class HalfRequest {
    private let descriptor: Int32

    init(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let text = Array("GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpg".utf8)
        _ = Glibc.send(descriptor, text, text.count, Int32(MSG_NOSIGNAL))
    }

    deinit { close(descriptor) }
}
