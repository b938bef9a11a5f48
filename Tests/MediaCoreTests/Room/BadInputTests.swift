// Whatever comes, the core returns: random bytes, mutated packets and commands in any order, with the invariants that
// must hold of everything that goes out.
import MediaCore
import Testing

/// A small seeded generator for tests.
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let x = state ^ (state >> 33)
        return x &* 0xff51_afd7_ed55_8ccd
    }
}

@Suite("Bad input")
struct BadInputTests {
    func packet(_ random: inout TestRandom) -> [UInt8] {
        let n = UInt32.random(in: 1...4, using: &random)
        let sequence = UInt16.random(in: 0...UInt16.max, using: &random) & (Bool.random(using: &random) ? 0xff : 0xffff)
        let timestamp =
            UInt32.random(in: 0...UInt32.max, using: &random) & (Bool.random(using: &random) ? 0xffff : .max)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return audioPacket(n, sequence, timestamp, level: UInt8.random(in: 0...127, using: &random))
        case 1, 2:
            return videoPacket(
                n, sequence, timestamp, key: Bool.random(using: &random), picture: sequence & 0x7fff,
                tl0: UInt8(sequence & 0xff), keyIndex: UInt8(sequence & 0x1f), start: Bool.random(using: &random),
                size: Int.random(in: 10...1_600, using: &random))
        case 3:
            return rtpPacket(
                97, sequence, timestamp, n * 100 + 3, payload: [0, UInt8(sequence & 0xff), 0x90, 0x80, 1, 0])
        case 4: return rtpPacket(111, sequence, timestamp, n * 100 + 1, payload: [], padding: 9)
        case 5: return pictureLoss(n * 100 + 20)
        case 6: return negativeAcknowledgement(n * 100 + 20, (0..<8).map { sequence &+ $0 &* 3 })
        case 7:
            return senderReport(
                n * 100 + UInt32.random(in: 1...3, using: &random), ntp: random.next(), timestamp: timestamp)
        default:
            return (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    func command(_ random: inout TestRandom) -> RoomCommand {
        let n = UInt32.random(in: 1...5, using: &random)
        let track = TrackID(peer: PeerID(n), mid: mid(Bool.random(using: &random) ? "cam" : "mic"))
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return .addParticipant(PeerID(n))
        case 2:
            var tracks = [TestRoom.microphone(n), TestRoom.camera(n), TestRoom.screen(n)]
            if Bool.random(using: &random) { tracks[1] = TestRoom.simulcastCamera() }
            tracks.removeLast(Int.random(in: 0...2, using: &random))
            let slots = TestRoom.slots(
                n, audio: Int.random(in: 0...3, using: &random), video: Int.random(in: 0...3, using: &random),
                rtx: Bool.random(using: &random))
            return .applyPlan(PeerID(n), TestRoom.plan(tracks, slots))
        case 3, 4, 5: return .peerConnected(PeerID(n))
        case 6: return .setMuted(track, Bool.random(using: &random))
        case 8:
            return .soundLevel(
                track, timestamp: UInt32.random(in: 0...UInt32.max, using: &random),
                AudioLevel(
                    isVoice: Bool.random(using: &random), level: UInt8.random(in: 0...127, using: &random)))
        case 7:
            return .setSlotWishes(
                PeerID(n),
                [
                    SlotWish(
                        mid: mid("v\(Int.random(in: 0...2, using: &random))"), pin: track,
                        wantedHeight: UInt16.random(in: 0...2, using: &random))
                ])
        default:
            return Bool.random(using: &random)
                ? .peerDisconnected(PeerID(n)) : .removeParticipant(PeerID(n), .left)
        }
    }

    /// What must hold of every packet that goes out, per peer and SSRC.
    struct Invariants {
        private var sent: [UInt64: [UInt16: [UInt8]]] = [:]
        var violations: [String] = []

        mutating func check(_ rtp: [SentRTP], connected: Set<UInt32>) {
            for packet in rtp {
                let key = UInt64(packet.peer.rawValue) << 32 | UInt64(packet.ssrc)
                if let before = sent[key, default: [:]][packet.sequence], before != packet.bytes {
                    violations.append("\(packet.ssrc): number \(packet.sequence) sent twice with different bytes")
                }
                sent[key, default: [:]][packet.sequence] = packet.bytes
                // The slot's SSRC begins with its receiver's number, the contributing source is another peer.
                if packet.ssrc / 100 != packet.peer.rawValue { violations.append("sent to the wrong peer") }
                if packet.source == packet.peer.rawValue { violations.append("sent back to its publisher") }
                if !connected.contains(packet.peer.rawValue) { violations.append("sent to a peer not connected") }
            }
        }
        /// A peer that left may come again with the same SSRCs and other keys.
        mutating func forget(_ n: UInt32) { sent = sent.filter { UInt32($0.key >> 32) != n } }
    }

    @Test(
        "A hundred thousand random packets, mutations and commands trap nowhere and break no invariant",
        arguments: 1...4)
    func random(seed: Int) {
        var random = TestRandom(state: UInt64(seed))
        let room = TestRoom(seed: UInt64(seed))
        var connected: Set<UInt32> = []
        var present: Set<UInt32> = []
        var invariants = Invariants()
        for n in 1...4 as ClosedRange<UInt32> {
            room.join(n, [TestRoom.microphone(n), TestRoom.camera(n)])
            connected.insert(n)
            present.insert(n)
        }
        for step in 0..<25_000 {
            let from = UInt32.random(in: 1...5, using: &random)
            if step % 500 == 499 {
                let command = command(&random)
                switch command {
                case .addParticipant(let id): present.insert(id.rawValue)
                case .peerConnected(let id): if present.contains(id.rawValue) { connected.insert(id.rawValue) }
                case .peerDisconnected(let id): connected.remove(id.rawValue)
                case .removeParticipant(let id, _):
                    connected.remove(id.rawValue)
                    present.remove(id.rawValue)
                    invariants.forget(id.rawValue)
                default: break
                }
                room.apply(command)
            } else {
                var bytes = packet(&random)
                if Int.random(in: 0..<4, using: &random) == 0, !bytes.isEmpty {
                    for _ in 0..<Int.random(in: 1...4, using: &random) {
                        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(
                            truncatingIfNeeded: random.next())
                    }
                    if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
                }
                if bytes.count > 1, bytes[1] >= 192, bytes[1] <= 223 {
                    room.control(bytes, from: from)
                } else {
                    room.receive(bytes, from: from)
                }
            }
            if step % 5 == 0 { room.run(milliseconds: Int64.random(in: 0...40, using: &random)) }
            invariants.check(room.rtp, connected: connected)
            room.clear()
            room.transcript.removeAll(keepingCapacity: true)
        }
        #expect(invariants.violations.prefix(5).isEmpty, "\(invariants.violations.prefix(5))")
        #expect(room.latePromises == 0)
        #expect(room.core.statistics.rtpPacketsSent > 1_000)
    }

    @Test("Times at the ends of the clock, backwards and far apart do no harm")
    func times() {
        let room = TestRoom()
        room.join(1, [TestRoom.microphone(1), TestRoom.camera(1)])
        room.join(2, [])
        for (i, time) in [0, Int64.min, Int64.max, -1, 1, Int64.max - 1, Int64.min + 1, 5_000_000_000].enumerated() {
            room.now = Timestamp(nanoseconds: time)
            room.receive(videoPacket(1, UInt16(i), UInt32(i), key: true), from: 1)
            room.receive(audioPacket(1, UInt16(i), UInt32(i)), from: 1)
            room.control(senderReport(102, ntp: UInt64(bitPattern: time), timestamp: 1), from: 1)
            room.control(pictureLoss(220), from: 2)
            room.core.advance(to: room.now, into: &room.out)
        }
        #expect(room.core.statistics.rtpPacketsReceived == 16)
    }
}
