// A bot's way into a Majlis room: WebSocket, hello, join with an offer, the answer into the transport, acknowledgements, layers.
import EventLoop
import Signalling
import Transport

/// One session of the protocol, on a loop.
final class MajlisSession: BotSession, WebSocketLinkDelegate {
    private unowned let bot: Bot
    private let place: ServerPlace
    private let token: String
    private var link: WebSocketLink?
    private var transport: DirectTransport?
    private var isJoined = false
    private var lastCommand: UInt64 = 0
    private var lastSeq: UInt64 = 0
    private var acknowledged: UInt64 = 0
    private var acknowledgedAt: Int64 = 0
    /// What it was told of the room, where it follows it.
    private(set) var room = FollowedRoom()

    init(_ bot: Bot, at place: ServerPlace, token: String) {
        self.bot = bot
        self.place = place
        self.token = token
    }

    func begin() {
        let link = WebSocketLink(on: bot.host.loop, place, subprotocol: "majlis.v1")
        guard link.isAlive else { return bot.fail("no connection to \(place.host):\(place.port)") }
        link.delegate = self
        self.link = link
    }

    func close() {
        link?.delegate = nil
        if transport != nil { command(.leave) }
        link?.close()
        link = nil
    }

    func linkOpened() {
        send(ClientFrame(id: CommandID(0), .hello(.init(token: token, device: "bot", client: "majlis load"))))
    }

    func linkClosed(_ reason: String) { bot.fail(reason) }

    private func send(_ frame: ClientFrame) { if let text = frame.text { link?.send(text) } }

    private func command(_ command: ClientCommand) {
        lastCommand += 1
        acknowledged = lastSeq
        send(ClientFrame(id: CommandID(lastCommand), ack: lastSeq, .command(command)))
    }

    /// The messages that a bot acts upon; of the others only the number counts, and reading it alone costs little.
    private static let interesting = [
        "welcome", "joined", "candidate", "error", "layers", "serverShutdown",
    ].map { Array("\"type\":\"\($0)\"".utf8) }
    private static let followed = ["participantJoined", "participantLeft", "speakers"].map {
        Array("\"type\":\"\($0)\"".utf8)
    }

    func linkReceived(_ message: [UInt8]) {
        lastSeq = max(lastSeq, Self.number(after: Array("\"seq\":".utf8), in: message))
        if Self.interesting.contains(where: { message.place(of: $0) != nil }),
            let frame = try? ServerFrame(parsing: message)
        {
            act(on: frame.message)
        }
        if bot.profile.follows { follow(message) }
        let now = MonotonicClock.now
        if lastSeq >= acknowledged + 40 || (lastSeq > acknowledged && now - acknowledgedAt > 5_000_000_000) {
            acknowledged = lastSeq
            acknowledgedAt = now
            send(ClientFrame(ack: lastSeq, .ack))
        }
    }

    private func follow(_ message: [UInt8]) {
        room.note(version: Self.number(after: Array("\"version\":".utf8), in: message))
        guard Self.followed.contains(where: { message.place(of: $0) != nil }),
            let frame = try? ServerFrame(parsing: message)
        else { return }
        room.take(frame.message, at: bot.host.talkedMilliseconds)
    }

    private static func number(after key: [UInt8], in message: [UInt8]) -> UInt64 {
        guard let found = message.place(of: key) else { return 0 }
        var value: UInt64 = 0
        for byte in message[(found + key.count)...] {
            guard (48...57).contains(byte), value < 1 << 56 else { break }
            value = value * 10 + UInt64(byte - 48)
        }
        return value
    }

    private func act(on message: ServerMessage) {
        switch message {
        case .welcome: join()
        case .joined(let joined): connect(joined)
        case .candidate(let candidate): transport?.add(candidate.candidate)
        case .error(let error): if !isJoined || error.isFatal { bot.fail(error.message) }
        case .layers(let layers):
            for encoding in layers.encodings { bot.setLayer(rid: encoding.rid, isActive: encoding.active) }
        case .serverShutdown: bot.fail("the server shuts down")
        default: break
        }
    }

    private func join() {
        guard let link else { return }
        let transport: DirectTransport
        do throws(DirectTransport.Failure) {
            transport = try DirectTransport(context: bot.host.context, localAddress: link.localAddress)
        } catch {
            return bot.fail("no UDP socket: \(error)")
        }
        self.transport = transport
        bot.attach(transport, sends: true, receives: true)
        let sections = bot.sections()
        let offer = BotDescription.text(
            sections, ufrag: transport.ufrag, password: transport.password,
            fingerprint: transport.fingerprint.value, candidate: transport.candidate, setup: "actpass")
        let tracks = sections.filter { $0.direction == "sendonly" }.map { section in
            ClientCommand.Track(
                mid: section.mid, source: section.kind == .audio ? .microphone : .camera,
                muted: section.kind == .audio ? bot.profile.isMuted : nil)
        }
        command(
            .join(
                .init(
                    room: bot.profile.room, offer: .init(type: .offer, sdp: offer), tracks: tracks,
                    name: bot.profile.user)))
    }

    private func connect(_ joined: ServerMessage.Joined) {
        isJoined = true
        room.join(joined)
        guard let transport, let described = DescribedTransport(joined.answer.sdp) else {
            return bot.fail("the answer cannot be read")
        }
        if let refused = joined.refused.first { return bot.fail("a section was refused: \(refused.reason)") }
        do throws(TransportError) {
            try transport.connect(
                ufrag: described.ufrag, password: described.password, fingerprints: described.fingerprints,
                candidates: described.candidates, role: described.isActive ? .server : .client,
                at: MonotonicClock.now)
        } catch {
            return bot.fail("\(error)")
        }
        if let height = bot.profile.wantedHeight {
            let wishes = joined.slots.filter { $0.kind == .video }.map { slot in
                ClientCommand.Subscribe.Wish(mid: slot.mid, wantedHeight: height)
            }
            if !wishes.isEmpty { command(.subscribe(.init(slots: wishes))) }
        }
    }
}
