// RTCP (RFC 3550 §6, RFC 4585, RFC 5104, transport-wide feedback draft-holmer-rmcat-transport-wide-cc-extensions-01)
// as the simulated clients write and read it. A second implementation beside MediaCore's, on purpose.

/// One report block (RFC 3550 §6.4.1).
public struct ReportBlock: Sendable, Hashable {
    /// The source that the block is about.
    public var ssrc: UInt32
    /// The fraction lost since the last report, of 256.
    public var fractionLost: UInt8
    /// Packets lost in all; a signed 24-bit number.
    public var cumulativeLost: Int32
    /// The highest sequence number received, extended by its cycles.
    public var extendedHighest: UInt32
    /// The interarrival jitter in units of the RTP clock.
    public var jitter: UInt32
    /// The middle 32 bits of the last sender report's NTP time; 0 for none.
    public var lastSenderReport: UInt32
    /// The time since that report in 1/65536 seconds.
    public var delaySinceLastSenderReport: UInt32

    /// A block with these fields.
    public init(
        ssrc: UInt32, fractionLost: UInt8, cumulativeLost: Int32, extendedHighest: UInt32, jitter: UInt32,
        lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.extendedHighest = extendedHighest
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }
}

/// Transport-wide feedback: which packets arrived, and when.
public struct TransportFeedbackReport: Sendable, Hashable {
    /// The first packet's transport-wide number.
    public var base: UInt16
    /// Counts the reports of one sender.
    public var feedbackCount: UInt8
    /// In multiples of 64 ms.
    public var referenceTime: Int32
    /// One for each packet from `base` on: the time since the one before in multiples of 250 µs, or nil when lost.
    public var deltas: [Int16?]

    /// Feedback with these fields.
    public init(base: UInt16, feedbackCount: UInt8, referenceTime: Int32, deltas: [Int16?]) {
        self.base = base
        self.feedbackCount = feedbackCount
        self.referenceTime = referenceTime
        self.deltas = deltas
    }

    /// The number of packets that arrived.
    public var receivedCount: Int { deltas.count { $0 != nil } }
}

/// One RTCP packet out of a compound one.
public enum ControlMessage: Sendable, Hashable {
    case senderReport(
        ssrc: UInt32, ntp: UInt64, rtpTimestamp: UInt32, packets: UInt32, octets: UInt32, blocks: [ReportBlock])
    case receiverReport(ssrc: UInt32, blocks: [ReportBlock])
    case sourceDescription(ssrc: UInt32, canonicalName: String)
    case goodbye(ssrc: UInt32)
    case nack(sender: UInt32, media: UInt32, sequences: [UInt16])
    case pictureLossIndication(sender: UInt32, media: UInt32)
    case fullIntraRequest(sender: UInt32, media: UInt32, number: UInt8)
    case transportFeedback(sender: UInt32, media: UInt32, TransportFeedbackReport)
    /// REMB (draft-alvestrand-rmcat-remb-03); written only.
    case maximumBitrate(sender: UInt32, bitsPerSecond: UInt64, sources: [UInt32])
    case other(type: UInt8, format: UInt8)

    /// The messages of a compound packet, or nil when a length does not fit or a version is wrong.
    public static func parse(_ bytes: [UInt8]) -> [ControlMessage]? {
        var messages: [ControlMessage] = []
        var at = 0
        while at < bytes.count {
            guard at + 4 <= bytes.count, bytes[at] >> 6 == 2 else { return nil }
            let length = 4 * (Int(bytes.bigEndian16(at: at + 2)) + 1)
            guard at + length <= bytes.count else { return nil }
            guard let message = parseOne(Array(bytes[at..<(at + length)])) else { return nil }
            messages.append(message)
            at += length
        }
        return messages
    }

