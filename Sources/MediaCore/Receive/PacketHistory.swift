// The one copy of a stream's payloads: what is forwarded and what is sent again is copied from here. A ring by sequence
// number; knows nothing of receivers.

/// What is remembered of a packet beside its payload.
struct HistoryPacket: BitwiseCopyable {
    /// Its extended sequence number.
    var number: Int64 = .min
    /// Its RTP timestamp.
    var timestamp: UInt32 = 0
    /// The bytes of payload, without padding.
    var length: UInt16 = 0
    /// The position of the codec in the track's plan.
    var codec: UInt8 = 0
    /// Whether it begins a key frame.
    var isKeyFrame = false
    /// The marker bit.
    var marker = false
    /// The audio level byte, or 256 and above for none.
    var audioLevel: UInt16 = HistoryPacket.noByte
    /// The video orientation byte, or 256 and above for none.
    var videoOrientation: UInt16 = HistoryPacket.noByte
    /// The playout delay's 24 bits, or `noPlayoutDelay`.
    var playoutDelay: UInt32 = HistoryPacket.noPlayoutDelay
    /// Of a redundant payload (RFC 2198) the bytes of its headers, and where its primary block begins; 0 for any other.
    var redHead: UInt16 = 0
    var redPrimary: UInt16 = 0
    /// The VP8 payload descriptor, or nil for another codec.
    var vp8: VP8Descriptor?
    /// The VP9 payload descriptor, or nil for another codec.
    var vp9: VP9Descriptor?
    /// The Dependency Descriptor, or nil where none came, and its bytes.
    var dependency: DependencyDescriptor?
    var dependencyLength: UInt8 = 0

    /// The layers of the frame that it belongs to; 0 where nothing tells.
    var spatialLayer: UInt8 {
        if let dependency, dependency.isResolved { return dependency.spatialLayer }
        return vp9?.spatialLayer ?? 0
    }
    var temporalLayer: UInt8 {
        if let dependency, dependency.isResolved { return dependency.temporalLayer }
        return vp8?.temporalLayer ?? vp9?.temporalLayer ?? 0
    }

    static let noByte: UInt16 = 0xffff
    static let noPlayoutDelay: UInt32 = .max
}

/// The newest packets of one stream. Its memory is taken once, at the first packet.
struct PacketHistory: ~Copyable {
    /// The longest payload that is kept.
    static let slotBytes = 1_500

    /// The payloads: that of place `i` begins at `i * slotBytes`.
    var bytes = ByteSlab(count: 0)
    private var rows: [HistoryPacket] = []
    private let mask: Int

    /// A history of so many packets, made a power of two, 16 at least.
    init(packets: Int) {
        var count = 16
        while count < packets, count < 1 << 16 { count *= 2 }
        mask = count - 1
    }

    /// Forgets every packet and keeps the memory.
    mutating func removeAll() {
        for place in rows.indices { rows[place].number = .min }
    }

    /// Takes the memory.
    private mutating func start() {
        rows = [HistoryPacket](repeating: HistoryPacket(), count: mask + 1)
        bytes = ByteSlab(count: rows.count * Self.slotBytes)
    }

    /// Keeps a packet and the payload at `payload` of a datagram; nil when its place holds a newer one or it is too
    /// long. Behind the payload lies the Dependency Descriptor, if the packet has one, from `dependency` of the datagram.
    mutating func store(
        _ packet: HistoryPacket, _ datagram: borrowing Span<UInt8>, payload: Int, dependency: Int = 0
    ) -> Int? {
        let place = Int(truncatingIfNeeded: packet.number) & mask
        let dependencyLength = Int(packet.dependencyLength)
        guard Int(packet.length) + dependencyLength <= Self.slotBytes else { return nil }
        if rows.isEmpty { start() }
        guard rows[place].number < packet.number else { return nil }
        rows[place] = packet
        bytes.copy(datagram, from: payload, count: Int(packet.length), to: place * Self.slotBytes)
        if dependencyLength > 0 {
            let at = place * Self.slotBytes + Int(packet.length)
            bytes.copy(datagram, from: dependency, count: dependencyLength, to: at)
        }
        return place
    }

    /// Reads a kept packet's descriptor again: its structure came behind it.
    mutating func resolve(_ place: Int, _ tracker: inout DependencyTracker) {
        let row = rows[place]
        guard let before = row.dependency, !before.isResolved else { return }
        let length = Int(row.dependencyLength)
        let read = bytes.withSpan(place * Self.slotBytes + Int(row.length), length) {
            tracker.read($0, at: 0, length: length, number: row.number)
        }
        rows[place].dependency = read ?? before
        rows[place].isKeyFrame = rows[place].dependency?.isKeyFrame ?? false
    }

