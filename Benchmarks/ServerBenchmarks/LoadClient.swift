// A client under load: it sends a track's packets with a stamp at their end, counts and times what arrives by the stamps,
// and answers with the feedback that a browser sends.
import EventLoop
import Glibc
import MediaCore
import NativeClients
import Transport

/// What arrived at all clients. Confined to the clients' loop.
final class Arrivals {
    /// The round whose packets are counted; others are only forwarded.
    private(set) var round: UInt32 = 0
    /// The round that packets sent now belong to; zero for none.
    var stamp: UInt32 = 0
    /// Packets sent with the round's stamp.
    var sent = 0
    var packets = 0
    var bytes = 0
    /// Milliseconds from sending to arrival, counted in tenths; the last row holds all that took longer.
    private(set) var delays = [Int](repeating: 0, count: 5_001)

    func begin(_ round: UInt32) {
        self.round = round
        stamp = round
        sent = 0
        packets = 0
        bytes = 0
        for index in delays.indices { delays[index] = 0 }
    }

    func note(delay nanoseconds: Int64, bytes count: Int) {
        packets += 1
        bytes += count
        delays[min(max(0, Int(nanoseconds / 100_000)), delays.count - 1)] += 1
    }

    /// Milliseconds that this share of the packets took at most.
    func delay(_ share: Double) -> Double {
        var left = Int(Double(packets) * share)
        for (tenths, count) in delays.enumerated() {
            left -= count
            if left < 0 { return Double(tenths) / 10 }
        }
        return Double(delays.count) / 10
    }

    /// Packets that took longer.
    func later(thanMilliseconds limit: Int) -> Int { delays[min(limit * 10, delays.count - 1)...].reduce(0, +) }
}

/// One client. Everything but `init`, `join` and `close` is for the loop's thread.
final class LoadClient: NativeClientObserver, @unchecked Sendable {
    let native: NativeClient
    private let arrivals: Arrivals
    /// When its first RTP packet came, in monotonic nanoseconds.
    let firstPacket = Lock<Int64?>(nil)
    private var hasReceived = false

    private var sequence: [UInt16] = [0, 0]
    private var timestamp: [UInt32] = [0, 0]
    private var transportSequence: UInt16 = 0
    private var frames = 0
    private var buffer = [UInt8](repeating: 0, count: 2_048)

    private var receivedSource: UInt32 = 0
    /// What came since the last feedback, in the order in which it came, and the number of the next.
    private var arrived: [(sequence: SequenceNumber, at: Int64)] = []
    private var told: SequenceNumber?
    private var feedbackCount: UInt8 = 0
    private var feedback = [UInt8](repeating: 0, count: 1_400)

    /// The stamp at a payload's end: the round and the time of sending.
    private static let stampBytes = 12

    init(_ host: NativeClient.Host, _ server: ServerChild, _ user: String, _ arrivals: Arrivals) throws {
        native = try NativeClient(host, port: server.port, user: user, token: server.token(user))
        self.arrivals = arrivals
        native.observer = self
    }

    /// Joins and waits until media can flow.
    func join(_ media: NativeMedia) throws {
        try native.join(media: media)
        guard native.waitUntilConnected(seconds: 20) else { throw BenchmarkFailure("\(native.user) did not connect") }
    }

    // MARK: Sending

    /// One Opus packet with `payload` bytes, a speaker's: level −30 dBov with the voice bit.
    func sendAudio(payload: Int) {
        timestamp[0] &+= 960
        sendPacket(isVideo: false, marker: false, descriptor: [], payload: payload)
    }

    /// One VP8 frame of so many packets, the first a byte shorter, as browsers divide one; each thirtieth is a key frame.
    func sendFrame(packets: Int, payload: Int) {
        timestamp[1] &+= 3_000
        let isKey = frames % 30 == 0
        frames += 1
        let picture = UInt16(truncatingIfNeeded: frames) & 0x7fff
        for index in 0..<packets {
            let first = index == 0
            var descriptor: [UInt8] = [
                first ? 0x90 : 0x80, 0x80, 0x80 | UInt8(picture >> 8), UInt8(picture & 255),
            ]
            if first { descriptor += isKey ? [0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0] : [0x11, 2, 0] }
            sendPacket(
                isVideo: true, marker: index + 1 == packets, descriptor: descriptor,
                payload: payload - (first ? 1 : 0))
        }
    }

