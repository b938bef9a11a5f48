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

    private func offer(_ packet: [UInt8], _ track: TrackID, to levels: LevelThread, at timestamp: UInt32) -> Bool {
        levels.offer(packet.span, of: Self.room, track, timestamp: timestamp)
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
        let isHeld = Semaphore(), goOn = Semaphore()
        let isFirst = Lock(true)
        let levels = LevelThread {
            let isHolding = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            guard isHolding else { return }
            isHeld.signal()
            goOn.wait()
        }
        defer { levels.stop() }
        let packets = try tone(4) { _ in 4_000 }
        let track = try Self.track(1)
        #expect(!offer([UInt8](), track, to: levels, at: 0))
        #expect(
            !offer([UInt8](repeating: 0, count: LevelThread.packetBytes + 1), track, to: levels, at: 0))
        #expect(offer(packets[0], track, to: levels, at: 0))
        isHeld.wait()
        // The one that holds it up has its place still.
        for number in 1..<LevelThread.places {
            #expect(offer(packets[number % 4], track, to: levels, at: UInt32(number)))
        }
        #expect(!offer(packets[0], track, to: levels, at: 9_999))
        goOn.signal()
        var timestamps: [UInt32] = []
        let isAll = Deadline.wait(seconds: 20) {
            levels.take { timestamps.append($0.timestamp) }
            return timestamps.count >= LevelThread.places
        }
        #expect(isAll && timestamps == (0..<UInt32(LevelThread.places)).map { $0 })
        #expect(offer(packets[0], track, to: levels, at: 1))
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
