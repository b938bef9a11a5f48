// Packets for one peer that leave in one call of the kernel: all of one size but the last, which may be smaller (UDP generic
// segmentation, UDP_SEGMENT). A byte or a few of padding make sizes equal. Protects nothing and sends nothing by itself.
import Glibc

/// The packets that a peer is sent next. Made once for each thread and used again; it holds pointers between `add` and
/// `PeerTransport.send(_:)`, so the bytes must stay where they are until then.
@safe public final class PacketBurst {
    /// The most packets of one call: what more would save is little, and so many of the largest fit one datagram.
    public static let maximumPackets = 16
    /// The most bytes of padding that a packet is given.
    public static let maximumPadding = 16
    /// The room that must be free behind a packet: padding and the longest tag.
    public static let tailRoom = maximumPadding + 16

    private static let paddingBit: UInt8 = 0x20

    /// One packet: where it is, its bytes now, and whether it may be longer.
    @unsafe struct Packet {
        var bytes: UnsafeMutableRawBufferPointer
        var count: Int
        var mayBePadded: Bool
    }

    private let packets: UnsafeMutablePointer<Packet>
    /// What the kernel is shown of those that were protected.
    let vectors: UnsafeMutablePointer<iovec>
    /// How many packets there are.
    public private(set) var count = 0
    /// Their bytes, without padding.
    public private(set) var bytes = 0
    /// The largest.
    private(set) var largest = 0
    /// The smallest of those that may be padded, and the size of those that may not and are not the last.
    private var smallestPaddable = Int.max
    private var fixed: Int?
    /// The last packet is too small to be anything but the last.
    private var isClosed = false

    /// A burst without packets.
    public init() {
        unsafe packets = .allocate(capacity: Self.maximumPackets)
        unsafe vectors = .allocate(capacity: Self.maximumPackets)
        unsafe vectors.initialize(repeating: iovec(), count: Self.maximumPackets)
    }

    deinit {
        unsafe packets.deallocate()
        unsafe vectors.deallocate()
    }

    /// Adds a packet of `count` bytes, behind which are at least `tailRoom` more in the buffer. False, and nothing is changed,
    /// when it cannot leave in one call with those before it: they are to be sent first.
    ///
    /// - Parameter mayBePadded: whether bytes may be added to it (RFC 3550 §5.1). What is ever composed again under the
    ///   same number must not be: it would be other bytes under one nonce.
    @inline(__always)
    public func add(_ bytes: UnsafeMutableRawBufferPointer, count size: Int, mayBePadded: Bool) -> Bool {
        precondition(bytes.count - size >= Self.tailRoom && size > 0, "a packet of a burst has room behind it")
        // One that has padding keeps it.
        let mayBePadded = unsafe mayBePadded && bytes[0] & Self.paddingBit == 0
        if count > 0 {
            let grown = max(largest, size)
            // Every packet of the burst so far would no longer be the last.
            guard !isClosed, count < Self.maximumPackets,
                smallestPaddable == .max || grown - smallestPaddable <= Self.maximumPadding,
                fixed == nil || fixed == grown
            else { return false }
        }
        unsafe (packets + count).initialize(to: Packet(bytes: bytes, count: size, mayBePadded: mayBePadded))
        count += 1
        self.bytes += size
        largest = max(largest, size)
        if mayBePadded, largest - size <= Self.maximumPadding {
            smallestPaddable = min(smallestPaddable, size)
        } else if size == largest {
            fixed = size
        } else {
            isClosed = true
        }
        return true
    }

    /// A packet by its place.
    @inline(__always) func packet(_ index: Int) -> Packet {
        precondition(index >= 0 && index < count, "no packet of this place")
        return unsafe packets[index]
    }

    /// Makes all packets but the last as large as the largest.
    func pad() {
        for index in 0..<max(0, count - 1) {
            let missing = unsafe largest - packets[index].count
            if missing > 0 { unsafe Self.pad(&packets[index], by: missing) }
        }
    }

    /// Adds padding to an RTP packet: zeros, the last byte their count, and the bit that says so.
    private static func pad(_ packet: inout Packet, by missing: Int) {
        precondition(
            unsafe packet.mayBePadded && missing <= maximumPadding, "only what may be padded is smaller than others")
        for offset in 0..<missing { unsafe packet.bytes[packet.count + offset] = 0 }
        unsafe packet.count += missing
        unsafe packet.bytes[packet.count - 1] = UInt8(missing)
        unsafe packet.bytes[0] |= paddingBit
    }

    /// Forgets all packets.
    @inline(__always) func removeAll() {
        count = 0
        bytes = 0
        largest = 0
        smallestPaddable = .max
        fixed = nil
        isClosed = false
    }
}
