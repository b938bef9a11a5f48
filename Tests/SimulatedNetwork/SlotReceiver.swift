// The receiving half of a simulated client, one object for each slot: NACK with the timing of libwebrtc, frames put
// together and "decoded", key frames asked for when nothing can be decoded, and the figures that scenarios judge.

public import MediaCore

/// The packets that a receiver misses and has asked for.
struct MissingPackets: Sendable {
    /// How often one packet is asked for, and how many may be missing, as in libwebrtc.
    static let maximumRequests = 10
    static let maximumMissing = 1_000

    private struct Missing {
        var number: Int64
        var askedAt: Timestamp?
        var requests = 0
    }
    private var missing: [Missing] = []
    private(set) var givenUp = 0
    private(set) var hasOverflowed = false

    var isEmpty: Bool { missing.isEmpty }
    var count: Int { missing.count }

    mutating func add(_ range: Range<Int64>) {
        guard range.count + missing.count <= Self.maximumMissing else {
            missing.removeAll()
            hasOverflowed = true
            return
        }
        for number in range { missing.append(Missing(number: number)) }
    }

    mutating func takeOverflow() -> Bool {
        defer { hasOverflowed = false }
        return hasOverflowed
    }

    /// Strikes a packet that arrived; gives whether it was missing.
    mutating func remove(_ number: Int64) -> Bool {
        guard let index = missing.firstIndex(where: { $0.number == number }) else { return false }
        missing.remove(at: index)
        return true
    }

    mutating func removeAll(before number: Int64) { missing.removeAll { $0.number < number } }

    /// The packets to ask for now.
    mutating func due(at now: Timestamp, roundTrip: TimeDelta) -> [UInt16] {
        var result: [UInt16] = []
        for index in missing.indices {
            if let askedAt = missing[index].askedAt, now - askedAt < roundTrip { continue }
            missing[index].askedAt = now
            missing[index].requests += 1
            if missing[index].requests <= Self.maximumRequests {
                result.append(UInt16(truncatingIfNeeded: missing[index].number))
            }
        }
        let before = missing.count
        missing.removeAll { $0.requests > Self.maximumRequests }
        givenUp += before - missing.count
        return result
    }
}

/// What a receiver saw on one slot.
public struct SlotFigures: Sendable, Hashable {
    /// Packets, duplicates not counted.
    public var packets = 0
    /// Packets that had come before.
    public var duplicates = 0
    /// Packets that came over RTX and filled a hole.
    public var repaired = 0
    /// Numbers asked for again, each time counted.
    public var nacksSent = 0
    /// Key frames asked for.
    public var keyFrameRequestsSent = 0
    /// Frames that were whole, in order and decodable.
    public var framesDecoded = 0
    /// Whole frames that could not be decoded: nothing told what they are predicted from.
    public var framesWithoutReferences = 0
    /// Frames by spatial layer, of codings that have some.
    public var spatialFrames = [0, 0, 0, 0]
    /// Packets whose Dependency Descriptor could not be read.
    public var unreadableDescriptors = 0
    /// The decode targets that are active, as far as the slot's descriptors told: bit i for target i.
    public var activeTargets = 0
    /// Frames that were decoded although something that they were really predicted from had not been.
    public var brokenFrames = 0
    /// The key frames among them.
    public var keyFramesDecoded = 0
    /// Frames that came after a longer pause than the W3C definition of a freeze allows.
    public var freezes = 0
    /// How long they lasted together.
    public var frozen = TimeDelta.zero
    /// The longest of them.
    public var longestFreeze = TimeDelta.zero
    /// Sequence numbers that never came although later ones did, and are no longer asked for.
    public var lost = 0
    /// The longest time between two packets.
    public var longestSilence = TimeDelta.zero
    /// The participants that the packets named (CSRC), each once, in the order of their first packets.
    public var contributors: [UInt32] = []
    /// The RTP timestamp and the arrival of the newest packet.
    public var lastTimestamp: UInt32 = 0
    /// When it arrived.
    public var lastPacketAt = Timestamp(nanoseconds: 0)
}

/// One slot of a simulated client.
struct SlotReceiver: Sendable {
    private struct Held: Sendable {
        var timestamp: UInt32
        var beginsFrame: Bool
        var endsFrame: Bool
        var isKey: Bool
        var isPadding: Bool
        var fields: VP8Fields?
        var truth: FrameTruth?
        var spatial = 0
        var descriptor: [UInt8]?
    }
    /// How long libwebrtc waits for the first key frame before it asks for one.
    static let keyFrameWait = TimeDelta.milliseconds(200)

