// Runs bandwidth estimators against links in virtual time: media flows that follow their estimates, TCP beside them, feedback
// as real bytes over a return link. Judges nothing: BenchResult does.

public import MediaCore

/// One direction of a path, with its capacity over time.
public struct BenchLink: Sendable {
    /// The capacity from these seconds on, in bits per second; empty: unlimited.
    public var capacity: [(second: Double, bitsPerSecond: Int64)] = []
    /// A recorded capacity instead.
    public var trace: CapacityTrace?
    /// What the queue holds, in milliseconds at the capacity of the moment.
    public var queueMilliseconds: Int64 = 300
    /// Delay, jitter, loss and so on; capacity and queue are set from the above.
    public var conditions: LinkConditions

    /// A link.
    public init(
        _ capacity: [(second: Double, bitsPerSecond: Int64)] = [], delayMilliseconds: Int64 = 50,
        queueMilliseconds: Int64 = 300
    ) {
        self.capacity = capacity
        self.queueMilliseconds = queueMilliseconds
        conditions = LinkConditions(delay: .milliseconds(delayMilliseconds))
    }

    /// The capacity at a second; nil: unlimited or of a trace.
    func rate(at second: Double) -> Int64? { capacity.last { $0.second <= second }?.bitsPerSecond }
}

/// What is run.
public struct BenchScenario: Sendable {
    /// Its name.
    public var name: String
    /// How long, in seconds.
    public var seconds: Double
    /// The links; media of most flows goes over the first, feedback over the second.
    public var links: [BenchLink]
    /// The media flows.
    public var flows: [BenchFlowSettings]
    /// When TCP transfers begin, in seconds, on the first link.
    public var transfers: [Double] = []
    /// How their windows grow.
    public var transfersAreCubic = true
    /// Seconds at which an estimator is told that its route changed.
    public var routeChanges: [Double] = []

    /// A scenario with one flow.
    public init(_ name: String, seconds: Double, links: [BenchLink], flows: [BenchFlowSettings] = [BenchFlowSettings()])
    {
        self.name = name
        self.seconds = seconds
        self.links = links
        self.flows = flows
    }
}

private enum BenchEvent: Int {
    case pacer, audio, frame, arrival, feedback, message, report, reportArrival, capacity, segment, segmentArrival
    case acknowledgement, transferTimer, sample, advance, route
}

private struct Report {
    var flow: Int
    var lost: Int
    var expected: Int
    var roundTrip: Int64
}

/// The bench itself.
public final class EstimatorBench {
    private let scenario: BenchScenario
    private var clock = VirtualClock(startingAt: Timestamp(nanoseconds: 0))
    private var links: [Link]
    /// The same queues without chance and delay: how long packets wait in them.
    private var queues: [Link]
    private var flows: [BenchFlow] = []
    private var transfers: [CompetingTCP] = []
    private var packets: [BenchPacket] = []
    private var messages: [(flow: Int, bytes: [UInt8])] = []
    private var reports: [Report] = []
    private var segments: [(transfer: Int, segment: Int64)] = []
    private var pacerAt: [Int64]
    private var advanceAt: [Int64]
    private var result: BenchResult

    /// A bench; `make` gives a new estimator for each flow.
    public init(_ scenario: BenchScenario, seed: UInt64, make: () -> any SteeredEstimator) {
        self.scenario = scenario
        var random = SeededRandom(seed: seed)
        links = []
        queues = []
        for link in scenario.links {
            links.append(Link(link.conditions, seed: random.next()))
            queues.append(Link(LinkConditions(delay: .zero), seed: 0))
        }
        for settings in scenario.flows {
            flows.append(BenchFlow(settings, estimator: make(), seed: random.next()))
        }
        for start in scenario.transfers {
            transfers.append(
                CompetingTCP(scenario.transfersAreCubic ? .cubic : .newReno, startAt: Int64(start * 1e9)))
        }
        pacerAt = [Int64](repeating: .max, count: flows.count)
        advanceAt = [Int64](repeating: .max, count: flows.count)
        result = BenchResult(scenario: scenario)
        prepare(&random)
    }

