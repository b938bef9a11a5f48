// One receive slot: one SSRC for its whole life, on which sources and layers follow each other by rewriting sequence
// numbers, timestamps and picture numbers. Chooses no source; is told one and switches to it at a key frame.
// Longer than 500 lines: what its checkpoint holds is private to it, and stands at the end.

/// What an outgoing packet says of its slot.
struct SlotAddress: BitwiseCopyable {
    var ssrc: SSRC
    var mid: Mid
    var payloadType: PayloadType
    /// For redundant audio that goes out as it came: the payload type of its blocks.
    var blockPayloadType: PayloadType?
    /// The bytes at the payload's beginning that are left out: of redundant audio all before the primary block.
    var skipped: UInt16 = 0
}

/// What a packet's source says of itself, the same for all slots.
struct SourceContext {
    var encoding: Int32
    var serial: UInt32
    var contributingSource: UInt32
    var isVideo: Bool
    var codec: Codec
    /// The server's clock and the packet's time of capture, in ticks of the source's RTP clock.
    var clock: UInt32
    var capture: UInt32
    var absoluteSendTime: UInt32
    var now: Timestamp
    /// No packet of the source with a higher number has come.
    var isNewest: Bool
    /// A bit for each spatial layer of the source that has stopped.
    var stoppedLayers: UInt8
    /// The decode targets of a source with Dependency Descriptors.
    var targets: DependencyTargets
}

/// The numbers at which a slot stopped. The same SSRC under the same SRTP keys must go on behind them: no number is
/// ever protected twice.
struct RetiredStream: BitwiseCopyable {
    /// How many are remembered of a peer.
    static let limit = 256

    var ssrc: SSRC
    var highest: Int64
    var rtxSequence: UInt16
}

/// The row of one receive slot.
struct ReceiveSlot: ~Copyable {
    /// What became of a packet on the slot.
    enum Outcome: Equatable {
        case sent
        /// Sent, and the slot switched to its source with it, `waited` after it was told to.
        case switched(waited: TimeDelta)
        case dropped(DropReason)
    }

    /// The room's number of the receiver.
    let peer: Int32
    var plan: ReceiveSlotPlan
    var pin: TrackID?
    /// The height in pixels at which the receiver shows it (as large as there is before it says one), and how much it matters
    /// among the receiver's slots.
    var wantedHeight = UInt16.max
    var priority = SlotWish.defaultPriority
    /// The receiver does not show the slot.
    var isHidden = false
    /// The room's number of the track that the slot shows, -1 for none, and what was told of it.
    var track: Int32 = -1
    var assignment: SlotAssignment
    /// The encoding that is forwarded, and the one that shall be: -1 for none. They differ until its key frame comes.
    private(set) var current: Int32 = -1
    private(set) var target: Int32 = -1
    private var targetSince = Timestamp(nanoseconds: 0)
    var keyFrames = KeyFrameBudget()
    /// What the allocation gave it.
    var allocation = SlotAllocation()
    /// No limit is above these.
    var spatialCeiling: UInt8 = 0xff
    var temporalCeiling: UInt8 = 0xff
    /// Counts how often the slot was stopped and aimed: what waits for the pace from before is void.
    private var stops: UInt16 = 0
    private var aims: UInt16 = 0
    /// The source is silent: nothing is forwarded until its voice comes back, which begins anew on the slot's line.
    private(set) var isResting = false
    /// A key frame of the target waits for the pace, and everything behind it shall.
    private var hasQueuedSwitch = false
    /// When something was forwarded last, or since when that is missed; and whether its absence was told.
    private(set) var shownAt: Timestamp?
    private(set) var isFrozen = false
    /// What the receiver reports of it.
    var report = SlotReport()

