// One participant of a simulated room: its senders, its slots' receivers, its two links and its RTCP. Knows nothing of
// the core; takes packets and the time, gives packets.

public import MediaCore

/// A datagram that a client sends.
struct ClientDatagram {
    var bytes: [UInt8]
    var isRTCP: Bool
}

/// One simulated participant.
public final class SimulatedClient {
    /// The participant's number.
    public let id: PeerID
    /// What it publishes and receives, and over which links.
    public internal(set) var profile: ParticipantProfile
    /// What its last negotiation settled.
    public internal(set) var plan: PeerPlan
    /// Its microphones.
    public internal(set) var audioSenders: [AudioSender] = []
    /// Its cameras and screens.
    public internal(set) var videoSenders: [VideoSender] = []
    var slots: [SlotReceiver] = []
    /// The link that its packets take.
    public var toServer: Link
    /// The link that the server's packets take.
    public var fromServer: Link
    /// Whether the client still sends.
    public internal(set) var isPresent = true
    /// Numbers that the server asked for again, each once.
    public internal(set) var askedAgain: Set<UInt64> = []
    /// How many numbers the server asked for, each time counted.
    public internal(set) var nacksReceived = 0
    /// The transport-wide feedback that came from the server, in order.
    public internal(set) var transportFeedback: [TransportFeedbackReport] = []
    /// Sender reports by slot SSRC, the newest.
    public internal(set) var senderReports: [UInt32: (ntp: UInt64, rtpTimestamp: UInt32)] = [:]

    private var slotOfSSRC: [UInt32: Int] = [:]
    private var context: SendingContext
    private var random: SeededRandom
    private let startedAt: Timestamp
    private var arrivals: [Int64: Int64] = [:]
    private var arrivalUnwrapper = Unwrapper()
    private var nextReported: Int64?
    private var feedbackCount: UInt8 = 0
    private var lastFeedbackAt: Timestamp
    private var receivedRate = ReceivedRate()
    private var lastReportAt: Timestamp

    init(_ id: PeerID, _ profile: ParticipantProfile, now: Timestamp, random: inout SeededRandom) {
        self.id = id
        self.profile = profile
        plan = profile.plan(peer: id.rawValue)
        toServer = Link(profile.toServer, seed: random.next())
        fromServer = Link(profile.fromServer, seed: random.next())
        self.random = random.fork()
        context = SendingContext(
            transportSequence: UInt16(truncatingIfNeeded: random.next()),
            numbersPackets: profile.usesTransportFeedback, now: now)
        startedAt = now
        lastFeedbackAt = now
        // Reports of different clients do not fall on one moment.
        lastReportAt = now - .milliseconds(Int64(random.below(1_000)))
        adopt(profile, now: now)
    }

    /// Takes over a changed profile: what was there goes on, what is new begins.
    func adopt(_ profile: ParticipantProfile, now: Timestamp) {
        self.profile = profile
        plan = profile.plan(peer: id.rawValue)
        for (index, publication) in profile.publications.enumerated() {
            switch publication.shape {
            case .audio(let shape):
                guard !audioSenders.contains(where: { $0.mid == publication.mid }) else { continue }
                audioSenders.append(
                    AudioSender(
                        mid: publication.mid,
                        ssrc: ClientNumbers.publishedSSRC(peer: id.rawValue, track: index, encoding: 0),
                        shape: shape, isMuted: publication.isMuted, now: now, random: &random))
            case .video(let shape):
                guard !videoSenders.contains(where: { $0.mid == publication.mid }) else { continue }
                videoSenders.append(
                    VideoSender(
                        mid: publication.mid, peer: id.rawValue, track: index, shape: shape,
                        isMuted: publication.isMuted, now: now, random: &random))
            }
        }
        for slot in plan.slots where slotOfSSRC[slot.ssrc.rawValue] == nil {
            slotOfSSRC[slot.ssrc.rawValue] = slots.count
            if let rtx = slot.rtxSSRC { slotOfSSRC[rtx.rawValue] = slots.count }
            slots.append(
                SlotReceiver(
                    plan: slot, frameWait: profile.frameWait, readsDescriptors: profile.usesDependencyDescriptor))
        }
    }

