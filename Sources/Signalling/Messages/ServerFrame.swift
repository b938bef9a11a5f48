// One text message from the server: the envelope (seq, the command answered) around a `ServerMessage`, and its JSON.
// Written by the server, read by clients and tests.

/// A server's message in its envelope.
public struct ServerFrame: Hashable, Sendable {
    /// Rises by one per session; nil on messages that are not kept (`resumed`, `quality`, `speakers`,
    /// `call.quality`, and errors about the envelope itself).
    public var seq: UInt64?
    /// The number of the command answered.
    public var re: CommandID?
    /// What the server says.
    public var message: ServerMessage

    /// A message in its envelope.
    public init(seq: UInt64? = nil, re: CommandID? = nil, _ message: ServerMessage) {
        self.seq = seq
        self.re = re
        self.message = message
    }

    /// The message's JSON text; keys are sorted, so equal messages are equal text.
    public var text: String {
        // Every field is a string, a finite number, a bool or a list of them: JSON can say them all.
        JSONText.encode(ServerFrameWire(frame: self)) ?? "{\"type\":\"error\",\"code\":\"internal\",\"message\":\"\"}"
    }

    /// Reads one text message of a server.
    /// - Throws: `malformed` or `missingField`. An unknown `type` is no error but `.unknown`.
    public init(parsing bytes: [UInt8]) throws(ProtocolError) {
        if let fault = JSONGuard.fault(in: bytes) { throw ProtocolError(.malformed, fault) }
        self = try JSONText.decode(ServerFrameWire.self, from: bytes).frame
    }
}

/// The envelope's Codable form.
private struct ServerFrameWire: Codable {
    var frame: ServerFrame

    private enum Key: String, CodingKey {
        case seq, re, type, lastCommand, slots, code, message, retryAfterMilliseconds, fatal
    }

