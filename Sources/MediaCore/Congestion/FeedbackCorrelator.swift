// Joins transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1) with what was sent: lost, repeated,
// overtaken and hostile feedback included. Draws no conclusion from it.

/// A packet that feedback tells of for the first time, or one told lost before that arrived after all.
struct PacketOutcome: BitwiseCopyable {
    var packet: SentRow
    /// When it arrived, on the receiver's clock; nil when it did not.
    var arrivedAt: TimeDelta?
    /// Whether feedback told before that it did not arrive.
    var wasLost: Bool
}

/// What was sent and not yet told of, and the receiver's clock.
struct FeedbackCorrelator: ~Copyable {
    /// A packet that no feedback tells of is given up after this time.
    static let patience = TimeDelta.seconds(10)
    /// The range of the reference time: 24 bits of 64 ms.
    private static let referenceRange: Int64 = 1 << 24
    private static let referenceLimit: Int64 = 1 << 33

    var sent = SentPackets()
    /// The last message's reference time in units of 64 ms, extended.
    private var reference: Int64?
    /// The arrival told last within the message in hand, in microseconds of the receiver's clock.
    private var arrival: Int64 = 0
    /// The extended number of the status read next; nil while nothing was sent.
    private var next: Int64?

    init() {}

    /// Begins with a message: packets before those that it tells of are given up unless it is an old one. Gives their bytes:
    /// a message about them was lost, not they, for a receiver tells of those that did not arrive.
    mutating func begin(_ feedback: TransportFeedback) -> Int64 {
        let place = Int64(feedback.referenceTime)
        var extended = place
        if let reference {
            // The nearest number with these 24 bits.
            let step = (place &- reference) & (Self.referenceRange &- 1)
            extended = reference &+ (step < Self.referenceRange / 2 ? step : step &- Self.referenceRange)
            // Seventeen years: only a clock that leaps to and fro gets there. It begins anew.
            if extended > Self.referenceLimit || extended < -Self.referenceLimit { extended = place }
        }
        reference = extended
        arrival = extended &* TransportFeedback.referenceUnitMicroseconds
        next = sent.extended(feedback.baseSequence)
        guard let next, let newest = sent.newest, next <= newest else { return 0 }
        return sent.giveUp(before: next)
    }

    /// The next packet that something new is told of, or nil at the end. Packets never sent, or forgotten, are passed over;
    /// runs of them that did not arrive in one step.
    mutating func next(_ bytes: Span<UInt8>, _ feedback: inout TransportFeedback) -> PacketOutcome? {
        while let status = feedback.next(bytes) {
            arrival = arrival &+ status.deltaMicroseconds
            guard let number = next else { continue }
            next = number &+ 1
            guard let row = sent.find(number) else {
                if !status.isReceived { next = number &+ 1 &+ Int64(feedback.skipMissing()) }
                continue
            }
            if status.isReceived {
                guard row.state != .received else { continue }
                sent.settle(number, .received)
                return PacketOutcome(
                    packet: row, arrivedAt: .microseconds(arrival), wasLost: row.state == .lost)
            }
            guard row.state == .inFlight else { continue }
            sent.settle(number, .lost)
            return PacketOutcome(packet: row, arrivedAt: nil, wasLost: false)
        }
        return nil
    }
}

extension FeedbackCorrelator: CheckpointRow {
    func save(into w: inout CheckpointWriter) {
        sent.save(into: &w)
        w.write(reference != nil)
        if let reference { w.write(reference) }
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        var made = Self()
        made.sent = try SentPackets.restored(&r)
        if try r.readBool() {
            var reference: Int64 = 0
            try r.code(&reference, -referenceLimit...referenceLimit)
            made.reference = reference
        }
        return made
    }
}
