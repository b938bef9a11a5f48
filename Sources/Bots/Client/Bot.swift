// One bot: it talks and films by the clock, receives, and tells its tally. How it gets into a room is its session's affair. For its
// host's loop alone.
import EventLoop
import MediaCore
import Transport

/// What a person is in a run.
package struct BotProfile: Sendable {
    /// The number in the run, which is in the stamps.
    package var number: Int
    package var user: String
    package var room: String
    package var publishesSound = true
    /// Whether the microphone is muted: no packets, whatever the schedule says.
    package var isMuted = false
    /// Whether packets of sound say how loud they are (RFC 6464).
    package var sendsLevels = true
    /// Whether it keeps what it is told of its room.
    package var follows = false
    /// How many sizes the camera sends; 0 for no camera.
    package var cameraLayers = 0
    package var audioSlots = 4
    package var videoSlots = 0
    /// The height that it wants of what it sees; nil for all that there is.
    package var wantedHeight: UInt16?
    package var attention = Attention()

    package init(number: Int, user: String, room: String) {
        (self.number, self.user, self.room) = (number, user, room)
    }
}

/// Gets a bot into a room and out of it. For the loop's own thread.
protocol BotSession: AnyObject {
    func begin()
    func close()
    /// A second has passed.
    func advance(at now: Int64)
}

extension BotSession {
    func advance(at now: Int64) {}
}

/// A transport of a bot, and which of its two directions it is for.
final class BotLeg: DirectTransportDelegate {
    let transport: DirectTransport
    private unowned let bot: Bot

    init(_ transport: DirectTransport, _ bot: Bot) {
        self.transport = transport
        self.bot = bot
        transport.delegate = self
    }

    func wantsPayload(of packet: UnsafeRawBufferPointer, arrival: Int64) -> Bool {
        unsafe bot.wantsPayload(of: packet, arrival: arrival)
    }
    func receivedRTP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64) {
        unsafe bot.received(UnsafeRawBufferPointer(packet), arrival: arrival)
    }
    func receivedRTCP(_ packet: UnsafeMutableRawBufferPointer, arrival: Int64) {
        unsafe bot.receivedControl(UnsafeRawBufferPointer(packet))
    }
    func transportConnected() { bot.legConnected() }
    func transportFailed(_ reason: String) { bot.fail(reason) }
}

/// One bot.
final class Bot {
    enum Phase { case idle, joining, connected, over }

    let profile: BotProfile
    unowned let host: BotHost
    private(set) var phase = Phase.idle
    var session: (any BotSession)?
    /// The transports: one of both directions, or a sending and a receiving one.
    private(set) var legs: [BotLeg] = []
    /// How many of them it needs.
    var legsWanted = 1
    private var sendLeg: BotLeg?
    private var receiveLeg: BotLeg?

    var microphone = SentStream(payloadType: BotExtensions.opus, mid: "0")
    var layers: [SentStream] = []
    private var sender = MediaSender()
    private var receiver: MediaReceiver
    private var talk: TalkCursor
    private let voice: Voice
    private var began: Int64 = 0
    private var hasReceived = false
    private var filmed = 0

    init(_ profile: BotProfile, on host: BotHost, voice: Voice, turns: [TalkTurn]) {
        self.profile = profile
        self.host = host
        self.voice = voice
        talk = TalkCursor(turns)
        receiver = MediaReceiver(profile.attention)
        if profile.cameraLayers > 0, let camera = host.camera {
            let mid = profile.publishesSound ? "1" : "0"
            layers = camera.layers.map { SentStream(payloadType: BotExtensions.vp8, mid: mid, rid: $0.rid) }
        }
    }