    /// The place of a packet, or nil when it is not there or not there any more.
    @inline(__always) func find(_ number: Int64) -> Int? {
        let place = Int(truncatingIfNeeded: number) & mask
        guard place < rows.count else { return nil }
        return rows[place].number == number ? place : nil
    }

    /// The packet at a place.
    @inline(__always) subscript(place: Int) -> HistoryPacket { rows[place] }
}

/// What is told of a packet first in a checkpoint.
private enum KeptFlag {
    static let isKeyFrame: UInt16 = 1
    static let marker: UInt16 = 2
    static let hasAudioLevel: UInt16 = 4
    static let hasOrientation: UInt16 = 8
    static let hasPlayoutDelay: UInt16 = 16
    static let hasVP8: UInt16 = 32
    static let hasVP9: UInt16 = 64
    static let hasCodec: UInt16 = 128
    static let hasDependency: UInt16 = 256
}

/// Each packet is written as its differences to the one before it in the ring, and of its payload what its descriptor
/// was read from.
extension PacketHistory {
    /// The bytes at a payload's beginning that its descriptor was read from: it is read from them again.
    private static func headCount(_ row: HistoryPacket) -> Int {
        var count = 0
        // Behind a VP8 descriptor the frame's tag tells a key frame, whose head tells its size.
        if let vp8 = row.vp8 { count = Int(vp8.length) + (vp8.isKeyFrame ? VP8Descriptor.keyFrameHeadLength : 1) }
        if let vp9 = row.vp9 { count = Int(vp9.length) }
        return min(count, Int(row.length))
    }

    func save(into w: inout CheckpointWriter) {
        w.write(UInt64(mask + 1))
        w.write(!rows.isEmpty)
        guard !rows.isEmpty else { return }
        var count: UInt64 = 0
        for place in rows.indices where rows[place].number != .min { count += 1 }
        w.write(count)
        var before = HistoryPacket(number: 0)
        for place in rows.indices where rows[place].number != .min {
            let row = rows[place]
            Self.save(row, behind: before, into: &w)
            let head = Self.headCount(row)
            if row.vp8 != nil || row.vp9 != nil { w.write(UInt64(head)) }
            for i in 0..<head { w.byte(bytes[place * Self.slotBytes + i]) }
            if let dependency = row.dependency {
                w.write(dependency)
                w.byte(row.dependencyLength)
                for i in 0..<Int(row.dependencyLength) {
                    w.byte(bytes[place * Self.slotBytes + Int(row.length) + i])
                }
            }
            before = row
        }
    }

    private static func save(_ row: HistoryPacket, behind before: HistoryPacket, into w: inout CheckpointWriter) {
        var flags: UInt16 = row.isKeyFrame ? KeptFlag.isKeyFrame : 0
        if row.marker { flags |= KeptFlag.marker }
        if row.audioLevel != HistoryPacket.noByte { flags |= KeptFlag.hasAudioLevel }
        if row.videoOrientation != HistoryPacket.noByte { flags |= KeptFlag.hasOrientation }
        if row.playoutDelay != HistoryPacket.noPlayoutDelay { flags |= KeptFlag.hasPlayoutDelay }
        if row.vp8 != nil { flags |= KeptFlag.hasVP8 }
        if row.vp9 != nil { flags |= KeptFlag.hasVP9 }
        if row.codec != 0 || row.redHead != 0 { flags |= KeptFlag.hasCodec }
        if row.dependency != nil { flags |= KeptFlag.hasDependency }
        w.write(UInt64(flags))
        w.write(row.number &- before.number)
        w.write(Int64(Int32(bitPattern: row.timestamp &- before.timestamp)))
        w.write(UInt64(row.length))
        if flags & KeptFlag.hasCodec != 0 {
            // Above the codec's eight bits the length of the headers of redundant audio.
            w.write(UInt64(row.codec) | UInt64(row.redHead) << 8)
            if row.redHead != 0 { w.write(UInt64(row.redPrimary)) }
        }
        if flags & KeptFlag.hasAudioLevel != 0 { w.write(UInt64(row.audioLevel)) }
        if flags & KeptFlag.hasOrientation != 0 { w.write(UInt64(row.videoOrientation)) }
        if flags & KeptFlag.hasPlayoutDelay != 0 { w.write(UInt64(row.playoutDelay)) }
    }

