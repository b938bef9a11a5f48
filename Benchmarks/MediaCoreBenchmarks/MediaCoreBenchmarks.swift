// What a forwarded packet costs in the core alone: no SRTP, no socket. Time per egress packet as the median of rounds,
// the same bytes copied once each as the floor of that run, and allocations per packet with a budget of zero. And the same
// again with a recorder at the core's door, and with a pace and an allocation for every receiver.

import CAllocationCount
import Captures
import Glibc
import MediaCore

/// One room to measure: a publisher and its receivers.
struct Workload {
    var name: String
    var kind: MediaKind
    var receivers: Int
    var payloadBytes: Int
    var packetsPerSecond: Int
    var payloadType: UInt8
}

/// What was measured.
struct Measurement {
    var name: String
    var egressPackets: Int
    var nanosecondsPerEgressPacket: Double
    var fastest: Double
    var slowest: Double
    var floor: Double
    var allocationsPerIngressPacket: Double
}

private let rounds = argument("--rounds").flatMap { Int($0) } ?? 15
private let packetsPerRound = 2_000

/// What follows a word of the command line.
private func argument(_ name: String) -> String? {
    guard let place = CommandLine.arguments.firstIndex(of: name), place + 1 < CommandLine.arguments.count else {
        return nil
    }
    return CommandLine.arguments[place + 1]
}

/// What the thread has run: others on the machine do not count.
private func threadNanoseconds() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

private func extensions() -> HeaderExtensionMap {
    var map = HeaderExtensionMap()
    map.audioLevel = 1
    map.absoluteSendTime = 2
    map.transportSequence = 3
    map.mid = 4
    return map
}

private func codec(_ workload: Workload) -> CodecPlan {
    workload.kind == .audio
        ? CodecPlan(codec: .opus, payloadType: PayloadType(111), rtxPayloadType: nil, clockRate: 48_000)
        : CodecPlan(codec: .vp8, payloadType: PayloadType(96), rtxPayloadType: PayloadType(97), clockRate: 90_000)
}

private func feedback(_ workload: Workload) -> FeedbackPlan {
    let isVideo = workload.kind == .video
    return FeedbackPlan(
        nack: true, pictureLossIndication: isVideo, fullIntraRequest: isVideo, transportFeedback: true)
}

private func publisherPlan(_ workload: Workload) -> PeerPlan? {
    guard let mid = Mid("m") else { return nil }
    let track = PublishedTrackPlan(
        mid: mid, kind: workload.kind, source: workload.kind == .audio ? .microphone : .camera,
        codecs: [codec(workload)], encodings: [EncodingPlan(rid: nil, ssrc: SSRC(1_000), rtxSSRC: nil)],
        feedback: feedback(workload), isMuted: false)
    return PeerPlan(headerExtensions: extensions(), published: [track], slots: [], reducedSizeRTCP: true)
}

private func receiverPlan(_ workload: Workload, number: Int) -> PeerPlan? {
    guard let mid = Mid("s") else { return nil }
    let slot = ReceiveSlotPlan(
        mid: mid, kind: workload.kind, ssrc: SSRC(UInt32(2_000 + 2 * number)),
        rtxSSRC: workload.kind == .video ? SSRC(UInt32(2_001 + 2 * number)) : nil, codecs: [codec(workload)],
        feedback: feedback(workload))
    return PeerPlan(headerExtensions: extensions(), published: [], slots: [slot], reducedSizeRTCP: true)
}

/// The publisher's packets: one buffer whose numbers are changed in place, so that making them allocates nothing.
struct PacketSource {
    private(set) var bytes: [UInt8]
    private let isVideo: Bool
    private let ticksPerPacket: UInt32
    private var sequence: UInt16 = 100
    private var timestamp: UInt32 = 5_000
    private var pictureID: UInt16 = 0
    private var transportSequence: UInt16 = 0

    init(_ workload: Workload) {
        isVideo = workload.kind == .video
        ticksPerPacket = UInt32((isVideo ? 90_000 : 48_000) / workload.packetsPerSecond)
        // One-byte extensions: audio level, abs-send-time, transport-wide sequence number.
        bytes = [0x90, 0x80 | workload.payloadType, 0, 0, 0, 0, 0, 0, 0, 0, 0x03, 0xe8, 0xbe, 0xde, 0, 3]
        bytes += [0x10, 0x80 | 30, 0x22, 1, 2, 3, 0x31, 0, 0, 0, 0, 0]
        // A VP8 descriptor with PictureID, TL0PICIDX and KEYIDX, and a frame's first byte.
        if isVideo { bytes += [0x90, 0xf0, 0x80, 0, 0, 0, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0] }
        while bytes.count < 28 + workload.payloadBytes { bytes.append(UInt8(truncatingIfNeeded: bytes.count &* 31)) }
    }

