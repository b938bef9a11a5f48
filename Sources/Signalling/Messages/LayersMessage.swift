// The `layers` message: which encodings of an own simulcast track anybody needs. It is state and not history: of two about one
// track the newer counts.

extension ServerMessage {
    /// Which encodings of one of the client's own tracks are needed from now on. Before the first of a stay in a room all are.
    public struct Layers: Hashable, Sendable, Codable {
        /// One encoding.
        public struct Encoding: Hashable, Sendable, Codable {
            /// Its rid (RFC 8851).
            public var rid: String
            /// Whether anybody needs it; one that nobody needs shall not be sent.
            public var active: Bool

            /// An encoding.
            public init(rid: String, active: Bool) {
                self.rid = rid
                self.active = active
            }
        }
        /// The media section that the client sends the track in.
        public var mid: String
        /// All its encodings, the lowest first.
        public var encodings: [Encoding]

        /// What is needed of a track.
        public init(mid: String, encodings: [Encoding]) {
            self.mid = mid
            self.encodings = encodings
        }
    }
}
