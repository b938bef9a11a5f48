// How loud people are whose packets do not say so: copies of those packets go through a bounded queue to a thread of its own, which decodes them;
// what does not fit and what has become old is dropped, and what comes back comes late. Forwards nothing, and takes no lock on the worker's
// thread.
import Codecs
import EventLoop
import Glibc
import MediaCore
import Synchronization

/// What was found.
struct FoundLevel: Sendable, BitwiseCopyable {
    var room: RoomKey
    var track: TrackID
    /// The packet's RTP timestamp.
    var timestamp: UInt32
    var level: AudioLevel
}

/// The thread. `offer` and `take` are for one thread, the worker's.
final class LevelThread: Sendable {
    /// Packets that may wait: five of everybody in a room of fifty.
    static let places = 256
    /// The longest packet that is taken: what an Opus encoder makes of one frame (RFC 6716 §3.2.1).
    static let packetBytes = 1_275
    /// While packets come they are decoded together, so often, in milliseconds: waking the thread and the worker for each would cost as much
    /// as decoding it. The first behind a pause is decoded at once.
    static let interval: Int32 = 10
    /// A packet that has waited for so long, in nanoseconds, is not decoded any more: its level would come too late for anything but to delay
    /// those behind it.
    static let oldestAge: Int64 = 100_000_000

    private let shared: Shared
    private let thread: Lock<pthread_t?>

    /// Starts it. `notify` is called on it, once for as many levels as there are until `take`, and not before all that waits is decoded.
    init(notify: @escaping @Sendable () -> Void) {
        shared = Shared(notify)
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(shared)
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        if code != 0 { unsafe argument.release() }
        self.thread = Lock(code == 0 ? thread : nil)
    }

    deinit { stop() }

    /// Ends it, and waits for it.
    func stop() {
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let running else { return }
        shared.isEnding.store(true, ordering: .releasing)
        shared.work.signal()
        pthread_join(running, nil)
    }

    /// Takes a copy of a packet's Opus at `now`, of the monotonic clock; false where there is no place for it. Never waits, allocates nothing.
    func offer(_ packet: Span<UInt8>, of room: RoomKey, _ track: TrackID, timestamp: UInt32, at now: Int64) -> Bool {
        shared.offer(packet, of: room, track, timestamp: timestamp, at: now)
    }

    /// Gives what was found, the oldest first.
    func take(_ body: (FoundLevel) -> Void) { shared.take(body) }

    /// How many packets have been taken and become too old since the last call.
    func takeOutdated() -> Int { shared.outdated.exchange(0, ordering: .relaxed) }

    /// What both threads see.
    @safe private final class Shared: @unchecked Sendable {
        // Unchecked: each index is written by one thread; places are the reader's before it, the writer's from it on.
        private struct Head {
            var room: RoomKey
            var track: TrackID
            var timestamp: UInt32
            var count: Int
            var offeredAt: Int64
        }
        let work = Semaphore()
        let isEnding = Atomic<Bool>(false)
        let outdated = Atomic<Int>(0)
        /// Whether the thread waits for a signal.
        private let isIdle = Atomic<Bool>(true)
        private let notify: @Sendable () -> Void
        private let isNotified = Atomic<Bool>(false)
        private let heads: UnsafeMutablePointer<Head?>
        private let bytes: UnsafeMutableRawPointer
        private let found: UnsafeMutablePointer<FoundLevel?>
        private let offered = Atomic<Int>(0)
        private let decoded = Atomic<Int>(0)
        private let told = Atomic<Int>(0)
        private let taken = Atomic<Int>(0)
        private var meters = LevelMeters()

        init(_ notify: @escaping @Sendable () -> Void) {
            self.notify = notify
            unsafe heads = .allocate(capacity: places)
            unsafe heads.initialize(repeating: nil, count: places)
            unsafe bytes = .allocate(byteCount: places * packetBytes, alignment: 16)
            unsafe found = .allocate(capacity: places)
            unsafe found.initialize(repeating: nil, count: places)
        }

        deinit {
            unsafe heads.deallocate()
            unsafe bytes.deallocate()
            unsafe found.deallocate()
        }

