// What one bot receives: counts by the numbers, times by the stamps, feedback as browsers send it (reports, transport-wide arrival
// times, wishes for key frames), and where the bot listens, decoders. Nothing is asked for again.
import Codecs
import EventLoop
import MediaCore
import Transport

/// How closely bots look at what they receive.
package struct Attention: Sendable, Equatable {
    /// Whether this bot decodes.
    package var decodes = true
    /// Of packets that are not decoded, one in so many is decrypted, for its stamp; the others are only counted.
    package var sampling = 1
    /// Whether the sound of each turn's beginning is kept, to be compared.
    package var keepsBeginnings = false
    package init() {}
}

/// One SSRC as a receiver sees it.
struct HeardStream {
    let ssrc: SSRC
    let isAudio: Bool
    private var unwrapper: SequenceNumberUnwrapper
    private let first: Int64
    private(set) var highest: Int64
    private(set) var received = 0
    private var reportedExpected: Int64 = 0
    private var reportedReceived = 0
    private var jitter: Int64 = 0
    private var lastTransit: Int64?
    var ear: Ear?
    var eye: Eye?
    var lastRequest: Int64 = 0

    init(_ header: RTPHeader, isAudio: Bool) {
        ssrc = header.ssrc
        self.isAudio = isAudio
        unwrapper = SequenceNumberUnwrapper()
        first = unwrapper.unwrap(header.sequenceNumber).rawValue
        highest = first
    }

    /// Counts a packet; answers its extended number.
    mutating func note(_ header: RTPHeader, arrival: Int64) -> Int64 {
        let number = unwrapper.unwrap(header.sequenceNumber).rawValue
        highest = max(highest, number)
        received += 1
        // RFC 3550 §A.8, in the stream's own units.
        let rate: Int64 = isAudio ? 48 : 90
        let transit = arrival / 1_000_000 &* rate &- Int64(header.timestamp.rawValue)
        if let lastTransit {
            let change = abs(Int64(Int32(truncatingIfNeeded: transit &- lastTransit)))
            jitter += (change * 16 - jitter) / 16
        }
        lastTransit = transit
        return number
    }

    var expected: Int64 { highest - first + 1 }
    /// Missing by the numbers; what came twice hides as much.
    var lost: Int { max(0, Int(expected) - received) }

    /// The block of the next report.
    mutating func block() -> ReportBlock {
        let expectedNow = expected - reportedExpected, receivedNow = received - reportedReceived
        reportedExpected = expected
        reportedReceived = received
        let missing = max(0, expectedNow - Int64(receivedNow))
        return ReportBlock(
            ssrc: ssrc, fractionLost: expectedNow > 0 ? UInt8(min(255, missing * 256 / expectedNow)) : 0,
            cumulativeLost: Int32(clamping: lost), extendedHighest: UInt32(truncatingIfNeeded: highest),
            jitter: UInt32(clamping: jitter / 16), lastSenderReport: 0, delaySinceLastSenderReport: 0)
    }
}

/// One bot's receiving side. One thread at a time.
struct MediaReceiver {
    private let attention: Attention
    private let ownSSRC = SSRC(UInt32.random(in: 1...UInt32.max))
    private(set) var streams: [HeardStream] = []
    private var places: [UInt32: Int] = [:]
    private var arrivals: [(sequence: UInt16, time: Int64)] = []
    private var feedbackCount: UInt8 = 0
    private var untilSample: Int
    private var buffer = [UInt8](repeating: 0, count: 1_600)
    private var current = 0
    private var currentNumber: Int64 = 0
    /// The most streams that a bot takes in; more are counted no more.
    private static let maximumStreams = 256

    init(_ attention: Attention) {
        self.attention = attention
        untilSample = attention.sampling
    }

    var lost: Int { streams.reduce(0) { $0 + $1.lost } }

    /// Counts a packet by its header; answers whether its payload is wanted.
    mutating func note(_ packet: UnsafeRawBufferPointer, arrival: Int64, into tally: inout Tally) -> Bool {
        let span = unsafe Span<UInt8>(_unsafeBytes: packet)
        guard let header = RTPHeader(span, isProtected: true) else { return false }
        if header.extensionLength > 0 {
            let elements = HeaderExtensionOffsets(span, header, BotExtensions.map)
            if let sequence = elements?.readTransportSequence(span), arrivals.count < 4_096 {
                arrivals.append((sequence.rawValue, arrival))
            }
        }
        // Bots ask for nothing again: these probe the path.
        if header.payloadType == BotExtensions.rtx { return false }
        let isAudio = header.payloadType == BotExtensions.opus
        let place: Int
        if let known = places[header.ssrc.rawValue] {
            place = known
        } else {
            guard streams.count < Self.maximumStreams else { return false }
            place = streams.count
            places[header.ssrc.rawValue] = place
            streams.append(HeardStream(header, isAudio: isAudio))
        }
        currentNumber = streams[place].note(header, arrival: arrival)
        current = place
        tally.received += 1
        tally.receivedBytes += packet.count
        if attention.decodes || attention.sampling <= 1 { return true }
        // A frame's stamp is in its last packet.
        untilSample -= 1
        guard untilSample <= 0, isAudio || header.marker else { return false }
        untilSample = attention.sampling
        return true
    }

