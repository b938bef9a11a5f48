// What a client says of its user's account where calls are concerned: devices that push wakes, whom the user has blocked, which
// missed calls were seen, and that all of it be erased. What is kept of it is the server's.

/// A command of a client about its user.
public enum AccountCommand: Hashable, Sendable {
    /// Wake this device by push when somebody calls.
    case push(Push)
    /// The user has signed out on this device: do not wake it any more.
    case signOut
    /// Hear nothing of a user's calls.
    case block(String)
    /// Hear of a user's calls again.
    case unblock(String)
    /// Whom the user has blocked.
    case blocked
    /// Missed calls were seen: do not tell of them again.
    case seen([CallID])
    /// Erase everything that is kept of the user.
    case erase

    /// How push reaches the device.
    public struct Push: Hashable, Sendable, Codable {
        /// Whose service carries it.
        public enum Provider: String, Hashable, Sendable, CaseIterable, Codable {
            /// Apple's, with a VoIP token.
            case apns
            /// Google's, with a registration token.
            case fcm
        }
        /// Whose service carries it.
        public var provider: Provider
        /// The token that the service gave the application: Apple's in hexadecimal.
        public var token: String
        /// Whether it is of Apple's development environment; absent: no.
        public var sandbox: Bool?

        /// A token.
        public init(provider: Provider, token: String, sandbox: Bool? = nil) {
            self.provider = provider
            self.token = token
            self.sandbox = sandbox
        }
    }

    private struct User: Codable { var user: String }
    private struct Calls: Codable { var calls: [CallID] }

    /// The `type` it travels under.
    public var type: String {
        switch self {
        case .push: "account.push"
        case .signOut: "account.signOut"
        case .block: "account.block"
        case .unblock: "account.unblock"
        case .blocked: "account.blocked"
        case .seen: "call.seen"
        case .erase: "account.erase"
        }
    }

    /// Reads the command of a type, or nil where the type is none of these.
    init?(type: String, from decoder: any Decoder) throws {
        switch type {
        case "account.push": self = .push(try .init(from: decoder))
        case "account.signOut": self = .signOut
        case "account.block": self = .block(try User(from: decoder).user)
        case "account.unblock": self = .unblock(try User(from: decoder).user)
        case "account.blocked": self = .blocked
        case "call.seen": self = .seen(try Calls(from: decoder).calls)
        case "account.erase": self = .erase
        default: return nil
        }
    }

    /// Writes the command's fields beside those of the envelope.
    func encode(to encoder: any Encoder) throws {
        switch self {
        case .push(let push): try push.encode(to: encoder)
        case .block(let user), .unblock(let user): try User(user: user).encode(to: encoder)
        case .seen(let calls): try Calls(calls: calls).encode(to: encoder)
        case .signOut, .blocked, .erase: break
        }
    }
}

extension ServerMessage {
    /// Answers `account.blocked`.
    public struct Blocked: Hashable, Sendable, Codable {
        /// Whom the user has blocked, by name.
        public var users: [String]

        /// An answer.
        public init(users: [String]) { self.users = users }
    }
}

extension BoundsCheck {
    mutating func account(_ command: AccountCommand) {
        switch command {
        case .push(let push):
            text("token", push.token, 1...ProtocolLimits.pushTokenBytes)
            guard fault == nil else { return }
            let isWritten = push.token.utf8.allSatisfy { byte in
                push.provider == .apns
                    ? (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
                    : (0x21...0x7E).contains(byte)
            }
            // What is in it is nobody's to repeat.
            if !isWritten || (push.provider == .apns && push.token.utf8.count > ProtocolLimits.applePushTokenBytes) {
                fault = ProtocolError(.malformed, "The field token is no token of that service.")
            }
        case .block(let user), .unblock(let user): text("user", user, 1...ProtocolLimits.userBytes)
        case .seen(let calls):
            count("calls", calls.count, atMost: ProtocolLimits.seenCalls)
            for call in calls { text("calls", call.text, 1...ProtocolLimits.callBytes) }
        case .signOut, .blocked, .erase: break
        }
    }
}