    /// Changes the buffer into the next packet: a frame of its own when it is video, the first one a key frame.
    mutating func next(isKeyFrame: Bool) {
        sequence &+= 1
        timestamp &+= ticksPerPacket
        transportSequence &+= 1
        bytes[2] = UInt8(sequence >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: sequence)
        for index in 0..<4 { bytes[4 + index] = UInt8(truncatingIfNeeded: timestamp >> UInt32(24 - 8 * index)) }
        bytes[23] = UInt8(transportSequence >> 8)
        bytes[24] = UInt8(truncatingIfNeeded: transportSequence)
        guard isVideo else { return }
        pictureID = (pictureID + 1) & 0x7fff
        bytes[30] = 0x80 | UInt8(pictureID >> 8)
        bytes[31] = UInt8(truncatingIfNeeded: pictureID)
        bytes[32] &+= 1
        bytes[34] = isKeyFrame ? 0x10 : 0x11
    }
}

/// A recorder as the flight recorder is, headers alone, into a file that costs nothing.
private func recorder() -> RoomRecorder? {
    let nowhere = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
    guard nowhere >= 0, let file = try? CaptureFile(descriptor: nowhere, path: "/dev/null", capacity: 64 << 20) else {
        return nil
    }
    return RoomRecorder(
        .file(file), CaptureOpening(configuration: RoomConfiguration(), seed: 1, build: "benchmark"),
        payloads: PayloadTable())
}

/// A room that adapts the bitrate, with an estimate that carries everything.
private func adapting() -> RoomConfiguration {
    var configuration = RoomConfiguration()
    configuration.bitrate = BitrateConfiguration()
    configuration.bitrate.startBitsPerSecond = 50_000_000
    configuration.bitrate.minimumBitsPerSecond = 50_000_000
    configuration.bitrate.maximumBitsPerSecond = 50_000_000
    return configuration
}

private func measure(_ workload: Workload, isRecorded: Bool = false, isAdapted: Bool = false) -> Measurement? {
    var core = RoomCore(configuration: isAdapted ? adapting() : RoomConfiguration(), seed: 1)
    var egress = Egress()
    var now = Timestamp(nanoseconds: 1_000_000_000)
    let publisher = PeerID(1)
    guard let plan = publisherPlan(workload) else { return nil }
    core.apply(.addParticipant(publisher), at: now, into: &egress)
    core.apply(.applyPlan(publisher, plan), at: now, into: &egress)
    core.apply(.peerConnected(publisher), at: now, into: &egress)
    for number in 0..<workload.receivers {
        let peer = PeerID(UInt32(2 + number))
        guard let plan = receiverPlan(workload, number: number) else { return nil }
        core.apply(.addParticipant(peer), at: now, into: &egress)
        core.apply(.applyPlan(peer, plan), at: now, into: &egress)
        core.apply(.peerConnected(peer), at: now, into: &egress)
    }
    egress.removeAll()
    var source = PacketSource(workload)
    let step = TimeDelta.seconds(1) / Int64(workload.packetsPerSecond)
    let tap = isRecorded ? recorder() : nil
    tap?.begin(core, isNew: false, at: now)
    var feedback = ReceiverFeedback(receivers: workload.receivers, firstPeer: 2, map: extensions(), step: step)

    func playRound(packets: Int, keyFrames: Int, isFirst: Bool = false) -> Int {
        var sent = 0
        for index in 0..<packets {
            now = now + step
            source.next(isKeyFrame: index < keyFrames)
            tap?.received(.rtp, source.bytes.span, from: publisher, at: now)
            core.receiveRTP(source.bytes.span, from: publisher, at: now, into: &egress)
            if let deadline = core.nextDeadline, deadline.at <= now {
                tap?.advanced(at: now)
                core.advance(to: now, into: &egress)
            }
            if index + 1 == packets, isFirst { feedback.begin(egress) }
            for receiver in feedback.receivers(behind: index) where !isFirst {
                let place = feedback.take()
                let message = feedback.bytes.span.extracting(place)
                let peer = feedback.peer(receiver)
                tap?.received(.rtcp, message, from: peer, at: now)
                core.receiveRTCP(message, from: peer, at: now, into: &egress)
            }
            sent += egress.datagrams.count
            if let tap {
                tap.sent(egress, egress.datagrams.indices)
                tap.happened(egress.events[...])
                tap.decided(egress.decisions[...])
                tap.flushed()
                tap.endTurn(core, at: now)
            }
            egress.removeAll()
        }
        return sent
    }

    _ = playRound(packets: 200, keyFrames: 200, isFirst: true)
    feedback.prepare(packets: 3 * packetsPerRound, behind: now)
    _ = playRound(packets: 3 * packetsPerRound, keyFrames: 0)
    var times: [Double] = []
    times.reserveCapacity(rounds)
    var sent = 0
    let allocationsBefore = majlis_allocation_count()
    for _ in 0..<rounds {
        feedback.prepare(packets: packetsPerRound, behind: now)
        let start = threadNanoseconds()
        let packets = playRound(packets: packetsPerRound, keyFrames: 0)
        times.append(Double(threadNanoseconds() - start) / Double(max(1, packets)))
        sent += packets
    }
    let allocations = majlis_allocation_count() - allocationsBefore
    times.sort()
    if let tap, !tap.isRunning || tap.refusals > 0 { return nil }
    return Measurement(
        name: isRecorded ? "  recorded" : isAdapted ? "  adapted" : workload.name, egressPackets: sent,
        nanosecondsPerEgressPacket: times[rounds / 2], fastest: times[0],
        slowest: times[rounds - 1], floor: copyFloor(source.bytes, receivers: workload.receivers),
        allocationsPerIngressPacket: Double(allocations) / Double(rounds * packetsPerRound))
}