    private static func parseOne(_ p: [UInt8]) -> ControlMessage? {
        let format = p[0] & 0x1f
        switch (p[1], format) {
        case (200, _):
            guard p.count >= 28 + 24 * Int(format) else { return nil }
            return .senderReport(
                ssrc: p.bigEndian32(at: 4), ntp: UInt64(p.bigEndian32(at: 8)) << 32 | UInt64(p.bigEndian32(at: 12)),
                rtpTimestamp: p.bigEndian32(at: 16), packets: p.bigEndian32(at: 20), octets: p.bigEndian32(at: 24),
                blocks: (0..<Int(format)).map { block(p, 28 + 24 * $0) })
        case (201, _):
            guard p.count >= 8 + 24 * Int(format) else { return nil }
            return .receiverReport(
                ssrc: p.bigEndian32(at: 4), blocks: (0..<Int(format)).map { block(p, 8 + 24 * $0) })
        case (202, _):
            guard p.count >= 10 else { return .other(type: 202, format: format) }
            let end = min(p.count, 10 + Int(p[9]))
            return .sourceDescription(
                ssrc: p.bigEndian32(at: 4), canonicalName: String(decoding: p[10..<end], as: UTF8.self))
        case (203, _): return p.count >= 8 ? .goodbye(ssrc: p.bigEndian32(at: 4)) : .other(type: 203, format: format)
        case (205, 1):
            guard p.count >= 16 else { return nil }
            var sequences: [UInt16] = []
            for at in stride(from: 12, to: p.count - 3, by: 4) {
                let first = p.bigEndian16(at: at)
                let mask = p.bigEndian16(at: at + 2)
                sequences.append(first)
                for bit in 0..<16 where mask & (1 << UInt16(bit)) != 0 { sequences.append(first &+ UInt16(bit + 1)) }
            }
            return .nack(sender: p.bigEndian32(at: 4), media: p.bigEndian32(at: 8), sequences: sequences)
        case (205, 15): return feedback(p)
        case (206, 1):
            guard p.count >= 12 else { return nil }
            return .pictureLossIndication(sender: p.bigEndian32(at: 4), media: p.bigEndian32(at: 8))
        case (206, 4):
            guard p.count >= 20 else { return nil }
            return .fullIntraRequest(sender: p.bigEndian32(at: 4), media: p.bigEndian32(at: 12), number: p[16])
        default: return .other(type: p[1], format: format)
        }
    }

    private static func block(_ p: [UInt8], _ at: Int) -> ReportBlock {
        let lost = p.bigEndian32(at: at + 4)
        return ReportBlock(
            ssrc: p.bigEndian32(at: at), fractionLost: UInt8(lost >> 24),
            cumulativeLost: Int32(bitPattern: lost << 8) >> 8, extendedHighest: p.bigEndian32(at: at + 8),
            jitter: p.bigEndian32(at: at + 12), lastSenderReport: p.bigEndian32(at: at + 16),
            delaySinceLastSenderReport: p.bigEndian32(at: at + 20))
    }

    private static func feedback(_ p: [UInt8]) -> ControlMessage? {
        guard p.count >= 20 else { return nil }
        let count = Int(p.bigEndian16(at: 14))
        let reference = Int32(bitPattern: p.bigEndian32(at: 16) & 0xffff_ff00) >> 8
        var symbols: [UInt8] = []
        var at = 20
        while symbols.count < count {
            guard at + 2 <= p.count else { return nil }
            let chunk = p.bigEndian16(at: at)
            at += 2
            if chunk & 0x8000 == 0 {
                let run = min(Int(chunk & 0x1fff), count - symbols.count)
                guard run > 0 else { return nil }
                symbols += [UInt8](repeating: UInt8(chunk >> 13 & 3), count: run)
            } else if chunk & 0x4000 == 0 {
                for bit in 0..<14 where symbols.count < count { symbols.append(UInt8(chunk >> UInt16(13 - bit) & 1)) }
            } else {
                for pair in 0..<7 where symbols.count < count {
                    symbols.append(UInt8(chunk >> UInt16(12 - 2 * pair) & 3))
                }
            }
        }
        var deltas: [Int16?] = []
        for symbol in symbols {
            switch symbol {
            case 0: deltas.append(nil)
            case 1:
                guard at < p.count else { return nil }
                deltas.append(Int16(p[at]))
                at += 1
            case 2:
                guard at + 1 < p.count else { return nil }
                deltas.append(Int16(bitPattern: p.bigEndian16(at: at)))
                at += 2
            default: return nil
            }
        }
        let report = TransportFeedbackReport(
            base: p.bigEndian16(at: 12), feedbackCount: p[19], referenceTime: reference, deltas: deltas)
        return .transportFeedback(sender: p.bigEndian32(at: 4), media: p.bigEndian32(at: 8), report)
    }

