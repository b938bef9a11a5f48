// The `speakers` message: who has the floor and who speaks, at most five times a second while that changes. Only the newest
// matters, so it is never kept and never sent again.

extension ServerMessage {
    /// Who speaks in the room from now on.
    public struct Speakers: Hashable, Sendable, Codable {
        /// Somebody whose voice is heard.
        public struct Voice: Hashable, Sendable, Codable {
            /// Who.
            public var participant: String
            /// How loud, in −dBov (RFC 6464): 0 the loudest, 127 silence.
            public var level: Int

            /// A voice.
            public init(participant: String, level: Int) {
                self.participant = participant
                self.level = level
            }
        }
        /// Who has the floor; the last who had it while nobody speaks, nil while there is none.
        public var dominant: String?
        /// Everybody whose voice is heard, the loudest first.
        public var active: [Voice]

        /// Who speaks.
        public init(dominant: String?, active: [Voice]) {
            self.dominant = dominant
            self.active = active
        }
    }
}