        func offer(
            _ packet: Span<UInt8>, of room: RoomKey, _ track: TrackID, timestamp: UInt32, at now: Int64
        ) -> Bool {
            let number = offered.load(ordering: .relaxed)
            guard packet.count > 0, packet.count <= packetBytes,
                number - decoded.load(ordering: .acquiring) < places
            else { return false }
            let place = number % places
            unsafe heads[place] = Head(
                room: room, track: track, timestamp: timestamp, count: packet.count, offeredAt: now)
            unsafe packet.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                unsafe (bytes + place * packetBytes).copyMemory(from: base, byteCount: source.count)
            }
            offered.store(number + 1, ordering: .sequentiallyConsistent)
            guard isIdle.load(ordering: .sequentiallyConsistent) else { return true }
            if isIdle.exchange(false, ordering: .sequentiallyConsistent) { work.signal() }
            return true
        }

        func take(_ body: (FoundLevel) -> Void) {
            isNotified.store(false, ordering: .sequentiallyConsistent)
            var number = taken.load(ordering: .relaxed)
            while number < told.load(ordering: .sequentiallyConsistent) {
                if let level = unsafe found[number % places] { body(level) }
                number += 1
                taken.store(number, ordering: .releasing)
            }
        }

        func run() {
            while true {
                work.wait()
                while !isEnding.load(ordering: .acquiring) {
                    let count = decodeWaiting()
                    if count > 0 {
                        // One that is behind does not wait.
                        if count < places / 4 { unsafe poll(nil, 0, interval) }
                        continue
                    }
                    isIdle.store(true, ordering: .sequentiallyConsistent)
                    // What came in between has given no signal.
                    let isNothing = offered.load(ordering: .sequentiallyConsistent) == decoded.load(ordering: .relaxed)
                    if isNothing || !isIdle.exchange(false, ordering: .sequentiallyConsistent) { break }
                }
                if isEnding.load(ordering: .acquiring) { return }
            }
        }

        /// Decodes all that waits, and tells of it; how many packets it was.
        private func decodeWaiting() -> Int {
            let first = decoded.load(ordering: .relaxed)
            let end = offered.load(ordering: .acquiring)
            let oldest = MonotonicClock.now - oldestAge
            var hasFound = false
            for number in first..<end {
                let place = number % places
                if let head = unsafe heads[place] {
                    if head.offeredAt < oldest {
                        outdated.add(1, ordering: .relaxed)
                    } else {
                        hasFound = decode(head, at: place) || hasFound
                    }
                }
                decoded.store(number + 1, ordering: .releasing)
            }
            if hasFound, !isNotified.exchange(true, ordering: .sequentiallyConsistent) { notify() }
            return end - first
        }

        private func decode(_ head: Head, at place: Int) -> Bool {
            let packet = unsafe UnsafeRawBufferPointer(start: bytes + place * packetBytes, count: head.count)
            guard
                let level = unsafe meters.measure(packet, of: LevelMeters.Stream(room: head.room, track: head.track))
            else { return false }
            tell(FoundLevel(room: head.room, track: head.track, timestamp: head.timestamp, level: level))
            return true
        }

        private func tell(_ level: FoundLevel) {
            let number = told.load(ordering: .relaxed)
            guard number - taken.load(ordering: .acquiring) < places else {
                outdated.add(1, ordering: .relaxed)
                return
            }
            unsafe found[number % places] = level
            told.store(number + 1, ordering: .sequentiallyConsistent)
        }
    }
}

/// The decoders of the streams that are measured.
struct LevelMeters {
    /// One stream.
    struct Stream: Hashable {
        var room: RoomKey
        var track: TrackID
    }

    private struct Meter {
        let decoder: OpusLevelMeter
        var usedAt: Int64
        /// The last packet that was decoded, and the level of the one before.
        var last = AudioLevel(isVoice: true, level: 0)
        var bytes = 0
        var before: UInt8 = 0
        var hasPassedOver = false

