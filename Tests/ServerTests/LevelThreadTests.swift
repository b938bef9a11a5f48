// The thread that decodes for levels: what it finds, what it drops, whose decoder is whose.
import Codecs
import EventLoop
import Glibc
import TestSupport
import Testing
import WholeServers

@testable import MediaCore
@testable import Server

@Suite("Levels beside the media path")
struct LevelThreadTests {
    private static let room = RoomKey(serial: 4)
    private static func track(_ n: UInt32) throws -> TrackID {
        TrackID(peer: PeerID(n), mid: try #require(Mid("0")))
    }

    /// Offers a packet that never becomes old, or one that is old already.
    private func offer(
        _ packet: [UInt8], _ track: TrackID, to levels: LevelThread, at timestamp: UInt32, isOld: Bool = false
    ) -> Bool {
        levels.offer(
            packet.span, of: Self.room, track, timestamp: timestamp,
            at: isOld ? MonotonicClock.now - LevelThread.oldestAge : .max)
    }

    /// A thread that is held up when it tells for the first time, until it is let go.
    private final class HeldThread {
        let notified = Lock(0)
        private let isHeld = Semaphore(), goOn = Semaphore()
        let levels: LevelThread

        init() {
            levels = LevelThread { [notified, isHeld, goOn] in
                let count = notified.withLock { count in
                    count += 1
                    return count
                }
                guard count == 1 else { return }
                isHeld.signal()
                goOn.wait()
            }
        }

        func waitUntilHeld() { isHeld.wait() }
        func letGo() { goOn.signal() }

        /// The timestamps of so many levels.
        func timestamps(_ count: Int) -> [UInt32] {
            var found: [UInt32] = []
            _ = Deadline.wait(seconds: 20) {
                levels.take { found.append($0.timestamp) }
                return found.count >= count
            }
            return found
        }
    }

    /// Packets of a tone; amplitude by frame.
    private func tone(_ frames: Int, amplitude: (Int) -> Double) throws -> [[UInt8]] {
        let encoder = try OpusEncoder()
        return try (0..<frames).map { frame in
            try encoder.encode(
                (0..<960).map {
                    Int16(amplitude(frame) * sin(2 * Double.pi * 300 * Double(frame * 960 + $0) / 48_000))
                })
        }
    }

    @Test("levels are those of the sound, each with its stream and timestamp, in the order in which packets came")
    func found() throws {
        let notified = Lock(0)
        let levels = LevelThread { notified.withLock { $0 += 1 } }
        defer { levels.stop() }
        let loud = try tone(50) { _ in 8_000 }, quiet = try tone(50) { _ in 80 }
        let (one, two) = (try Self.track(1), try Self.track(2))
        for frame in 0..<50 {
            #expect(offer(loud[frame], one, to: levels, at: UInt32(frame)))
            #expect(offer(quiet[frame], two, to: levels, at: UInt32(frame) + 1_000))
        }
        var found: [FoundLevel] = []
        let isAll = Deadline.wait(seconds: 20) {
            levels.take { found.append($0) }
            return found.count == 100
        }
        #expect(isAll)
        #expect(found.filter { $0.track == one }.map(\.timestamp) == (0..<50).map { UInt32($0) })
        #expect(found.filter { $0.track == two }.map(\.timestamp) == (1_000..<1_050).map { UInt32($0) })
        // A sine of 8,000 of 32,768 is at −15 dBov, one of 80 at −55.
        for level in found.filter({ $0.track == one }).dropFirst(10) { #expect((13...17).contains(level.level.level)) }
        for level in found.filter({ $0.track == two }).dropFirst(10) { #expect((50...60).contains(level.level.level)) }
        #expect((1...100).contains(notified.withLock { $0 }))
        levels.take { _ in Issue.record("what was taken is not given again") }
    }

    @Test("what does not fit is refused: a packet too long or empty, and one too many while the thread is held up")
    func refused() throws {
        let held = HeldThread()
        let levels = held.levels
        defer { levels.stop() }
        let packets = try tone(4) { _ in 4_000 }
        let track = try Self.track(1)
        #expect(!offer([UInt8](), track, to: levels, at: 0))
        #expect(
            !offer([UInt8](repeating: 0, count: LevelThread.packetBytes + 1), track, to: levels, at: 0))
        #expect(offer(packets[0], track, to: levels, at: 0))
        held.waitUntilHeld()
        let all = UInt32(LevelThread.places)
        for number in 1...all { #expect(offer(packets[Int(number) % 4], track, to: levels, at: number)) }
        #expect(!offer(packets[0], track, to: levels, at: 9_999))
        #expect(held.timestamps(1) == [0])
        held.letGo()
        #expect(held.timestamps(LevelThread.places) == (1...all).map { $0 })
        #expect(offer(packets[0], track, to: levels, at: 1))
        #expect(levels.takeOutdated() == 0)
    }

    @Test("what waits together is decoded together, and told of once")
    func together() throws {
        let held = HeldThread()
        let levels = held.levels
        defer { levels.stop() }
        let packets = try tone(50) { _ in 4_000 }
        let track = try Self.track(1)
        #expect(offer(packets[0], track, to: levels, at: 0))
        held.waitUntilHeld()
        #expect(held.timestamps(1) == [0])
        for number in 1..<50 { #expect(offer(packets[number], track, to: levels, at: UInt32(number))) }
        held.letGo()
        #expect(held.timestamps(49) == (1..<50).map { UInt32($0) })
        #expect(held.notified.withLock { $0 } == 2)
    }

    @Test("what has become old is dropped and counted, and those behind it are not kept waiting")
    func outdated() throws {
        let held = HeldThread()
        let levels = held.levels
        defer { levels.stop() }
        let packets = try tone(20) { _ in 4_000 }
        let track = try Self.track(1)
        #expect(offer(packets[0], track, to: levels, at: 0))
        held.waitUntilHeld()
        #expect(held.timestamps(1) == [0])
        for number in 1..<20 {
            #expect(offer(packets[number], track, to: levels, at: UInt32(number), isOld: number < 15))
        }
        held.letGo()
        #expect(held.timestamps(5) == [15, 16, 17, 18, 19])
        #expect(levels.takeOutdated() == 14)
        #expect(levels.takeOutdated() == 0)
    }

    @Test("a packet behind a pause wakes the thread, again and again")
    func pauses() throws {
        let levels = LevelThread {}
        defer { levels.stop() }
        let packets = try tone(1) { _ in 4_000 }
        let track = try Self.track(1)
        for number in UInt32(0)..<40 {
            #expect(offer(packets[0], track, to: levels, at: number))
            var found: UInt32?
            #expect(
                Deadline.wait(seconds: 20) {
                    levels.take { found = $0.timestamp }
                    return found == number
                })
            // Longer than the interval, as long, and shorter.
            Pause.milliseconds(Int32(number % 4) * LevelThread.interval / 2)
        }
    }

    @Test("of somebody who is quiet each other packet is decoded, and at once one in which a voice begins")
    func quiet() throws {
        var meters = LevelMeters()
        let stream = LevelMeters.Stream(room: Self.room, track: try Self.track(1))
        func measure(_ packet: [UInt8]) -> AudioLevel? {
            packet.withUnsafeBytes { meters.measure($0, of: stream, at: 1) }
        }
        // A sine of 8 of 32,768 is at −75 dBov.
        let quiet = try tone(10) { _ in 8 }
        let loud = try #require(tone(20) { _ in 8_000 }.max { $0.count < $1.count })
        try #require(quiet.allSatisfy { loud.count > $0.count * 9 / 8 })
        // Code 3 with a frame count of none (RFC 6716 §3.2.5): it has no level where it is decoded.
        let none: [UInt8] = [3, 0]
        var last: AudioLevel?
        for packet in quiet { last = measure(packet) }
        #expect((70...80).contains(try #require(last).level))
        while measure(none) != nil {}
        for _ in 0..<3 {
            #expect(measure(none) == last, "passed over, it is as quiet as the last one")
            #expect(measure(none) == nil, "two behind each other are not passed over")
        }
        // The next would be passed over, but a voice begins.
        #expect(try #require(measure(loud)).level < 40)
        #expect(measure(none) == nil, "nobody is quiet any more")
    }

    @Test("a stream that stops gives its decoder back, one too many has none, and what is no Opus has no level")
    func meters() throws {
        var meters = LevelMeters()
        let packet = try #require(tone(1) { _ in 8_000 }.first)
        func measure(_ n: UInt32, at now: Int64) throws -> AudioLevel? {
            let stream = LevelMeters.Stream(room: Self.room, track: try Self.track(n))
            return packet.withUnsafeBytes { meters.measure($0, of: stream, at: now) }
        }
        for n in 0..<UInt32(LevelMeters.limit) { #expect(try measure(n, at: 1) != nil) }
        #expect(try measure(5_000, at: 2) == nil)
        #expect(meters.count == LevelMeters.limit)
        #expect(try measure(7, at: LevelMeters.idleNanoseconds) != nil)
        #expect(try measure(7, at: 2 * LevelMeters.idleNanoseconds) != nil)
        #expect(meters.count == 1)
        #expect(try measure(5_000, at: 2 * LevelMeters.idleNanoseconds) != nil)
        let stream = LevelMeters.Stream(room: Self.room, track: try Self.track(7))
        // Code 3 with a frame count of none (RFC 6716 §3.2.5).
        let none = [UInt8]([3, 0]).withUnsafeBytes { meters.measure($0, of: stream, at: 0) }
        #expect(none == nil)
    }
}