    let mid: String
    let kind: MediaKind
    let ssrc: UInt32
    let rtxSSRC: UInt32?
    let payloadType: UInt8
    let rtxPayloadType: UInt8?
    let canNack: Bool
    /// How long the client waits for a frame before it asks for a key frame.
    let frameWait: TimeDelta
    var figures = SlotFigures()

    private var unwrapper = Unwrapper()
    private var missing = MissingPackets()
    private var received: Set<Int64> = []
    private var firstNumber: Int64?
    private var lastPacketAt: Timestamp?
    private var lastContributor: UInt32?
    // Frames.
    private var held: [Int64: Held] = [:]
    private var keyStarts: [Int64] = []
    private var nextNumber: Int64?
    private var needsKeyFrame = true
    private var references = VP8References()
    private var decoded = DecodedFrames()
    private let codec: Codec
    private var descriptors = DescriptorReader()
    private var frameNumbers: Set<UInt16> = []
    private let readsDescriptors: Bool
    private var lastDecodedAt: Timestamp?
    private var meanFrameInterval = 33_000_000.0
    private var waitingSince: Timestamp?
    private var isHidden = false
    private var lastKeyFrameRequestAt: Timestamp?
    // Reports.
    private var expectedBefore: Int64 = 0
    private var receivedBefore = 0
    private var receivedInAll = 0
    private var jitter = 0.0
    private var lastTransit: Double?
    var lastSenderReport: UInt32 = 0
    var lastSenderReportAt: Timestamp?

    init(plan: ReceiveSlotPlan, frameWait: TimeDelta, readsDescriptors: Bool) {
        codec = plan.codecs.first?.codec ?? .opus
        self.readsDescriptors = readsDescriptors
        self.frameWait = frameWait
        mid = plan.mid.text
        kind = plan.kind
        ssrc = plan.ssrc.rawValue
        rtxSSRC = plan.rtxSSRC?.rawValue
        payloadType = plan.codecs.first?.payloadType.rawValue ?? 0
        rtxPayloadType = plan.codecs.first?.rtxPayloadType?.rawValue
        canNack = plan.feedback.nack
    }

    /// Forgets the figures, and what a break between two measurements would distort.
    mutating func resetFigures() {
        figures = SlotFigures()
        lastPacketAt = nil
        lastDecodedAt = nil
        lastContributor = nil
    }

    /// The slot is looked at, or not any more; what is not looked at cannot freeze.
    mutating func setHidden(_ isHidden: Bool) {
        if isHidden != self.isHidden { lastDecodedAt = nil }
        self.isHidden = isHidden
    }

    /// The longest time between two frames that is no freeze, in nanoseconds (W3C: webrtc-stats, `freezeCount`).
    private var longestGap: Double { max(3 * meanFrameInterval, meanFrameInterval + 150_000_000) }

    /// The figures, with the freeze that lasts at this moment.
    func figures(at now: Timestamp) -> SlotFigures {
        guard !isHidden, let last = lastDecodedAt, Double((now - last).nanoseconds) > longestGap else { return figures }
        var result = figures
        result.freezes += 1
        result.frozen = result.frozen + (now - last)
        result.longestFreeze = max(result.longestFreeze, now - last)
        return result
    }

    /// Whether a packet of the slot's main or RTX stream was taken; RTX is unwrapped.
    mutating func receive(_ packet: IncomingPacket, at now: Timestamp) {
        if packet.ssrc == rtxSSRC {
            let payload = packet.payload
            guard payload.count > 2 else { return }
            let start = payload.startIndex
            let original = UInt16(payload[start]) << 8 | UInt16(payload[start + 1])
            take(packet, sequence: original, payload: payload.dropFirst(2), isRepair: true, at: now)
        } else {
            take(packet, sequence: packet.sequence, payload: packet.payload, isRepair: false, at: now)
        }
    }

    private mutating func take(
        _ packet: IncomingPacket, sequence: UInt16, payload: ArraySlice<UInt8>, isRepair: Bool, at now: Timestamp
    ) {
        let highestBefore = unwrapper.highest
        let number = unwrapper.extend(sequence)
        guard received.insert(number).inserted else {
            figures.duplicates += 1
            return
        }
        if firstNumber == nil { firstNumber = number }
        figures.packets += 1
        // A report is about its own SSRC: what came over RTX stays lost in it, as in libwebrtc.
        if !isRepair { receivedInAll += 1 }
        if let last = lastPacketAt { figures.longestSilence = max(figures.longestSilence, now - last) }
        lastPacketAt = now
        if let source = packet.contributingSource, source != lastContributor {
            lastContributor = source
            if !figures.contributors.contains(source) { figures.contributors.append(source) }
        }
        if !isRepair {
            noteTransit(packet.timestamp, at: now)
            figures.lastTimestamp = packet.timestamp
            figures.lastPacketAt = now
        }
        if let highest = highestBefore, number > highest + 1 { missing.add((highest + 1)..<number) }
        if let highest = highestBefore, number < highest, missing.remove(number), isRepair { figures.repaired += 1 }
        if received.count > 8_192 { received = received.filter { $0 > number - 2_048 } }
        guard kind == .video else { return }
        keep(number, packet, payload)
        decode(at: now)
    }

