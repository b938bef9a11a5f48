// The E-model: vectors worked out by hand from G.107's formulas, and what must hold for every input.
import SimulatedNetwork
import Testing

@testable import MediaCore

@Suite("E-model")
struct EModelTests {
    private func isNear(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 0.000_01 }

    @Test("Annex B: the score of a rating")
    func annexB() {
        // 1 + 0.035 R + R (R − 60) (100 − R) 7·10⁻⁶, as the table of Annex B has it to two digits.
        for (rating, score) in [(0.0, 1.0), (50, 2.575), (60, 3.1), (70, 3.597), (80, 4.024), (90, 4.339), (100, 4.5)] {
            #expect(isNear(EModel.meanOpinionScore(ofRating: rating), score), "\(rating)")
        }
        #expect(EModel.meanOpinionScore(ofRating: -5) == 1)
        #expect(EModel.meanOpinionScore(ofRating: 120) == 4.5)
    }

    @Test("Nothing wrong with the path: only the codec's own delay")
    func best() {
        let model = EModel(roundTripMilliseconds: 0, jitterMilliseconds: 0, lossFraction: 0)
        #expect(isNear(model.delayMilliseconds, 26.5))
        #expect(isNear(model.rating, 93.2 - 0.024 * 26.5))
        #expect(isNear(model.meanOpinionScore, 4.396638))
    }

    @Test("G.711 over 200 ms there and back, 10 ms of jitter and 2 % of loss")
    func pcm() {
        let model = EModel(roundTripMilliseconds: 200, jitterMilliseconds: 10, lossFraction: 0.02, codec: .pcm)
        #expect(isNear(model.delayMilliseconds, 140))
        #expect(isNear(model.delayImpairment, 3.36))
        // 95 × 2 ÷ 27.1
        #expect(isNear(model.effectiveEquipmentImpairment, 7.011070))
        #expect(isNear(model.rating, 82.828930))
        #expect(isNear(model.meanOpinionScore, 4.126293))
    }

    @Test("Above 177.3 ms the delay counts more")
    func late() {
        let model = EModel(roundTripMilliseconds: 600, jitterMilliseconds: 20, lossFraction: 0.05)
        #expect(isNear(model.delayImpairment, 0.024 * 366.5 + 0.11 * 189.2))
        #expect(isNear(model.effectiveEquipmentImpairment, 19))
        #expect(isNear(model.meanOpinionScore, 2.294234))
    }

    @Test("Any number gives a score, and one that is no number counts as none")
    func total() {
        let odd: [Double] = [
            .nan, .infinity, -.infinity, -1, 0, -0.0, 1e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.5,
        ]
        for a in odd {
            for b in odd {
                for c in odd {
                    let codec = CodecImpairment(equipment: a, lossRobustness: b, packetisationMilliseconds: c)
                    for model in [
                        EModel(roundTripMilliseconds: a, jitterMilliseconds: b, lossFraction: c),
                        EModel(roundTripMilliseconds: c, jitterMilliseconds: a, lossFraction: b, codec: codec),
                    ] {
                        #expect(model.meanOpinionScore >= 1 && model.meanOpinionScore <= 4.5)
                        #expect(model.rating >= 0 && model.rating <= EModel.bestRating)
                    }
                }
            }
        }
        let none = EModel(roundTripMilliseconds: .nan, jitterMilliseconds: .nan, lossFraction: .nan)
        #expect(
            none.meanOpinionScore
                == EModel(roundTripMilliseconds: 0, jitterMilliseconds: 0, lossFraction: 0).meanOpinionScore)
    }

    @Test("More delay, more jitter or more loss never sounds better")
    func monotone() {
        var random = SeededRandom(seed: 107)
        for _ in 0..<20_000 {
            let base = EModel(
                roundTripMilliseconds: Double(random.below(2_000)), jitterMilliseconds: Double(random.below(300)),
                lossFraction: Double(random.below(1_001)) / 1_000,
                codec: CodecImpairment(
                    equipment: Double(random.below(96)), lossRobustness: Double(1 + random.below(40)),
                    packetisationMilliseconds: Double(random.below(100))))
            var worse = base
            switch random.below(5) {
            case 0: worse.roundTripMilliseconds += Double(random.below(500)) + 0.25
            case 1: worse.jitterMilliseconds += Double(random.below(100)) + 0.25
            case 2: worse.lossFraction += Double(random.below(200)) / 1_000 + 0.000_1
            case 3: worse.codec.equipment += 1
            default: worse.codec.lossRobustness -= 0.5
            }
            #expect(worse.rating <= base.rating)
            #expect(worse.meanOpinionScore <= base.meanOpinionScore)
            guard worse.meanOpinionScore <= base.meanOpinionScore else { return }
        }
        var last = 0.0
        for step in 0...100_000 {
            let score = EModel.meanOpinionScore(ofRating: Double(step) / 1_000)
            #expect(score >= last)
            guard score >= last else { return }
            last = score
        }
    }
}
