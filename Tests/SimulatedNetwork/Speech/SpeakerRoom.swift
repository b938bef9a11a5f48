// A room's core fed with the microphones of a voice trace: who the core shows, and which frames reach the ears of those who
// listen. Every packet carries its publisher and frame, so that what a slot brought can be told from what was said.

public import MediaCore

/// What came of one room.
public struct SpeakerRoomResult: Sendable {
    /// How the core's dominant speaker did.
    public var score = SpeakerScore()
    /// The same of the last third of the time.
    public var lateScore = SpeakerScore()
    /// Turns, and those of which everybody who listens got every packet of the first 100 ms.
    public var turns = 0
    /// Turns of which everybody who listens got every packet of the first 100 ms.
    public var turnsBegun = 0
    /// Packets in and out.
    public var packetsIn = 0
    /// Packets that left the core.
    public var packetsOut = 0
    /// Pauses of more than 200 ms within one person's packets on a slot, and those whose last 200 ms had no speech.
    public var pauses = 0
    /// Those whose last 200 ms had no speech.
    public var quietPauses = 0
    /// `speakersChanged` events, and the most within any second.
    public var reports = 0
    /// The most within any second.
    public var mostReportsInASecond = 0
    /// The sizes of the core's checkpoint, one a minute: everything that it keeps but payloads.
    public var checkpointBytes: [Int] = []
    /// What must not be: sentences.
    public var faults: [String] = []
    /// How many of them there were.
    public var faultCount = 0

    /// Nothing yet.
    public init() {}

    /// The share of turns whose first 100 ms everybody got.
    public var begunShare: Double { turns == 0 ? 0 : Double(turnsBegun) / Double(turns) }

    /// Adds what came of another room.
    public mutating func add(_ other: SpeakerRoomResult) {
        score.add(other.score)
        lateScore.add(other.lateScore)
        turns += other.turns
        turnsBegun += other.turnsBegun
        packetsIn += other.packetsIn
        packetsOut += other.packetsOut
        pauses += other.pauses
        quietPauses += other.quietPauses
        reports += other.reports
        mostReportsInASecond = max(mostReportsInASecond, other.mostReportsInASecond)
        faults += other.faults
        faultCount += other.faultCount
    }
}

/// Runs a voice trace through a core.
public final class SpeakerRoom {
    /// One slot of somebody whose ears are looked into.
    private struct Ear {
        var sequence: UInt16?
        var timestamp: UInt32 = 0
        var person = -1
        var frame = -1
    }

    private let trace: VoiceTrace
    private let receivers: Int
    private let ears: [Int]
    private var core: RoomCore
    private var egress = Egress()
    private var now = Timestamp(nanoseconds: 1_000_000_000)
    private let start: Timestamp
    private var random: SeededRandom
    private var result = SpeakerRoomResult()
    private var slots: [[Ear]] = []
    /// For each of those looked into, a flag for each person and frame.
    private var heard: [[Bool]] = []
    private var sequences: [UInt16]
    private var bases: [UInt32]
    private var shown: [Int?] = []
    private var dominant: Int?
    private var reportTimes: [Timestamp] = []

    /// The link's delay, and by how much more a packet may be late.
    private static let delay = TimeDelta.milliseconds(30)
    private static let jitterMicroseconds = 12_000

    /// A room of everybody in the trace.
    /// - Parameters:
    ///   - receivers: how many have receive slots.
    ///   - audioSlots: how many slots each of them has.
    ///   - ears: into the slots of how many of them is looked, packet by packet.
    public init(_ trace: VoiceTrace, receivers: Int, audioSlots: Int = 4, ears: Int, seed: UInt64) {
        self.trace = trace
        let people = trace.schedule.shares.people
        self.receivers = min(receivers, people)
        // The last ones, and the first, who speaks.
        self.ears = Array(([0] + (0..<people).reversed()).prefix(max(0, min(ears, self.receivers))))
        core = RoomCore(configuration: RoomConfiguration(), seed: seed)
        start = now
        random = SeededRandom(seed: seed ^ 0x726f_6f6d)
        sequences = (0..<people).map { _ in UInt16.max - 40 }
        bases = []
        bases = (0..<people).map { _ in UInt32(truncatingIfNeeded: random.next()) }
        slots = self.ears.map { _ in Array(repeating: Ear(), count: audioSlots) }
        heard = self.ears.map { _ in Array(repeating: false, count: people * trace.schedule.frames) }
        for person in 0..<people {
            let listens = person < self.receivers - 1 || self.ears.contains(person)
            let profile = ParticipantProfile(
                [.microphone()], audioSlots: listens ? audioSlots : 0, videoSlots: 0, usesTransportFeedback: false)
            let id = PeerID(UInt32(person + 1))
            core.apply(.addParticipant(id), at: now, into: &egress)
            core.apply(.applyPlan(id, profile.plan(peer: id.rawValue)), at: now, into: &egress)
            core.apply(.peerConnected(id), at: now, into: &egress)
            flush()
        }
    }

