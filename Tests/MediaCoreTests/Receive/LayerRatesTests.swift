import Testing

// Rates of layers, and which of them have stopped, by their packets.
@testable import MediaCore

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

@Suite("Layer rates")
struct LayerRatesTests {
    /// Sends frames of these temporal layers in turn; gives the moments at which a change was noticed.
    private func send(
        _ rates: inout LayerRates, _ pattern: [UInt8], bytes: Int, every interval: Int64, from: Int64, to: Int64,
        spatial: UInt8 = 0, without: UInt8? = nil
    ) -> [Int64] {
        var changes: [Int64] = []
        var now = from
        var next = from
        var index = 0
        while now < to {
            let due = rates.deadline(at: at(now)).map { $0.nanoseconds / 1_000_000 }
            if let due, due < next, due <= to {
                now = max(now, due)
                if rates.expire(at: at(now)) { changes.append(now) }
                if rates.deadline(at: at(now)).map({ $0 <= at(now) }) ?? false { Issue.record("a deadline stays") }
                continue
            }
            now = next
            let layer = pattern[index % pattern.count]
            if layer != without {
                for s in 0...spatial {
                    let changed = rates.note(
                        bytes: bytes, spatial: s, temporal: layer, timestamp: UInt32(now * 90),
                        isRetransmission: false, at: at(now))
                    if changed == .layerReturned { changes.append(now) }
                }
            }
            index += 1
            next += interval
        }
        return changes
    }

    @Test("Rates add up from the layer below, within a few percent, half a second on and later")
    func cumulative() {
        var rates = LayerRates()
        _ = send(&rates, [0, 2, 1, 2], bytes: 1_000, every: 25, from: 0, to: 600)
        func rate(_ temporal: UInt8, _ now: Int64) -> Int64 {
            rates.rate(spatial: 0xff, temporal: temporal, at: at(now)).bitsPerSecond
        }
        #expect(abs(rate(3, 600) - 320_000) < 30_000)
        _ = send(&rates, [0, 2, 1, 2], bytes: 1_000, every: 25, from: 600, to: 5_000)
        #expect(abs(rate(0, 5_000) - 80_000) < 10_000)
        #expect(abs(rate(1, 5_000) - 160_000) < 10_000)
        #expect(abs(rate(2, 5_000) - 320_000) < 15_000)
        #expect(rate(0xff, 5_000) == rate(2, 5_000))
        #expect(rates.temporalLayers == 3 && rates.spatialLayers == 1)
        #expect((38...42).contains(rates.framesPerSecond(temporal: 0xff, at: at(5_000))))
        #expect((9...11).contains(rates.framesPerSecond(temporal: 0, at: at(5_000))))
    }

    @Test("What is silent keeps its rate; what becomes less is measured as less")
    func frozen() {
        var rates = LayerRates()
        _ = send(&rates, [0], bytes: 1_000, every: 20, from: 0, to: 3_000, spatial: 1)
        let both = rates.rate(spatial: 1, temporal: 0, at: at(3_000)).bitsPerSecond
        #expect(abs(both - 800_000) < 40_000)
        // The upper layer stops, the lower one goes on.
        _ = send(&rates, [0], bytes: 1_000, every: 20, from: 3_000, to: 9_000)
        let later = rates.rate(spatial: 1, temporal: 0, at: at(9_000)).bitsPerSecond
        #expect(abs(later - both) < 40_000)
        #expect(rates.liveSpatialLayers == 1 && rates.spatialLayers == 2)
        let silent = rates.rate(spatial: 1, temporal: 0, at: at(60_000)).bitsPerSecond
        #expect(abs(silent - both) < 40_000)
        // What goes on is believed the more the longer it does.
        _ = send(&rates, [0], bytes: 250, every: 20, from: 60_000, to: 61_000)
        #expect(abs(rates.rate(spatial: 0, temporal: 0, at: at(61_000)).bitsPerSecond - 325_000) < 30_000)
        _ = send(&rates, [0], bytes: 250, every: 20, from: 61_000, to: 65_000)
        #expect(abs(rates.rate(spatial: 0, temporal: 0, at: at(65_000)).bitsPerSecond - 100_000) < 8_000)
    }

