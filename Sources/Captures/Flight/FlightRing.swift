// The last seconds of one room, in a mapped file of four segments, each a capture that can be read alone. A store into the
// mapping is all that the room's thread does, so that what was recorded is there even when the process is killed; memory is
// allocated ahead by the vault's thread, and where that has not come in time a block is refused, never waited for.
import Glibc
import Synchronization

/// Where what lies in a ring's file. docs/captures.md has the table.
enum FlightLayout {
    static let magic = Array("MjFlight".utf8)
    static let version: UInt64 = 1
    static let segments = 4
    /// Where the first segment begins.
    static let head = 4_096
    /// What a segment begins with: its number and how many bytes of it are used.
    static let segmentHead = 64
    static let serialOffset = 0
    static let usedOffset = 8
    static let longestName = 256
    /// How much is allocated at once.
    static let step = 256 << 10
    /// The smallest and the largest segment.
    static let segmentRange = 256 << 10...256 << 20

    /// The file's first bytes; the last of the fixed ones is a checksum of everything else.
    static func header(segmentBytes: Int, room: String) -> [UInt8] {
        let name = Array(room.utf8.prefix(longestName))
        var fields = FieldWriter()
        fields.bytes = magic
        fields.fixed(version)
        fields.fixed(UInt64(segments))
        fields.fixed(UInt64(segmentBytes))
        fields.fixed(UInt64(name.count))
        fields.fixed(check(segmentBytes: segmentBytes, name: name[...]))
        fields.bytes += name
        return fields.bytes
    }

    static func check(segmentBytes: Int, name: ArraySlice<UInt8>) -> UInt64 {
        var sum: UInt64 = 0x4d6a_466c_6967_6874 ^ UInt64(segmentBytes)
        for byte in name { sum = (sum ^ UInt64(byte)) &* 0x9fb2_1c65_1e98_df25 ^ (sum >> 29) }
        return sum
    }
}

/// A room's flight ring. `append`, `beginSegment` and what they ask for belong to the room's thread; the rest to the vault's.
@safe public final class FlightRing: @unchecked Sendable {
    // Unchecked: the mapping is set by the vault's thread before `isReady` is, and taken away after the room's thread has
    // given the ring back. Of a segment the room's thread writes only behind `used`, which others read.

    /// What is known of one segment in this process.
    private final class Segment: Sendable {
        /// How many of its bytes, from its beginning, have memory behind them.
        let allocated = Atomic<Int>(0)
    }

    let room: String
    let segmentBytes: Int
    private let segments = (0..<FlightLayout.segments).map { _ in Segment() }
    private let ready = Atomic<Bool>(false)
    private let hungry = Atomic<Bool>(false)
    private let frozen = Atomic<Bool>(false)
    /// What the next segment should be able to hold from its beginning, in bytes.
    private let wanted = Atomic<Int>(0)
    private let currentSegment = Atomic<Int>(-1)
    private let feed: @Sendable (FlightRing) -> Void
    private var base: UnsafeMutableRawPointer?

    // The room's thread's.
    private var current = -1
    private var used = 0
    private var serial: UInt64 = 0

    // The vault's thread's.
    private(set) var path = ""
    private var descriptor: Int32 = -1

    init(room: String, segmentBytes: Int, feed: @escaping @Sendable (FlightRing) -> Void) {
        self.room = room
        self.segmentBytes = segmentBytes
        self.feed = feed
    }

    private var fileBytes: Int { FlightLayout.head + FlightLayout.segments * segmentBytes }

    // MARK: The room's thread

    /// Whether the file is there.
    public var isReady: Bool { ready.load(ordering: .acquiring) }

    /// Whether the segment should be left soon: what may still come in one turn has to find a place.
    public var isNearlyFull: Bool {
        guard current >= 0 else { return false }
        let end =
            frozen.load(ordering: .relaxed) ? segments[current].allocated.load(ordering: .relaxed) : segmentBytes
        return used > end - end / 8
    }

    /// Whether a segment can ever hold so many bytes.
    func canHold(_ bytes: Int) -> Bool { bytes + FlightLayout.segmentHead <= segmentBytes - segmentBytes / 8 }

    /// Forgets the oldest segment and begins it anew. False, and nothing has changed, when it has no memory for `room` bytes
    /// yet.
    public func beginSegment(room: Int) -> Bool {
        guard isReady, let base = unsafe base else { return false }
        let next = (current + 1) % FlightLayout.segments
        guard segments[next].allocated.load(ordering: .acquiring) >= room + FlightLayout.segmentHead else {
            if canHold(room) {
                wanted.store(room + FlightLayout.step, ordering: .relaxed)
                askForMore()
            }
            return false
        }
        let segment = unsafe base + offset(of: next)
        // Whoever copies the segment sees by its number that it is another one now.
        unsafe Self.word(segment, FlightLayout.serialOffset).pointee.store(0, ordering: .sequentiallyConsistent)
        unsafe Self.word(segment, FlightLayout.usedOffset).pointee.store(0, ordering: .sequentiallyConsistent)
        serial += 1
        current = next
        used = FlightLayout.segmentHead
        unsafe Self.word(segment, FlightLayout.serialOffset).pointee.store(serial, ordering: .sequentiallyConsistent)
        // No byte of the new segment is seen before its number is: processors other than x86 reorder stores.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        currentSegment.store(next, ordering: .releasing)
        // The one after it needs memory before it is begun.
        askForMore()
        return true
    }