    /// Plays the whole trace; `minute` is told at the beginning of each minute.
    public func play(_ minute: (Int) -> Void = { _ in }) -> SpeakerRoomResult {
        let schedule = trace.schedule
        let people = schedule.shares.people
        var arrivals: [(at: Timestamp, person: Int)] = []
        var checkpoint = Checkpoint()
        for frame in 0..<schedule.frames {
            let captured = start + .milliseconds(Int64(frame) * 20)
            arrivals.removeAll(keepingCapacity: true)
            for person in 0..<people where trace.frames[person][frame].isSent {
                // Everybody's packets leave at a moment of their own within the frame.
                let late = (person * 397 % 7_000) + random.below(Self.jitterMicroseconds)
                arrivals.append((captured + Self.delay + .microseconds(Int64(late)), person))
            }
            arrivals.sort { ($0.at, $0.person) < ($1.at, $1.person) }
            for (at, person) in arrivals {
                advance(to: at)
                send(person, frame)
            }
            advance(to: captured + Self.delay + .milliseconds(20))
            shown.append(dominant)
            if frame % (60 * TalkSchedule.framesPerSecond) == 0 {
                core.checkpoint(into: &checkpoint)
                result.checkpointBytes.append(checkpoint.bytes.count)
                minute(frame / (60 * TalkSchedule.framesPerSecond))
            }
        }
        judge()
        return result
    }

    private func fault(_ sentence: String) {
        result.faultCount += 1
        if result.faults.count < 10 {
            result.faults.append("at \((now - start).nanoseconds / 1_000_000) ms: \(sentence)")
        }
    }

    private func advance(to moment: Timestamp) {
        while let next = core.nextDeadline, next.at <= moment {
            now = max(now, next.at)
            core.advance(to: now, into: &egress)
            if let again = core.nextDeadline, again.at <= now { fault("the deadline \(again) is not later than now") }
            flush()
        }
        now = max(now, moment)
    }

    private func send(_ person: Int, _ frame: Int) {
        let one = trace.frames[person][frame]
        let count = one.isComfortNoise ? 1 : 60
        var payload = [UInt8](repeating: 0, count: max(count, 1))
        if !one.isComfortNoise {
            payload[0] = UInt8(truncatingIfNeeded: person)
            for i in 0..<4 { payload[1 + i] = UInt8(truncatingIfNeeded: frame >> (24 - 8 * i)) }
        }
        let peer = UInt32(person + 1)
        let packet = OutgoingPacket(
            payloadType: ClientNumbers.publishedOpus, marker: false, sequence: sequences[person],
            timestamp: bases[person] &+ UInt32(truncatingIfNeeded: frame * 960),
            ssrc: ClientNumbers.publishedSSRC(peer: peer, track: 0, encoding: 0),
            extensions: [
                (ClientNumbers.audioLevel, [one.level | (one.isVoice ? 0x80 : 0)]),
                (ClientNumbers.mid, [UInt8(ascii: "a")]),
            ],
            payload: payload)
        sequences[person] &+= 1
        result.packetsIn += 1
        core.receiveRTP(packet.bytes.span, from: PeerID(peer), at: now, into: &egress)
        flush()
    }