    private var sequence: SequenceRewriter
    private(set) var line: TimestampLine
    private var pictures: PictureRewriter
    private(set) var layers = LayerFilter()
    private var descriptors: DescriptorChain
    var sent: RetransmissionMap?
    private var rtxSequence: UInt16
    private var firstOfTalk = false
    private var orientation: UInt16 = 0
    private var resetsOrientation = false
    private var delaysPlayout = false
    private var resetsPlayoutDelay = false
    /// For sender reports (RFC 3550 §6.4.1).
    private(set) var packetCount: UInt32 = 0
    private(set) var octetCount: UInt32 = 0
    /// The position in the slot's plan of the codec of a source's: -1 unknown, -2 unsupported.
    private var codecOfSource: Int8 = -1
    private var codecAsked: UInt8 = 0xff

    /// A slot that has sent nothing; `retired` is the state of an earlier slot of the same SSRC under the same keys,
    /// whose numbers must not come again.
    init(peer: Int, plan: ReceiveSlotPlan, continuing retired: RetiredStream?, random: inout SplitMix64) {
        self.peer = Int32(truncatingIfNeeded: peer)
        self.plan = plan
        assignment = SlotAssignment(mid: plan.mid, track: nil, reason: .nothing)
        // Below half of the range: the first packets are then on one side of the wrap, whichever is lost.
        let first = Int64(random.next() & 0x7fff)
        let firstRTX = UInt16(random.next() & 0x7fff)
        sequence = SequenceRewriter(highest: retired?.highest ?? first)
        rtxSequence = retired?.rtxSequence ?? firstRTX
        line = TimestampLine(
            base: UInt32(truncatingIfNeeded: random.next()), clockRate: plan.codecs.first?.clockRate ?? 90_000)
        let chance = random.next()
        pictures = PictureRewriter(
            pictureID: UInt16(chance & 0x7fff), tl0PictureIndex: UInt8(truncatingIfNeeded: chance >> 16),
            keyIndex: UInt8(truncatingIfNeeded: chance >> 24))
        descriptors = DescriptorChain(
            frameNumber: UInt16(truncatingIfNeeded: chance >> 32), templateID: UInt8(truncatingIfNeeded: chance >> 48))
    }

    /// What must be remembered of the slot when it goes.
    var retired: RetiredStream {
        RetiredStream(ssrc: plan.ssrc, highest: sequence.highest, rtxSequence: rtxSequence)
    }

    var isVideo: Bool { plan.kind == .video }
    /// Whether the slot waits for a key frame.
    var isWaiting: Bool { target >= 0 && target != current }

    /// The position in the slot's plan of the codec that fits a source's, or nil.
    static func position(of codec: Codec, in plan: ReceiveSlotPlan) -> Int? {
        if let exact = plan.codecs.firstIndex(where: { $0.codec == codec }) { return exact }
        guard case .h264(let profile, let mode) = codec else { return nil }
        // The same profile_idc and mode: the constraint flags differ between browsers that understand each other.
        return plan.codecs.firstIndex {
            if case .h264(let other, mode) = $0.codec { return other >> 8 == profile >> 8 }
            return false
        }
    }

    /// The slot is one of those for whom the loudest are chosen: what is behind a closed gate is not for it.
    var followsGate: Bool { assignment.reason == .speaker }

    /// The slot's source is silent.
    mutating func rest(_ encoding: Int32) { if current == encoding { isResting = true } }

    /// Whether a packet of what is about to begin would come behind what the slot has sent.
    func isAhead(_ packet: HistoryPacket, _ source: SourceContext) -> Bool {
        source.encoding == current ? line.isAhead(ofSource: packet.timestamp) : line.isAhead(source.capture)
    }

    /// Tells the slot which encoding it shall forward, -1 for none; `keepsCurrent` lets the present one go on until the
    /// key frame of the other (another layer of the same track).
    mutating func aim(at encoding: Int32, keepsCurrent: Bool, now: Timestamp) {
        if encoding != target {
            targetSince = now
            aims &+= 1
            hasQueuedSwitch = false
        }
        if !keepsCurrent {
            isFrozen = false
            shownAt = now
        }
        target = encoding
        if current != encoding, !keepsCurrent || encoding < 0 { stop() }
        codecAsked = 0xff
    }

