// The whole state of a room's core as bytes, media payloads left out, and a core made from them again: what a replay begins
// with. The layout is this version's own, the same on every machine; docs/captures.md tells where it is kept.
//
// A payload's head that a payload descriptor makes up is kept, so that a packet sent again has its length, header, extensions
// and descriptor; the bytes behind are zero then. What can only be built in one way out of the rest is not kept but built.

/// The state of a room's core at a moment between two calls. Made to be used again: writing one keeps the memory.
public struct Checkpoint: Hashable, Sendable {
    /// The number in the first bytes of every checkpoint; raised whenever the state of the core or its layout changes.
    public static let version: UInt16 = 8
    /// What a checkpoint begins with, "MJCP" in ASCII.
    static let magic: UInt32 = 0x4d4a_4350

    /// The bytes, portable between machines; those of another version are refused.
    public var bytes: [UInt8]

    /// No state at all; a core cannot be made from it.
    public init() { bytes = [] }

    /// A checkpoint of bytes from anywhere: whether they are one is seen when a core is made from them.
    public init(bytes: [UInt8]) { self.bytes = bytes }
}

/// Why no core can be made from a checkpoint.
public enum CheckpointError: Error, Hashable, Sendable {
    /// The bytes do not begin as a checkpoint does.
    case notACheckpoint
    /// A checkpoint of another version of the core.
    case unknownVersion(UInt16)
    /// The bytes end too early; `offset` is where more was expected.
    case truncated(offset: Int)
    /// More follows behind the end, at `offset`.
    case trailingBytes(offset: Int)
    /// A value before `offset` is out of its range, or contradicts another one.
    case invalid(offset: Int)
    /// The state would take more memory than `CheckpointLimit.memory`, or more rows than a table may have.
    case tooLarge
}

/// What the state of a room may be: far beyond any real one, so that hostile bytes cannot exhaust the machine, and no
/// number in it overflow later.
enum CheckpointLimit {
    /// Bytes of memory for all that is not of the size of the checkpoint itself: rings, tables and kept payloads.
    static let memory = 512 << 20
    /// Rows of one table, peers or tracks or encodings or slots.
    static let rows = 1 << 16
    /// Entries of one list in a plan: codecs, encodings, slots, tracks.
    static let listed = 4_096
    /// Counters and extended numbers are within plus and minus this. A publisher that tries reaches it in days.
    static let number: Int64 = 1 << 52
    /// Moments are within plus and minus this many nanoseconds of the origin: 73 years.
    static let moment: Int64 = 1 << 61
    /// Settings are within plus and minus this.
    static let setting: Int64 = 1 << 40
}

extension RoomCore {
    /// Writes the whole state of the room, but payloads, in place of what the checkpoint held. To be called between two calls
    /// into the core, its output taken or not: `Egress` is no part of it.
    public func checkpoint(into checkpoint: inout Checkpoint) {
        var writer = CheckpointWriter(reusing: &checkpoint)
        writer.fixed32(Checkpoint.magic)
        writer.fixed16(Checkpoint.version)
        save(into: &writer)
        checkpoint.bytes = writer.finish()
    }

    /// The room whose state was written. From then on it gives what the original gives for the same calls, except that packets
    /// from before, sent again, have zeros behind their payload descriptors. Never traps, whatever the bytes; nor does the
    /// room made from them.
    public init(checkpoint: Checkpoint) throws(CheckpointError) {
        self.init(configuration: RoomConfiguration(), seed: 0)
        var reader = CheckpointReader(checkpoint.bytes)
        guard reader.fixed32() == Checkpoint.magic, let version = reader.fixed16() else {
            throw CheckpointError.notACheckpoint
        }
        guard version == Checkpoint.version else { throw CheckpointError.unknownVersion(version) }
        try restore(&reader)
        guard reader.isAtEnd else { throw CheckpointError.trailingBytes(offset: reader.position) }
    }
}
