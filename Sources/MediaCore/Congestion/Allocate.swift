// Gives each receiver's video slots what its estimate allows, and carries it out: aims the slots, limits their layers, pauses the
// last, and says why. The division itself is BitrateAllocator's.

extension RoomCore {
    /// How often a receiver's slots are looked at again: the rates of layers change.
    static let allocationInterval = TimeDelta.milliseconds(250)
    /// While what waits for a receiver's pace takes no longer than this, what it is sent fits.
    static let shortWait = TimeDelta.milliseconds(250)
    /// While no more waits than this at the pace, or something has for less than so long, and no more stands on the way, what was
    /// given is kept even where it is measured to take so much of the estimate, in percent.
    static let keptWait = TimeDelta.milliseconds(150)
    static let keptTime = TimeDelta.milliseconds(500)
    static let keptStanding = TimeDelta.milliseconds(60)
    static let keptPercent: Int64 = 125
    /// An estimate is told when it has changed by so many percent.
    static let toldPercent: Int64 = 10

    /// Divides anew what a receiver may be sent.
    mutating func allocate(_ p: Int, at now: Timestamp, into out: inout Egress) {
        var changed: [Int] = []
        allocate(p, at: now, changed: &changed, into: &out)
        guard !changed.isEmpty else { return }
        rebuildFanout()
        for s in changed { requestForWaiting(s, cause: .sourceSwitch, at: now, into: &out) }
    }

    /// Divides anew what a receiver may be sent; the slots that are aimed elsewhere are added to `changed`, and the list of
    /// fan-outs is the caller's to make anew.
    mutating func allocate(_ p: Int, at now: Timestamp, changed: inout [Int], into out: inout Egress) {
        peers[p].nextAllocation = nil
        guard peers[p].hasVideoSlots else { return }
        if peers[p].isConnected { peers[p].nextAllocation = now + Self.allocationInterval }
        // The memory is the room's, so that none is taken here.
        var work = AllocationWork()
        swap(&work, &allocationWork)
        work.requests.removeAll(keepingCapacity: true)
        work.slots.removeAll(keepingCapacity: true)
        for number in peers[p].slots {
            let s = Int(number)
            guard slots[s].isVideo, slots[s].track >= 0, !slots[s].isHidden,
                slots[s].assignment.reason != .unsupportedCodec
            else {
                if slots[s].isVideo { slots[s].allocation.withdraw() }
                continue
            }
            work.requests.append(request(of: s, at: now))
            work.slots.append(number)
        }
        let estimate = peers[p].bandwidth.estimate
        // Nothing is risked beside a screen, whose frames would be late, and on a path where one packet holds up the sound.
        let isCareful = estimate < BandwidthEstimator.carefulRate || work.requests.contains { $0.isScreen }
        if isCareful { for i in work.requests.indices { work.requests[i].isTried = false } }
        let audio = audioRate(to: p, at: now)
        peers[p].demand.measureResent(at: now)
        // What is sent besides the first time that video is sent.
        let other = audio + min(peers[p].demand.resending, estimate.scaled(by: 1, over: 2))
        let spendable = peers[p].bandwidth.spendable
        BitrateAllocator.divide(spendable - other, over: work.requests, into: &work.allocation)
        // Nobody is left without a picture for caution's sake.
        if spendable < estimate, BitrateAllocator.pauses(work.allocation, work.requests) {
            BitrateAllocator.divide(estimate - other, over: work.requests, into: &work.allocation)
        }
        // A queue that drains is no reason to leave an encoding, whose return would take a key frame: its fewest frames do.
        let sustained = peers[p].bandwidth.sustained
        if sustained > estimate {
            BitrateAllocator.divide(sustained - other, over: work.requests, into: &work.other)
            BitrateAllocator.keepEncodings(as: work.other, work.requests, in: &work.allocation)
        }
        // What layers were measured to take goes to and fro; what waits is exact. While that is little, all that was given is kept.
        let keepsUp =
            peers[p].pacer.queueTime < Self.keptWait || peers[p].pacer.wasEmpty(within: Self.keptTime, at: now)
        if !isCareful, keepsUp, peers[p].bandwidth.standing < Self.keptStanding,
            BitrateAllocator.takesBack(work.allocation, work.requests)
        {
            let lenient = estimate.scaled(by: Self.keptPercent, over: 100)
            BitrateAllocator.divide(lenient - other, over: work.requests, into: &work.other)
            BitrateAllocator.keepSteps(as: work.other, work.requests, in: &work.allocation)
        }
        // What waits here may drain while fewer frames come. What stands on the way was too much for the path.
        if !peers[p].bandwidth.followsReports, peers[p].bandwidth.standing <= Self.keptStanding {
            BitrateAllocator.thinOut(estimate - other, work.requests, in: &work.allocation)
        }
        peers[p].demand.estimate = estimate
        peers[p].demand.carried = peers[p].bandwidth.carried
        peers[p].demand.other = other
        peers[p].demand.allocated = work.allocation.allocated
        peers[p].demand.next = work.allocation.next
        peers[p].demand.wanted = work.allocation.wanted
        peers[p].followDemand()
        for i in work.slots.indices {
            let s = Int(work.slots[i])
            let isShort = work.allocation.short.contains(i)
            // As long as hardly anything waits it fits, whatever was measured. A screen's pages come in bursts, and may wait.
            let fits = work.requests[i].isScreen || peers[p].pacer.queueTime < Self.shortWait
            slots[s].allocation.noteShort(isShort, fits: fits, at: now)
            slots[s].allocation.noteThinned(work.allocation.thinned.contains(i), at: now)
            give(work.allocation.steps[i], to: s, work.requests[i], at: now, changed: &changed, into: &out)
        }
        peers[p].bandwidth.setDemand(
            allocated: work.allocation.allocated + other, next: work.allocation.next + other,
            wanted: work.allocation.wanted + other, at: now)
        swap(&work, &allocationWork)
        peers[p].pacer.setRate(peers[p].bandwidth.pacingRate, at: now)
        peers[p].nextEstimate = peers[p].isConnected ? peers[p].bandwidth.nextDeadline : nil
    }