    /// Sets the highest layers of its source that the slot forwards; `LayerFilter.all` for no limit.
    mutating func limit(spatial: UInt8, temporal: UInt8) {
        layers.limit(spatial: min(spatial, spatialCeiling), temporal: min(temporal, temporalCeiling))
    }

    /// From now on a picture is missed when there is none.
    mutating func expectPicture(at now: Timestamp) { shownAt = now }

    /// That nothing is shown is told; true when it had not been.
    mutating func freeze() -> Bool {
        guard !isFrozen else { return false }
        isFrozen = true
        return true
    }

    /// Forwards nothing until the next key frame of the target.
    mutating func stop() {
        current = -1
        isResting = false
        codecAsked = 0xff
        stops &+= 1
        hasQueuedSwitch = false
    }

    /// A key frame of an encoding came while the slot leaves the one that it shows for a lower one. Publishers send the key
    /// frames of all layers at once: that of the old one would take the path's time for many of the lower's, and what waits
    /// of the old one delays the lower's.
    mutating func leave(_ encoding: Int32) {
        guard current >= 0, isWaiting else { return }
        if encoding == current || beginsSwitch(to: encoding) { stop() }
    }

    /// Whether a packet of an encoding would be forwarded when its turn comes, and if so whether as part of a switch; nil when
    /// it is known already that it would not.
    @inline(__always) func willForward(_ encoding: Int32, isKeyFrame: Bool) -> Bool? {
        if encoding == current { return false }
        return encoding == target && (isKeyFrame || hasQueuedSwitch) ? true : nil
    }

    /// Whether a key frame of an encoding that comes now is the one to change to it.
    @inline(__always) func beginsSwitch(to encoding: Int32) -> Bool {
        encoding == target && encoding != current && !hasQueuedSwitch
    }

    /// Whether a key frame of an encoding that leaves now changes the slot to it.
    @inline(__always) func isAboutToSwitch(to encoding: Int32) -> Bool { encoding == target && encoding != current }

    /// A packet waits for the pace.
    mutating func noteQueued(_ encoding: Int32, isSwitch: Bool) {
        if isSwitch { hasQueuedSwitch = true }
    }

    /// What a waiting packet must have counted for the slot to have use for it.
    func queueEpoch(isSwitch: Bool) -> UInt16 { isSwitch ? stops &+ aims : stops }

    /// Whether a packet is of another encoding than the one that is shown, or none is: what is shown began with a key frame or
    /// will, and whoever misses the packet goes on from there. Where the path is full it would only make the key frame late.
    func isLeftBehind(_ packet: SentPacket) -> Bool { isVideo && packet.encoding != current }

    /// The highest number that was sent.
    var highestNumber: Int64 { sequence.highest }

    /// An encoding started anew: where it is the one that is forwarded, the slot waits for its next key frame.
    mutating func sourceRestarted(of encoding: Int32) {
        if current == encoding { stop() }
    }

    /// The plan changed: what was sent cannot be composed again as it was.
    mutating func forgetSent() {
        sent?.removeAll()
        codecAsked = 0xff
    }