    private func prepare(_ random: inout SeededRandom) {
        for (index, link) in scenario.links.enumerated() {
            setCapacity(index, at: 0)
            for step in link.capacity where step.second > 0 { schedule(.capacity, index, at: Int64(step.second * 1e9)) }
        }
        for (index, flow) in flows.enumerated() {
            let start = Int64(flow.settings.start * 1e9)
            schedule(.audio, index, at: start + Int64(random.below(20_000_000)))
            schedule(.frame, index, at: start + Int64(random.below(33_000_000)))
            if flow.settings.feedbackMilliseconds > 0 {
                schedule(.feedback, index, at: start + Int64(random.below(75_000_000)))
            }
            schedule(.report, index, at: start + Int64(random.below(1_000_000_000)))
        }
        for (index, transfer) in transfers.enumerated() { schedule(.segment, index, at: transfer.startAt) }
        for second in scenario.routeChanges { schedule(.route, 0, at: Int64(second * 1e9)) }
        schedule(.sample, 0, at: 0)
    }

    private var now: Int64 { clock.now.nanoseconds }

    private func schedule(_ event: BenchEvent, _ index: Int, at moment: Int64) {
        clock.schedule(index << 5 | event.rawValue, at: Timestamp(nanoseconds: moment))
    }

    private func setCapacity(_ index: Int, at second: Double) {
        let link = scenario.links[index]
        var capacity = LinkCapacity.unlimited
        var bytes = 1 << 30
        if let trace = link.trace {
            capacity = .trace(trace)
            bytes = Int(trace.meanBitsPerSecond / 8_000) * Int(link.queueMilliseconds)
        } else if let rate = link.rate(at: second) {
            capacity = .bitsPerSecond(rate)
            bytes = max(3_000, Int(rate / 8) * Int(link.queueMilliseconds) / 1_000)
        }
        links[index].conditions.capacity = capacity
        links[index].conditions.queueBytes = bytes
        queues[index].conditions.capacity = capacity
        queues[index].conditions.queueBytes = bytes
    }

    /// Runs to the end.
    public func run() -> BenchResult {
        let end = Timestamp(nanoseconds: Int64(scenario.seconds * 1e9))
        while let code = clock.take(notAfter: end) {
            guard let event = BenchEvent(rawValue: code & 31) else { break }
            take(event, code >> 5)
        }
        return result
    }

    private func take(_ event: BenchEvent, _ index: Int) {
        switch event {
        case .pacer:
            guard pacerAt[index] <= now else { return }
            pacerAt[index] = .max
            runPacer(index)
        case .audio: makeAudio(index)
        case .frame: makeFrame(index)
        case .arrival: arrive(packets[index])
        case .feedback: sendFeedback(index)
        case .message: takeMessage(index)
        case .report: sendReport(index)
        case .reportArrival: takeReport(reports[index])
        case .capacity: setCapacity(index, at: Double(now) / 1e9)
        case .segment: sendSegments(index)
        case .segmentArrival: arrive(segment: index)
        case .acknowledgement:
            transfers[segments[index].transfer].acknowledge(segments[index].segment, at: now)
            sendSegments(segments[index].transfer)
        case .transferTimer: checkTransfer(index)
        case .sample: sample()
        case .advance:
            guard advanceAt[index] <= now else { return }
            advanceAt[index] = .max
            flows[index].estimator.advance(to: clock.now)
            follow(index)
        case .route:
            flows[0].estimator.routeChanged(at: clock.now)
            follow(0)
        }
    }

    // MARK: Sending

    private func isActive(_ index: Int) -> Bool { flows[index].isActive(at: Double(now) / 1e9) }

    private func makeAudio(_ index: Int) {
        let flow = flows[index]
        schedule(.audio, index, at: now + 20_000_000)
        guard flow.settings.audioBytes > 0, isActive(index) else { return }
        send(index, flow.settings.audioBytes, .audio, cluster: 0)
    }

