// One text message from a client: the envelope (number, acknowledgement) around a `ClientMessage`, and its JSON. Checks
// every bound of `ProtocolLimits`; knows no session.

/// A client's message in its envelope.
public struct ClientFrame: Hashable, Sendable {
    /// The command's number; nil where there is none (`ack`), or none that can be read.
    public var id: CommandID?
    /// The highest `seq` that the client saw, where it says so.
    public var ack: UInt64?
    /// What the client says, or why that cannot be read although the envelope can.
    public var content: Result<ClientMessage, ProtocolError>

    /// A message in its envelope.
    public init(id: CommandID? = nil, ack: UInt64? = nil, _ message: ClientMessage) {
        self.id = id
        self.ack = ack
        self.content = .success(message)
    }

    /// Reads one text message.
    /// - Parameters:
    ///   - bytes: the message, UTF-8.
    ///   - allowsDescriptions: whether `join` and `offer` may have their larger size; only after authentication.
    /// - Throws: a fatal error (`malformed` or `tooLarge`) when there is no envelope to answer.
    public init(parsing bytes: [UInt8], allowsDescriptions: Bool) throws(ProtocolError) {
        let limit = allowsDescriptions ? ProtocolLimits.descriptionMessageBytes : ProtocolLimits.messageBytes
        guard bytes.count <= limit else { throw Self.tooLarge }
        if let fault = JSONGuard.fault(in: bytes) { throw ProtocolError(.malformed, fault, isFatal: true) }
        let wire: ClientFrameWire
        do throws(ProtocolError) {
            wire = try JSONText.decode(ClientFrameWire.self, from: bytes)
        } catch {
            throw ProtocolError(.malformed, error.message, isFatal: true)
        }
        if bytes.count > ProtocolLimits.messageBytes, wire.type != "join", wire.type != "offer" { throw Self.tooLarge }
        id = wire.id
        ack = wire.ack
        switch wire.content {
        case .failure(let error): content = .failure(error)
        case .success(let message): content = message.boundsFault.map { .failure($0) } ?? .success(message)
        }
    }

    /// The message's JSON text, or nil when it holds an error instead of a message.
    public var text: String? {
        guard case .success(let message) = content else { return nil }
        return JSONText.encode(ClientFrameWire(id: id, ack: ack, type: message.type, content: .success(message)))
    }

    private static let tooLarge = ProtocolError(.tooLarge, "The message is too large.", isFatal: true)
}

/// The envelope's Codable form.
private struct ClientFrameWire: Codable {
    var id: CommandID?
    var ack: UInt64?
    var type: String
    var content: Result<ClientMessage, ProtocolError>

    private enum Key: String, CodingKey { case id, ack, type }

    init(id: CommandID?, ack: UInt64?, type: String, content: Result<ClientMessage, ProtocolError>) {
        self.id = id
        self.ack = ack
        self.type = type
        self.content = content
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        type = try fields.decode(String.self, forKey: .type)
        content = .failure(ProtocolError(.malformed, "The field id is not a number in decimal digits."))
        do {
            if let text = try fields.decodeIfPresent(String.self, forKey: .id) {
                guard let number = CommandID(text) else { return }
                id = number
            }
            ack = try fields.decodeNumberIfPresent(UInt64.self, forKey: .ack)
            content = try Self.message(type, from: decoder).map { .success($0) } ?? .failure(Self.unknown(type))
            if id == nil, case .success(let message) = content, case .command = message {
                content = .failure(ProtocolError(.missingField, "The field id is missing."))
            }
        } catch let error as DecodingError {
            content = .failure(error.asProtocolError)
        }
    }

    private static func unknown(_ type: String) -> ProtocolError {
        ProtocolError(.unknownType, "The server knows no message of the type \"\(type.prefix(64))\".")
    }

    private static func message(_ type: String, from decoder: any Decoder) throws -> ClientMessage? {
        switch type {
        case "hello": .hello(try .init(from: decoder))
        case "resume": .resume(try .init(from: decoder))
        case "ack": .ack
        case "join": .command(.join(try .init(from: decoder)))
        case "offer": .command(.offer(try .init(from: decoder)))
        case "candidate": .command(.candidate(try .init(from: decoder)))
        case "iceRestart": .command(.iceRestart)
        case "mute": .command(.mute(try .init(from: decoder)))
        case "subscribe": .command(.subscribe(try .init(from: decoder)))
        case "raiseHand": .command(.raiseHand)
        case "lowerHand": .command(.lowerHand)
        case "answerInvitation": .command(.answerInvitation(try .init(from: decoder)))
        case "stepDown": .command(.stepDown)
        case "react": .command(.react(try .init(from: decoder)))
        case "message": .command(.message(try .init(from: decoder)))
        case "metadata": .command(.metadata(try .init(from: decoder)))
        case "moderate": .command(.moderate(try .init(from: decoder)))
        case "leave": .command(.leave)
        case "answer": .command(.answer)
        default:
            try CallCommand(type: type, from: decoder).map { .command(.call($0)) }
                ?? AccountCommand(type: type, from: decoder).map { .command(.account($0)) }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encodeIfPresent(id?.description, forKey: .id)
        try fields.encodeIfPresent(ack, forKey: .ack)
        try fields.encode(type, forKey: .type)
        guard case .success(let message) = content else { return }
        switch message {
        case .hello(let hello): try hello.encode(to: encoder)
        case .resume(let resume): try resume.encode(to: encoder)
        case .command(.join(let join)): try join.encode(to: encoder)
        case .command(.offer(let offer)): try offer.encode(to: encoder)
        case .command(.candidate(let candidate)): try candidate.encode(to: encoder)
        case .command(.mute(let mute)): try mute.encode(to: encoder)
        case .command(.subscribe(let subscribe)): try subscribe.encode(to: encoder)
        case .command(.answerInvitation(let answer)): try answer.encode(to: encoder)
        case .command(.react(let react)): try react.encode(to: encoder)
        case .command(.message(let message)): try message.encode(to: encoder)
        case .command(.metadata(let metadata)): try metadata.encode(to: encoder)
        case .command(.moderate(let moderate)): try moderate.encode(to: encoder)
        case .command(.call(let command)): try command.encode(to: encoder)
        case .command(.account(let command)): try command.encode(to: encoder)
        case .ack, .command(.iceRestart), .command(.raiseHand), .command(.lowerHand), .command(.stepDown),
            .command(.leave), .command(.answer):
            break
        }
    }
}