    /// Forwards a packet of an encoding: maps its numbers, writes it, and remembers what was written.
    mutating func forward(
        _ packet: HistoryPacket, place: Int, from history: borrowing PacketHistory,
        _ source: SourceContext, to receiver: inout Participant, into out: inout Egress
    ) -> Outcome {
        guard let codec = slotCodec(packet.codec, source.codec) else { return .dropped(.unsupportedCodec) }
        var hasSwitched = false
        if source.encoding != current {
            guard source.encoding == target, !source.isVideo || packet.isKeyFrame else {
                return .dropped(.awaitingKeyFrame)
            }
            begin(packet, source, receiver.sentExtensions)
            hasSwitched = true
        }
        if isResting, source.isNewest {
            // Its times go on as they were; its numbers without what was left out.
            isResting = false
            sequence.begin(at: packet.number)
            firstOfTalk = true
        }
        let fate = fate(of: packet, source)
        guard let number = fate.number else {
            return .dropped(fate.isEmpty ? .layerNotForwarded : .beforeSwitch)
        }
        var record = SentPacket()
        record.number = number
        record.source = packet.number
        record.encoding = source.encoding
        record.serial = source.serial
        record.contributingSource = source.contributingSource
        record.absoluteSendTime = source.absoluteSendTime
        record.codec = UInt8(truncatingIfNeeded: codec)
        if hasSwitched {
            record.timestamp = line.newest ?? 0
        } else {
            let offset = line.offset
            record.timestamp = line.map(
                packet.timestamp, isNewest: source.isNewest, mayPause: packet.marker, isVideo: source.isVideo,
                clock: source.clock, capture: source.capture)
            if let ticks = line.correction(since: offset) {
                out.decisions.append(.timestampCorrected(peer: receiver.id, slot: plan.mid, ticks: Int(ticks)))
            }
        }
        record.isEmpty = fate.isEmpty
        if !fate.isEmpty {
            if packet.vp8 != nil || packet.vp9 != nil { record.picture = pictures.map(SourcePicture(packet)) }
            if let frame = packet.dependency { describe(frame, source, &record) }
        }
        record.marker = fate.marker || (firstOfTalk && !source.isVideo)
        stickyExtensions(packet, &record)
        let fits = out.place(for: Self.room(packet)) != nil
        if fits, receiver.sentExtensions.transportSequence != 0 {
            record.transportSequence = receiver.transportSequencer.take()
        }
        if sent == nil, isSentAgain {
            sent = RetransmissionMap(
                packets: isVideo ? RetransmissionMap.videoPackets : RetransmissionMap.audioPackets)
        }
        let address = address(codec, packet, strips: false)
        guard fits,
            let length = PacketComposer.compose(
                record, slot: address, as: nil, packet, place: place, from: history, map: receiver.sentExtensions,
                into: &out)
        else {
            // Its number is taken; by RTX the receiver can still get it.
            if plan.rtxSSRC != nil { sent?.note(record) }
            return .dropped(.egressFull)
        }
        if isSentAgain { sent?.note(record) }
        // By RTX it is sent again under another number, without RTX as it is, or not at all.
        let mayBePadded = plan.rtxSSRC != nil ? plan.codecs[codec].rtxPayloadType != nil : !isSentAgain
        out.commit(length, to: receiver.id, kind: .rtp, mayBePadded: mayBePadded)
        receiver.noteSent(
            length, source.isVideo ? .video : .audio, transportSequence: record.transportSequence, at: source.now)
        firstOfTalk = false
        packetCount &+= 1
        octetCount &+= fate.isEmpty ? 0 : UInt32(packet.length &- address.skipped)
        shownAt = source.now
        isFrozen = false
        receiver.statistics.packetsSent &+= 1
        receiver.statistics.bytesSent &+= UInt64(length)
        return hasSwitched ? .switched(waited: source.now - targetSince) : .sent
    }

    /// The most bytes that a packet takes.
    private static func room(_ packet: HistoryPacket) -> Int {
        RTPHeaderWriter.maximumLength + PacketHistory.slotBytes + 8
            + RTPHeaderWriter.maximumLength(dependencyOf: Int(packet.dependencyLength))
    }

    /// A packet's number on the slot, nil when it is not sent, and what is sent of it.
    private struct Fate {
        var number: Int64?
        var marker = false
        var isEmpty = false
    }

    /// Whether a packet is sent, and under which number. One that is left out after later ones have gone out fills its number
    /// without its payload: a receiver would take the gap for a loss.
    @inline(__always) private mutating func fate(of packet: HistoryPacket, _ source: SourceContext) -> Fate {
        guard source.isVideo, packet.length > 0 else {
            return Fate(number: sequence.map(packet.number), marker: packet.marker)
        }
        if case .forward(let marker) = judge(packet, source) {
            return Fate(number: sequence.map(packet.number), marker: marker)
        }
        if packet.vp8 != nil { pictures.omit(SourcePicture(packet)) }
        if sequence.omit(packet.number) { return Fate(isEmpty: true) }
        return Fate(number: sequence.map(packet.number), isEmpty: true)
    }

