// How loud people are whose packets do not say so: copies of those packets go through a bounded queue to a thread of its own, which decodes them;
// what does not fit is dropped, and what comes back comes late. Forwards nothing, and takes no lock on the worker's thread.
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

    private let shared: Shared
    private let thread: Lock<pthread_t?>

    /// Starts it. `notify` is called on it, once for as many levels as there are until `take`.
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

    /// Takes a copy of a packet's Opus; false where there is no place for it. Never waits, allocates nothing.
    func offer(_ packet: Span<UInt8>, of room: RoomKey, _ track: TrackID, timestamp: UInt32) -> Bool {
        shared.offer(packet, of: room, track, timestamp: timestamp)
    }

    /// Gives what was found, the oldest first.
    func take(_ body: (FoundLevel) -> Void) { shared.take(body) }

    /// What both threads see.
    @safe private final class Shared: @unchecked Sendable {
        // Unchecked: each index is written by one thread; places are the reader's before it, the writer's from it on.
        private struct Head {
            var room: RoomKey
            var track: TrackID
            var timestamp: UInt32
            var count: Int
        }
        let work = Semaphore()
        let isEnding = Atomic<Bool>(false)
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

        func offer(_ packet: Span<UInt8>, of room: RoomKey, _ track: TrackID, timestamp: UInt32) -> Bool {
            let number = offered.load(ordering: .relaxed)
            guard packet.count > 0, packet.count <= packetBytes,
                number - decoded.load(ordering: .acquiring) < places
            else { return false }
            let place = number % places
            unsafe heads[place] = Head(room: room, track: track, timestamp: timestamp, count: packet.count)
            unsafe packet.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                unsafe (bytes + place * packetBytes).copyMemory(from: base, byteCount: source.count)
            }
            offered.store(number + 1, ordering: .releasing)
            work.signal()
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
                if isEnding.load(ordering: .acquiring) { return }
                let number = decoded.load(ordering: .relaxed)
                guard number < offered.load(ordering: .acquiring) else { continue }
                let place = number % places
                if let head = unsafe heads[place] {
                    let packet = unsafe UnsafeRawBufferPointer(start: bytes + place * packetBytes, count: head.count)
                    let level = unsafe meters.measure(
                        packet, of: LevelMeters.Stream(room: head.room, track: head.track))
                    if let level {
                        tell(FoundLevel(room: head.room, track: head.track, timestamp: head.timestamp, level: level))
                    }
                }
                decoded.store(number + 1, ordering: .releasing)
            }
        }

        private func tell(_ level: FoundLevel) {
            let number = told.load(ordering: .relaxed)
            guard number - taken.load(ordering: .acquiring) < places else { return }
            unsafe found[number % places] = level
            told.store(number + 1, ordering: .sequentiallyConsistent)
            if !isNotified.exchange(true, ordering: .sequentiallyConsistent) { notify() }
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
    }

    /// The most streams; more are not measured.
    static let limit = 1_024
    /// A stream that brings nothing for so long has no decoder any more.
    static let idleNanoseconds: Int64 = 10_000_000_000

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
            nextSweep = now + Self.idleNanoseconds
        }
        let decoder: OpusLevelMeter
        if let known = meters[stream]?.decoder {
            decoder = known
            meters[stream]?.usedAt = now
        } else {
            guard meters.count < Self.limit, let made = try? OpusLevelMeter() else { return nil }
            decoder = made
            meters[stream] = Meter(decoder: made, usedAt: now)
        }
        guard let level = unsafe decoder.measure(packet) else { return nil }
        // A packet that does not tell is taken for a voice: its level and how that moves say the rest.
        return AudioLevel(isVoice: level.isVoice ?? true, level: level.decibelsBelowOverload)
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
        if levels.offer(opus, of: peer.room.key, sound.track, timestamp: sound.timestamp) {
            metrics.decodedLevels.add(1)
        } else {
            metrics.droppedLevels.add(1)
        }
    }

    /// Gives the rooms what was found.
    private func takeLevels() {
        levels?.take { found in
            guard let room = rooms[found.room] else { return }
            apply(.soundLevel(found.track, timestamp: found.timestamp, found.level), to: room)
        }
    }
}