        /// Whether a packet says nothing new: of somebody who has been quieter than speech for two packets each other one that is not longer
        /// than those is taken to be as quiet. An encoder spends more bytes where a voice begins.
        mutating func passesOver(_ count: Int) -> Bool {
            guard !hasPassedOver, min(last.level, before) > LevelMeters.loudestQuiet, count <= bytes + bytes / 8 else {
                hasPassedOver = false
                return false
            }
            hasPassedOver = true
            return true
        }
    }

    /// What is quieter than this, in −dBov, is no speech (`AudioLevelWindow`).
    static let loudestQuiet: UInt8 = 62

    /// The most streams; more are not measured.
    static let limit = 1_024
    /// A stream that brings nothing for so long has no decoder any more, which has 22 KiB: of people who come and go many would be left over.
    static let idleNanoseconds: Int64 = 2_000_000_000

    private var meters: [Stream: Meter] = [:]
    private var nextSweep: Int64 = 0

    /// How many streams have a decoder.
    var count: Int { meters.count }

    /// How loud the next packet of a stream is; nil for what is no Opus and for one stream too many.
    mutating func measure(
        _ packet: UnsafeRawBufferPointer, of stream: Stream, at now: Int64 = MonotonicClock.now
    ) -> AudioLevel? {
        if now >= nextSweep {
            meters = meters.filter { now - $0.value.usedAt < Self.idleNanoseconds }
            nextSweep = now + Self.idleNanoseconds / 2
        }
        var meter: Meter
        if let known = meters[stream] {
            meter = known
        } else {
            guard meters.count < Self.limit, let made = try? OpusLevelMeter() else { return nil }
            meter = Meter(decoder: made, usedAt: now)
        }
        meter.usedAt = now
        defer { meters[stream] = meter }
        if meter.passesOver(packet.count) { return meter.last }
        guard let level = unsafe meter.decoder.measure(packet) else { return nil }
        meter.before = meter.last.level
        meter.bytes = packet.count
        // A packet that does not tell is taken for a voice: its level and how that moves say the rest.
        meter.last = AudioLevel(isVoice: level.isVoice ?? true, level: level.decibelsBelowOverload)
        return meter.last
    }
}

extension MediaTurn {
    /// A packet was taken in that does not say how loud it is: it is decoded beside the media path, unless nobody may.
    func measure(_ sound: Egress.UnmeasuredSound, in packet: Span<UInt8>, from peer: MediaPeer) {
        guard settings.decodesLevels, !peer.isEncrypted, sound.offset + sound.count <= packet.count else { return }
        let levels =
            self.levels
            ?? LevelThread { [resume] in resume { turn in turn.takeLevels() } }
        self.levels = levels
        let opus = packet.extracting(sound.offset..<sound.offset + sound.count)
        if levels.offer(opus, of: peer.room.key, sound.track, timestamp: sound.timestamp, at: now.nanoseconds) {
            metrics.decodedLevels.add(1)
        } else {
            noteDroppedLevels(1)
        }
    }

    /// Counts packets that were not decoded in time, and says so, seldom, where they are many: who speaks is then found out late,
    /// or by the lengths of packets.
    private func noteDroppedLevels(_ count: Int) {
        guard count > 0 else { return }
        metrics.droppedLevels.add(count)
        lateLevels += count
        guard lateLevels >= Self.manyLateLevels else { return }
        let now = self.now
        guard lateLevelsToldAt.map({ now - $0 >= .seconds(60) }) ?? true else { return }
        log(
            .warning, "too slow to find out how loud people are whose clients do not say: who speaks is told late",
            ("packets", "\(lateLevels)"))
        lateLevels = 0
        lateLevelsToldAt = now
    }

    /// So many packets, four seconds of somebody's sound, are worth a word.
    private static let manyLateLevels = 200

    /// Gives the rooms what was found.
    private func takeLevels() {
        guard let levels else { return }
        levels.take { found in
            guard let room = rooms[found.room] else { return }
            apply(.soundLevel(found.track, timestamp: found.timestamp, found.level), to: room)
        }
        noteDroppedLevels(levels.takeOutdated())
    }
}