    private func makeFrame(_ index: Int) {
        schedule(.frame, index, at: now + 33_333_333)
        guard isActive(index) else {
            if flows[index].waiting > 0 { flows[index].dropQueue() }
            return
        }
        flows[index].makeFrame(at: now)
        follow(index)
    }

    private func wakePacer(_ index: Int, at moment: Int64) {
        guard moment < pacerAt[index] else { return }
        pacerAt[index] = moment
        schedule(.pacer, index, at: moment)
    }

    private func runPacer(_ index: Int) {
        let flow = flows[index]
        guard isActive(index) else { return }
        if flow.probe == nil, let probe = flow.estimator.takeProbe(at: clock.now) {
            flow.probe = probe
            flow.probeBytes = 0
            flow.probePackets = 0
            flow.probeStart = now
            result.probes.append((index, now, probe.bitsPerSecond))
        }
        if let probe = flow.probe {
            runProbe(index, probe)
            return
        }
        let rate = max(flow.estimator.pacingRate.bitsPerSecond, 10_000)
        while flow.waiting > 0, flow.paidAt <= now + 5_000_000, let bytes = flow.takeQueued() {
            flow.paidAt = max(flow.paidAt, now) + Int64(bytes) * 8_000_000_000 / rate
            send(index, bytes, .video, cluster: 0)
        }
        if flow.waiting > 0 { wakePacer(index, at: max(now + 1_000_000, flow.paidAt - 5_000_000)) }
    }

    private func runProbe(_ index: Int, _ probe: BenchProbe) {
        let flow = flows[index]
        while true {
            let due = flow.probeStart + Int64(flow.probeBytes) * 8_000_000_000 / max(probe.bitsPerSecond, 1_000)
            guard due <= now else {
                wakePacer(index, at: due)
                return
            }
            if flow.probePackets >= probe.minimumPackets, flow.probeBytes >= probe.minimumBytes { break }
            let queued = flow.takeQueued()
            let missing = probe.minimumBytes - flow.probeBytes
            let padding = min(max(missing / max(probe.minimumPackets - flow.probePackets, 1), 200), 1_200)
            let bytes = queued ?? padding
            flow.probeBytes += bytes
            flow.probePackets += 1
            send(index, bytes, queued == nil ? .padding : .video, cluster: probe.cluster)
        }
        flow.probe = nil
        wakePacer(index, at: now + 1_000_000)
    }

    private func send(_ index: Int, _ bytes: Int, _ kind: BenchPacketKind, cluster: Int32) {
        let flow = flows[index]
        let number = flow.nextNumber
        flow.nextNumber += 1
        flow.estimator.noteSent(
            UInt16(truncatingIfNeeded: number), bytes: bytes, kind: kind, cluster: cluster, at: clock.now)
        result.note(sent: bytes, kind: kind, flow: index, at: now)
        let arrivals = transmit(bytes, over: flow.settings.forward)
        let packet = BenchPacket(
            flow: index, number: number, bytes: bytes, kind: kind, sentAt: now, cluster: cluster)
        for arrival in [arrivals.first, arrivals.second] {
            guard let arrival else { continue }
            packets.append(packet)
            schedule(
                .arrival, packets.count - 1,
                at: arrival.nanoseconds + flow.settings.extraDelayMilliseconds * 1_000_000)
        }
        follow(index)
    }

    /// Puts a packet on a link and notes how long it waits there.
    private func transmit(_ bytes: Int, over link: Int) -> Arrivals {
        let arrivals = links[link].send(byteCount: bytes, at: clock.now)
        let waiting = queues[link].send(byteCount: bytes, at: clock.now).first
        result.note(waited: waiting.map { $0.nanoseconds - now }, link: link, at: now)
        return arrivals
    }

    /// Looks whether the estimator wants something.
    private func follow(_ index: Int) {
        let flow = flows[index]
        if let next = flow.estimator.nextDeadline, next.nanoseconds < advanceAt[index] {
            advanceAt[index] = max(next.nanoseconds, now)
            schedule(.advance, index, at: advanceAt[index])
        }
        if flow.waiting > 0 || flow.probe != nil {
            wakePacer(index, at: now)
        } else {
            wakePacer(index, at: now + 5_000_000)
        }
    }

