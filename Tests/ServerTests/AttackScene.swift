// What attacks have in common: a server with a speaker and a watcher whose media must go on, and what the process holds.
import Bots
import EventLoop
import Glibc
import Server
import Signalling
import Synchronization
import TestSupport
import Testing
import WholeServers

@testable import Transport

/// A server, a speaker who sends audio each 20 ms, and a watcher of whom nothing may be kept.
final class AttackScene: @unchecked Sendable {
    let port: Int
    /// The server, when it is a process of its own.
    let child: ChildServer?
    private let server: TestServer?
    let host: NativeClient.Host
    let speaker: NativeClient
    let watcher: NativeClient
    private let isOver = Atomic(false)
    private let sent = Atomic(0)
    private let finished = Pause.Flag()

    convenience init(_ change: (inout Configuration) -> Void = { _ in }) throws {
        try self.init(server: TestServer(change), child: nil)
    }

    convenience init(child options: [String]) throws { try self.init(server: nil, child: ChildServer(options)) }

    private init(server: TestServer?, child: ChildServer?) throws {
        self.server = server
        self.child = child
        port = server?.port ?? child?.port ?? 0
        host = try NativeClient.Host()
        speaker = try NativeClient(host, port: port, user: "amina", token: TestServer.token("amina"))
        watcher = try NativeClient(host, port: port, user: "budi", token: TestServer.token("budi"))
        try speaker.join()
        try watcher.join()
        try #require(speaker.waitUntilConnected() && watcher.waitUntilConnected())
        let thread = ThreadStart { [self] in
            while !isOver.load(ordering: .relaxed) {
                let number = sent.wrappingAdd(1, ordering: .relaxed).newValue
                speaker.send(
                    audio: true, timestamp: UInt32(number) &* 960, payload: [UInt8](repeating: 7, count: 80))
                Pause.milliseconds(20)
            }
            finished.raise()
        }
        thread.start()
        try #require(Deadline.wait(seconds: 10) { audio.count > 5 })
    }

    /// The speaker's packets at the watcher: number and time.
    private var audio: [(number: UInt16, time: Int64)] {
        let number = speaker.joined?.participant.number ?? 0
        return watcher.received.withLock { received in
            zip(received.rtp, received.times).compactMap { packet, time in
                guard packet.count > 16, packet[0] & 15 == 1,
                    packet[12..<16].reduce(UInt32(0), { $0 << 8 | UInt32($1) }) == number
                else { return nil }
                return (UInt16(packet[2]) << 8 | UInt16(packet[3]), time)
            }
        }
    }

    /// A silence that is no longer the machine's, busy with other things, but the server's: in nanoseconds. A path
    /// would be doubted after ten seconds.
    static let longestSilence: Int64 = 8_000_000_000

    /// Does something bad, and looks at what the watcher noticed: no packet lost, no silence, the session as before.
    func attack(
        losingNothing: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) throws {
        watcher.received.withLock {
            $0.rtp = []
            $0.times = []
        }
        let began = MonotonicClock.now
        try body()
        let before = audio.count
        #expect(
            Deadline.wait(seconds: 10) { audio.count > before + 5 }, "the media has ended",
            sourceLocation: sourceLocation)
        let heard = audio
        let numbers = Set(heard.map(\.number))
        let first = heard.map(\.number).min { Int16(bitPattern: $0 &- $1) < 0 } ?? 0
        let last = heard.map(\.number).max { Int16(bitPattern: $0 &- $1) < 0 } ?? 0
        if losingNothing {
            #expect(numbers.count == Int(last &- first) + 1, "packets were lost", sourceLocation: sourceLocation)
        }
        var silence: Int64 = 0
        for (earlier, later) in zip([began] + heard.map(\.time), heard.map(\.time)) {
            silence = max(silence, later - earlier)
        }
        #expect(
            silence < Self.longestSilence, "\(silence / 1_000_000) ms of silence", sourceLocation: sourceLocation)
        guard case .ok = try watcher.signalling.ask(.iceRestart) else {
            Issue.record("the watcher's session is disturbed", sourceLocation: sourceLocation)
            return
        }
        watcher.signalling.acknowledge()
        speaker.signalling.acknowledge()
    }

    func stop() {
        isOver.store(true, ordering: .relaxed)
        finished.wait()
        speaker.close()
        watcher.close()
        host.stop()
        server?.stop()
        if let child { #expect(child.stop() == 0, "the server did not end cleanly: \(child.logged.suffix(300))") }
    }
}

/// A thread that runs a closure.
private final class ThreadStart {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context)
        precondition(status == 0, "a test can have a thread")
        pthread_detach(thread)
    }
}

extension NativeClient {
    /// Protects bytes as an RTP packet and sends them.
    func send(rtp packets: [[UInt8]]) {
        loop.run { [self] in
            for packet in packets {
                var room = packet + [UInt8](repeating: 0, count: 160)
                room.withUnsafeMutableBytes { _ = endpoint?.transport?.sendRTP($0, count: packet.count) }
            }
        }
    }

    /// Protects bytes as an RTCP packet and sends them.
    func send(rtcp packets: [[UInt8]]) {
        loop.run { [self] in
            for packet in packets {
                var room = packet + [UInt8](repeating: 0, count: 160)
                room.withUnsafeMutableBytes { _ = endpoint?.transport?.sendRTCP($0, count: packet.count) }
            }
        }
    }

    /// Sends bytes as they are from the validated address.
    func send(plain packets: [[UInt8]]) {
        loop.run { [self] in
            for packet in packets { endpoint?.transport?.sendUnprotected(packet) }
        }
    }
}

/// Chance that a failing run can repeat.
struct TestChance: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