    static func restored(_ r: inout CheckpointReader) throws(CheckpointError) -> Self {
        let capacity = try r.readUnsigned(1 << 16)
        try r.require(capacity >= 16 && capacity & (capacity - 1) == 0)
        var made = Self(packets: capacity)
        try made.restore(&r)
        return made
    }

    /// Fills what was made empty.
    private mutating func restore(_ r: inout CheckpointReader) throws(CheckpointError) {
        guard try r.readBool() else { return }
        let capacity = mask + 1
        try r.take(memory: capacity * MemoryLayout<HistoryPacket>.stride)
        start()
        let count = try r.readUnsigned(capacity)
        var before = HistoryPacket(number: 0)
        var last = -1
        for _ in 0..<count {
            var row = HistoryPacket()
            let flags = try Self.restore(&row, behind: before, &r)
            let place = Int(truncatingIfNeeded: row.number) & mask
            try r.require(place > last)
            last = place
            try restorePayload(of: &row, flags, place, &r)
            rows[place] = row
            before = row
        }
    }

    private static func restore(
        _ row: inout HistoryPacket, behind before: HistoryPacket, _ r: inout CheckpointReader
    ) throws(CheckpointError) -> UInt16 {
        let flags = UInt16(truncatingIfNeeded: try r.readUnsigned(Int(KeptFlag.hasDependency) * 2 - 1))
        row.isKeyFrame = flags & KeptFlag.isKeyFrame != 0
        row.marker = flags & KeptFlag.marker != 0
        row.number = try r.readNumber(behind: before.number)
        row.timestamp = before.timestamp &+ UInt32(truncatingIfNeeded: try r.readSigned())
        try r.code(&row.length)
        try r.require(Int(row.length) <= slotBytes)
        if flags & KeptFlag.hasCodec != 0 {
            let value = try r.readUnsigned(1 << 24 - 1)
            row.codec = UInt8(truncatingIfNeeded: value)
            row.redHead = UInt16(truncatingIfNeeded: value >> 8)
            if row.redHead != 0 { try r.code(&row.redPrimary) }
            try r.require(row.redHead <= row.redPrimary && row.redPrimary <= row.length)
        }
        if flags & KeptFlag.hasAudioLevel != 0 { try r.code(&row.audioLevel) }
        if flags & KeptFlag.hasOrientation != 0 { try r.code(&row.videoOrientation) }
        if flags & KeptFlag.hasPlayoutDelay != 0 { try r.code(&row.playoutDelay) }
        return flags
    }

    /// The payload's head where one was written, zeros behind it, and the descriptor read from it again.
    private mutating func restorePayload(
        of row: inout HistoryPacket, _ flags: UInt16, _ place: Int, _ r: inout CheckpointReader
    ) throws(CheckpointError) {
        let at = place * Self.slotBytes
        let length = Int(row.length)
        try r.take(memory: length)
        bytes.withMutableSpan(at, length) { $0.putZeros(length, at: 0) }
        try restoreHead(of: &row, flags, at, &r)
        guard flags & KeptFlag.hasDependency != 0 else { return }
        var dependency = DependencyDescriptor()
        try r.code(&dependency)
        row.dependency = dependency
        row.dependencyLength = try r.byte()
        try r.require(length + Int(row.dependencyLength) <= Self.slotBytes)
        for i in 0..<Int(row.dependencyLength) { bytes[at + length + i] = try r.byte() }
    }

    private mutating func restoreHead(
        of row: inout HistoryPacket, _ flags: UInt16, _ at: Int, _ r: inout CheckpointReader
    ) throws(CheckpointError) {
        let length = Int(row.length)
        guard flags & (KeptFlag.hasVP8 | KeptFlag.hasVP9) != 0 else { return }
        try r.require(flags & KeptFlag.hasVP8 == 0 || flags & KeptFlag.hasVP9 == 0)
        let head = try r.readUnsigned(length)
        for i in 0..<head { bytes[at + i] = try r.byte() }
        if flags & KeptFlag.hasVP8 != 0 {
            row.vp8 = bytes.withSpan(at, length) { VP8Descriptor($0, at: 0, length: length) }
        } else {
            row.vp9 = bytes.withSpan(at, length) { VP9Descriptor($0, at: 0, length: length) }
        }
        try r.require(row.vp8 != nil || row.vp9 != nil)
        try r.require(head == Self.headCount(row))
    }
}