    /// Its media sections, in order, by mid from 0: what it sends, its audio slots, its video slots.
    func sections(receiving: Bool = true, sending: Bool = true) -> [BotSection] {
        var made: [BotSection] = []
        func add(_ kind: BotSection.Kind, _ direction: String, ssrc: UInt32? = nil, rids: [String] = []) {
            made.append(
                BotSection(
                    kind: kind, mid: String(made.count), direction: direction, ssrc: ssrc, rids: rids,
                    hasLevels: profile.sendsLevels))
        }
        if sending, profile.publishesSound { add(.audio, "sendonly", ssrc: microphone.ssrc.rawValue) }
        if sending, let first = layers.first {
            let rids = layers.count > 1 ? (host.camera?.layers.map(\.rid) ?? []) : []
            add(.video, "sendonly", ssrc: rids.isEmpty ? first.ssrc.rawValue : nil, rids: rids)
        }
        if receiving {
            for _ in 0..<profile.audioSlots { add(.audio, "recvonly") }
            for _ in 0..<profile.videoSlots { add(.video, "recvonly") }
        }
        return made
    }

    // MARK: Life

    func begin() {
        guard phase == .idle else { return }
        phase = .joining
        began = WallClock.now
        host.tally.begun += 1
        session?.begin()
    }

    /// Takes a transport in; the session makes it.
    func attach(_ transport: DirectTransport, sends: Bool, receives: Bool) {
        let leg = BotLeg(transport, self)
        legs.append(leg)
        if sends { sendLeg = leg }
        if receives { receiveLeg = leg }
    }

    func legConnected() {
        guard phase == .joining, legs.count == legsWanted, legs.allSatisfy(\.transport.isConnected) else { return }
        phase = .connected
        host.tally.connected += 1
        host.tally.connectTimes.append(Double(WallClock.now - began) / 1e6)
    }

    func fail(_ reason: String) {
        guard phase != .over else { return }
        if phase == .connected { host.tally.connected -= 1 }
        host.tally.failed += 1
        host.tally.failures[reason, default: 0] += 1
        finish()
    }

    /// Ends it, in good order.
    func close() {
        guard phase != .over else { return }
        finish()
    }

    private func finish() {
        phase = .over
        session?.close()
        for leg in legs { leg.transport.close() }
    }

    // MARK: Sending

    /// 20 ms have passed.
    func speak(at milliseconds: Int, wall: Int64) {
        guard phase == .connected, let leg = sendLeg else { return }
        if profile.publishesSound, !profile.isMuted {
            let now = talk.advance(to: milliseconds)
            let clip = voice[now.sound]
            let index = now.place % clip.packets.count
            let level = now.sound == .quiet ? 127 : clip.levels[index]
            microphone.timestamp &+= 960
            // A detector of voice takes a cough for one, and a fan for none.
            let isVoice = now.sound != .quiet && now.sound != .noise && level < 60
            sender.sendSound(
                clip.packets[index], level: profile.sendsLevels ? AudioLevel(isVoice: isVoice, level: level) : nil,
                marker: now.place == 0 && now.sound != .quiet,
                stamp: Stamp(
                    sender: UInt16(truncatingIfNeeded: profile.number), turn: UInt16(truncatingIfNeeded: now.turn),
                    place: UInt16(clamping: now.place), sound: now.sound, sentAt: wall),
                on: &microphone, over: leg.transport)
            settle()
        }
    }

    private func settle() {
        host.tally.sent += sender.sent - counted.sent
        host.tally.refused += sender.refused - counted.refused
        counted = (sender.sent, sender.refused)
    }
    private var counted = (sent: 0, refused: 0)

    /// A thirtieth of a second has passed.
    func film(wall: Int64) {
        guard phase == .connected, let leg = sendLeg, let camera = host.camera, host.isTalking else { return }
        for index in layers.indices {
            layers[index].timestamp &+= 3_000
            guard !layers[index].isStopped else { continue }
            let frames = camera.layers[index].frames
            let frame = frames[layers[index].frame % frames.count]
            layers[index].frame = (layers[index].frame + 1) % frames.count
            let stamp = Stamp(
                sender: UInt16(truncatingIfNeeded: profile.number), turn: UInt16(index),
                place: UInt16(truncatingIfNeeded: filmed), sound: .quiet, sentAt: wall)
            sender.sendFrame(frame, stamp: stamp, on: &layers[index], over: leg.transport)
        }
        filmed += 1
        settle()
    }