/// Lets people meet who each send so many layers, from SSRC 10 on, and see all others; false when it cannot.
private func meet(
    _ people: Int, layers: Int, _ workload: Workload, in core: inout RoomCore, at now: Timestamp,
    into egress: inout Egress
) -> Bool {
    guard let mid = Mid("m") else { return false }
    for number in 0..<people {
        let peer = PeerID(UInt32(1 + number))
        let encodings = (0..<layers).map {
            EncodingPlan(rid: nil, ssrc: SSRC(UInt32(10 + layers * number + $0)), rtxSSRC: nil)
        }
        let track = PublishedTrackPlan(
            mid: mid, kind: .video, source: .camera, codecs: [codec(workload)], encodings: encodings,
            feedback: feedback(workload), isMuted: false)
        let slots = (0..<people - 1).compactMap { slot in
            Mid("s\(slot)").map {
                ReceiveSlotPlan(
                    mid: $0, kind: .video, ssrc: SSRC(UInt32(1_000 + slot)), rtxSSRC: nil, codecs: [codec(workload)],
                    feedback: feedback(workload))
            }
        }
        let plan = PeerPlan(headerExtensions: extensions(), published: [track], slots: slots, reducedSizeRTCP: true)
        core.apply(.addParticipant(peer), at: now, into: &egress)
        core.apply(.applyPlan(peer, plan), at: now, into: &egress)
        core.apply(.peerConnected(peer), at: now, into: &egress)
        egress.removeAll()
    }
    return true
}

/// What dividing a receiver's estimate over its slots takes with everything else that its timers do, in microseconds: a room of
/// people who each send three layers and see all others, four times a second.
private func measureDivision(people: Int) -> Double? {
    var configuration = RoomConfiguration()
    configuration.bitrate = BitrateConfiguration()
    configuration.bitrate.startBitsPerSecond = 2_000_000
    configuration.bitrate.minimumBitsPerSecond = 2_000_000
    let workload = Workload(
        name: "", kind: .video, receivers: people - 1, payloadBytes: 1_000, packetsPerSecond: 20, payloadType: 96)
    var core = RoomCore(configuration: configuration, seed: 1)
    var egress = Egress()
    var now = Timestamp(nanoseconds: 1_000_000_000)
    guard meet(people, layers: 3, workload, in: &core, at: now, into: &egress) else { return nil }
    // Layers of one, two and four packets of a kilobyte, twenty times a second.
    var sources = (0..<3 * people).map { _ in PacketSource(workload) }
    var spent: Int64 = 0
    let seconds = 10
    for tick in 0..<(seconds + 2) * 20 {
        now = now + .milliseconds(50)
        for number in 0..<people {
            for layer in 0..<3 {
                for _ in 0..<(1 << layer) {
                    let index = 3 * number + layer
                    sources[index].next(isKeyFrame: tick % 40 == 0)
                    var packet = sources[index].bytes
                    packet[11] = UInt8(10 + index)
                    packet[10] = 0
                    core.receiveRTP(packet.span, from: PeerID(UInt32(1 + number)), at: now, into: &egress)
                    egress.removeAll()
                }
            }
        }
        let start = threadNanoseconds()
        while let deadline = core.nextDeadline, deadline.at <= now {
            core.advance(to: now, into: &egress)
            egress.removeAll()
        }
        if tick >= 40 { spent += threadNanoseconds() - start }
    }
    return Double(spent) / 1_000 / Double(people * 4 * seconds)
}