    /// The figures of the slot with this mid.
    public func figures(_ mid: String) -> SlotFigures { slots.first { $0.mid == mid }?.figures ?? SlotFigures() }

    /// The figures of all slots of a kind, the others' left out.
    public func figures(_ kind: MediaKind) -> [SlotFigures] { slots.filter { $0.kind == kind }.map(\.figures) }

    /// Frames that were decoded from something that had not been, over all slots.
    public var brokenFrames: Int { slots.reduce(0) { $0 + $1.figures.brokenFrames } }

    /// The figures of all video slots, freezes that still last included.
    func videoFigures(at now: Timestamp) -> [SlotFigures] {
        slots.filter { $0.kind == .video }.map { $0.figures(at: now) }
    }

    /// The participant looks at a slot, or does not any more.
    func setHidden(_ isHidden: Bool, _ mid: Mid) {
        for index in slots.indices where slots[index].mid == mid.text { slots[index].setHidden(isHidden) }
    }

    /// Packets that are missing and still asked for, over all slots.
    public var missingPackets: Int { slots.reduce(0) { $0 + $1.missingCount } }

    /// Packets that were asked for as often as is allowed and never came, over all slots.
    public var packetsGivenUp: Int { slots.reduce(0) { $0 + $1.givenUpCount } }

    func resetFigures() {
        for index in slots.indices { slots[index].resetFigures() }
        nacksReceived = 0
        askedAgain = []
        transportFeedback = []
        for track in videoSenders.indices {
            for encoding in videoSenders[track].encodings.indices {
                videoSenders[track].encodings[encoding].keyFrameRequests = []
            }
        }
    }

    private var roundTrip: TimeDelta {
        let span =
            profile.toServer.delay + profile.fromServer.delay + profile.toServer.jitter + profile.fromServer.jitter
        return max(.milliseconds(20), span + .milliseconds(10))
    }

    private var reportSSRC: UInt32 {
        audioSenders.first?.ssrc ?? videoSenders.first?.encodings.first?.ssrc ?? 1
    }

    // MARK: Sending

    func tickAudio(_ index: Int, at now: Timestamp) -> (datagrams: [ClientDatagram], next: TimeDelta) {
        context.now = now
        let (packet, next) = audioSenders[index].tick(&context, random: &random)
        return (packet.map { [ClientDatagram(bytes: $0, isRTCP: false)] } ?? [], next)
    }

    func tickVideo(_ index: Int, at now: Timestamp) -> (datagrams: [ClientDatagram], next: TimeDelta) {
        context.now = now
        let packets = videoSenders[index].tick(&context, random: &random)
        return (packets.map { ClientDatagram(bytes: $0, isRTCP: false) }, videoSenders[index].frameInterval)
    }

    /// What is due by the clock: NACKs and key-frame requests, transport feedback each 100 ms, reports each second.
    func tickControl(at now: Timestamp) -> [ClientDatagram] {
        var out: [ClientDatagram] = []
        for index in slots.indices { out += feedback(slot: index, at: now) }
        let answers = profile.answers
        if profile.usesTransportFeedback, answers.sendsTransportFeedback,
            now - lastFeedbackAt >= answers.interval(receiving: receivedRate.bitsPerSecond(at: now))
        {
            lastFeedbackAt = now
            if let report = takeTransportFeedback() {
                let message = ControlMessage.transportFeedback(sender: reportSSRC, media: 0, report)
                out.append(ClientDatagram(bytes: message.bytes, isRTCP: true))
            }
        }
        if answers.sendsMaximumBitrate, let rate = receivedRate.maximumBitrate(at: now) {
            let message = ControlMessage.maximumBitrate(
                sender: reportSSRC, bitsPerSecond: rate, sources: slots.map(\.ssrc))
            out.append(ClientDatagram(bytes: message.bytes, isRTCP: true))
        }
        if answers.sendsReports, now - lastReportAt >= .seconds(1) {
            lastReportAt = now
            out.append(ClientDatagram(bytes: reports(at: now), isRTCP: true))
        }
        return out
    }