    /// Stores whole blocks, or refuses them all where there is no memory for them.
    public func append(_ bytes: Span<UInt8>) -> Bool {
        guard current >= 0, let base = unsafe base else { return false }
        let allocated = segments[current].allocated.load(ordering: .acquiring)
        guard bytes.count <= allocated - used else {
            askForMore()
            return false
        }
        let segment = unsafe base + offset(of: current)
        unsafe bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            unsafe (segment + used).copyMemory(from: from, byteCount: source.count)
        }
        used += bytes.count
        unsafe Self.word(segment, FlightLayout.usedOffset).pointee.store(UInt64(used), ordering: .releasing)
        if allocated < segmentBytes, used + FlightLayout.step > allocated { askForMore() }
        return true
    }

    private func askForMore() {
        guard !hungry.load(ordering: .relaxed) else { return }
        if !hungry.exchange(true, ordering: .acquiringAndReleasing) { feed(self) }
    }

    private func offset(of segment: Int) -> Int { FlightLayout.head + segment * segmentBytes }

    private static func word(_ segment: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>>
    {
        unsafe (segment + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // MARK: The vault's thread

    /// Makes the file and maps it; 0, or the `errno` of what failed.
    func prepare(path: String) -> Int32 {
        self.path = path
        descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return errno }
        guard ftruncate(descriptor, fileBytes) == 0 else { return errno }
        let status = posix_fallocate(descriptor, 0, FlightLayout.head)
        guard status == 0 else { return status }
        let failure = WholeFile.write(FlightLayout.header(segmentBytes: segmentBytes, room: room), to: descriptor)
        guard failure == 0 else { return failure }
        let mapped = unsafe mmap(nil, fileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { return errno }
        unsafe base = mapped
        return 0
    }

    /// The ring may be used from now on.
    func open() { ready.store(true, ordering: .releasing) }

    /// Allocates what the room is about to need, as long as `take` allows it, which is asked for each step. False when it did
    /// not: the segments stay as they are until it is tried again.
    func grow(_ take: (_ bytes: Int) -> Bool) -> Bool {
        guard let base = unsafe base else { return true }
        // Lowered first: what the room's thread asks for while this runs is not lost.
        hungry.store(false, ordering: .sequentiallyConsistent)
        let now = currentSegment.load(ordering: .acquiring)
        let following = (now + 1) % FlightLayout.segments
        var targets = [(following, max(FlightLayout.step, wanted.load(ordering: .relaxed)))]
        if now >= 0 {
            let used = unsafe Self.word(base + offset(of: now), FlightLayout.usedOffset).pointee.load(
                ordering: .acquiring)
            targets.insert((now, Int(used) + 2 * FlightLayout.step), at: 0)
        }
        for (index, target) in targets {
            while true {
                let allocated = segments[index].allocated.load(ordering: .relaxed)
                guard allocated < min(target, segmentBytes) else { break }
                let count = min(FlightLayout.step, segmentBytes - allocated)
                guard take(count) else { return stopGrowing() }
                let at = offset(of: index) + allocated
                guard posix_fallocate(descriptor, at, count) == 0 else {
                    _ = take(-count)
                    return stopGrowing()
                }
                // So that the room's thread has no page faults; where the kernel is too old it has.
                _ = unsafe madvise(base + at, count, 23)
                segments[index].allocated.store(allocated + count, ordering: .releasing)
            }
        }
        frozen.store(false, ordering: .relaxed)
        return true
    }

    private func stopGrowing() -> Bool {
        frozen.store(true, ordering: .relaxed)
        // Stays hungry, so that it does not ask with every packet.
        hungry.store(true, ordering: .relaxed)
        return false
    }

    /// How much memory the segments have, in bytes.
    var allocatedBytes: Int { segments.reduce(0) { $0 + $1.allocated.load(ordering: .relaxed) } }

    /// Copies what the segments hold, the oldest first, while the room goes on recording. One that is begun anew while it is
    /// copied is left out: it was the oldest.
    func copy() -> [[UInt8]] {
        guard let base = unsafe base else { return [] }
        var found: [(serial: UInt64, index: Int)] = []
        for index in 0..<FlightLayout.segments where segments[index].allocated.load(ordering: .acquiring) > 0 {
            let serial = unsafe Self.word(base + offset(of: index), FlightLayout.serialOffset).pointee.load(
                ordering: .sequentiallyConsistent)
            if serial > 0 { found.append((serial, index)) }
        }
        found.sort { $0.serial < $1.serial }
        var pieces: [[UInt8]] = []
        for (serial, index) in found {
            let segment = unsafe base + offset(of: index)
            let used = unsafe Int(Self.word(segment, FlightLayout.usedOffset).pointee.load(ordering: .acquiring))
            guard used > FlightLayout.segmentHead, used <= segmentBytes else { continue }
            let piece = unsafe [UInt8](
                UnsafeRawBufferPointer(
                    start: segment + FlightLayout.segmentHead, count: used - FlightLayout.segmentHead))
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            let after = unsafe Self.word(segment, FlightLayout.serialOffset).pointee.load(
                ordering: .sequentiallyConsistent)
            if after == serial { pieces.append(piece) }
        }
        return pieces
    }

    /// Gives everything back; the file is removed where it is not for others to find.
    func dispose(removingFile: Bool) {
        if let mapped = unsafe base { unsafe munmap(mapped, fileBytes) }
        unsafe base = nil
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        if removingFile, !path.isEmpty { unsafe unlink(path) }
    }
}