    /// The sound that a receiver is sent.
    private func audioRate(to p: Int, at now: Timestamp) -> DataRate {
        var sum = DataRate.zero
        for number in peers[p].slots {
            let s = Int(number)
            let e = Int(slots[s].current)
            guard !slots[s].isVideo, e >= 0 else { continue }
            sum = sum + encodings[e].rates.rate(spatial: 0xff, temporal: 0xff, at: now)
        }
        return sum
    }

    private func request(of s: Int, at now: Timestamp) -> AllocationRequest {
        let t = Int(slots[s].track)
        let steps = layerSteps(of: t, at: now)
        let given = slots[s].allocation
        var current = -1
        if given.encoding >= 0, !steps.isEmpty {
            // The same step, or what is nearest to it from below now. What was thinned out counts as its encoding's least.
            current =
                steps.firstIndex {
                    $0.encoding == given.encoding
                        && (given.thinnedSince != nil || $0.spatial == given.spatial && $0.temporal == given.temporal)
                } ?? steps.lastIndex {
                    $0.layer < given.layer || $0.encoding == given.encoding && $0.rate <= given.rate
                }
                ?? 0
        }
        var request = AllocationRequest(
            steps: steps,
            wanted: configuration.bitrate.isUnlimited
                ? steps.count - 1 : Self.wantedStep(of: steps, height: slots[s].wantedHeight),
            current: current)
        if current >= 0, given.mayBeThinned(at: now) { request.thinnest = thinnest(of: steps[current], at: now) }
        request.heldRate = given.heldRate(at: now)
        request.heldStep = given.heldStep(of: steps, at: now)
        request.keepsLowest =
            steps.first.map {
                given.keepsLowest($0.rate, estimate: peers[Int(slots[s].peer)].bandwidth.estimate, at: now)
            } ?? false
        request.isScreen = tracks[t].plan.source == .screen
        request.isPinned = slots[s].assignment.reason == .pinned
        request.isSpeaker = isSpeaking(Int(tracks[t].peer))
        request.priority = slots[s].priority
        request.wantedHeight = slots[s].wantedHeight
        return request
    }

