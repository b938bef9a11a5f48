// What can go wrong between a client and the server, as the client is told it, and the WebSocket close codes.

/// An error of the protocol: a code for programs, a sentence for people.
public struct ProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong. The raw value is the `code` of an `error` message.
    public enum Code: String, Hashable, Sendable, CaseIterable, Codable {
        /// Not a message of this protocol, or a field of the wrong type or out of its range.
        case malformed
        /// The `type` is not one that the server knows.
        case unknownType
        /// A field that must be there is not.
        case missingField
        /// The command was answered, the answer acknowledged, and both forgotten.
        case staleCommand
        /// A command's number is not the next one.
        case commandGap
        /// Too many answers wait for an acknowledgement, or too many commands for their turn.
        case tooManyPending
        /// A command came before `welcome`, or a token was refused.
        case notAuthenticated
        /// A `hello` or `resume` came on a socket that has a session.
        case alreadyAuthenticated
        /// The command needs a room.
        case notJoined
        /// The session is in a room already.
        case alreadyJoined
        /// The token does not grant this.
        case forbidden
        /// The room has as many participants as it may.
        case roomFull
        /// The room lets nobody in.
        case roomLocked
        /// A host removed the participant while it was coming in.
        case removed
        /// A host banned the user.
        case banned
        /// The room has ended.
        case roomEnded
        /// Nobody of that name is in the room, or waits for it.
        case unknownParticipant
        /// Somebody else decided meanwhile, and that counts.
        case overtaken
        /// The session description cannot be used.
        case invalidOffer
        /// The client sent an answer; the client always offers.
        case unexpectedAnswer
        /// No such track.
        case unknownTrack
        /// No such slot.
        case unknownSlot
        /// Nobody of that name can be called.
        case unknownUser
        /// No such call, or none of the client's.
        case unknownCall
        /// The call is over.
        case callEnded
        /// Nobody has accepted the call yet.
        case callNotAccepted
        /// The client is in a call, or calls somebody, already.
        case alreadyInCall
        /// Too many commands in a short time; `retryAfterMilliseconds` says when to try again.
        case rateLimited
        /// The server has no room for this now.
        case serverBusy
        /// The server is going away.
        case serverShutdown
        /// A fault of the server's own.
        case `internal`
        /// The session cannot be continued: say `hello` and join anew.
        case resyncNeeded
        /// A message longer than its limit. Only the cause of a close, never in an `error` message.
        case tooLarge
        /// A binary message. Only the cause of a close.
        case binaryMessage
        /// No `hello` in time. Only the cause of a close.
        case noHello
        /// A flood of messages. Only the cause of a close.
        case tooManyMessages
        /// Another socket or participant took this one's place. Only the cause of a close.
        case replaced
    }

    /// What went wrong, for programs.
    public var code: Code
    /// What went wrong, a sentence for people. Holds nothing secret.
    public var message: String
    /// When trying again makes sense, in milliseconds from now, where that is known.
    public var retryAfterMilliseconds: Int64?
    /// Whether the socket is closed after it.
    public var isFatal: Bool

    /// An error with its sentence.
    public init(_ code: Code, _ message: String, retryAfterMilliseconds: Int64? = nil, isFatal: Bool = false) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.isFatal = isFatal
    }

    /// The code and the sentence.
    public var description: String { "\(code.rawValue): \(message)" }

    /// Refused by a rate limit that has room again after so many nanoseconds, at least one: told in milliseconds, rounded up.
    static func rateLimited(_ message: String, after wait: Int64) -> ProtocolError {
        ProtocolError(.rateLimited, message, retryAfterMilliseconds: (wait - 1) / 1_000_000 + 1)
    }

    /// The same error, closing the socket.
    public var fatal: ProtocolError {
        var copy = self
        copy.isFatal = true
        return copy
    }
}

/// Why a WebSocket was closed (RFC 6455 §7.4; 4000 to 4999 are this protocol's own).
public enum CloseCode: UInt16, Hashable, Sendable, CaseIterable {
    /// Nothing more to say.
    case normal = 1000
    /// The server is going away.
    case goingAway = 1001
    /// A binary message.
    case unsupportedData = 1003
    /// Not a message of this protocol.
    case malformed = 4400
    /// The token was refused; the reason says why.
    case unauthorised = 4401
    /// The token is good but does not grant this.
    case forbidden = 4403
    /// The session cannot be continued: say `hello` and join anew.
    case resyncNeeded = 4408
    /// Taken over by a `resume` on another socket, or the same person joined again from the same device.
    case replaced = 4409
    /// The room ended, or the participant was removed.
    case roomEnded = 4410
    /// A message longer than its limit.
    case tooLarge = 4413
    /// No `hello` in time.
    case noHello = 4428
    /// A flood of messages.
    case tooManyMessages = 4429
    /// A fault of the server's own.
    case internalError = 4500

    /// The code that a socket is closed with after `error`, or nil when the session goes on.
    public init?(closingFor error: ProtocolError) {
        guard error.isFatal else { return nil }
        switch error.code {
        case .malformed, .unknownType, .missingField, .staleCommand, .commandGap, .alreadyAuthenticated, .notJoined,
            .alreadyJoined, .invalidOffer, .unexpectedAnswer, .unknownTrack, .unknownSlot, .unknownParticipant,
            .overtaken, .unknownUser, .unknownCall, .callEnded, .callNotAccepted, .alreadyInCall:
            self = .malformed
        case .notAuthenticated: self = .unauthorised
        case .forbidden, .roomFull, .roomLocked, .banned: self = .forbidden
        case .removed, .roomEnded: self = .roomEnded
        case .resyncNeeded: self = .resyncNeeded
        case .replaced: self = .replaced
        case .tooLarge: self = .tooLarge
        case .binaryMessage: self = .unsupportedData
        case .noHello: self = .noHello
        case .rateLimited, .tooManyMessages, .tooManyPending: self = .tooManyMessages
        case .serverBusy, .serverShutdown: self = .goingAway
        case .internal: self = .internalError
        }
    }

    /// The longest beginning of `reason` that fits a close frame and ends at a character's end.
    public static func fitting(_ reason: String) -> String {
        guard reason.utf8.count > ProtocolLimits.closeReasonBytes else { return reason }
        var kept = ""
        var bytes = 0
        for scalar in reason.unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > ProtocolLimits.closeReasonBytes { break }
            kept.unicodeScalars.append(scalar)
        }
        return kept
    }
}
