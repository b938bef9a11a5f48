// What clients ask of a room's life, as it travels, and what it asks in the machine's terms.

extension ClientCommand {
    /// A sign that all see for a moment.
    public struct React: Hashable, Sendable, Codable {
        /// An emoji, or a short word.
        public var reaction: String

        /// A sign.
        public init(reaction: String) { self.reaction = reaction }
    }

    /// A text to the room, or to one person.
    public struct Message: Hashable, Sendable, Codable {
        /// The text.
        public var text: String
        /// The participant who gets it; absent: everybody.
        public var to: String?

        /// A message.
        public init(text: String, to: String? = nil) {
            self.text = text
            self.to = to
        }
    }

    /// A text about oneself that all see.
    public struct Metadata: Hashable, Sendable, Codable {
        /// The text; null or absent takes it away.
        public var metadata: String?

        /// A text.
        public init(metadata: String?) { self.metadata = metadata }
    }

    /// The answer to a host's invitation to speak.
    public struct AnswerInvitation: Hashable, Sendable, Codable {
        /// Whether the client wants to speak.
        public var accept: Bool

        /// An answer.
        public init(accept: Bool) { self.accept = accept }
    }

    /// What a host does. Which fields there must be depends on the action.
    public struct Moderate: Hashable, Sendable, Codable {
        /// What is done.
        public enum Action: String, Hashable, Sendable, CaseIterable, Codable {
            /// Mute a source of a participant, or of all who are no hosts.
            case mute
            /// Ask a participant to unmute a source.
            case requestUnmute
            /// Take a hand out of the queue.
            case lowerHand
            /// Ask a listener to speak.
            case invite
            /// Take that back.
            case withdrawInvitation
            /// Give a participant a role.
            case role
            /// Remove a participant.
            case kick
            /// Remove a user for good.
            case ban
            /// Let a user come again.
            case unban
            /// Close the door (`on`) or open it.
            case lock
            /// Have people wait (`on`) or not.
            case lobby
            /// Let somebody in who waits, or all.
            case admit
            /// Send somebody away who waits.
            case deny
            /// Set the text about the room.
            case metadata
            /// End the room for everybody.
            case end
        }
        /// What is done.
        public var action: Action
        /// To whom: `p7`, or `w2` for somebody who waits.
        public var participant: String?
        /// To which user.
        public var user: String?
        /// What is muted; absent: the microphone.
        public var source: TrackSourceName?
        /// The role.
        public var role: ParticipantRole?
        /// On or off.
        public var on: Bool?
        /// The text.
        public var metadata: String?

        /// An act.
        public init(
            _ action: Action, participant: String? = nil, user: String? = nil, source: TrackSourceName? = nil,
            role: ParticipantRole? = nil, on: Bool? = nil, metadata: String? = nil
        ) {
            self.action = action
            self.participant = participant
            self.user = user
            self.source = source
            self.role = role
            self.on = on
            self.metadata = metadata
        }

        /// What it asks.
        /// - Throws: `missingField`, or `malformed` where a name is none.
        public func moderation() throws(ProtocolError) -> Moderation {
            let source = source ?? .microphone
            switch action {
            case .mute: return .mute(participant == nil ? nil : try number(), source)
            case .requestUnmute: return .requestUnmute(try number(), source)
            case .lowerHand: return .lowerHand(try number())
            case .invite: return .invite(try number())
            case .withdrawInvitation: return .withdrawInvitation(try number())
            case .role: return .setRole(try number(), try need(role, "role"))
            case .kick: return .kick(try number())
            case .ban: return .ban(try need(user, "user"))
            case .unban: return .unban(try need(user, "user"))
            case .lock: return .lock(try need(on, "on"))
            case .lobby: return .setLobby(try need(on, "on"))
            case .admit: return .admit(participant == nil ? nil : try waitingNumber())
            case .deny: return .deny(try waitingNumber())
            case .metadata: return .setMetadata(metadata)
            case .end: return .end
            }
        }

        private func need<Value>(_ value: Value?, _ field: String) throws(ProtocolError) -> Value {
            guard let value else { throw ProtocolError(.missingField, "The field \(field) is missing.") }
            return value
        }

        private func number() throws(ProtocolError) -> UInt32 {
            guard let number = RoomNames.participant(try need(participant, "participant")) else { throw Self.noName }
            return number
        }

        private func waitingNumber() throws(ProtocolError) -> UInt32 {
            guard let number = RoomNames.waiting(try need(participant, "participant")) else { throw Self.noName }
            return number
        }

        private static let noName = ProtocolError(.malformed, "The field participant has no valid value.")
    }

    /// What the command asks of the room's machine; nil where it is another's to do.
    /// - Throws: what is wrong with its fields.
    public func roomRequest() throws(ProtocolError) -> RoomRequest? {
        switch self {
        case .mute(let mute): return .mute(mid: mute.mid, mute.muted, version: mute.version)
        case .raiseHand: return .raiseHand
        case .lowerHand: return .lowerHand
        case .answerInvitation(let answer): return .answerInvitation(answer.accept)
        case .stepDown: return .stepDown
        case .react(let react): return .react(react.reaction)
        case .message(let message):
            guard let name = message.to else { return .message(message.text, to: nil) }
            guard let number = RoomNames.participant(name) else {
                throw ProtocolError(.malformed, "The field to has no valid value.")
            }
            return .message(message.text, to: number)
        case .metadata(let metadata): return .setOwnMetadata(metadata.metadata)
        case .moderate(let moderate): return .moderate(try moderate.moderation())
        case .join, .offer, .candidate, .iceRestart, .subscribe, .leave, .call, .account, .answer: return nil
        }
    }
}