    // MARK: Receiving

    private func arrive(_ packet: BenchPacket) {
        result.note(arrived: packet.bytes, flow: packet.flow, at: now)
        flows[packet.flow].noteArrival(packet, at: now)
    }

    private func sendFeedback(_ index: Int) {
        let flow = flows[index]
        schedule(.feedback, index, at: now + flow.settings.feedbackMilliseconds * 1_000_000)
        for bytes in flow.makeFeedback() {
            let second = Double(now) / 1e9
            if flow.settings.deafness.contains(where: { $0.contains(second) }) { continue }
            let arrivals = transmit(bytes.count, over: flow.settings.back)
            for arrival in [arrivals.first, arrivals.second] {
                guard let arrival else { continue }
                messages.append((index, bytes))
                schedule(
                    .message, messages.count - 1,
                    at: arrival.nanoseconds + flow.settings.extraDelayMilliseconds * 1_000_000)
            }
        }
    }

    private func takeMessage(_ index: Int) {
        let flow = messages[index].flow
        flows[flow].estimator.takeFeedback(messages[index].bytes, at: clock.now)
        messages[index].bytes = []
        follow(flow)
    }

    private func sendReport(_ index: Int) {
        let flow = flows[index]
        schedule(.report, index, at: now + flow.settings.reportMilliseconds * 1_000_000)
        let second = Double(now) / 1e9
        guard flow.received > 0, !flow.settings.deafness.contains(where: { $0.contains(second) }) else { return }
        guard let arrival = transmit(90, over: flow.settings.back).first else { return }
        let (lost, expected) = flow.takeReport()
        let back = arrival.nanoseconds - now
        reports.append(Report(flow: index, lost: lost, expected: expected, roundTrip: flow.forwardDelay + back))
        schedule(.reportArrival, reports.count - 1, at: arrival.nanoseconds)
    }

    private func takeReport(_ report: Report) {
        let flow = flows[report.flow]
        flow.estimator.noteRoundTrip(TimeDelta(nanoseconds: report.roundTrip))
        if report.expected > 0 {
            flow.estimator.takeReceiverReport(lost: report.lost, expected: report.expected, at: clock.now)
        }
        if let maximum = flow.settings.maximumBitsPerSecond {
            flow.estimator.takeMaximumBitrate(DataRate(bitsPerSecond: maximum), at: clock.now)
        }
        follow(report.flow)
    }

    // MARK: TCP

    private func sendSegments(_ index: Int) {
        let transfer = transfers[index]
        while transfer.mayBeSent {
            let segment = transfer.takeSegment(at: now)
            guard let arrival = transmit(CompetingTCP.wireBytes, over: 0).first else { continue }
            segments.append((index, segment))
            schedule(.segmentArrival, segments.count - 1, at: arrival.nanoseconds)
        }
        schedule(.transferTimer, index, at: now + transfer.timeout)
    }

    private func arrive(segment index: Int) {
        result.transferred += CompetingTCP.segmentBytes
        guard let arrival = transmit(40, over: scenario.flows.first?.back ?? 1).first else { return }
        schedule(.acknowledgement, index, at: arrival.nanoseconds)
    }

    private func checkTransfer(_ index: Int) {
        let transfer = transfers[index]
        guard !transfer.inFlight.isEmpty, now - transfer.lastProgress >= transfer.timeout else { return }
        transfer.giveUp(at: now)
        sendSegments(index)
    }

    private func sample() {
        schedule(.sample, 0, at: now + BenchResult.sampleInterval)
        let second = Double(now) / 1e9
        for (index, flow) in flows.enumerated() {
            result.note(
                estimate: flow.estimator.estimate.bitsPerSecond, maximum: isActive(index) ? flow.maximumRate : 0,
                flow: index)
            result.noteChange(flow.estimator.lastChangeText, flow: index, at: second)
        }
    }
}
