// A client and a server over sockets that break, lose and repeat, driven by chance: nothing is performed twice, nothing
// is lost, nothing grows without bound.
import Testing

@testable import Signalling

/// Both ends of one client's sessions, and what lies on the wire between them.
struct SessionModel {
    /// One command as the client wrote it, and what became of it.
    struct Command {
        var text: String
        var isPerformed = false
        var answer: String?
    }

    var chance: SeededChance
    let configuration: SessionConfiguration
    var now = SessionTime(nanoseconds: 0)
    var machine: SessionMachine
    var actions: [SessionAction] = []
    var sessions = 1
    var sockets: UInt64 = 1

    // The client.
    var socket: ConnectionID?
    var isWelcomed = false
    var isResuming = false
    var commands: [Command] = []
    /// How many of `commands` were sent at least once on this socket.
    var sentCommands = 0
    var received: [String] = []
    var clientAck: UInt64 = 0

    // The wire.
    var toServer: [(ConnectionID, String)] = []
    var toClient: [(ConnectionID, String)] = []

    // The server.
    var performing: (CommandID, ClientCommand)?
    var performed: [CommandID] = []
    var isOver = false
    var events: UInt64 = 0
    var replays = 0
    var restarts = 0

    init(seed: UInt64, configuration: SessionConfiguration) {
        chance = SeededChance(state: seed)
        self.configuration = configuration
        machine = SessionMachine(
            configuration: configuration, connection: ConnectionID(1), session: "s1", resumeToken: "secret", at: now)
        socket = ConnectionID(1)
        toServer.append((ConnectionID(1), #"{"id":"0","type":"hello","token":"t"}"#))
    }

    mutating func chance(_ n: Int) -> Int { Int.random(in: 0..<n, using: &chance) }

    // MARK: One step

    mutating func step() {
        now.nanoseconds += Int64(chance(20_000_000))
        switch chance(100) {
        case 0..<18: sendNewCommand()
        case 18..<22: repeatCommand()
        case 22..<24: skipAhead()
        case 24..<46: deliverToServer()
        case 46..<70: deliverToClient()
        case 70..<82: serverAnswers()
        case 82..<91: serverSends()
        case 91..<95: clientAcknowledges()
        case 95..<97: loseSocket(isNoticed: chance(2) == 0)
        default: if socket == nil { reconnect() }
        }
        carryOut()
        checkBounds()
    }

    // MARK: The client

    mutating func sendNewCommand() {
        guard isWelcomed, socket != nil, commands.count - sentCommands == 0 else { return resendOne() }
        let id = commands.count + 1
        let body = [
            SessionDriver.join(id), "{\"id\":\"\(id)\",\"type\":\"leave\"}",
            "{\"id\":\"\(id)\",\"type\":\"mute\",\"mid\":\"0\",\"muted\":true,\"ack\":\(clientAck)}",
            "{\"id\":\"\(id)\",\"type\":\"candidate\",\"candidate\":\"\"}", "{\"id\":\"\(id)\",\"type\":\"dance\"}",
            "{\"id\":\"\(id)\",\"type\":\"mute\"}",
            "{\"id\":\"\(id)\",\"type\":\"iceRestart\",\"ack\":\(received.count)}",
        ]
        commands.append(Command(text: body[chance(body.count)]))
        resendOne()
    }

    mutating func resendOne() {
        guard isWelcomed, !isResuming, let socket, sentCommands < commands.count else { return }
        toServer.append((socket, commands[sentCommands].text))
        sentCommands += 1
    }

    mutating func repeatCommand() {
        guard isWelcomed, !isResuming, let socket, sentCommands > 0 else { return }
        toServer.append((socket, commands[chance(sentCommands)].text))
    }

    mutating func skipAhead() {
        guard isWelcomed, !isResuming, let socket else { return }
        toServer.append((socket, "{\"id\":\"\(commands.count + 2 + chance(5))\",\"type\":\"leave\"}"))
    }

    mutating func clientAcknowledges() {
        guard isWelcomed, !isResuming, let socket else { return }
        clientAck = UInt64(received.count)
        toServer.append((socket, "{\"type\":\"ack\",\"ack\":\(clientAck)}"))
    }

    mutating func loseSocket(isNoticed: Bool) {
        guard let lost = socket else { return }
        socket = nil
        toServer.removeAll { $0.0 == lost }
        toClient.removeAll { $0.0 == lost }
        if isNoticed { machine.connectionLost(lost, at: now, into: &actions) }
    }

    mutating func reconnect() {
        sockets += 1
        let fresh = ConnectionID(sockets)
        socket = fresh
        guard isWelcomed, !isOver else { return startOver() }
        isResuming = true
        let resumption = SessionResumption(
            connection: fresh, id: CommandID(0),
            request: .init(session: "s\(sessions)", resumeToken: "secret", lastSeq: UInt64(received.count)))
        #expect(machine.resume(resumption, into: &actions))
        replays += 1
    }

    mutating func startOver() {
        restarts += 1
        sessions += 1
        let fresh = socket ?? ConnectionID(sockets)
        machine = SessionMachine(
            configuration: configuration, connection: fresh, session: "s\(sessions)", resumeToken: "secret", at: now)
        isWelcomed = false
        isResuming = false
        isOver = false
        commands = []
        sentCommands = 0
        received = []
        clientAck = 0
        performing = nil
        performed = []
        toServer = [(fresh, #"{"id":"0","type":"hello","token":"t"}"#)]
        toClient = []
    }

    // MARK: The wire

    mutating func deliverToServer() {
        guard !toServer.isEmpty else { return }
        let (connection, text) = toServer.removeFirst()
        machine.receive(Array(text.utf8), on: connection, at: now, into: &actions)
    }

    mutating func deliverToClient() {
        guard !toClient.isEmpty else { return }
        let (connection, text) = toClient.removeFirst()
        guard connection == socket else { return }
        guard let frame = try? ServerFrame(parsing: Array(text.utf8)) else {
            return #expect(Bool(false), "the server wrote \(text)")
        }
        if let seq = frame.seq { take(seq, frame, text) } else { take(frame, text) }
    }

    /// A kept message: the next one, or exactly one seen before; and an answer never differs from the one before.
    mutating func take(_ seq: UInt64, _ frame: ServerFrame, _ text: String) {
        if seq == UInt64(received.count) + 1 {
            received.append(text)
        } else if seq >= 1, seq <= UInt64(received.count) {
            #expect(received[Int(seq) - 1] == text)
        } else {
            #expect(Bool(false), "seq \(seq) after \(received.count)")
        }
        if case .welcome = frame.message { isWelcomed = true }
        guard let id = frame.re, id.number > 0, Int(id.number) <= commands.count else { return }
        let index = Int(id.number) - 1
        if let before = commands[index].answer { #expect(before == text) }
        commands[index].answer = text
    }

    /// A message without seq.
    mutating func take(_ frame: ServerFrame, _ text: String) {
        switch frame.message {
        case .resumed(let resumed):
            isResuming = false
            #expect(resumed.lastCommand.number <= UInt64(commands.count))
            sentCommands = Int(resumed.lastCommand.number)
        case .error(let error):
            switch error.code {
            case .commandGap: break
            case .staleCommand: #expect(frame.re.map { commands[Int($0.number) - 1].answer != nil } == true)
            case .tooManyPending:
                // Not taken in: this command and those after it are sent again.
                if let id = frame.re { sentCommands = min(sentCommands, Int(id.number) - 1) }
            case .resyncNeeded: break
            default: #expect(Bool(false), "\(text)")
            }
        default: #expect(Bool(false), "\(text)")
        }
    }

    // MARK: The server

    mutating func serverAnswers() {
        guard let (id, command) = performing else { return }
        performing = nil
        let failed = chance(4) == 0
        let answer: ServerMessage =
            switch command {
            case _ where failed: .error(ProtocolError(.internal, "No luck \(chance(1_000))."))
            case .join: SessionDriver.joined
            case .leave: .left
            default: .ok(.init())
            }
        machine.answer(id, answer, into: &actions)
    }

    mutating func serverSends() {
        events += 1
        machine.send(SessionDriver.event(events), into: &actions)
    }

    mutating func carryOut() {
        let list = actions
        actions = []
        for action in list {
            switch action {
            case .send(let connection, let text): if connection == socket { toClient.append((connection, text)) }
            case .close(let connection, let code, _):
                #expect([.replaced, .resyncNeeded].contains(code))
                if connection == socket { loseSocket(isNoticed: true) }
            case .authenticate:
                machine.authenticated(
                    as: Claims(user: "ada"), iceServers: [], iceServersTTLSeconds: 60, into: &actions)
            case .perform(let id, let command):
                #expect(performing == nil, "one at a time")
                #expect(!performed.contains(id), "\(id) twice")
                #expect(performed.last.map { $0 < id } ?? true)
                performed.append(id)
                performing = (id, command)
            case .ended:
                isOver = true
                performing = nil
            case .resume, .detached, .reattached: break
            }
        }
        if !actions.isEmpty { carryOut() }
    }

    func checkBounds() {
        let outbox = machine.outbox
        #expect(outbox.eventCount <= configuration.keptEvents)
        #expect(outbox.answerCount + machine.waiting.count <= configuration.keptAnswers)
        #expect(outbox.kept.count == outbox.eventCount + outbox.answerCount)
        #expect(outbox.eventBytes + outbox.answerBytes == outbox.kept.reduce(0) { $0 + $1.text.utf8.count })
        #expect(zip(outbox.kept, outbox.kept.dropFirst()).allSatisfy { $0.seq + 1 == $1.seq })
        #expect(machine.waitingBytes == machine.waiting.reduce(0) { $0 + $1.bytes })
    }

    /// The net is good from now on: everything that the client asked is answered.
    mutating func settle() {
        for _ in 0..<20_000 {
            now.nanoseconds += 20_000_000
            if socket == nil { reconnect() }
            carryOut()
            let isDone =
                isWelcomed && !isResuming && commands.allSatisfy { $0.answer != nil } && toClient.isEmpty
                && toServer.isEmpty
            if isDone { return }
            resendOne()
            clientAcknowledges()
            while !toServer.isEmpty {
                deliverToServer()
                carryOut()
            }
            serverAnswers()
            carryOut()
            while !toClient.isEmpty { deliverToClient() }
        }
        #expect(Bool(false), "not settled: \(commands.filter { $0.answer == nil }.count) unanswered")
    }
}

@Suite("A session over sockets that break")
struct ModelTests {
    static func run(seed: UInt64, steps: Int, _ change: (inout SessionConfiguration) -> Void) -> SessionModel {
        var configuration = SessionConfiguration()
        // The rates have their own tests; here they would only hide commands.
        configuration.commandBurst = 1_000_000
        configuration.messageBurst = 1_000_000
        configuration.byteBurst = 1_000_000_000
        configuration.resumeWindowSeconds = 3_600
        change(&configuration)
        var model = SessionModel(seed: seed, configuration: configuration)
        for _ in 0..<steps { model.step() }
        model.settle()
        return model
    }

    @Test("Nothing twice, nothing lost, every answer equal", arguments: 1...16)
    func roomy(seed: Int) {
        let model = Self.run(seed: UInt64(seed), steps: 3_000) { _ in }
        #expect(model.replays > 5)
        #expect(model.commands.count > 20)
    }

    @Test("The same with hardly any room: commands wait, sessions start over", arguments: 1...16)
    func narrow(seed: Int) {
        let model = Self.run(seed: UInt64(seed), steps: 3_000) {
            $0.keptAnswers = 3
            $0.keptEvents = 6
            $0.keptEventBytes = 2_000
            $0.waitingCommandBytes = 200
        }
        #expect(model.restarts > 0)
    }
}