    private mutating func noteTransit(_ timestamp: UInt32, at now: Timestamp) {
        let rate = kind == .audio ? 48_000.0 : 90_000.0
        let transit = Double(now.nanoseconds) / 1e9 * rate - Double(timestamp)
        if let last = lastTransit {
            let difference = abs(transit - last)
            if difference < rate * 10 { jitter += (difference - jitter) / 16 }
        }
        lastTransit = transit
    }

    // MARK: Frames

    private mutating func keep(_ number: Int64, _ packet: IncomingPacket, _ payload: ArraySlice<UInt8>) {
        if let next = nextNumber, number < next { return }
        guard codec == .vp8 else { return keepScalable(number, packet, payload) }
        let fields = VP8Fields(payload)
        let entry = Held(
            timestamp: packet.timestamp, beginsFrame: fields?.beginsFrame ?? false, endsFrame: packet.marker,
            isKey: fields?.beginsKeyFrame ?? false, isPadding: payload.isEmpty, fields: fields,
            truth: fields?.beginsFrame == true ? FrameTruth(payload) : nil)
        held[number] = entry
        if entry.isKey {
            keyStarts.append(number)
            keyStarts.sort()
        }
    }

    private mutating func decode(at now: Timestamp) {
        while true {
            if !needsKeyFrame, let next = nextNumber {
                if held[next]?.isPadding == true {
                    held[next] = nil
                    nextNumber = next + 1
                    continue
                }
                if let end = completeFrame(from: next) {
                    take(next...end, at: now)
                    continue
                }
            }
            // A complete key frame further on needs nothing of what is missing.
            guard let (start, end) = completeKeyFrame() else { break }
            if let next = nextNumber, start > next { figures.lost += countMissing(from: next, to: start) }
            drop(before: start)
            missing.removeAll(before: start)
            needsKeyFrame = false
            take(start...end, at: now)
        }
        if waitingSince == nil { waitingSince = now }
    }

    private func countMissing(from: Int64, to: Int64) -> Int {
        var count = 0
        var number = from
        while number < to {
            if held[number] == nil { count += 1 }
            number += 1
        }
        return count
    }

    private func completeFrame(from start: Int64) -> Int64? {
        guard let first = held[start], first.beginsFrame else { return nil }
        var number = start
        while let entry = held[number], entry.timestamp == first.timestamp {
            if entry.endsFrame { return number }
            number += 1
        }
        return nil
    }

    private func completeKeyFrame() -> (Int64, Int64)? {
        for start in keyStarts where start >= (nextNumber ?? Int64.min) {
            if let end = completeFrame(from: start) { return (start, end) }
        }
        return nil
    }

    private mutating func drop(before number: Int64) {
        held = held.filter { $0.key >= number }
        keyStarts.removeAll { $0 < number }
    }

    private mutating func take(_ frame: ClosedRange<Int64>, at now: Timestamp) {
        let first = held[frame.lowerBound]
        let layers = codec == .vp8 ? [] : frame.compactMap { held[$0] }
        for number in frame { held[number] = nil }
        keyStarts.removeAll { $0 <= frame.upperBound }
        nextNumber = frame.upperBound + 1
        if let fields = first?.fields, references.receive(fields) != .decoded {
            figures.framesWithoutReferences += 1
            return
        }
        if codec != .vp8 {
            guard take(scalable: layers) else { return }
        } else if let truth = first?.truth {
            decoded.decode(truth)
            figures.brokenFrames = decoded.broken
        }
        if first?.isKey == true { figures.keyFramesDecoded += 1 }
        figures.framesDecoded += 1
        if let last = lastDecodedAt {
            let gap = Double((now - last).nanoseconds)
            if gap > longestGap {
                figures.freezes += 1
                figures.frozen = figures.frozen + (now - last)
                figures.longestFreeze = max(figures.longestFreeze, now - last)
            }
            meanFrameInterval += (gap - meanFrameInterval) / 30
        }
        lastDecodedAt = now
        waitingSince = now
    }

    // MARK: Pictures with layers

