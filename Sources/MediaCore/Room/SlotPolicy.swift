// Which track goes on which slot of one receiver: pins first, then what is shown already, then screens, speakers and
// the rest; nobody is moved without need. A pure function of what it is given.

/// A track that a receiver might be sent.
struct SlotCandidate {
    var track: Int32
    var id: TrackID
    var kind: MediaKind
    var isScreen: Bool
    /// Rises with each track published.
    var order: UInt32
    /// The publisher's gate: whether it is open, how loud, since when, and when speech was heard last (of any of its
    /// tracks).
    var isSpeaking: Bool
    var loudness: Int32
    var openedAt: Timestamp?
    var lastSpeech: Timestamp?
    var codec: Codec?
}

/// A slot as the policy finds it and leaves it.
struct SlotState {
    var plan: ReceiveSlotPlan
    var pin: TrackID?
    /// The track on the slot, -1 for none.
    var track: Int32
    var reason = SlotReason.nothing
}

/// Fills the slots of one receiver.
struct SlotPolicy {
    /// How many audio and video slots of equal position belong together (DESIGN: they share a stream identifier).
    static let pairs = 4
    /// A speaker takes the slot of a quieter speaker only when louder by 6 dB (in the gate's sixteenths).
    static let loudnessHysteresis: Int32 = 6 * 16
    /// and when that one has had its word for this long.
    static let shortestHold = TimeDelta.milliseconds(500)

    /// What came of it.
    struct Result {
        var slots: [SlotState]
        /// There are more tracks than slots, so it matters who speaks.
        var isSelective = false
        /// Somebody speaks who is on no slot.
        var hasUnheardSpeaker = false
    }

    private var slots: [SlotState]
    private let candidates: [SlotCandidate]
    private let now: Timestamp
    private var isSelective = false
    private var hasUnheardSpeaker = false
    private let audio: [Int]
    private let video: [Int]

    /// The slots of a receiver filled from the candidates, which are sorted by `comesBefore` and none the receiver's own.
    static func fill(_ slots: [SlotState], from candidates: [SlotCandidate], at now: Timestamp) -> Result {
        var policy = SlotPolicy(slots, candidates, now)
        policy.fill(.audio)
        policy.fill(.video)
        return Result(
            slots: policy.slots, isSelective: policy.isSelective, hasUnheardSpeaker: policy.hasUnheardSpeaker)
    }

    private init(_ slots: [SlotState], _ candidates: [SlotCandidate], _ now: Timestamp) {
        self.slots = slots
        self.candidates = candidates
        self.now = now
        audio = slots.indices.filter { slots[$0].plan.kind == .audio }
        video = slots.indices.filter { slots[$0].plan.kind == .video }
    }

    private func candidate(_ track: Int32) -> SlotCandidate? { candidates.first { $0.track == track } }

    private func supports(_ slot: Int, _ candidate: SlotCandidate) -> Bool {
        candidate.codec.map { ReceiveSlot.position(of: $0, in: slots[slot].plan) != nil } ?? false
    }

    private mutating func fill(_ kind: MediaKind) {
        let own = kind == .audio ? audio : video
        guard !own.isEmpty else { return }
        let all = candidates.filter { $0.kind == kind }
        let fitting = all.filter { c in own.contains { supports($0, c) } }
        let isSelective = fitting.count > own.count
        if isSelective { self.isSelective = true }
        let before = own.map { slots[$0].track }
        for s in own {
            slots[s].track = -1
            slots[s].reason = .nothing
        }
        var rest = fitting
        // Pins: whatever the policy would say, and also when the slot cannot carry it, so that the client is told.
        for s in own {
            guard let pin = slots[s].pin, let c = all.first(where: { $0.id == pin }),
                !own.contains(where: { slots[$0].track == c.track })
            else { continue }
            slots[s].track = c.track
            slots[s].reason = supports(s, c) ? .pinned : .unsupportedCodec
            rest.removeAll { $0.track == c.track }
        }
        // Who is on a slot stays there.
        for (i, s) in own.enumerated() where slots[s].track < 0 {
            guard let c = rest.first(where: { $0.track == before[i] }), supports(s, c) else { continue }
            put(c, on: s, isSelective)
            rest.removeAll { $0.track == c.track }
        }
        var left: [SlotCandidate] = []
        for c in rest {
            if let s = freeSlot(for: c, own) { put(c, on: s, isSelective) } else { left.append(c) }
        }
        for c in left { displace(by: c, own, isSelective) }
        for c in all where !fitting.contains(where: { $0.track == c.track }) {
            guard !own.contains(where: { slots[$0].track == c.track }) else { continue }
            guard let s = own.first(where: { slots[$0].track < 0 }) else { break }
            slots[s].track = c.track
            slots[s].reason = .unsupportedCodec
        }
    }

    private mutating func put(_ c: SlotCandidate, on s: Int, _ isSelective: Bool) {
        slots[s].track = c.track
        slots[s].reason = c.isScreen ? .screen : isSelective ? .speaker : .everyone
    }

    /// Screens, then those who speak, the louder first, then who spoke last, then who came first.
    static func comesBefore(_ a: SlotCandidate, _ b: SlotCandidate) -> Bool {
        if a.isScreen != b.isScreen { return a.isScreen }
        if a.isSpeaking != b.isSpeaking { return a.isSpeaking }
        if a.isSpeaking, a.loudness != b.loudness { return a.loudness > b.loudness }
        let spokeA = a.lastSpeech?.nanoseconds ?? .min
        let spokeB = b.lastSpeech?.nanoseconds ?? .min
        if spokeA != spokeB { return spokeA > spokeB }
        return a.order < b.order
    }

    /// A free slot for a track: the one whose partner shows the same person, else one whose partner shows nobody, else
    /// any.
    private func freeSlot(for c: SlotCandidate, _ own: [Int]) -> Int? {
        let partners = c.kind == .audio ? video : audio
        var second: Int?
        var third: Int?
        for (i, s) in own.enumerated() where slots[s].track < 0 && supports(s, c) {
            let partner = i < Self.pairs && i < partners.count ? candidate(slots[partners[i]].track) : nil
            if partner?.id.peer == c.id.peer { return s }
            if partner == nil, second == nil { second = s }
            if third == nil { third = s }
        }
        return second ?? third
    }

    /// There is no free slot: a screen takes the least of the cameras, a speaker takes the slot of somebody who is
    /// silent, or of a much quieter speaker.
    private mutating func displace(by c: SlotCandidate, _ own: [Int], _ isSelective: Bool) {
        guard c.isScreen || c.isSpeaking else { return }
        var victim: (slot: Int, candidate: SlotCandidate)?
        for s in own where slots[s].reason != .pinned && supports(s, c) {
            guard let holder = candidate(slots[s].track), !holder.isScreen else { continue }
            if !c.isScreen, holder.isSpeaking {
                guard c.kind == .audio, c.loudness > holder.loudness + Self.loudnessHysteresis,
                    let opened = holder.openedAt, now - opened >= Self.shortestHold
                else { continue }
            }
            if let v = victim, !Self.comesBefore(v.candidate, holder) { continue }
            victim = (s, holder)
        }
        if let victim {
            put(c, on: victim.slot, isSelective)
        } else if c.isSpeaking {
            hasUnheardSpeaker = true
        }
    }
}