    /// Takes the packet counted last, decrypted.
    mutating func take(_ packet: UnsafeRawBufferPointer, arrival: Int64, into tally: inout Tally) {
        guard let header = unsafe RTPHeader(Span<UInt8>(_unsafeBytes: packet)) else { return }
        let payload = Int(header.payloadOffset)..<Int(header.payloadOffset) + Int(header.payloadLength)
        let body = unsafe UnsafeRawBufferPointer(rebasing: packet[payload])
        if arrival > 0, let stamp = unsafe Stamp(endOf: body) { tally.latency.note(arrival - stamp.sentAt) }
        guard attention.decodes else { return }
        if streams[current].isAudio {
            if streams[current].ear == nil {
                streams[current].ear = try? Ear(keepsBeginnings: attention.keepsBeginnings)
            }
            unsafe streams[current].ear?.take(currentNumber, header.timestamp.rawValue, body)
        } else {
            if streams[current].eye == nil { streams[current].eye = try? Eye() }
            unsafe streams[current].eye?.take(
                currentNumber, marker: header.marker, packet, payload: payload, into: &tally)
        }
    }

    /// 20 ms have passed.
    func play(into tally: inout Tally) { for stream in streams { stream.ear?.play(into: &tally) } }

    // MARK: Feedback

    /// Sends what a browser sends every 100 ms: the arrival times of packets that carried a transport-wide number.
    mutating func sendArrivals(over transport: DirectTransport) {
        guard !arrivals.isEmpty else { return }
        let base = arrivals[0].sequence
        arrivals.sort {
            Int16(truncatingIfNeeded: $0.sequence &- base) < Int16(truncatingIfNeeded: $1.sequence &- base)
        }
        let media = streams.first?.ssrc ?? ownSSRC
        var index = 0
        while index < arrivals.count {
            var message = TransportFeedbackBuilder(
                sender: ownSSRC, media: media, base: SequenceNumber(arrivals[index].sequence),
                feedbackCount: feedbackCount)
            feedbackCount &+= 1
            let begun = index
            while index < arrivals.count,
                message.add(
                    SequenceNumber(arrivals[index].sequence), arrival: Timestamp(nanoseconds: arrivals[index].time))
            {
                index += 1
            }
            // What is not taken even as the first can only be told of as missing.
            if index == begun { index += 1 }
            var writer = CompoundWriter(at: 0, limit: 1_400)
            var span = buffer.mutableSpan
            guard writer.appendTransportFeedback(message, into: &span) else { continue }
            send(writer.length, over: transport)
        }
        arrivals.removeAll(keepingCapacity: true)
    }

    /// Sends a receiver report of all streams (RFC 3550 §6.4.2), as often as browsers do: once a second.
    mutating func sendReports(over transport: DirectTransport) {
        guard !streams.isEmpty else { return }
        var place = 0
        while place < streams.count {
            let last = min(place + Int(ReportBlock.maximumCount), streams.count)
            let blocks = (place..<last).map { streams[$0].block() }
            place = last
            var writer = CompoundWriter(at: 0, limit: 1_400)
            let source = ownSSRC
            var span = buffer.mutableSpan
            guard writer.appendReceiverReport(ssrc: source, into: &span) else { return }
            for block in blocks { _ = writer.appendReportBlock(block, into: &span) }
            send(writer.length, over: transport)
        }
    }

    /// Asks for key frames where pictures are broken, at most twice a second each (RFC 4585 §6.3.1).
    mutating func requestKeyFrames(at now: Int64, over transport: DirectTransport, into tally: inout Tally) {
        for place in streams.indices {
            guard streams[place].eye?.wantsKeyFrame == true, now - streams[place].lastRequest > 500_000_000 else {
                continue
            }
            streams[place].lastRequest = now
            tally.keyFrameRequests += 1
            let (source, media) = (ownSSRC, streams[place].ssrc)
            var writer = CompoundWriter(at: 0, limit: 1_400)
            var span = buffer.mutableSpan
            guard writer.appendPictureLossIndication(sender: source, media: media, into: &span) else { continue }
            send(writer.length, over: transport)
        }
    }

    private mutating func send(_ length: Int, over transport: DirectTransport) {
        _ = unsafe buffer.withUnsafeMutableBytes { unsafe transport.sendRTCP($0, count: length) }
    }
}