    /// The message on the wire.
    public var bytes: [UInt8] {
        var body: [UInt8] = []
        switch self {
        case .senderReport(let ssrc, let ntp, let timestamp, let packets, let octets, let blocks):
            body.append(bigEndian: ssrc)
            body.append(bigEndian: UInt32(truncatingIfNeeded: ntp >> 32))
            body.append(bigEndian: UInt32(truncatingIfNeeded: ntp))
            for word in [timestamp, packets, octets] { body.append(bigEndian: word) }
            return Self.packet(200, UInt8(blocks.count), body + blocks.flatMap(Self.bytes(of:)))
        case .receiverReport(let ssrc, let blocks):
            body.append(bigEndian: ssrc)
            return Self.packet(201, UInt8(blocks.count), body + blocks.flatMap(Self.bytes(of:)))
        case .sourceDescription(let ssrc, let name):
            body.append(bigEndian: ssrc)
            body += [1, UInt8(truncatingIfNeeded: name.utf8.count)] + Array(name.utf8) + [0]
            while body.count % 4 != 0 { body.append(0) }
            return Self.packet(202, 1, body)
        case .goodbye(let ssrc):
            body.append(bigEndian: ssrc)
            return Self.packet(203, 1, body)
        case .nack(let sender, let media, let sequences):
            body.append(bigEndian: sender)
            body.append(bigEndian: media)
            var index = 0
            while index < sequences.count {
                let first = sequences[index]
                var mask: UInt16 = 0
                index += 1
                while index < sequences.count, (1...16).contains(sequences[index] &- first) {
                    mask |= 1 << (sequences[index] &- first &- 1)
                    index += 1
                }
                body.append(bigEndian: first)
                body.append(bigEndian: mask)
            }
            return Self.packet(205, 1, body)
        case .pictureLossIndication(let sender, let media):
            body.append(bigEndian: sender)
            body.append(bigEndian: media)
            return Self.packet(206, 1, body)
        case .fullIntraRequest(let sender, let media, let number):
            for word in [sender, 0, media, UInt32(number) << 24] { body.append(bigEndian: word) }
            return Self.packet(206, 4, body)
        case .transportFeedback(let sender, let media, let report):
            body.append(bigEndian: sender)
            body.append(bigEndian: media)
            return Self.packet(205, 15, body + Self.bytes(of: report))
        case .maximumBitrate(let sender, let rate, let sources):
            var exponent: UInt32 = 0
            while rate >> UInt64(exponent) > 0x3_ffff { exponent += 1 }
            let mantissa = UInt32(truncatingIfNeeded: rate >> UInt64(exponent))
            body.append(bigEndian: sender)
            body.append(bigEndian: UInt32(0))
            body += Array("REMB".utf8)
            body.append(bigEndian: UInt32(sources.count) << 24 | exponent << 18 | mantissa)
            for source in sources { body.append(bigEndian: source) }
            return Self.packet(206, 15, body)
        case .other(let type, let format): return Self.packet(type, format, body)
        }
    }

    private static func packet(_ type: UInt8, _ format: UInt8, _ body: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [0x80 | (format & 0x1f), type]
        out.append(bigEndian: UInt16(truncatingIfNeeded: body.count / 4))
        return out + body
    }

    private static func bytes(of block: ReportBlock) -> [UInt8] {
        var out: [UInt8] = []
        out.append(bigEndian: block.ssrc)
        out.append(
            bigEndian: UInt32(block.fractionLost) << 24 | UInt32(bitPattern: block.cumulativeLost) & 0xff_ffff)
        for word in [
            block.extendedHighest, block.jitter, block.lastSenderReport, block.delaySinceLastSenderReport,
        ] { out.append(bigEndian: word) }
        return out
    }

    private static func bytes(of report: TransportFeedbackReport) -> [UInt8] {
        var out: [UInt8] = []
        out.append(bigEndian: report.base)
        out.append(bigEndian: UInt16(truncatingIfNeeded: report.deltas.count))
        out.append(
            bigEndian: UInt32(bitPattern: report.referenceTime) << 8 | UInt32(report.feedbackCount))
        for start in stride(from: 0, to: report.deltas.count, by: 7) {
            var chunk: UInt16 = 0xc000
            for pair in 0..<7 where start + pair < report.deltas.count {
                let symbol: UInt16 =
                    switch report.deltas[start + pair] {
                    case nil: 0
                    case .some(let delta) where (0...255).contains(delta): 1
                    case .some: 2
                    }
                chunk |= symbol << UInt16(12 - 2 * pair)
            }
            out.append(bigEndian: chunk)
        }
        for case .some(let delta) in report.deltas {
            if (0...255).contains(delta) {
                out.append(UInt8(delta))
            } else {
                out.append(bigEndian: UInt16(bitPattern: delta))
            }
        }
        while out.count % 4 != 0 { out.append(0) }
        return out
    }
}