    private func sendPacket(isVideo: Bool, marker: Bool, descriptor: [UInt8], payload: Int) {
        guard let transport = native.transport else { return }
        let track = isVideo ? 1 : 0
        sequence[track] &+= 1
        transportSequence &+= 1
        var at = 0
        func put(_ value: UInt64, _ count: Int) {
            for index in 0..<count {
                buffer[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - index)))
            }
            at += count
        }
        put(0x90, 1)
        put((marker ? 0x80 : 0) | (isVideo ? 96 : 111), 1)
        put(UInt64(sequence[track]), 2)
        put(UInt64(timestamp[track]), 4)
        put(UInt64(isVideo ? native.videoSSRC : native.audioSSRC), 4)
        put(0xbede_0002, 4)
        // Audio level (1), transport-wide sequence number (3), padding.
        put(0x10, 1)
        put(0x80 | 30, 1)
        put(0x31, 1)
        put(UInt64(transportSequence), 2)
        put(0, 3)
        let end = at + payload
        for byte in descriptor { put(UInt64(byte), 1) }
        at = end - Self.stampBytes
        put(UInt64(arrivals.stamp), 4)
        put(UInt64(MonotonicClock.now), 8)
        let outcome = unsafe buffer.withUnsafeMutableBytes { unsafe transport.sendRTP($0, count: end) }
        if outcome == .sent, arrivals.stamp != 0 { arrivals.sent += 1 }
    }

    // MARK: Receiving

    func receivedRTP(_ packet: UnsafeRawBufferPointer) {
        let now = MonotonicClock.now
        if !hasReceived {
            hasReceived = true
            firstPacket.withLock { $0 = now }
        }
        guard packet.count >= 40 else { return }
        unsafe noteTransportSequence(packet, at: now)
        // Behind the stamp there may be padding.
        let padding = unsafe packet[0] & 0x20 != 0 ? Int(packet[packet.count - 1]) : 0
        let stamp = packet.count - padding - Self.stampBytes
        guard stamp >= 12 else { return }
        let round = unsafe UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: stamp, as: UInt32.self))
        guard round != 0, round == arrivals.round else { return }
        let sentAt = unsafe UInt64(bigEndian: packet.loadUnaligned(fromByteOffset: stamp + 4, as: UInt64.self))
        arrivals.note(delay: now - Int64(clamping: sentAt), bytes: packet.count)
    }

    func receivedRTCP(_ packet: UnsafeRawBufferPointer) {}

    private func noteTransportSequence(_ packet: UnsafeRawBufferPointer, at now: Int64) {
        unsafe receivedSource = UInt32(bigEndian: packet.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        var at = unsafe 12 + 4 * Int(packet[0] & 15)
        guard unsafe packet[0] & 0x10 != 0, at + 4 <= packet.count, unsafe packet[at] == 0xbe else { return }
        let end = unsafe at + 4 + 4 * (Int(packet[at + 2]) << 8 | Int(packet[at + 3]))
        at += 4
        while at < min(end, packet.count - 2) {
            let byte = unsafe packet[at]
            if byte == 0 {
                at += 1
                continue
            }
            if byte >> 4 == 3 {
                let number = unsafe UInt16(packet[at + 1]) << 8 | UInt16(packet[at + 2])
                arrived.append((SequenceNumber(number), now))
                return
            }
            at += 2 + Int(byte & 15)
        }
    }

    // MARK: Feedback

    /// A receiver report and, where packets came, transport-wide feedback on when they did, as a browser sends every 100 ms.
    func sendFeedback() {
        guard let transport = native.transport, !arrived.isEmpty else { return }
        arrived.sort { $1.sequence.distance(from: $0.sequence) > 0 }
        var message = TransportFeedbackBuilder(
            sender: SSRC(native.audioSSRC), media: SSRC(receivedSource), base: told ?? arrived[0].sequence,
            feedbackCount: feedbackCount)
        for packet in arrived {
            guard message.add(packet.sequence, arrival: Timestamp(nanoseconds: packet.at)) else { continue }
        }
        told = message.nextSequence
        feedbackCount &+= 1
        arrived.removeAll(keepingCapacity: true)
        // An empty receiver report, and the feedback behind it.
        for (place, byte) in [0x80, 201, 0, 1].enumerated() { feedback[place] = UInt8(byte) }
        for place in 0..<4 { feedback[4 + place] = UInt8(native.audioSSRC >> UInt32(24 - 8 * place) & 255) }
        var writer = CompoundWriter(at: 8, limit: 1_200)
        var span = feedback.mutableSpan
        guard writer.appendTransportFeedback(message, into: &span) else { return }
        let length = 8 + writer.length
        _ = unsafe feedback.withUnsafeMutableBytes { unsafe transport.sendRTCP($0, count: length) }
    }
}