    /// Starts or stops a layer, as the server says (`layers`).
    func setLayer(rid: String, isActive: Bool) {
        guard let index = host.camera?.layers.firstIndex(where: { $0.rid == rid }), index < layers.count else { return }
        if isActive, layers[index].isStopped { layers[index].frame = 0 }
        layers[index].isStopped = !isActive
    }

    // MARK: Receiving

    func wantsPayload(of packet: UnsafeRawBufferPointer, arrival: Int64) -> Bool {
        if !hasReceived {
            hasReceived = true
            host.tally.mediaTimes.append(Double((arrival > 0 ? arrival : WallClock.now) - began) / 1e6)
        }
        return unsafe receiver.note(packet, arrival: arrival, into: &host.tally)
    }

    func received(_ packet: UnsafeRawBufferPointer, arrival: Int64) {
        unsafe receiver.take(packet, arrival: arrival, into: &host.tally)
    }

    func receivedControl(_ packet: UnsafeRawBufferPointer) {
        let span = unsafe Span<UInt8>(_unsafeBytes: packet)
        guard !layers.isEmpty, var reader = CompoundReader(span) else { return }
        while let part = reader.next(span) {
            if let wish = PictureLossIndication(span, part) { restart(wish.media) }
            if var wishes = FullIntraRequest(span, part) {
                while let wish = wishes.next(span) { restart(wish.ssrc) }
            }
        }
    }

    /// A key frame is wanted: the row from its beginning.
    private func restart(_ ssrc: SSRC) {
        if let index = layers.firstIndex(where: { $0.ssrc == ssrc }) { layers[index].frame = 0 }
    }

    func play() { if profile.attention.decodes { receiver.play(into: &host.tally) } }

    /// 100 ms have passed; each tenth time reports go too.
    func sendFeedback(withReports: Bool, now: Int64, wall: Int64) {
        if withReports { session?.advance(at: now) }
        guard phase == .connected else { return }
        if let leg = receiveLeg {
            receiver.sendArrivals(over: leg.transport)
            receiver.requestKeyFrames(at: now, over: leg.transport, into: &host.tally)
            if withReports { receiver.sendReports(over: leg.transport) }
        }
        if withReports, let leg = sendLeg {
            sender.sendReports(of: [microphone] + layers, wall: wall, cname: "bot", over: leg.transport)
        }
    }

    /// Packets missing by their numbers.
    var lost: Int { receiver.lost }
    /// Packets of speech that were heard.
    var voiced: Int { receiver.streams.reduce(0) { $0 + ($1.ear?.voiced ?? 0) } }
    /// What was heard of the beginnings of turns.
    var beginnings: [HeardTurn: UInt8] {
        receiver.streams.reduce(into: [:]) { all, stream in
            if let ear = stream.ear { all.merge(ear.beginnings) { $0 | $1 } }
        }
    }
    /// How the beginnings of turns sounded.
    var sounds: [HeardTurn: [Int16]] {
        receiver.streams.reduce(into: [:]) { all, stream in
            // A turn that moved to another slot: the one that has more of it.
            if let ear = stream.ear {
                all.merge(ear.sounds) { a, b in a.count { $0 != 0 } >= b.count { $0 != 0 } ? a : b }
            }
        }
    }
}

/// Where somebody is in their turns.
struct TalkCursor {
    private let turns: [TalkTurn]
    private var next = 0
    private var current = -1
    private var place = 0

    init(_ turns: [TalkTurn]) { self.turns = turns }

    /// What is said in the 20 ms that begin then.
    mutating func advance(to milliseconds: Int) -> (sound: Sound, turn: Int, place: Int) {
        while next < turns.count, turns[next].end <= milliseconds { next += 1 }
        guard next < turns.count, turns[next].start <= milliseconds else {
            place = current == -2 ? place + 1 : 0
            current = -2
            return (.quiet, next, place)
        }
        place = current == next ? place + 1 : 0
        current = next
        return (turns[next].sound, next, place)
    }
}