    private func flush() {
        for event in egress.events {
            guard case .speakersChanged(let report) = event else { continue }
            dominant = report.dominant.map { Int($0.rawValue) - 1 }
            note(report)
        }
        for index in egress.datagrams.indices {
            let datagram = egress.datagrams[index]
            guard datagram.kind == .rtp else { continue }
            result.packetsOut += 1
            guard let ear = ears.firstIndex(of: Int(datagram.peer.rawValue) - 1) else { continue }
            take(egress.copy(of: index), ear)
        }
        egress.removeAll()
    }

    private func note(_ report: SpeakerReport) {
        result.reports += 1
        reportTimes.append(now)
        reportTimes.removeAll { now - $0 >= .seconds(1) }
        result.mostReportsInASecond = max(result.mostReportsInASecond, reportTimes.count)
        if report.active.count > SpeakerReport.limit { fault("\(report.active.count) voices are told") }
        if Set(report.active.map(\.peer)).count != report.active.count { fault("a voice is told twice") }
    }

    private func take(_ bytes: [UInt8], _ ear: Int) {
        guard let packet = IncomingPacket(bytes), let source = packet.contributingSource else {
            return fault("a packet that is not RTP, or names nobody")
        }
        let receiver = UInt32(ears[ear] + 1)
        let slot = Int(packet.ssrc &- ClientNumbers.slotSSRC(peer: receiver, slot: 0)) / 2
        guard slots[ear].indices.contains(slot) else { return fault("a packet of no slot") }
        if source == receiver { fault("somebody hears himself") }
        var state = slots[ear][slot]
        if let last = state.sequence {
            if packet.sequence != last &+ 1 { fault("number \(packet.sequence) behind \(last)") }
            let step = Int32(bitPattern: packet.timestamp &- state.timestamp)
            if step <= 0 { fault("a timestamp goes back by \(-step)") }
        }
        let person = Int(source) - 1
        var frame = -1
        if packet.payloadRange.count > 4 {
            let at = packet.payloadRange.lowerBound + 1
            frame = Int(bytes.bigEndian32(at: at))
            if Int(bytes[at - 1]) != person { fault("a payload of another than the packet names") }
            heard[ear][person * trace.schedule.frames + frame] = true
            if state.person == person, state.frame >= 0 {
                let step = Int64(Int32(bitPattern: packet.timestamp &- state.timestamp))
                let off = step - Int64(frame - state.frame) * 960
                // 40 ms: what a line may be corrected by at a pause.
                if frame - state.frame == 1 ? off != 0 : abs(off) > 1_920 {
                    fault("\(frame - state.frame) frames are \(step) ticks")
                }
                judgePause(person, from: state.frame, to: frame)
            }
        }
        state = Ear(sequence: packet.sequence, timestamp: packet.timestamp, person: person, frame: frame)
        slots[ear][slot] = state
    }

    /// The last 200 ms before a voice falls silent are silent: none of their levels is a voice's.
    private func judgePause(_ person: Int, from: Int, to: Int) {
        guard to - from > 10, from >= 10 else { return }
        // Of machines, keys and televisions the gate may let through what it likes: it is the voice that must not break off.
        let schedule = trace.schedule
        guard schedule.phrases.contains(where: { $0.person == person && from - 50 < $0.end && $0.end <= from }),
            !(schedule.typing + schedule.machines + schedule.televisions).contains(where: { $0.person == person }),
            !schedule.echoing.contains(person)
        else { return }
        result.pauses += 1
        if trace.frames[person][from - 9...from].allSatisfy({ $0.level >= 45 }) { result.quietPauses += 1 }
    }

    private func judge() {
        let schedule = trace.schedule
        result.score = SpeakerScore(shown, schedule)
        result.lateScore = SpeakerScore(shown, schedule, from: schedule.frames / 3 * 2)
        for turn in schedule.turns {
            let own = trace.frames[turn.person]
            guard let first = (turn.start..<turn.end).first(where: { own[$0].isAudible && own[$0].isSent }) else {
                continue
            }
            result.turns += 1
            let isWhole = ears.indices.allSatisfy { ear in
                ears[ear] == turn.person
                    || (first..<min(first + 5, schedule.frames)).allSatisfy {
                        !own[$0].isSent || own[$0].isComfortNoise
                            || heard[ear][turn.person * schedule.frames + $0]
                    }
            }
            if isWhole { result.turnsBegun += 1 }
        }
    }
}