    /// Whether the packet's frame is forwarded: by its Dependency Descriptor, else by its payload's.
    @inline(__always) private mutating func judge(_ packet: HistoryPacket, _ source: SourceContext)
        -> LayerFilter.Verdict
    {
        guard let frame = packet.dependency else { return layers.judge(packet, absent: source.stoppedLayers) }
        // One of an older structure: nobody knows any more what it is.
        guard frame.isResolved else { return .leaveOut }
        return layers.judge(packet, frame, source.targets, absent: source.stoppedLayers)
    }

    /// The slot's numbers for a packet's Dependency Descriptor.
    private mutating func describe(
        _ frame: DependencyDescriptor, _ source: SourceContext, _ record: inout SentPacket
    ) {
        if frame.hasStructure { descriptors.note(source.targets) }
        var rewrite = descriptors.map(frame.frameNumber)
        rewrite.activeTargets = layers.activeTargets(frame, source.targets)
        record.dependency = rewrite
    }

    /// - Parameter strips: whether redundancy is taken out though the slot would have it.
    @inline(__always) private func address(_ codec: Int, _ packet: HistoryPacket, strips: Bool) -> SlotAddress {
        let payloadType = plan.codecs[codec].payloadType
        var address = SlotAddress(ssrc: plan.ssrc, mid: plan.mid, payloadType: payloadType)
        guard packet.redHead != 0 else { return address }
        if let red = plan.codecs[codec].redPayloadType, !strips {
            address.payloadType = red
            address.blockPayloadType = payloadType
        } else {
            address.skipped = packet.redPrimary
        }
        return address
    }

    /// The position of a source's codec in the slot's plan, remembered for the next packet.
    private mutating func slotCodec(_ position: UInt8, _ codec: Codec) -> Int? {
        if codecAsked != position {
            codecAsked = position
            codecOfSource = -2
            if let found = Self.position(of: codec, in: plan) {
                codecOfSource = Int8(truncatingIfNeeded: min(found, 127))
            }
        }
        return codecOfSource >= 0 && Int(codecOfSource) < plan.codecs.count ? Int(codecOfSource) : nil
    }

    private mutating func begin(_ packet: HistoryPacket, _ source: SourceContext, _ map: HeaderExtensionMap) {
        current = source.encoding
        isResting = false
        sequence.begin(at: packet.number)
        line.begin(packet.timestamp, capture: source.capture)
        pictures.begin(SourcePicture(packet))
        // Where a frame of AV1 ends within a picture of several only the descriptor tells.
        var spatialCap = LayerFilter.all
        if case .av1 = source.codec, map.dependencyDescriptor == 0 { spatialCap = 0 }
        layers.begin(packet, spatialCap: spatialCap)
        if let frame = packet.dependency { descriptors.begin(frame, source.targets) }
        firstOfTalk = true
        resetsOrientation = orientation != 0
        resetsPlayoutDelay = delaysPlayout
        hasQueuedSwitch = false
    }

    /// Orientation and playout delay hold until they are sent again: what the source before sent is taken back.
    private mutating func stickyExtensions(_ packet: HistoryPacket, _ record: inout SentPacket) {
        record.videoOrientation = packet.videoOrientation
        record.playoutDelay = packet.playoutDelay
        guard isVideo else { return }
        if packet.videoOrientation <= 0xff {
            orientation = packet.videoOrientation
            resetsOrientation = false
        } else if resetsOrientation {
            record.videoOrientation = 0
            if packet.marker {
                orientation = 0
                resetsOrientation = false
            }
        }
        if packet.playoutDelay != HistoryPacket.noPlayoutDelay {
            delaysPlayout = true
            resetsPlayoutDelay = false
        } else if resetsPlayoutDelay {
            // From nothing to the most that 12 bits hold: the receiver's own choice.
            record.playoutDelay = 0x000fff
            if packet.marker {
                delaysPlayout = false
                resetsPlayoutDelay = false
            }
        }
    }

