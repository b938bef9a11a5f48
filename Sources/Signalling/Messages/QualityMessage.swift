// The `quality` message: how well the client is served, each second while it changes. Only the newest matters, so it is never
// kept and never sent again.

extension ServerMessage {
    /// How well the client is served at present. `receiving` and `sending` are the client's.
    public struct Quality: Hashable, Sendable, Codable {
        /// The most slots of one message.
        public static let maximumSlots = 64

        /// One direction of the client's path.
        public struct Direction: Hashable, Sendable, Codable {
            /// Packets lost, in percent, 0 to 100, with one digit behind the point; retransmissions do not hide it.
            public var lossPercent: Double
            /// The worst interarrival jitter of its streams (RFC 3550 §A.8).
            public var jitterMilliseconds: Int
            /// Everything sent over the last second, RTP headers included; a kilobit is 1,000 bits.
            public var kilobitsPerSecond: Int
            /// What the path would carry by the sender's estimate, everything included; absent where it has none.
            public var estimateKilobitsPerSecond: Int?

            /// A direction.
            public init(
                lossPercent: Double, jitterMilliseconds: Int, kilobitsPerSecond: Int,
                estimateKilobitsPerSecond: Int? = nil
            ) {
                self.lossPercent = lossPercent
                self.jitterMilliseconds = jitterMilliseconds
                self.kilobitsPerSecond = kilobitsPerSecond
                self.estimateKilobitsPerSecond = estimateKilobitsPerSecond
            }
        }

        /// One of the client's slots.
        public struct Slot: Hashable, Sendable, Codable {
            /// What it does.
            public enum Status: String, Hashable, Sendable, CaseIterable, Codable {
                /// The client does not show it.
                case hidden
                /// It did not negotiate the codec of what is on it.
                case unsupportedCodec
                /// The publisher sends nothing.
                case publisherSilent
                /// It waits for a key frame.
                case awaitingKeyFrame
                /// It has shown nothing for two seconds although the publisher sends.
                case frozen
                /// The highest layer that the publisher sends is forwarded.
                case forwarding
                /// A lower layer is forwarded.
                case lowerLayer
                /// A lower layer is forwarded until the key frame of a higher one comes.
                case switchingLayer
                /// A lower layer than the client wants is forwarded, because the path would not carry more.
                case limited
                /// Nothing is forwarded: the path would not carry even the lowest layer.
                case paused
            }
            /// The receiver's media section.
            public var mid: String
            /// The track on it.
            public var track: String?
            /// What it does.
            public var status: Status
            /// The layer that is forwarded, 0 the lowest.
            public var layer: Int?
            /// The temporal layer up to which it is forwarded, 0 the lowest; absent where all are, or there is one.
            public var temporalLayer: Int?
            /// The height of the picture in pixels, where it is known.
            public var height: Int?
            /// The height that the client wants, where it said one.
            public var wantedHeight: Int?
            /// What the estimate would have to be for the next better step of this slot, with the other slots as they are;
            /// absent where there is none or its rate is not known.
            public var neededKilobitsPerSecond: Int?
            /// Payload over the last second, retransmissions not counted.
            public var kilobitsPerSecond: Int
            /// What the client reported lost of it, in percent.
            public var lossPercent: Double?
            /// For audio: how good it can sound, from its publisher to the client.
            public var mos: Double?
            /// Why it is so: a sentence in English for people.
            public var reason: String

            /// A slot.
            public init(
                mid: String, track: String?, status: Status, layer: Int? = nil, temporalLayer: Int? = nil,
                height: Int? = nil, wantedHeight: Int? = nil, neededKilobitsPerSecond: Int? = nil,
                kilobitsPerSecond: Int, lossPercent: Double? = nil, mos: Double? = nil, reason: String
            ) {
                self.mid = mid
                self.track = track
                self.status = status
                self.layer = layer
                self.temporalLayer = temporalLayer
                self.height = height
                self.wantedHeight = wantedHeight
                self.neededKilobitsPerSecond = neededKilobitsPerSecond
                self.kilobitsPerSecond = kilobitsPerSecond
                self.lossPercent = lossPercent
                self.mos = mos
                self.reason = reason
            }
        }

        /// How good a conversation over this path can sound (ITU-T G.107), 1 to 4.5; nil before a round trip is known.
        public var mos: Double?
        /// The smoothed round trip between client and server.
        public var rttMilliseconds: Int?
        /// From the server to the client.
        public var receiving: Direction
        /// From the client to the server.
        public var sending: Direction
        /// The client's slots that something is on, the first `maximumSlots` of them.
        public var slots: [Slot]

        /// A report.
        public init(mos: Double?, rttMilliseconds: Int?, receiving: Direction, sending: Direction, slots: [Slot]) {
            self.mos = mos
            self.rttMilliseconds = rttMilliseconds
            self.receiving = receiving
            self.sending = sending
            self.slots = slots
        }
    }
}