    init(frame: ServerFrame) { self.frame = frame }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        let type = try fields.decode(String.self, forKey: .type)
        let seq = try fields.decodeIfPresent(UInt64.self, forKey: .seq)
        let re = try fields.decodeIfPresent(String.self, forKey: .re).map { try Self.number($0, .re, fields) }
        frame = ServerFrame(seq: seq, re: re, try Self.message(type, fields, from: decoder))
    }

    private static func number(
        _ text: String, _ key: Key, _ fields: KeyedDecodingContainer<Key>
    ) throws -> CommandID {
        guard let number = CommandID(text) else {
            throw DecodingError.dataCorruptedError(forKey: key, in: fields, debugDescription: "not a number")
        }
        return number
    }

    private static func message(
        _ type: String, _ fields: KeyedDecodingContainer<Key>, from decoder: any Decoder
    ) throws -> ServerMessage {
        switch type {
        case "welcome": return .welcome(try .init(from: decoder))
        case "resumed":
            let last = try fields.decode(String.self, forKey: .lastCommand)
            return .resumed(.init(lastCommand: try number(last, .lastCommand, fields)))
        case "joined": return .joined(try .init(from: decoder))
        case "answer": return .answer(try .init(from: decoder))
        case "ok": return .ok(try .init(from: decoder))
        case "left": return .left
        case "error":
            return .error(
                ProtocolError(
                    // A newer server's code is still an error with a sentence.
                    ProtocolError.Code(rawValue: try fields.decode(String.self, forKey: .code)) ?? .internal,
                    try fields.decode(String.self, forKey: .message),
                    retryAfterMilliseconds: try fields.decodeIfPresent(Int64.self, forKey: .retryAfterMilliseconds),
                    isFatal: try fields.decodeIfPresent(Bool.self, forKey: .fatal) ?? false))
        case "candidate": return .candidate(try .init(from: decoder))
        case "iceRestart": return .iceRestart(try .init(from: decoder))
        case "slots": return .slots(try fields.decode([SlotDescription].self, forKey: .slots))
        case "layers": return .layers(try .init(from: decoder))
        case "participantJoined": return .participantJoined(try .init(from: decoder))
        case "participantLeft": return .participantLeft(try .init(from: decoder))
        case "participantUpdated": return .participantUpdated(try .init(from: decoder))
        case "trackPublished": return .trackPublished(try .init(from: decoder))
        case "trackUnpublished": return .trackUnpublished(try .init(from: decoder))
        case "trackMuted": return .trackMuted(try .init(from: decoder))
        case "recording": return .recording(try .init(from: decoder))
        case "roomUpdated": return .roomUpdated(try .init(from: decoder))
        case "roomEnded": return .roomEnded(try .init(from: decoder))
        case "lobby": return .lobby(try .init(from: decoder))
        case "waiting": return .waiting(try .init(from: decoder))
        case "message": return .message(try .init(from: decoder))
        case "reaction": return .reaction(try .init(from: decoder))
        case "unmuteRequested": return .unmuteRequested(try .init(from: decoder))
        case "mediaState": return .mediaState(try .init(from: decoder))
        case "quality": return .quality(try .init(from: decoder))
        case "speakers": return .speakers(try .init(from: decoder))
        case "account.blocked": return .blocked(try .init(from: decoder))
        case "serverShutdown": return .serverShutdown(try .init(from: decoder))
        default: return try CallMessage(type: type, from: decoder).map { .call($0) } ?? .unknown(type: type)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encodeIfPresent(frame.seq, forKey: .seq)
        try fields.encodeIfPresent(frame.re?.description, forKey: .re)
        try fields.encode(frame.message.type, forKey: .type)
        switch frame.message {
        case .welcome(let body): try body.encode(to: encoder)
        case .resumed(let body): try fields.encode(body.lastCommand.description, forKey: .lastCommand)
        case .joined(let body): try body.encode(to: encoder)
        case .answer(let body): try body.encode(to: encoder)
        case .ok(let body): try body.encode(to: encoder)
        case .left, .unknown: break
        case .error(let error):
            try fields.encode(error.code, forKey: .code)
            try fields.encode(error.message, forKey: .message)
            try fields.encodeIfPresent(error.retryAfterMilliseconds, forKey: .retryAfterMilliseconds)
            if error.isFatal { try fields.encode(true, forKey: .fatal) }
        case .candidate(let body): try body.encode(to: encoder)
        case .iceRestart(let body): try body.encode(to: encoder)
        case .slots(let slots): try fields.encode(slots, forKey: .slots)
        case .layers(let body): try body.encode(to: encoder)
        case .participantJoined(let body), .participantUpdated(let body): try body.encode(to: encoder)
        case .participantLeft(let body): try body.encode(to: encoder)
        case .trackPublished(let body): try body.encode(to: encoder)
        case .trackUnpublished(let body): try body.encode(to: encoder)
        case .trackMuted(let body): try body.encode(to: encoder)
        case .recording(let body): try body.encode(to: encoder)
        case .roomUpdated(let body): try body.encode(to: encoder)
        case .roomEnded(let body): try body.encode(to: encoder)
        case .lobby(let body): try body.encode(to: encoder)
        case .waiting(let body): try body.encode(to: encoder)
        case .message(let body): try body.encode(to: encoder)
        case .reaction(let body): try body.encode(to: encoder)
        case .unmuteRequested(let body): try body.encode(to: encoder)
        case .mediaState(let body): try body.encode(to: encoder)
        case .quality(let body): try body.encode(to: encoder)
        case .call(let message): try message.encode(to: encoder)
        case .blocked(let body): try body.encode(to: encoder)
        case .speakers(let body): try body.encode(to: encoder)
        case .serverShutdown(let body): try body.encode(to: encoder)
        }
    }
}

extension ServerMessage {
    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .welcome: "welcome"
        case .resumed: "resumed"
        case .joined: "joined"
        case .answer: "answer"
        case .ok: "ok"
        case .left: "left"
        case .error: "error"
        case .candidate: "candidate"
        case .iceRestart: "iceRestart"
        case .slots: "slots"
        case .layers: "layers"
        case .participantJoined: "participantJoined"
        case .participantLeft: "participantLeft"
        case .participantUpdated: "participantUpdated"
        case .trackPublished: "trackPublished"
        case .trackUnpublished: "trackUnpublished"
        case .trackMuted: "trackMuted"
        case .recording: "recording"
        case .roomUpdated: "roomUpdated"
        case .roomEnded: "roomEnded"
        case .lobby: "lobby"
        case .waiting: "waiting"
        case .message: "message"
        case .reaction: "reaction"
        case .unmuteRequested: "unmuteRequested"
        case .mediaState: "mediaState"
        case .quality: "quality"
        case .call(let message): message.type
        case .blocked: "account.blocked"
        case .speakers: "speakers"
        case .serverShutdown: "serverShutdown"
        case .unknown(let type): type
        }
    }
}
