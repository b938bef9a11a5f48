// A bot's way into a Janus videoroom: one publishing and one subscribing peer connection over the WebSocket API, so that another
// server can be measured with the same bots. Everybody subscribes once, when all who publish are there.
import EventLoop
import Transport

/// Who publishes in a room, so that each can subscribe to all others at once. For the loop's own thread.
final class JanusRoom {
    /// The room's number.
    let number: Int
    private var awaited: Int
    private var waiting: [JanusSession] = []
    private(set) var feeds: [Int] = []

    init(number: Int, publishers: Int) {
        self.number = number
        awaited = publishers
    }

    /// Calls `session` when everybody who was awaited is there.
    func whenFilled(_ session: JanusSession) {
        waiting.append(session)
        check()
    }

    /// Somebody publishes, or failed to (nil).
    func arrived(_ feed: Int?) {
        awaited -= 1
        if let feed { feeds.append(feed) }
        check()
    }

    private func check() {
        guard awaited <= 0 else { return }
        let ready = waiting
        waiting = []
        for session in ready { session.subscribe() }
    }
}

/// One session.
final class JanusSession: BotSession, WebSocketLinkDelegate {
    /// What an answer is the answer to.
    private enum Step: String { case create, attach, createRoom, join, publish, attachSubscriber, subscribe, start }

    private unowned let bot: Bot
    private let place: ServerPlace
    private let room: JanusRoom
    private var link: WebSocketLink?
    private var session: UInt64 = 0
    private var publisher: UInt64 = 0
    private var subscriber: UInt64 = 0
    private var sending: DirectTransport?
    private var receiving: DirectTransport?
    private var keptAlive: Int64 = 0
    private var hasArrived = false
    private var isOver = false

    init(_ bot: Bot, at place: ServerPlace, room: JanusRoom) {
        self.bot = bot
        self.place = place
        self.room = room
        bot.legsWanted = (sends ? 1 : 0) + 1
    }

    private var sends: Bool { bot.profile.publishesSound || bot.profile.cameraLayers > 0 }
    private var feed: Int { bot.profile.number + 1 }

    func begin() {
        let link = WebSocketLink(on: bot.host.loop, place, subprotocol: "janus-protocol")
        guard link.isAlive else { return bot.fail("no connection to \(place.host):\(place.port)") }
        link.delegate = self
        self.link = link
    }

    func close() {
        isOver = true
        if sends, !hasArrived {
            hasArrived = true
            room.arrived(nil)
        }
        link?.delegate = nil
        if session != 0 { link?.send("{\"janus\":\"destroy\",\"session_id\":\(session),\"transaction\":\"bye\"}") }
        link?.close()
        link = nil
    }

    func advance(at now: Int64) {
        guard session != 0, now - keptAlive > 20_000_000_000 else { return }
        keptAlive = now
        link?.send("{\"janus\":\"keepalive\",\"session_id\":\(session),\"transaction\":\"alive\"}")
    }

    func linkOpened() { send(.create, "\"janus\":\"create\"") }
    func linkClosed(_ reason: String) { bot.fail(reason) }

    private func send(_ step: Step, _ fields: String) {
        let end = session == 0 ? "" : ",\"session_id\":\(session)"
        link?.send("{\(fields)\(end),\"transaction\":\"\(step.rawValue)\"}")
    }

    private func message(_ step: Step, handle: UInt64, _ body: String, jsep: (type: String, sdp: String)? = nil) {
        var fields = "\"janus\":\"message\",\"handle_id\":\(handle),\"body\":{\(body)}"
        if let jsep {
            fields += ",\"jsep\":{\"type\":\"\(jsep.type)\",\"sdp\":\(jsonString(jsep.sdp)),\"trickle\":false}"
        }
        send(step, fields)
    }

    /// News of others' comings and goings, to which a bot does nothing, are most of what comes.
    private static let interesting = [
        "\"success\"", "\"joined\"", "\"jsep\"", "\"error\"", "\"hangup\"", "\"trickle\"", "\"timeout\"",
        "\"webrtcup\"",
    ].map { Array($0.utf8) }

    func linkReceived(_ bytes: [UInt8]) {
        guard Self.interesting.contains(where: { bytes.place(of: $0) != nil }), let message = JanusMessage(bytes)
        else { return }
        if let error = message.error { return bot.fail("Janus: \(error.reason)") }
        let news = message.plugindata?.data
        if let error = news?.error {
            // The room is there already: somebody else was first.
            guard news?.errorCode == 427 else { return bot.fail("Janus: \(error)") }
        }
        switch message.janus {
        case "hangup", "timeout": return bot.fail("Janus: \(message.reason ?? message.janus)")
        case "trickle":
            guard let candidate = message.candidate?.candidate else { return }
            (message.sender == subscriber ? receiving : sending)?.add(candidate)
        case "webrtcup":
            if message.sender == publisher { published() }
        default: break
        }
        if let jsep = message.jsep { return take(jsep, from: message.sender ?? 0) }
        guard let step = message.transaction.flatMap({ Step(rawValue: $0) }) else { return }
        advance(step, message, news)
    }

