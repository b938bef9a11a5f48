// How good a conversation can sound, from delay, loss and jitter: the E-model (ITU-T G.107) with its default terminals, and the
// mean opinion score of its Annex B. Additions, multiplications and divisions only, so that every machine gives the same.

/// What a codec does to speech (ITU-T G.113).
public struct CodecImpairment: Hashable, Sendable {
    /// Ie: the impairment without loss, 0 to 95.
    public var equipment: Double
    /// Bpl: the robustness against random loss, 1 or more; the larger, the better.
    public var lossRobustness: Double
    /// The delay of a frame and of looking ahead, in milliseconds.
    public var packetisationMilliseconds: Double

    /// An impairment by its numbers.
    public init(equipment: Double, lossRobustness: Double, packetisationMilliseconds: Double) {
        self.equipment = equipment
        self.lossRobustness = lossRobustness
        self.packetisationMilliseconds = packetisationMilliseconds
    }

    /// Opus in frames of 20 ms with 6.5 ms of look-ahead (RFC 6716). G.113 does not list it: without loss it is no worse
    /// than G.711 (Ie 0); Bpl 20 is this project's choice, between GSM-EFR (10) and G.711 with concealment (25.1).
    public static let opus = CodecImpairment(equipment: 0, lossRobustness: 20, packetisationMilliseconds: 26.5)
    /// G.711 in packets of 20 ms with concealment (G.113 Appendix I: Ie 0, Bpl 25.1).
    public static let pcm = CodecImpairment(equipment: 0, lossRobustness: 25.1, packetisationMilliseconds: 20)
}

/// The computational model. Total: whatever is given is cut to its range, and no number counts as 0.
public struct EModel: Hashable, Sendable {
    /// The rating without any impairment but the default terminals' (G.107 §7.7: 93.2).
    public static let bestRating = 93.2

    /// The time to there and back, in milliseconds, 0 to 20,000; half of it is the delay of the path.
    public var roundTripMilliseconds: Double
    /// The interarrival jitter (RFC 3550 §A.8), in milliseconds, 0 to 10,000; a jitter buffer of twice as much is assumed.
    public var jitterMilliseconds: Double
    /// The share of packets that do not come in time, 0 to 1; random loss is assumed (G.107's BurstR 1).
    public var lossFraction: Double
    /// The codec.
    public var codec: CodecImpairment

    /// A path and a codec.
    public init(
        roundTripMilliseconds: Double, jitterMilliseconds: Double, lossFraction: Double,
        codec: CodecImpairment = .opus
    ) {
        self.roundTripMilliseconds = roundTripMilliseconds
        self.jitterMilliseconds = jitterMilliseconds
        self.lossFraction = lossFraction
        self.codec = codec
    }

    /// The effective delay from mouth to ear (G.107's Ta), in milliseconds.
    public var delayMilliseconds: Double {
        Self.within(roundTripMilliseconds, 0, 20_000) / 2 + 2 * Self.within(jitterMilliseconds, 0, 10_000)
            + Self.within(codec.packetisationMilliseconds, 0, 1_000)
    }

    /// Id: G.107's Idd without logarithms, by the straight lines of Cole and Rosenbluth (2001) through it: 0.024 a
    /// millisecond, and 0.11 more for each above 177.3, where conversation begins to suffer.
    public var delayImpairment: Double {
        let delay = delayMilliseconds
        return 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0)
    }

    /// Ie-eff (G.107 §7.5 with BurstR 1): Ie + (95 − Ie) × Ppl ÷ (Ppl + Bpl), with the loss in percent.
    public var effectiveEquipmentImpairment: Double {
        let equipment = Self.within(codec.equipment, 0, 95)
        let loss = 100 * Self.within(lossFraction, 0, 1)
        let robustness = Self.within(codec.lossRobustness, 1, 1_000)
        return equipment + (95 - equipment) * loss / (loss + robustness)
    }

    /// R, 0 to 93.2 (G.107 §7.1 with an advantage factor of 0).
    public var rating: Double {
        Self.within(Self.bestRating - delayImpairment - effectiveEquipmentImpairment, 0, Self.bestRating)
    }

    /// The mean opinion score of the rating, 1 (bad) to 4.41.
    public var meanOpinionScore: Double { Self.meanOpinionScore(ofRating: rating) }

    /// The mean opinion score of a rating (G.107 Annex B), 1 to 4.5. Below a rating of 6.5 its cubic falls under 1, which is
    /// the lowest score there is.
    public static func meanOpinionScore(ofRating rating: Double) -> Double {
        let r = within(rating, 0, 100)
        return within(1 + 0.035 * r + r * (r - 60) * (100 - r) * 0.000_007, 1, 4.5)
    }

    /// Cuts a value to a range; what is no number is the least.
    private static func within(_ value: Double, _ least: Double, _ most: Double) -> Double {
        value >= least ? (value <= most ? value : most) : least
    }
}
