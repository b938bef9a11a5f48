// What receivers answer: transport-wide feedback every 100 ms, as browsers send it. Without it the core would take every path
// for one that has stopped, and have something to do for each packet.

import MediaCore

/// The feedback of all receivers of a workload, spread over the period. The messages of a round are made before it, so that
/// making them is no part of what is measured.
struct ReceiverFeedback {
    static let period = TimeDelta.milliseconds(100)
    /// More than any message has.
    private static let messageRoom = 128
    /// The first receiver's number; the others follow.
    private let firstPeer: UInt32
    private let map: HeaderExtensionMap
    /// The time between two packets, and how many there are in a period.
    private let step: TimeDelta
    private let packetsPerPeriod: Int
    /// Of each receiver the last packet that it got, the last that it told of, and the number of its next message.
    private var newest: [SequenceNumber]
    private var told: [SequenceNumber]
    private var counts: [UInt8]
    /// The round's messages one after another, and how many bytes each has.
    private(set) var bytes: [UInt8] = []
    private var lengths: [Int] = []
    private var next = 0

    init(receivers: Int, firstPeer: UInt32, map: HeaderExtensionMap, step: TimeDelta) {
        self.firstPeer = firstPeer
        self.map = map
        self.step = step
        packetsPerPeriod = max(1, Int(Self.period.nanoseconds / step.nanoseconds))
        newest = Array(repeating: SequenceNumber(0), count: receivers)
        told = newest
        counts = Array(repeating: 0, count: receivers)
    }

    /// Begins with what a packet gives to the receivers: they tell of those behind it.
    mutating func begin(_ egress: borrowing Egress) {
        for datagram in egress.datagrams.indices where egress.datagrams[datagram].kind == .rtp {
            let receiver = Int(egress.datagrams[datagram].peer.rawValue) - Int(firstPeer)
            let number = egress.withSpan(of: datagram) { bytes -> SequenceNumber? in
                guard let header = RTPHeader(bytes), let offsets = HeaderExtensionOffsets(bytes, header, map) else {
                    return nil
                }
                return offsets.readTransportSequence(bytes)
            }
            if let number, newest.indices.contains(receiver) { newest[receiver] = number }
        }
        told = newest
    }

    /// Makes the messages of the next so many packets, of which each receiver gets one at each step.
    mutating func prepare(packets: Int, behind now: Timestamp) {
        next = 0
        let most = (packets / packetsPerPeriod + 1) * told.count
        if bytes.count < most * Self.messageRoom {
            bytes = Array(repeating: 0, count: most * Self.messageRoom)
            lengths = Array(repeating: 0, count: most)
        }
        var made = 0
        for packet in 0..<packets {
            for receiver in stride(from: packet % packetsPerPeriod, to: told.count, by: packetsPerPeriod) {
                write(receiver, upTo: newest[receiver] + packet + 1, at: now + step * Int64(packet + 1), place: made)
                made += 1
            }
        }
        for receiver in newest.indices { newest[receiver] = newest[receiver] + packets }
    }

    private mutating func write(_ receiver: Int, upTo last: SequenceNumber, at now: Timestamp, place: Int) {
        let first = told[receiver] + 1
        told[receiver] = last
        var message = TransportFeedbackBuilder(
            sender: SSRC(1), media: SSRC(UInt32(2_000 + 2 * receiver)), base: first, feedbackCount: counts[receiver])
        counts[receiver] &+= 1
        let count = last.distance(from: first)
        for packet in 0...max(0, count) {
            let arrival = now + .milliseconds(10) - step * Int64(count - packet)
            guard message.add(first + packet, arrival: arrival) else { break }
        }
        var writer = CompoundWriter(at: place * Self.messageRoom, limit: (place + 1) * Self.messageRoom)
        var span = bytes.mutableSpan
        lengths[place] = writer.appendTransportFeedback(message, into: &span) ? writer.length : 0
    }

    /// The receivers that answer behind a packet of the round, by their place.
    func receivers(behind packet: Int) -> StrideTo<Int> {
        stride(from: packet % packetsPerPeriod, to: told.count, by: packetsPerPeriod)
    }

    /// A receiver's number.
    func peer(_ receiver: Int) -> PeerID { PeerID(firstPeer + UInt32(receiver)) }

    /// Where the next message is.
    mutating func take() -> Range<Int> {
        defer { next += 1 }
        return next * Self.messageRoom..<next * Self.messageRoom + lengths[next]
    }
}