    private func advance(_ step: Step, _ message: JanusMessage, _ news: JanusMessage.Room?) {
        switch step {
        case .create:
            guard let id = message.data?.id else { return }
            session = id
            keptAlive = MonotonicClock.now
            send(.attach, "\"janus\":\"attach\",\"plugin\":\"janus.plugin.videoroom\"")
        case .attach:
            guard let id = message.data?.id else { return }
            publisher = id
            self.message(
                .createRoom, handle: publisher,
                "\"request\":\"create\",\"room\":\(room.number),\"publishers\":1000,\"bitrate\":5000000,"
                    + "\"audiolevel_event\":false,\"notify_joining\":false,\"audiocodec\":\"opus\",\"videocodec\":\"vp8\""
            )
        case .createRoom:
            self.message(
                .join, handle: publisher,
                "\"request\":\"join\",\"ptype\":\"publisher\",\"room\":\(room.number),\"id\":\(feed),"
                    + "\"display\":\(jsonString(bot.profile.user))")
        case .join:
            guard news?.videoroom == "joined" else { return }
            if sends { publish() } else { room.whenFilled(self) }
        case .attachSubscriber:
            guard let id = message.data?.id else { return }
            subscriber = id
            let feeds = room.feeds.filter { $0 != feed }.map { "{\"feed\":\($0)}" }.joined(separator: ",")
            self.message(
                .subscribe, handle: subscriber,
                "\"request\":\"join\",\"ptype\":\"subscriber\",\"room\":\(room.number),\"streams\":[\(feeds)]")
        case .publish, .subscribe, .start: break
        }
    }

    private func makeTransport(isControlling: Bool) -> DirectTransport? {
        guard let link else { return nil }
        do throws(DirectTransport.Failure) {
            return try DirectTransport(
                context: bot.host.context, localAddress: link.localAddress, isControlling: isControlling)
        } catch {
            bot.fail("no UDP socket: \(error)")
            return nil
        }
    }

    private func publish() {
        guard let transport = makeTransport(isControlling: true) else { return }
        sending = transport
        bot.attach(transport, sends: true, receives: false)
        let offer = BotDescription.text(
            bot.sections(receiving: false), ufrag: transport.ufrag, password: transport.password,
            fingerprint: transport.fingerprint.value, candidate: transport.candidate, setup: "actpass")
        message(.publish, handle: publisher, "\"request\":\"publish\"", jsep: ("offer", offer))
    }

    /// Subscribes to everybody else who publishes.
    func subscribe() {
        guard !isOver else { return }
        guard room.feeds.contains(where: { $0 != feed }) else {
            // Nobody to be heard.
            bot.legsWanted -= 1
            return bot.legConnected()
        }
        send(.attachSubscriber, "\"janus\":\"attach\",\"plugin\":\"janus.plugin.videoroom\"")
    }

    /// Janus has the publishing connection: not before can anybody subscribe to it.
    private func published() {
        guard !hasArrived else { return }
        hasArrived = true
        room.arrived(feed)
        room.whenFilled(self)
    }

    private func take(_ jsep: JanusMessage.Description, from handle: UInt64) {
        guard let described = DescribedTransport(jsep.sdp) else {
            return bot.fail("Janus's description cannot be read")
        }
        let transport: DirectTransport
        if handle == subscriber, jsep.type == "offer" {
            guard receiving == nil, let made = makeTransport(isControlling: false) else { return }
            receiving = made
            bot.attach(made, sends: false, receives: true)
            let answer = BotDescription.text(
                BotDescription.answering(jsep.sdp), ufrag: made.ufrag, password: made.password,
                fingerprint: made.fingerprint.value, candidate: made.candidate, setup: "active",
                withExtensions: false)
            message(.start, handle: subscriber, "\"request\":\"start\"", jsep: ("answer", answer))
            transport = made
        } else {
            guard let sending else { return }
            transport = sending
        }
        do throws(TransportError) {
            try transport.connect(
                ufrag: described.ufrag, password: described.password, fingerprints: described.fingerprints,
                candidates: described.candidates, role: described.isActive ? .server : .client,
                at: MonotonicClock.now)
        } catch {
            bot.fail("\(error)")
        }
    }
}

extension BotHost {
    /// Lets people join a Janus videoroom; those who come in a second call find the first ones there.
    /// - Parameter number: the room's.
    package func joinJanus(
        _ profiles: [BotProfile], at place: ServerPlace, room number: Int, schedule: TalkSchedule, voices: [Voice],
        joinsPerSecond: Double
    ) {
        precondition(!voices.isEmpty, "everybody has a voice")
        let publishers = profiles.filter { $0.publishesSound || $0.cameraLayers > 0 }.count
        loop.run { [self] in
            let room = janusRoom(number, publishers: publishers)
            for (index, profile) in profiles.enumerated() {
                let bot = Bot(
                    profile, on: self, voice: voices[profile.number % voices.count],
                    turns: schedule.turns(of: index))
                bot.session = JanusSession(bot, at: place, room: room)
                add(bot, joinsPerSecond: joinsPerSecond)
            }
        }
    }
}
