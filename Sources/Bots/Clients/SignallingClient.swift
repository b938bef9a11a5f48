// A blocking client of the protocol: sends commands with rising ids, reads the server's messages in order.
package import Signalling

/// One session's client side, over one socket.
package final class SignallingClient {
    package let socket: WebSocketClient
    package private(set) var lastCommand: UInt64 = 0
    package private(set) var lastSeq: UInt64 = 0
    /// The answer to `hello`.
    package private(set) var welcome: ServerMessage.Welcome?
    /// Messages read while something else was waited for, in order.
    package private(set) var seen: [ServerFrame] = []

    package enum Failure: Error { case refused(ProtocolError), unexpected(String) }

    package init(port: Int) throws { socket = try WebSocketClient(port: port) }

    /// Goes on with another client's session on a new socket, as a client does whose socket was lost: what the other had read is not
    /// told again.
    package init(port: Int, resuming old: SignallingClient) throws {
        guard let welcome = old.welcome else { throw Failure.unexpected("no session to resume") }
        socket = try WebSocketClient(port: port)
        self.welcome = welcome
        (lastCommand, lastSeq) = (old.lastCommand, old.lastSeq)
        send(
            ClientFrame(
                id: CommandID(0),
                .resume(.init(session: welcome.session, resumeToken: welcome.resumeToken, lastSeq: lastSeq))))
        let frame = try next()
        switch frame.message {
        case .resumed: break
        case .error(let error): throw Failure.refused(error)
        default: throw Failure.unexpected(frame.text)
        }
    }

    /// The next message of the server.
    package func next(milliseconds: Int32 = 10_000) throws -> ServerFrame {
        let frame = try ServerFrame(parsing: Array(try socket.receive(milliseconds: milliseconds).utf8))
        if let seq = frame.seq { lastSeq = max(lastSeq, seq) }
        return frame
    }

    /// Says hello and answers the welcome.
    @discardableResult
    package func hello(token: String, device: String? = nil) throws -> ServerMessage.Welcome {
        send(ClientFrame(id: CommandID(0), .hello(.init(token: token, device: device))))
        let frame = try next()
        switch frame.message {
        case .welcome(let welcome):
            self.welcome = welcome
            return welcome
        case .error(let error): throw Failure.refused(error)
        default: throw Failure.unexpected(frame.text)
        }
    }

    package func send(_ frame: ClientFrame) { socket.send(frame.text ?? "") }

    /// Reads what has come, and acknowledges it.
    package func acknowledge() {
        while let frame = try? next(milliseconds: 0) { seen.append(frame) }
        send(ClientFrame(ack: lastSeq, .ack))
    }

    /// Sends a command and answers its number, without waiting.
    @discardableResult
    package func command(_ command: ClientCommand) -> CommandID {
        lastCommand += 1
        let id = CommandID(lastCommand)
        send(ClientFrame(id: id, ack: lastSeq, .command(command)))
        return id
    }

    /// Sends a command and waits for its answer; what comes before is kept in `seen`.
    package func ask(_ command: ClientCommand) throws -> ServerMessage { try answer(to: self.command(command)) }

    /// Waits for the answer to a command.
    package func answer(to id: CommandID) throws -> ServerMessage {
        while true {
            let frame = try next()
            if frame.re == id { return frame.message }
            seen.append(frame)
        }
    }

    /// Waits for a message that `choose` takes, among those seen and those to come.
    package func wait<Value>(milliseconds: Int32 = 15_000, _ choose: (ServerMessage) -> Value?) throws -> Value {
        for (index, frame) in seen.enumerated() {
            if let value = choose(frame.message) {
                seen.removeSubrange(...index)
                return value
            }
        }
        seen = []
        while true {
            let frame = try next(milliseconds: milliseconds)
            if let value = choose(frame.message) { return value }
        }
    }
}