    /// The fewest frames of a step's encoding: they may be fewer than any step has. Nil where it has no temporal layers.
    private func thinnest(of step: LayerStep, at now: Timestamp) -> LayerStep? {
        let e = Int(step.encoding)
        guard encodings[e].rates.liveTemporalLayers > 1 else { return nil }
        var thinnest = step
        thinnest.temporal = 0
        thinnest.rate = encodings[e].rates.rate(spatial: step.spatial, temporal: 0, at: now)
        return thinnest.rate > .zero ? thinnest : nil
    }

    private func isSpeaking(_ p: Int) -> Bool {
        peers[p].tracks.contains { !tracks[Int($0)].isVideo && tracks[Int($0)].gate.isOpen }
    }

    /// Carries out what one slot was given: a place in the steps of its request, -1 for none.
    private mutating func give(
        _ step: Int, to s: Int, _ request: AllocationRequest, at now: Timestamp, changed: inout [Int],
        into out: inout Egress
    ) {
        // While nothing arrives there is nothing to change.
        guard !request.steps.isEmpty else { return }
        let before = slots[s].allocation
        var after = before
        let isThinned = before.thinnedSince != nil
        let given = isThinned ? request.thinnest : step >= 0 ? request.steps[step] : nil
        let better = isThinned ? request.steps[step] : step < request.wanted ? request.steps[step + 1] : nil
        after.encoding = given?.encoding ?? -1
        after.layer = given?.layer ?? 0
        after.spatial = given?.spatial ?? 0xff
        after.temporal = given?.temporal ?? 0xff
        after.rate = given?.rate ?? .zero
        after.next = better?.rate ?? .zero
        after.nextHeight = better?.height ?? 0
        after.nextEncoding = better?.encoding ?? -1
        after.isPaused = given == nil
        // Less because less is wanted is no reason to wait.
        if step < request.current, step < request.wanted {
            after.lower(from: before, at: now)
        } else if step > request.current {
            after.raise(at: now)
        }
        after.reason = isThinned ? .estimate : reason(step, request, slots[s].track, slots[s].wantedHeight)
        slots[s].allocation = after
        let hasChanged =
            after.encoding != before.encoding || after.spatial != before.spatial || after.temporal != before.temporal
            || after.isPaused != before.isPaused
        if hasChanged { tell(s, after, at: now, into: &out) }
        guard let given else {
            aim(s, at: -1, keepsCurrent: false, at: now, changed: &changed)
            return
        }
        askFor(Int(given.encoding), at: now, into: &out)
        carryOut(given, request.steps, s, hasChanged: hasChanged, at: now, changed: &changed, into: &out)
    }

    private func reason(
        _ step: Int, _ request: AllocationRequest, _ track: Int32, _ height: UInt16
    ) -> AllocationReason {
        if step < request.wanted { return request.isHeld(step + 1) ? .held : .estimate }
        let best = tracks[Int(track)].encodings.last ?? -1
        let isEnough = request.steps[step].encoding == best || Int(request.steps[step].height) * 100 >= Int(height) * 85
        return isEnough && request.steps[step].height > 0 || request.steps[step].encoding == best ? .wanted : .publisher
    }

    private func tell(_ s: Int, _ given: SlotAllocation, at now: Timestamp, into out: inout Egress) {
        let receiver = Int(slots[s].peer)
        let track = tracks[Int(slots[s].track)].id
        out.decisions.append(
            .layerAllocated(
                peer: peers[receiver].id, slot: slots[s].plan.mid, track: track,
                layer: given.isPaused ? nil : Int(given.layer),
                spatial: given.spatial == 0xff ? nil : Int(given.spatial),
                temporal: given.temporal == 0xff ? nil : Int(given.temporal), rate: given.rate, needed: given.next,
                estimate: peers[receiver].demand.estimate, reason: given.reason))
    }

    /// Whether a slot has less than its receiver wants because the path does not carry it.
    private func isShort(_ given: SlotAllocation) -> Bool { given.reason == .estimate || given.reason == .held }