/// What one report of how well a peer is served costs, in nanoseconds: a room of people who each see all others.
private func measureReports(people: Int) -> Double? {
    let workload = Workload(
        name: "", kind: .video, receivers: people - 1, payloadBytes: 0, packetsPerSecond: 1, payloadType: 96)
    var core = RoomCore(configuration: RoomConfiguration(), seed: 1)
    var egress = Egress()
    let now = Timestamp(nanoseconds: 1_000_000_000)
    guard meet(people, layers: 1, workload, in: &core, at: now, into: &egress) else { return nil }
    var times: [Double] = []
    var counters: PeerCounters?
    for round in 0..<rounds {
        let start = threadNanoseconds()
        for _ in 0..<1_000 {
            counters = core.qualityReport(of: PeerID(1), since: counters, at: now + .seconds(Int64(round)))?.counters
        }
        times.append(Double(threadNanoseconds() - start) / 1_000)
    }
    return counters == nil ? nil : times.sorted()[rounds / 2]
}

/// The same packet copied once for each receiver into an arena of the egress's size: nanoseconds for each copy.
private func copyFloor(_ packet: [UInt8], receivers: Int) -> Double {
    let capacity = 4 << 20
    let arena = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
    defer { unsafe arena.deallocate() }
    var times: [Double] = []
    for _ in 0..<rounds {
        let start = threadNanoseconds()
        for _ in 0..<packetsPerRound {
            var used = 0
            for _ in 0..<receivers {
                unsafe packet.withUnsafeBytes { bytes in
                    unsafe UnsafeMutableRawBufferPointer(start: arena + used, count: bytes.count).copyMemory(
                        from: bytes)
                }
                used += (packet.count + 175) & ~15
            }
        }
        times.append(Double(threadNanoseconds() - start) / Double(packetsPerRound * receivers))
    }
    return times.sorted()[rounds / 2]
}

private func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : String(repeating: " ", count: width - text.count) + text
}

private func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((value * scale).rounded())
    guard digits > 0 else { return "\(whole)" }
    let fraction = String(whole % Int(scale))
    return "\(whole / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

@main
enum MediaCoreBenchmarks {
    /// Mallocs that one packet may cost once the room is running.
    static let allocationBudget = 0.0

    static func main() {
        let workloads = [
            Workload(
                name: "audio, 1 to 49, 120 B", kind: .audio, receivers: 49, payloadBytes: 120, packetsPerSecond: 50,
                payloadType: 111),
            Workload(
                name: "video, 1 to 49, 1200 B", kind: .video, receivers: 49, payloadBytes: 1_160,
                packetsPerSecond: 200, payloadType: 96),
            Workload(
                name: "video, 1 to 1, 1200 B", kind: .video, receivers: 1, payloadBytes: 1_160, packetsPerSecond: 200,
                payloadType: 96),
        ]
        print(
            "MediaCore alone, \(rounds) rounds of \(packetsPerRound) packets in; ns per packet out, RTCP and timers included"
        )
        print(
            "workload".padding(to: 26) + padded("median", 9) + padded("fastest", 9) + padded("slowest", 9)
                + padded("copy", 8) + padded("ratio", 8) + padded("mallocs/in", 12) + padded("out", 10))
        var withinBudget = true
        let only = argument("--only")
        let runs = workloads.flatMap {
            [($0, false, false), ($0, true, false)] + ($0.kind == .video ? [($0, false, true)] : [])
        }
        for (workload, isRecorded, isAdapted) in runs
        where only == nil || only == workload.name + (isRecorded ? ", recorded" : isAdapted ? ", adapted" : "") {
            guard let result = measure(workload, isRecorded: isRecorded, isAdapted: isAdapted) else {
                print(
                    "\(workload.name)\(isRecorded ? ", recorded" : isAdapted ? ", adapted" : ""): nothing was measured")
                withinBudget = false
                continue
            }
            print(
                result.name.padding(to: 26) + padded(fixed(result.nanosecondsPerEgressPacket, 1), 9)
                    + padded(fixed(result.fastest, 1), 9) + padded(fixed(result.slowest, 1), 9)
                    + padded(fixed(result.floor, 1), 8)
                    + padded(fixed(result.nanosecondsPerEgressPacket / max(0.1, result.floor), 1), 8)
                    + padded(fixed(result.allocationsPerIngressPacket, 4), 12) + padded("\(result.egressPackets)", 10))
            let expected = rounds * packetsPerRound * workload.receivers
            if result.egressPackets < expected {
                print("  only \(result.egressPackets) of \(expected) packets came out: nothing was measured")
                withinBudget = false
            }
            if result.allocationsPerIngressPacket > allocationBudget {
                print("  over the budget of \(allocationBudget) mallocs per packet")
                withinBudget = false
            }
        }
        guard only == nil else { exit(withinBudget ? 0 : 1) }
        if let division = measureDivision(people: 25) {
            print(
                "the timers of a receiver with 24 simulcast slots, its slots divided anew: \(fixed(division, 1)) µs, 4 a second"
            )
        }
        if let report = measureReports(people: 25) {
            print("a quality report of a peer with 24 video slots: \(fixed(report, 0)) ns, once a second")
        }
        exit(withinBudget ? 0 : 1)
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
