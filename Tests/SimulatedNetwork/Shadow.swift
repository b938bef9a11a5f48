// A second core beside a simulated room's, made from a checkpoint at a moment that chance chose: it is given what the original is
// given from then on, and has to give what the original gives. Media payloads from before the checkpoint are zeros in it.

import MediaCore

/// A restored core that follows a room for a while, then another one, and so on.
final class Shadow {
    /// How long the room goes on before the next checkpoint at most, and how long a restored core follows it.
    private let pause: TimeDelta
    private let span: TimeDelta
    private var random: SeededRandom
    private var core: RoomCore?
    private var egress = Egress()
    private var checkpoint = Checkpoint()
    private var other = Checkpoint()
    private var beginsAt: Timestamp?
    private var endsAt = Timestamp(nanoseconds: 0)
    private var compareAt = Timestamp(nanoseconds: 0)

    /// How many cores were restored, datagrams compared, those of them whose payload was kept no more, and states compared.
    private(set) var restored = 0
    private(set) var datagrams = 0
    private(set) var zeroed = 0
    private(set) var states = 0
    /// What differed, as sentences.
    private(set) var differences: [String] = []

    init(seed: UInt64, pause: TimeDelta, span: TimeDelta) {
        random = SeededRandom(seed: seed)
        self.pause = pause
        self.span = span
    }

    /// Called before each turn of the room.
    func prepare(_ original: borrowing RoomCore, at now: Timestamp) {
        guard core == nil else { return }
        guard let begin = beginsAt else {
            beginsAt = now + TimeDelta(nanoseconds: Int64(random.below(Int(pause.nanoseconds))))
            return
        }
        guard now >= begin else { return }
        original.checkpoint(into: &checkpoint)
        do {
            core = try RoomCore(checkpoint: checkpoint)
        } catch {
            differences.append("a checkpoint of \(checkpoint.bytes.count) bytes was refused: \(error)")
            beginsAt = nil
            return
        }
        restored += 1
        endsAt = now + span
        compareAt = now
    }

    /// Called after each turn of the room with what it was and what came of it.
    func follow(
        _ original: borrowing RoomCore, _ expected: borrowing Egress, at now: Timestamp,
        _ body: (inout RoomCore, Timestamp, inout Egress) -> Void
    ) {
        guard var copy = core.take() else { return }
        body(&copy, now, &egress)
        if let deadline = copy.nextDeadline, deadline.at <= now { copy.advance(to: now, into: &egress) }
        compare(expected, at: now)
        if copy.nextDeadline != original.nextDeadline { differ("the next deadline", at: now) }
        if copy.statistics != original.statistics { differ("the counters", at: now) }
        egress.removeAll()
        if now >= compareAt {
            states += 1
            original.checkpoint(into: &checkpoint)
            copy.checkpoint(into: &other)
            if checkpoint != other { differ("the state", at: now) }
            compareAt = now + TimeDelta(nanoseconds: Int64(random.below(1_000_000_000)))
        }
        if now < endsAt, differences.isEmpty { core = consume copy } else { beginsAt = nil }
    }

    private func differ(_ what: String, at now: Timestamp) {
        differences.append("\(what) of a restored core differs at \(now.nanoseconds / 1_000) µs")
    }

    private func compare(_ expected: borrowing Egress, at now: Timestamp) {
        if egress.events != expected.events { differ("an event", at: now) }
        if egress.decisions != expected.decisions { differ("a decision", at: now) }
        guard egress.datagrams == expected.datagrams else { return differ("a list of datagrams", at: now) }
        for index in expected.datagrams.indices {
            datagrams += 1
            let one = expected.copy(of: index)
            let two = egress.copy(of: index)
            if one == two { continue }
            zeroed += 1
            if expected.datagrams[index].kind == .rtcp || !isSameButPayload(one, two) { differ("a datagram", at: now) }
        }
    }

    /// Header, length and payload descriptor are the same, and what differs is zero in the second.
    private func isSameButPayload(_ one: [UInt8], _ two: [UInt8]) -> Bool {
        guard one.count == two.count, let header = RTPHeader(one.span) else { return false }
        var head = Int(header.payloadOffset)
        let type = header.payloadType.rawValue
        if type == ClientNumbers.slotVP8RTX { head += 2 }
        if type == ClientNumbers.slotVP8 || type == ClientNumbers.slotVP8RTX {
            // What is none is payload.
            head += Int(VP8Descriptor(one.span, at: head, length: one.count - head)?.length ?? 0)
        }
        return one.prefix(head) == two.prefix(head)
            && (head..<one.count).allSatisfy { one[$0] == two[$0] || two[$0] == 0 }
    }
}
