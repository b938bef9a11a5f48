// When each packet of a peer arrived, by transport-wide sequence number
// (draft-holmer-rmcat-transport-wide-cc-extensions-01): what the feedback to the publisher is made of. Writes no
// packet.

/// The arrivals of one peer since the last feedback, and a little before it for packets that come late.
struct ArrivalRecorder: ~Copyable {
    /// How many numbers are kept (a power of two); at 2,500 packets a second 0.8 s.
    static let capacity = 2_048
    /// A jump of more than this begins anew.
    static let maximumJump: Int64 = 1_024

    private var arrivals: [Int64]
    private var numbers: [Int64]
    private var newest: Int64 = 0
    private var isStarted = false
    /// The first number of the next feedback.
    private(set) var begin: Int64 = 0
    /// Whether a packet came since the last feedback.
    private(set) var isPending = false

    init() {
        arrivals = [Int64](repeating: 0, count: Self.capacity)
        numbers = [Int64](repeating: .min, count: Self.capacity)
    }

    /// One past the newest number.
    var end: Int64 { newest + 1 }

    private func place(_ number: Int64) -> Int { Int(truncatingIfNeeded: number) & (Self.capacity - 1) }

    /// A packet with this number came.
    mutating func note(_ number: SequenceNumber, at now: Timestamp) {
        var extended = Int64(number.rawValue) + 65_536
        if isStarted {
            let distance = number.distance(from: SequenceNumber(UInt16(truncatingIfNeeded: newest)))
            extended = newest + Int64(distance)
            if abs(Int64(distance)) > Self.maximumJump {
                // Above all before, so that no number kept is taken for a new one.
                extended = (newest & ~0xffff) + 0x20000 + Int64(number.rawValue)
                begin = extended
            }
        } else {
            begin = extended
        }
        isStarted = true
        guard numbers[place(extended)] != extended else { return }
        numbers[place(extended)] = extended
        arrivals[place(extended)] = now.nanoseconds
        newest = max(newest, extended)
        // What was overwritten is not told any more, however far the numbers leap between two feedbacks.
        begin = max(begin, end - Int64(Self.capacity))
        if !isPending {
            isPending = true
            begin = max(min(begin, extended), newest - Self.maximumJump)
        } else if extended < begin {
            begin = extended
        }
    }

    /// When the packet of a number arrived, or nil when it did not.
    func arrival(of number: Int64) -> Timestamp? {
        let at = place(number)
        return numbers[at] == number ? Timestamp(nanoseconds: arrivals[at]) : nil
    }

    /// Feedback up to `end`, excluded, has been written.
    mutating func finish(at end: Int64) {
        begin = end
        if end > newest { isPending = false }
    }
}

extension ArrivalRecorder {
    /// The least number that can be asked for or told from a duplicate from now on; what is below is not written.
    private var floor: Int64 { max(min(begin, newest - Self.maximumJump), end - Int64(Self.capacity)) }

    func save(into w: inout CheckpointWriter) {
        w.write(isStarted)
        guard isStarted else { return }
        w.write(newest)
        w.write(end - begin)
        w.write(isPending)
        // Each arrival behind how many did not come before it, in nanoseconds since the one before.
        var missing: UInt64 = 0
        var before: Int64 = 0
        for number in floor...newest {
            let at = place(number)
            guard numbers[at] == number else {
                missing += 1
                continue
            }
            w.write(missing)
            w.write(arrivals[at] &- before)
            before = arrivals[at]
            missing = 0
        }
        // The newest number came, so that the list ends by itself.
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        try r.take(memory: Self.capacity * 16)
        var made = Self()
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        isStarted = try r.readBool()
        guard isStarted else { return }
        newest = try r.readNumber()
        let told = try r.readSigned()
        try r.require(told >= 0 && told <= Int64(Self.capacity))
        begin = end - told
        isPending = try r.readBool()
        var number = floor
        var before: Int64 = 0
        while number <= newest {
            let missing = try r.readUnsigned(Self.capacity)
            number += Int64(missing)
            try r.require(number <= newest)
            before = before &+ (try r.readSigned())
            try r.require(before >= -CheckpointLimit.moment && before <= CheckpointLimit.moment)
            numbers[place(number)] = number
            arrivals[place(number)] = before
            number += 1
        }
    }
}
