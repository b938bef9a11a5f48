// The RTP of what one bot sends: numbers, header extensions, VP8 descriptors, sender reports. When it sends is Bot's.
import EventLoop
import MediaCore
import Transport

/// Identifiers of header extensions as bots offer them; an answer keeps an offer's.
enum BotExtensions {
    static let map: HeaderExtensionMap = {
        var map = HeaderExtensionMap()
        map.audioLevel = 1
        map.transportSequence = 3
        map.mid = 4
        map.rid = 10
        return map
    }()
    static let opus = PayloadType(111), vp8 = PayloadType(96), rtx = PayloadType(97)
}

/// One stream of packets: a microphone, or one layer of a camera.
struct SentStream {
    let ssrc: SSRC
    let mid: Mid?
    let rid: Rid?
    let payloadType: PayloadType
    var sequence: UInt16
    var timestamp: UInt32
    var packets: UInt32 = 0
    var octets: UInt32 = 0
    /// Where the layer is in its row.
    var frame = 0
    var picture: UInt16
    /// The frame's number among those that a frame may refer to, for VP8's TL0PICIDX.
    var base: UInt8 = 0
    var isStopped = false

    init(payloadType: PayloadType, mid: String, rid: String = "") {
        ssrc = SSRC(UInt32.random(in: 1...UInt32.max))
        self.mid = Mid(mid)
        self.rid = rid.isEmpty ? nil : Rid(rid)
        self.payloadType = payloadType
        sequence = UInt16.random(in: 0...UInt16.max)
        timestamp = UInt32.random(in: 0...UInt32.max)
        picture = UInt16.random(in: 0...0x7fff)
    }
}

/// Writes and sends one bot's packets. One thread at a time.
struct MediaSender {
    /// How many packets of a stream say their mid and rid: enough to be known after losses.
    private static let namedPackets: UInt32 = 60

    private var buffer = [UInt8](repeating: 0, count: 2_048)
    private var transportSequence = UInt16.random(in: 0...UInt16.max)
    /// Packets that the transport took.
    private(set) var sent = 0
    private(set) var refused = 0

    /// Sends one packet of sound; `payload` has a stamp's place at its end.
    mutating func sendSound(
        _ payload: [UInt8], level: AudioLevel?, marker: Bool, stamp: Stamp, on stream: inout SentStream,
        over transport: DirectTransport
    ) {
        var extensions = EgressExtensions()
        extensions.audioLevel = level
        guard let start = head(marker: marker, extensions, of: &stream) else { return }
        buffer.replaceSubrange(start..<(start + payload.count), with: payload)
        stamp.write(into: &buffer, endingAt: start + payload.count)
        send(start, payload.count, of: &stream, over: transport)
    }

    /// Sends one frame of video, packet by packet.
    mutating func sendFrame(
        _ frame: [UInt8], stamp: Stamp, on stream: inout SentStream, over transport: DirectTransport
    ) {
        var frame = frame
        stamp.write(into: &frame, endingAt: frame.count)
        let parts = Camera.split(frame.count)
        stream.picture = (stream.picture &+ 1) & 0x7fff
        stream.base &+= 1
        var at = 0
        for index in 0..<parts.count {
            let length = parts.small + (index >= parts.count - parts.larger ? 1 : 0)
            guard let start = head(marker: index == parts.count - 1, EgressExtensions(), of: &stream) else { return }
            // RFC 7741 §4.2: extended, start of partition 0 in the first; picture number of 15 bits and TL0PICIDX.
            buffer[start] = index == 0 ? 0x90 : 0x80
            buffer[start + 1] = 0xe0
            buffer[start + 2] = 0x80 | UInt8(stream.picture >> 8)
            buffer[start + 3] = UInt8(truncatingIfNeeded: stream.picture)
            buffer[start + 4] = stream.base
            buffer[start + 5] = 0
            buffer.replaceSubrange((start + 6)..<(start + 6 + length), with: frame[at..<(at + length)])
            at += length
            send(start, 6 + length, of: &stream, over: transport)
        }
    }

    /// Writes the header of the next packet; answers where its payload belongs.
    private mutating func head(marker: Bool, _ given: EgressExtensions, of stream: inout SentStream) -> Int? {
        stream.sequence &+= 1
        transportSequence &+= 1
        var extensions = given
        extensions.transportSequence = SequenceNumber(transportSequence)
        if stream.packets < Self.namedPackets {
            extensions.mid = stream.mid
            extensions.rid = stream.rid
        }
        let header = EgressHeader(
            marker: marker, payloadType: stream.payloadType, sequenceNumber: SequenceNumber(stream.sequence),
            timestamp: RTPTimestamp(stream.timestamp), ssrc: stream.ssrc)
        var span = buffer.mutableSpan
        return RTPHeaderWriter.write(header, extensions, BotExtensions.map, into: &span, at: 0)?.length
    }

    private mutating func send(
        _ start: Int, _ count: Int, of stream: inout SentStream, over transport: DirectTransport
    ) {
        stream.packets &+= 1
        stream.octets &+= UInt32(count)
        let isSent = unsafe buffer.withUnsafeMutableBytes { unsafe transport.sendRTP($0, count: start + count) }
        if isSent { sent += 1 } else { refused += 1 }
    }

    /// Sends a sender report of each stream that has sent (RFC 3550 §6.4.1).
    mutating func sendReports(
        of streams: some Sequence<SentStream>, wall: Int64, cname: String, over transport: DirectTransport
    ) {
        for stream in streams where stream.packets > 0 {
            var span = buffer.mutableSpan
            var writer = CompoundWriter(at: 0, limit: 1_000)
            let report = SenderReport(
                ssrc: stream.ssrc, ntpTime: NTPTime(nanosecondsSince1970: wall),
                rtpTimestamp: RTPTimestamp(stream.timestamp), packetCount: stream.packets, octetCount: stream.octets)
            guard writer.appendSenderReport(report, into: &span) else { continue }
            let length = writer.length
            _ = unsafe buffer.withUnsafeMutableBytes { unsafe transport.sendRTCP($0, count: length) }
        }
    }
}

extension NTPTime {
    /// The moment that is so many nanoseconds after 1970 began (RFC 868: 2,208,988,800 seconds after 1900).
    init(nanosecondsSince1970 wall: Int64) {
        let seconds = UInt64(bitPattern: wall / 1_000_000_000) &+ 2_208_988_800
        let fraction = UInt64(bitPattern: wall % 1_000_000_000) << 32 / 1_000_000_000
        self.init(seconds << 32 | fraction)
    }
}
