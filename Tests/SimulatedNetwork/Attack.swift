// What a malicious participant sends: bytes and storms that must concern nobody else.

import MediaCore

/// A kind of malicious traffic.
public enum Attack: Sendable, Hashable, CaseIterable {
    /// Random bytes where RTP is expected; every second one with a sane first byte.
    case randomRTP
    /// RTP of ever new SSRCs, with and without a known mid.
    case newSSRCs
    /// RTX packets with SSRC 0 and with the plan's payload type, before any media.
    case rtxProbes
    /// Random bytes where RTCP is expected; every second one with a sane header.
    case randomRTCP
    /// NACKs of every sequence number, over and over.
    case nackStorm
    /// Key-frame requests for every slot.
    case keyFrameStorm
    /// RTCP whose counts go beyond the datagram: report blocks, feedback statuses, REMB sources.
    case countsBeyondTheBuffer
    /// Jumps of sequence number and timestamp on the attacker's own stream.
    case sequenceJumps
}

struct Attacker {
    let attack: Attack
    let peer: PeerID
    private var random: SeededRandom
    private var counter: UInt32 = 0

    init(_ attack: Attack, peer: PeerID, random: inout SeededRandom) {
        self.attack = attack
        self.peer = peer
        self.random = random.fork()
    }

    private func rtp(
        _ payloadType: UInt8, _ sequence: UInt16, _ timestamp: UInt32, _ ssrc: UInt32, mid: String?, _ payload: [UInt8]
    )
        -> [UInt8]
    {
        OutgoingPacket(
            payloadType: payloadType, marker: false, sequence: sequence, timestamp: timestamp, ssrc: ssrc,
            extensions: mid.map { [(ClientNumbers.mid, Array($0.utf8))] } ?? [], payload: payload
        ).bytes
    }

    /// The next malicious datagram.
    mutating func next() -> (bytes: [UInt8], isRTCP: Bool) {
        counter &+= 1
        let drawn = random.next()
        let sequence = UInt16(truncatingIfNeeded: drawn)
        let word = UInt32(truncatingIfNeeded: drawn >> 16)
        let slot = ClientNumbers.slotSSRC(peer: peer.rawValue, slot: random.below(9))
        switch attack {
        case .randomRTP:
            var bytes = random.bytes(random.below(1_500))
            if counter % 2 == 0, bytes.count > 12 {
                bytes[0] = 0x80 | (bytes[0] & 0x3f)
                bytes[1] = counter % 4 == 0 ? ClientNumbers.publishedVP8 : ClientNumbers.publishedOpus
            }
            return (bytes, false)
        case .newSSRCs:
            return (rtp(96, sequence, word, word ^ 0x55, mid: counter % 2 == 0 ? "v" : nil, random.bytes(40)), false)
        case .rtxProbes:
            return (
                rtp(97, sequence, word, counter % 2 == 0 ? 0 : word, mid: nil, random.bytes(random.below(4))), false
            )
        case .randomRTCP:
            var bytes = random.bytes(random.below(400))
            if counter % 2 == 0, bytes.count > 8 {
                bytes[0] = 0x80 | (bytes[0] & 0x1f)
                bytes[1] = UInt8(200 + random.below(8))
            }
            return (bytes, true)
        case .nackStorm:
            let all = (0..<500).map { sequence &+ UInt16($0) }
            return (ControlMessage.nack(sender: 1, media: slot, sequences: all).bytes, true)
        case .keyFrameStorm:
            let message: ControlMessage =
                counter % 2 == 0
                ? .pictureLossIndication(sender: 1, media: slot)
                : .fullIntraRequest(sender: 1, media: slot, number: UInt8(truncatingIfNeeded: counter))
            return (message.bytes, true)
        case .countsBeyondTheBuffer: return (beyondTheBuffer(word), true)
        case .sequenceJumps:
            let ssrc = ClientNumbers.publishedSSRC(peer: peer.rawValue, track: 1, encoding: 0)
            return (rtp(96, sequence, word, ssrc, mid: nil, [0x10, 0x11] + random.bytes(30)), false)
        }
    }

    private mutating func beyondTheBuffer(_ word: UInt32) -> [UInt8] {
        var out: [UInt8] = []
        switch counter % 4 {
        case 0:
            // A receiver report that promises 31 blocks and has none.
            out = [0x80 | 31, 201, 0, 1]
            out.append(bigEndian: word)
        case 1:
            // Transport feedback for 65,535 packets in one run, no deltas.
            out = [0x80 | 15, 205, 0, 5]
            for value in [1, 1, UInt32(0x0000_ffff), 0] as [UInt32] { out.append(bigEndian: value) }
            out += [0x3f, 0xff, 0x3f, 0xff]
        case 2:
            // REMB with 255 SSRCs of which one is there.
            out = [0x80 | 15, 206, 0, 5]
            for value in [1, 0, 0x5245_4d42, 0xff00_ffff, word] as [UInt32] { out.append(bigEndian: value) }
        default:
            // A length that goes beyond the datagram.
            out = [0x81, 205, 0xff, 0xff]
            out += random.bytes(12)
        }
        return out
    }
}
