// Attacks on the media side of a live server, by somebody with a token and keys and by somebody with neither. The watcher in
// the same room, and on the same worker, notices nothing.
import Bots
import EventLoop
import Glibc
import Server
import Signalling
import Testing
import WholeServers

@testable import Transport

@Suite("Attacks on media", .serialized)
struct AttackTestsMedia {
    private func withAttacker(_ body: (AttackScene, NativeClient) throws -> Void) throws {
        let scene = try AttackScene()
        defer { scene.stop() }
        let mallory = try NativeClient(
            scene.host, port: scene.port, user: "mallory", token: TestServer.token("mallory"))
        defer { mallory.close() }
        try scene.attack {
            try mallory.join()
            #expect(mallory.waitUntilConnected())
        }
        try body(scene, mallory)
        #expect(mallory.received.withLock { $0.state } == .connected)
    }

    private static func rtp(
        _ ssrc: UInt32, _ number: UInt16, type: UInt8 = 96, timestamp: UInt32 = 0, payload: [UInt8]
    ) -> [UInt8] {
        var packet: [UInt8] = [0x80, type, UInt8(number >> 8), UInt8(number & 255)]
        for value in [timestamp, ssrc] {
            for shift in [24, 16, 8, 0] { packet.append(UInt8(value >> UInt32(shift) & 255)) }
        }
        return packet + payload
    }

    @Test("random bytes that pass authentication, as RTP and as RTCP")
    func randomAuthenticated() throws {
        try withAttacker { scene, mallory in
            var chance = TestChance(state: 1)
            try scene.attack {
                for _ in 0..<100 {
                    var rtp: [[UInt8]] = []
                    var rtcp: [[UInt8]] = []
                    for _ in 0..<50 {
                        var packet = chance.bytes(12 + Int(chance.next() % 1_200))
                        packet[0] = 0x80 | (packet[0] & 0x3f)
                        if chance.next() % 2 == 0 {
                            // Not more contributing sources and extension than there are bytes, or libsrtp refuses.
                            packet[0] &= 0xe0
                            packet[1] = [96, 97, 111, 0xe0][Int(chance.next() % 4)]
                        }
                        let ssrc = [mallory.audioSSRC, mallory.videoSSRC, 0][Int(chance.next() % 3)]
                        for index in 0..<4 { packet[8 + index] = UInt8(ssrc >> UInt32(24 - 8 * index) & 255) }
                        rtp.append(packet)
                        var report = chance.bytes(8 + 4 * Int(chance.next() % 100))
                        report[0] = 0x80 | (report[0] & 0x1f)
                        report[1] = 200 + UInt8(chance.next() % 8)
                        report[2] = 0
                        report[3] = UInt8(report.count / 4 - 1)
                        rtcp.append(report)
                    }
                    mallory.send(rtp: rtp)
                    mallory.send(rtcp: rtcp)
                }
            }
        }
    }