    /// Aims a slot at a step: at its encoding when that arrives, until then at the highest below that does.
    private mutating func carryOut(
        _ given: LayerStep, _ steps: StepList, _ s: Int, hasChanged: Bool, at now: Timestamp, changed: inout [Int],
        into out: inout Egress
    ) {
        var step = given
        if !step.arrives, let lower = steps.last(where: { $0.arrives && $0.layer < given.layer }) { step = lower }
        let current = slots[s].current
        if current == step.encoding {
            if hasChanged || slots[s].allocation.isLeaving {
                limitLayers(of: s, spatial: step.spatial, temporal: step.temporal, at: now, into: &out)
            }
            slots[s].allocation.isLeaving = false
        } else if current >= 0, encodings[Int(current)].layer > Int(step.layer), isShort(slots[s].allocation) {
            // Down to another encoding, which begins with its next key frame. Until then as little as there is of the one that
            // is shown, or nothing where that is too much.
            let least = encodings[Int(current)].rates.rate(spatial: 0, temporal: 0, at: now)
            if encodings[Int(current)].monitor.isAlive, least > step.rate { slots[s].stop() }
            slots[s].limit(spatial: 0, temporal: 0)
            slots[s].allocation.isLeaving = true
        }
        aim(s, at: step.encoding, keepsCurrent: true, at: now, changed: &changed)
    }

    private mutating func aim(
        _ s: Int, at encoding: Int32, keepsCurrent: Bool, at now: Timestamp, changed: inout [Int]
    ) {
        guard slots[s].target != encoding else { return }
        slots[s].aim(at: encoding, keepsCurrent: keepsCurrent, now: now)
        if !changed.contains(s) { changed.append(s) }
    }

    /// A slot changes to the encoding that it was aimed at: what it was given of it holds from its first frame on.
    mutating func limitForSwitch(_ s: Int) {
        let given = slots[s].allocation
        let isGiven = given.encoding == slots[s].target
        slots[s].allocation.isLeaving = false
        slots[s].limit(spatial: isGiven ? given.spatial : 0xff, temporal: isGiven ? given.temporal : 0xff)
    }

    // MARK: The estimate

    /// What a receiver's estimate has to do by the clock.
    mutating func advanceEstimate(of p: Int, at now: Timestamp, into out: inout Egress) {
        peers[p].bandwidth.advance(to: now)
        followEstimate(of: p, at: now, into: &out)
    }

    /// The estimate may have changed: the pace follows at once, the allocation where it matters.
    mutating func followEstimate(of p: Int, at now: Timestamp, into out: inout Egress) {
        guard peers[p].isConnected else { return }
        peers[p].nextEstimate = peers[p].bandwidth.nextDeadline
        let estimate = peers[p].bandwidth.estimate
        peers[p].pacer.setRate(peers[p].bandwidth.pacingRate, at: now)
        peers[p].demand.carried = peers[p].bandwidth.carried
        peers[p].followDemand()
        let change = peers[p].bandwidth.lastChange
        let told = peers[p].demand.told.bitsPerSecond
        if change.number != peers[p].demand.change,
            abs(estimate.bitsPerSecond - told) * 100 >= told * Self.toldPercent
        {
            peers[p].demand.told = estimate
            out.decisions.append(.estimateChanged(peer: peers[p].id, change))
        }
        peers[p].demand.change = change.number
        let divided = peers[p].demand.estimate
        let needed = peers[p].demand.allocated + peers[p].demand.other
        let isLess = estimate < divided && estimate < needed
        let isMore =
            estimate > divided && peers[p].demand.next > peers[p].demand.allocated
            && estimate >= peers[p].demand.next + peers[p].demand.other
        if isLess || isMore { allocate(p, at: now, into: &out) }
        probe(p, at: now, into: &out)
        peers[p].nextPace.bring(forwardTo: peers[p].pacer.next(after: now))
    }

    /// The rate of the probe that a peer is being sent, or nil when there is none.
    public func probeRate(of peer: PeerID) -> DataRate? {
        peerIndex.find(peer.rawValue).flatMap { peers[$0].pacer.probe?.cluster.rate }
    }

    /// What a peer may be sent, everything included; nil when it is not in the room.
    public func estimate(of peer: PeerID) -> DataRate? {
        peerIndex.find(peer.rawValue).map { peers[$0].bandwidth.estimate }
    }

    /// What a peer's path is known to carry, which may be more than it may be sent: bursts are as wide as this allows; nil when
    /// it is not in the room.
    public func carriedRate(of peer: PeerID) -> DataRate? {
        peerIndex.find(peer.rawValue).map { peers[$0].bandwidth.carried }
    }
}
