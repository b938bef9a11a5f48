// What people in a room are told about its being recorded.

/// What a recording holds of what people send.
public enum RecordingPayload: String, Hashable, Sendable, CaseIterable, Codable {
    /// The headers of packets, for finding faults: nothing that anybody said or showed.
    case headers
    /// Everything: what people say and show.
    case whole
}

/// A recording that runs, as a newcomer is told of it.
public struct RecordingDescription: Hashable, Sendable, Codable {
    /// What it holds.
    public var payload: RecordingPayload

    /// A recording.
    public init(payload: RecordingPayload) { self.payload = payload }
}

extension ServerMessage {
    /// A recording began or ended.
    public struct Recording: Hashable, Sendable, Codable {
        /// Whether it runs.
        public enum State: String, Hashable, Sendable, CaseIterable, Codable {
            /// From now on.
            case on
            /// No longer.
            case off
        }
        /// The room's version from now on.
        public var version: UInt64
        /// Runs from now on, or no longer.
        public var state: State
        /// What it holds.
        public var payload: RecordingPayload

        /// A beginning or an end.
        public init(version: UInt64, state: State, payload: RecordingPayload) {
            self.version = version
            self.state = state
            self.payload = payload
        }
    }
}