    private mutating func keepScalable(_ number: Int64, _ packet: IncomingPacket, _ payload: ArraySlice<UInt8>) {
        var entry = Held(
            timestamp: packet.timestamp, beginsFrame: false, endsFrame: packet.marker, isKey: false,
            isPadding: payload.isEmpty)
        if case .vp9 = codec {
            let fields = VP9Fields(payload)
            entry.beginsFrame = fields?.begins ?? false
            entry.isKey = fields?.isKey ?? false
            entry.spatial = Int(fields?.spatial ?? 0)
        } else {
            // The aggregation header: Z tells that the packet goes on with a unit, N that a sequence begins.
            entry.isKey = payload.first.map { $0 & 0x88 == 0x08 } ?? false
            entry.beginsFrame = FrameTruth(payload) != nil
        }
        if entry.beginsFrame { entry.truth = FrameTruth(payload) }
        if readsDescriptors, !payload.isEmpty {
            entry.descriptor = packet.extensionValue(ClientNumbers.dependencyDescriptor).map { Array($0) } ?? []
        }
        held[number] = entry
        if entry.isKey {
            keyStarts.append(number)
            keyStarts.sort()
        }
    }

    /// Decodes a picture's frames; false when its references cannot be told.
    private mutating func take(scalable entries: [Held]) -> Bool {
        var isDecodable = true
        for entry in entries {
            var spatial = entry.spatial
            if let bytes = entry.descriptor {
                guard let read = descriptors.read(bytes[...]) else {
                    figures.unreadableDescriptors += 1
                    continue
                }
                spatial = read.spatial
                figures.activeTargets = descriptors.active
                if read.hasStructure { frameNumbers = [] }
                if read.startsFrame {
                    let references = read.differences.map { read.frameNumber &- UInt16(truncatingIfNeeded: $0) }
                    let isKnown = references.allSatisfy { frameNumbers.contains($0) }
                    if !isKnown { isDecodable = false }
                    frameNumbers.insert(read.frameNumber)
                    if frameNumbers.count > 400 {
                        frameNumbers = frameNumbers.filter { Int16(bitPattern: read.frameNumber &- $0) < 200 }
                    }
                }
            }
            guard let truth = entry.truth else { continue }
            decoded.decode(truth)
            figures.brokenFrames = decoded.broken
            figures.spatialFrames[min(spatial, 3)] += 1
        }
        if !isDecodable { figures.framesWithoutReferences += 1 }
        return isDecodable
    }

    // MARK: Feedback

    /// The messages that this slot sends now; called each 20 ms and after each packet.
    mutating func feedback(at now: Timestamp, sender: UInt32, roundTrip: TimeDelta) -> [ControlMessage] {
        var out: [ControlMessage] = []
        if canNack {
            let due = missing.due(at: now, roundTrip: roundTrip)
            if !due.isEmpty {
                figures.nacksSent += due.count
                out.append(.nack(sender: sender, media: ssrc, sequences: due))
            }
        }
        if kind == .video, wantsKeyFrame(at: now) {
            lastKeyFrameRequestAt = now
            figures.keyFrameRequestsSent += 1
            out.append(.pictureLossIndication(sender: sender, media: ssrc))
        }
        return out
    }

    private mutating func wantsKeyFrame(at now: Timestamp) -> Bool {
        if missing.takeOverflow() {
            needsKeyFrame = true
            return true
        }
        // Only while packets arrive: an idle slot has nothing to ask for.
        guard let last = lastPacketAt, now - last < .seconds(1), let waiting = waitingSince else { return false }
        let wait = needsKeyFrame ? Self.keyFrameWait : frameWait
        let since = max(waiting, lastKeyFrameRequestAt ?? waiting)
        return now - since >= wait
    }

    /// The block about this slot, or nil before its first packet.
    mutating func reportBlock(at now: Timestamp) -> ReportBlock? {
        guard let highest = unwrapper.highest, let first = firstNumber else { return nil }
        let expected = highest - first + 1
        let expectedNow = expected - expectedBefore
        let receivedNow = receivedInAll - receivedBefore
        expectedBefore = expected
        receivedBefore = receivedInAll
        let lostNow = max(0, expectedNow - Int64(receivedNow))
        let fraction = expectedNow > 0 ? lostNow * 256 / expectedNow : 0
        var delay: UInt32 = 0
        if let at = lastSenderReportAt { delay = UInt32(clamping: (now - at).nanoseconds * 65_536 / 1_000_000_000) }
        return ReportBlock(
            ssrc: ssrc, fractionLost: UInt8(clamping: fraction),
            cumulativeLost: Int32(clamping: expected - Int64(receivedInAll)),
            extendedHighest: UInt32(truncatingIfNeeded: highest - 65_536), jitter: UInt32(jitter),
            lastSenderReport: lastSenderReport, delaySinceLastSenderReport: delay)
    }

    /// Packets that are missing and still asked for.
    var missingCount: Int { missing.count }
    /// Packets that were asked for ten times and never came.
    var givenUpCount: Int { missing.givenUp }
}