    /// Closes the gap of a packet of the present source that is not forwarded. False when it is too late for that.
    mutating func omit(_ number: Int64) -> Bool { sequence.omit(number) }

    /// Whether what is lost is sent again: where the receiver has agreed to ask for it (RFC 4585 §4.2). Browsers do not for sound.
    private var isSentAgain: Bool { plan.rtxSSRC != nil || plan.feedback.nack }

    /// What was sent under a number of the slot, or nil when it was not or is forgotten.
    func sentPacket(_ number: Int64) -> SentPacket? { sent?.find(number) }

    /// The slot's number nearest to the newest one that has these 16 bits.
    func extend(_ number: SequenceNumber) -> Int64 {
        let newest = SequenceNumber(UInt16(truncatingIfNeeded: sequence.highest))
        return sequence.highest &+ Int64(number.distance(from: newest))
    }

    /// A sender report of the present source came: is the slot's time still on its line? If not, it is moved later.
    mutating func compareLine(capture: UInt32, at now: Timestamp) {
        line.compare(line.newestOfSource, capture: capture, at: now)
    }

    /// Sends a packet again: by RTX where the slot has it, else the very bytes that were sent. As padding it is sent for its
    /// bytes alone, and only by RTX.
    mutating func resend(
        _ record: SentPacket, _ packet: HistoryPacket, place: Int, from history: borrowing PacketHistory,
        absoluteSendTime: UInt32, kind: SentKind = .retransmission, at now: Timestamp,
        to receiver: inout Participant, into out: inout Egress
    ) -> DropReason? {
        guard Int(record.codec) < plan.codecs.count else { return .retransmissionUnknown }
        var form: RetransmissionForm?
        var transportSequence = record.transportSequence
        if let ssrc = plan.rtxSSRC, let payloadType = plan.codecs[Int(record.codec)].rtxPayloadType {
            guard out.place(for: Self.room(packet)) != nil else {
                return .egressFull
            }
            rtxSequence &+= 1
            transportSequence = receiver.sentExtensions.transportSequence == 0 ? 0 : receiver.transportSequencer.take()
            form = RetransmissionForm(
                ssrc: ssrc, payloadType: payloadType, sequence: rtxSequence, absoluteSendTime: absoluteSendTime,
                transportSequence: transportSequence)
        } else if kind == .padding {
            return .retransmissionUnknown
        }
        guard
            let length = PacketComposer.compose(
                // The payload type of retransmissions says that the original was the codec itself.
                record, slot: address(Int(record.codec), packet, strips: form != nil), as: form, packet, place: place,
                from: history, map: receiver.sentExtensions, into: &out)
        else { return .egressFull }
        out.commit(length, to: receiver.id, kind: .rtp, mayBePadded: form != nil)
        // The very same bytes under the same number tell the estimate nothing of when they arrived.
        receiver.noteSent(
            length, kind, transportSequence: form == nil ? nil : transportSequence, at: now)
        receiver.statistics.packetsSent &+= 1
        receiver.statistics.bytesSent &+= UInt64(length)
        guard kind != .padding else { return nil }
        sent?.noteResent(record.number, at: now)
        receiver.statistics.retransmissionsSent &+= 1
        return nil
    }
}