    @Test("Key frames, and what an encoder saves behind them, hardly change what a layer takes")
    func keyFrames() {
        var rates = LayerRates()
        var lowest = Int64.max
        var highest: Int64 = 0
        var debt = 0
        // 400 kb/s at 25 frames a second. From the fifth second on three key frames of ten frames' size come within a second and a
        // half; the frames behind one are smaller by a third until that is made up for.
        for frame in 0..<300 {
            let now = Int64(frame) * 40
            let isKey = frame == 0 || frame == 125 || frame == 142 || frame == 160
            let saved = isKey ? 0 : min(debt, 666)
            debt += isKey ? 18_000 : -saved
            var left = isKey ? 20_000 : 2_000 - saved
            var isFirst = true
            while left > 0 {
                _ = rates.note(
                    bytes: min(left, 1_000), spatial: 0, temporal: 0, timestamp: UInt32(now * 90),
                    isKeyFrame: isKey && isFirst, isRetransmission: false, at: at(now))
                left -= 1_000
                isFirst = false
            }
            let rate = rates.rate(spatial: 0, temporal: 0, at: at(now)).bitsPerSecond
            if now >= 4_500 {
                lowest = min(lowest, rate)
                highest = max(highest, rate)
            }
        }
        #expect(lowest > 320_000 && highest < 440_000, "\(lowest) to \(highest)")
        // A layer that takes more has that measured all the same.
        _ = send(&rates, [0], bytes: 4_000, every: 40, from: 12_000, to: 16_500)
        #expect(abs(rates.rate(spatial: 0, temporal: 0, at: at(16_500)).bitsPerSecond - 800_000) < 30_000)
    }

    @Test("A layer that stops is noticed within a second, and at once when it goes on")
    func stopped() {
        for (interval, pattern) in [(33, [0, 2, 1, 2]), (200, [0, 2, 1, 2]), (200, [0, 1]), (33, [0, 1])]
            as [(Int64, [UInt8])]
        {
            // What is told is the highest that is left: one below it stops without a word.
            for layer in [1, pattern.max() ?? 0] {
                let isTold = layer == pattern.max()
                var rates = LayerRates()
                var changes = send(&rates, pattern, bytes: 500, every: interval, from: 0, to: 8_000)
                #expect(changes.isEmpty)
                let rest = interval * Int64(pattern.count) * 20
                changes = send(
                    &rates, pattern, bytes: 500, every: interval, from: 8_000, to: 8_000 + rest, without: layer)
                #expect(changes.count == (isTold ? 1 : 0), "\(interval) \(layer) \(changes)")
                #expect(changes.allSatisfy { $0 <= 9_000 }, "\(interval) \(layer) \(changes)")
                changes = send(&rates, pattern, bytes: 500, every: interval, from: 8_000 + rest, to: 20_000 + rest)
                #expect(changes.count == (isTold ? 1 : 0))
                #expect(changes.allSatisfy { $0 < 8_001 + rest + interval * Int64(pattern.count) })
            }
        }
    }

    @Test("Pauses of everything, and pictures that come one a second, are no layer's fault")
    func quiet() {
        var rates = LayerRates()
        var changes = send(&rates, [0, 2, 1, 2], bytes: 500, every: 33, from: 0, to: 3_000)
        changes += send(&rates, [0, 2, 1, 2], bytes: 500, every: 33, from: 13_000, to: 16_000)
        #expect(changes.isEmpty)
        var slow = LayerRates()
        _ = send(&slow, [0, 1], bytes: 500, every: 1_000, from: 0, to: 6_000)
        #expect(send(&slow, [0, 1], bytes: 500, every: 1_000, from: 6_000, to: 60_000).isEmpty)
    }

    @Test("Any moment and any layer is taken")
    func total() {
        var rates = LayerRates()
        for now in [0, .max, .min, 5, -1, .max] as [Int64] {
            _ = rates.note(
                bytes: .max, spatial: 255, temporal: 255, timestamp: 1, isKeyFrame: now > 0, isRetransmission: false,
                at: Timestamp(nanoseconds: now))
            _ = rates.note(
                bytes: .min, spatial: 0, temporal: 0, timestamp: .max, isRetransmission: true,
                at: Timestamp(nanoseconds: now))
            _ = rates.rate(spatial: 255, temporal: 255, at: Timestamp(nanoseconds: .min))
            _ = rates.framesPerSecond(temporal: 255, at: Timestamp(nanoseconds: .max))
            _ = rates.expire(at: Timestamp(nanoseconds: .max))
            _ = rates.deadline(at: Timestamp(nanoseconds: .min))
        }
    }
}