    private func feedback(slot index: Int, at now: Timestamp) -> [ClientDatagram] {
        slots[index].feedback(at: now, sender: reportSSRC, roundTrip: roundTrip)
            .map { ClientDatagram(bytes: $0.bytes, isRTCP: true) }
    }

    private func reports(at now: Timestamp) -> [UInt8] {
        var messages: [ControlMessage] = []
        for sender in audioSenders where sender.packetCount > 0 { messages.append(sender.senderReport(at: now)) }
        for sender in videoSenders { messages += sender.senderReports(at: now) }
        var blocks: [ReportBlock] = []
        for index in slots.indices {
            if let block = slots[index].reportBlock(at: now) { blocks.append(block) }
        }
        if !blocks.isEmpty || messages.isEmpty {
            messages.append(.receiverReport(ssrc: reportSSRC, blocks: Array(blocks.prefix(31))))
        }
        messages.append(.sourceDescription(ssrc: reportSSRC, canonicalName: "client\(id.rawValue)"))
        return messages.flatMap(\.bytes)
    }

    private func takeTransportFeedback() -> TransportFeedbackReport? {
        guard let highest = arrivalUnwrapper.highest, let first = arrivals.keys.min() else { return nil }
        let base = min(nextReported ?? first, first)
        var deltas: [Int16?] = []
        var reference: Int32?
        var clock: Int64 = 0
        for number in base...min(highest, base + 2_000) {
            guard let at = arrivals[number] else {
                deltas.append(nil)
                continue
            }
            let ticks = at / 250_000
            if reference == nil {
                reference = Int32(truncatingIfNeeded: ticks / 256)
                clock = ticks / 256 * 256
            }
            deltas.append(Int16(clamping: ticks - clock))
            clock = ticks
        }
        arrivals.removeAll(keepingCapacity: true)
        nextReported = highest + 1
        defer { feedbackCount &+= 1 }
        return TransportFeedbackReport(
            base: UInt16(truncatingIfNeeded: base), feedbackCount: feedbackCount,
            referenceTime: (reference ?? 0) & 0xff_ffff,
            deltas: deltas)
    }

    // MARK: Receiving

    /// Takes an RTP packet that left the server at `sentAt`; gives the feedback sent at once.
    func receive(_ packet: IncomingPacket, sentAt: Timestamp, at now: Timestamp) -> [ClientDatagram] {
        receivedRate.take(packet.bytes.count, sentAt: sentAt, at: now)
        if let sequence = packet.transportSequence(ClientNumbers.transportSequence) {
            arrivals[arrivalUnwrapper.extend(sequence)] = (now - startedAt).nanoseconds
        }
        guard let index = slotOfSSRC[packet.ssrc] else { return [] }
        let missing = slots[index].missingCount
        slots[index].receive(packet, at: now)
        return slots[index].missingCount > missing ? feedback(slot: index, at: now) : []
    }

    /// Takes an RTCP datagram from the server; gives the packets sent again.
    func receive(_ messages: [ControlMessage], at now: Timestamp) -> [ClientDatagram] {
        context.now = now
        var out: [ClientDatagram] = []
        for message in messages {
            switch message {
            case .nack(_, let media, let sequences):
                nacksReceived += sequences.count
                for sequence in sequences { askedAgain.insert(UInt64(media) << 16 | UInt64(sequence)) }
                for index in videoSenders.indices {
                    out += videoSenders[index].answerNack(media, sequences, &context)
                        .map { ClientDatagram(bytes: $0, isRTCP: false) }
                }
            case .pictureLossIndication(_, let media), .fullIntraRequest(_, let media, _):
                for index in videoSenders.indices { videoSenders[index].requestKeyFrame(media, at: now) }
            case .transportFeedback(_, _, let report): transportFeedback.append(report)
            case .senderReport(let ssrc, let ntp, let timestamp, _, _, _):
                senderReports[ssrc] = (ntp, timestamp)
                if let index = slotOfSSRC[ssrc] {
                    slots[index].lastSenderReport = UInt32(truncatingIfNeeded: ntp >> 16)
                    slots[index].lastSenderReportAt = now
                }
            default: break
            }
        }
        return out
    }
}