extension ReceiveSlot {
    /// Sends nothing but padding, by RTX; false when it has none or the arena is full.
    mutating func pad(
        absoluteSendTime: UInt32, at now: Timestamp, to receiver: inout Participant, into out: inout Egress
    ) -> Bool {
        guard let ssrc = plan.rtxSSRC, let payloadType = plan.codecs.first?.rtxPayloadType,
            out.place(for: RTPHeaderWriter.maximumLength + PacketComposer.paddingBytes) != nil
        else { return false }
        rtxSequence &+= 1
        let form = RetransmissionForm(
            ssrc: ssrc, payloadType: payloadType, sequence: rtxSequence, absoluteSendTime: absoluteSendTime,
            transportSequence: receiver.sentExtensions.transportSequence == 0 ? 0 : receiver.transportSequencer.take())
        guard
            let length = PacketComposer.composePadding(
                mid: plan.mid, as: form, timestamp: line.newest ?? 0, map: receiver.sentExtensions, into: &out)
        else { return false }
        out.commit(length, to: receiver.id, kind: .rtp)
        receiver.noteSent(length, .padding, transportSequence: form.transportSequence, at: now)
        receiver.statistics.packetsSent &+= 1
        receiver.statistics.bytesSent &+= UInt64(length)
        return true
    }
}

extension RetiredStream: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&ssrc)
        try c.number(&highest)
        try c.code(&rtxSequence)
    }
}

extension ReceiveSlot: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        w.write(row: peer)
        w.write(plan)
        w.write(pin)
        w.write(UInt64(wantedHeight))
        w.write(UInt64(priority))
        w.write(isHidden)
        w.write(row: track)
        w.write(assignment)
        w.write(row: current)
        w.write(row: target)
        w.write(targetSince)
        w.write(keyFrames)
        w.write(allocation)
        w.byte(spatialCeiling)
        w.byte(temporalCeiling)
        w.write(UInt64(stops))
        w.write(UInt64(aims))
        w.write(hasQueuedSwitch)
        w.write(isResting)
        w.write(shownAt)
        w.write(isFrozen)
        w.write(report)
        w.write(sequence)
        w.write(line)
        w.write(pictures)
        w.write(layers)
        w.write(descriptors)
        w.write(sent != nil)
        sent?.save(into: &w)
        w.write(UInt64(rtxSequence))
        w.write(firstOfTalk)
        w.write(UInt64(orientation))
        w.write(resetsOrientation)
        w.write(delaysPlayout)
        w.write(resetsPlayoutDelay)
        w.write(UInt64(packetCount))
        w.write(UInt64(octetCount))
        w.write(Int64(codecOfSource))
        w.write(UInt64(codecAsked))
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        let peer = try r.readRow()
        var plan = ReceiveSlotPlan.any
        try r.code(&plan)
        // Whatever these numbers are, they are replaced below.
        var chance = SplitMix64(seed: 0)
        var made = Self(peer: Int(peer), plan: plan, continuing: nil, random: &chance)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        try r.code(&pin)
        try r.code(&wantedHeight)
        try r.code(&priority)
        try r.code(&isHidden)
        try r.row(&track)
        try r.code(&assignment)
        try r.row(&current)
        try r.row(&target)
        try r.code(&targetSince)
        try r.code(&keyFrames)
        try r.code(&allocation)
        spatialCeiling = try r.byte()
        temporalCeiling = try r.byte()
        try r.code(&stops)
        try r.code(&aims)
        try r.code(&hasQueuedSwitch)
        try r.code(&isResting)
        try r.code(&shownAt)
        try r.code(&isFrozen)
        try r.code(&report)
        try r.code(&sequence)
        try r.code(&line)
        try r.code(&pictures)
        try r.code(&layers)
        try r.code(&descriptors)
        if try r.readBool() {
            let packets = isVideo ? RetransmissionMap.videoPackets : RetransmissionMap.audioPackets
            sent = try RetransmissionMap.restored(&r, packets: packets)
        }
        try r.code(&rtxSequence)
        try r.code(&firstOfTalk)
        try r.code(&orientation)
        try r.code(&resetsOrientation)
        try r.code(&delaysPlayout)
        try r.code(&resetsPlayoutDelay)
        try r.code(&packetCount)
        try r.code(&octetCount)
        try r.code(&codecOfSource, -2...127)
        try r.code(&codecAsked)
    }
}