    @Test("NACKs for 65,536 packets of every slot, key-frame requests by the hundred, feedback of the largest counts")
    func feedbackStorm() throws {
        try withAttacker { scene, mallory in
            let slots = mallory.offer.contains("recvonly") ? mallory.joined?.answer.sdp ?? "" : ""
            let media = slots.split(whereSeparator: \.isNewline).compactMap { line -> UInt32? in
                guard line.hasPrefix("a=ssrc:") else { return nil }
                return UInt32(line.dropFirst(7).prefix { $0.isNumber })
            }
            #expect(!media.isEmpty)
            func big(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> UInt32(24 - 8 * $0) & 255) } }
            try scene.attack {
                for _ in 0..<10 {
                    var packets: [[UInt8]] = []
                    for ssrc in Set(media) {
                        // 17 numbers in each of 280 entries, fourteen datagrams for all numbers.
                        for part in 0..<14 {
                            var nack: [UInt8] = [0x81, 205, 0x01, 0x1a] + big(7) + big(ssrc)
                            for entry in 0..<280 {
                                let number = UInt16(truncatingIfNeeded: (part * 280 + entry) * 17)
                                nack += [UInt8(number >> 8), UInt8(number & 255), 0xff, 0xff]
                            }
                            packets.append(nack)
                        }
                        let loss: [UInt8] = [0x81, 206, 0, 2] + big(7) + big(ssrc)
                        packets.append(Array((0..<100).map { _ in loss }.joined()))
                    }
                    // Transport-wide feedback: 65,535 packets told in run lengths, and told without any chunk.
                    packets.append([0x8f, 205, 0, 4] + big(7) + big(8) + [0, 0, 0xff, 0xff, 0, 0, 0, 0])
                    packets.append(
                        [0x8f, 205, 0, 13] + big(7) + big(8) + [0, 0, 0xff, 0xff, 0, 0, 0, 0]
                            + [UInt8](repeating: 0x3f, count: 36))
                    // REMB of 255 sources in a packet that holds none.
                    packets.append([0x8f, 206, 0, 4] + big(7) + big(0) + Array("REMB".utf8) + [255, 0xff, 0xff, 0xff])
                    mallory.send(rtcp: packets)
                }
            }
        }
    }

    @Test("RTX with SSRC 0 before any media, ten thousand SSRCs, and numbers that leap")
    func manySources() throws {
        try withAttacker { scene, mallory in
            try scene.attack {
                mallory.send(rtp: (0..<200).map { Self.rtp(0, UInt16($0), type: 97, payload: [0, 1, 2, 3]) })
                for block in 0..<100 {
                    mallory.send(
                        rtp: (0..<100).map { Self.rtp(UInt32(block * 100 + $0) &+ 10_000, 1, payload: [0x10, 1, 2]) })
                }
                var number: UInt16 = 0
                for _ in 0..<20 {
                    mallory.send(
                        rtp: (0..<100).map { _ in
                            number &+= 2_900
                            return Self.rtp(mallory.videoSSRC, number, payload: RoomTests.keyFrame)
                        })
                }
            }
        }
    }

    @Test("fifty thousand packets in a burst of real media: the others are heard")
    func flood() throws {
        try withAttacker { scene, mallory in
            // It is forwarded, so the watcher's socket in this process may overflow: what counts is that it goes on.
            try scene.attack(losingNothing: false) {
                var number: UInt16 = 0
                for _ in 0..<500 {
                    mallory.send(
                        rtp: (0..<100).map { _ in
                            number &+= 1
                            return Self.rtp(
                                mallory.audioSSRC, number, type: 111, payload: [UInt8](repeating: 1, count: 60))
                        })
                }
            }
        }
    }

    @Test("from the validated address without keys: forged RTP and RTCP, DTLS of every kind, STUN garbage")
    func plainFromValidatedAddress() throws {
        try withAttacker { scene, mallory in
            var chance = TestChance(state: 2)
            try scene.attack {
                for round in 0..<100 {
                    mallory.send(
                        plain: (0..<60).map { index in
                            var packet = chance.bytes(1 + Int(chance.next() % 1_300))
                            switch index % 4 {
                            case 0: packet[0] = 0x80
                            case 1:
                                packet = [22, 254, UInt8(round % 2 == 0 ? 253 : 255)] + packet
                            case 2: packet[0] = UInt8(20 + chance.next() % 44)
                            default: packet[0] = UInt8(chance.next() % 4)
                            }
                            return packet
                        })
                }
            }
        }
    }

    @Test("from an address that ICE never validated: RTP, DTLS and STUN at full speed")
    func unvalidatedFlood() throws {
        try withAttacker { scene, mallory in
            let answer = scene.watcher.joined?.answer.sdp ?? ""
            let port = answer.split(whereSeparator: \.isNewline).lazy.compactMap { line -> UInt16? in
                guard line.hasPrefix("a=candidate:") else { return nil }
                return line.split(separator: " ").dropFirst(5).first.flatMap { UInt16($0) }
            }.first
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = try #require(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var chance = TestChance(state: 3)
            let packets: [[UInt8]] = (0..<64).map { index in
                var packet = chance.bytes(40 + Int(chance.next() % 200))
                packet[0] = [0x80, 22, 0, 0x80][index % 4]
                if index % 4 == 2 {
                    packet.replaceSubrange(1..<8, with: [1, 0, UInt8(packet.count - 20), 0x21, 0x12, 0xa4, 0x42])
                }
                return packet
            }
            try scene.attack {
                let end = MonotonicClock.now + 3_000_000_000
                while MonotonicClock.now < end {
                    for packet in packets {
                        withUnsafePointer(to: &address) {
                            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                                _ = sendto(
                                    descriptor, packet, packet.count, Int32(MSG_DONTWAIT), $0,
                                    socklen_t(MemoryLayout<sockaddr_in>.size))
                            }
                        }
                    }
                }
            }
        }
    }
}
