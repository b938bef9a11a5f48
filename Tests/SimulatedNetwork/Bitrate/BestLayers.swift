// The best set of layers that fits a capacity, found by trying all of them: what a perfect allocation would forward.

/// What one layer of a track takes, everything below it in time included.
struct LayerOption {
    var encoding: Int
    var layer: Int
    /// In the long run, bits per second.
    var mean: Double
    /// In the window that is looked at, bits per second.
    var present: Double
}

extension RoomMeter {
    /// The mean rate of an encoding up to a temporal layer while it was sent, RTP headers included, in bits per second; by its
    /// shape when it was never sent for a second.
    func meanRate(_ encoding: OfferedEncoding, upTo layer: Int) -> Double {
        var active = 0
        var bytes = 0
        for tick in encoding.bytes[0].indices {
            let sent = encoding.bytes[0][tick] + encoding.bytes[1][tick] + encoding.bytes[2][tick]
            guard sent > 0 else { continue }
            active += 1
            for number in 0...layer { bytes += encoding.bytes[number][tick] }
        }
        guard active >= 10 else {
            let nominal = Double(encoding.shape.layers[encoding.number].bitsPerSecond)
            return nominal * encoding.shape.share(upTo: layer) * 1.05
        }
        return Double(bytes) * 80 / Double(active)
    }

    /// What may be sent of a track at a tick, over the window of this many ticks that ends with it.
    func options(_ shown: ShownTrack, means: [UInt32: [Double]], tick: Int, window: Int) -> [LayerOption] {
        guard shown.wantedHeight > 0 else { return [] }
        let encodings = offered.filter { $0.value.track == shown.track }.sorted { $0.value.number < $1.value.number }
        let enough = encodings.first { $0.value.shape.layers[$0.value.number].height >= Int(shown.wantedHeight) }
        let highest = enough?.value.number ?? .max
        var options: [LayerOption] = []
        for (ssrc, encoding) in encodings where encoding.number <= highest {
            let range = max(0, tick - window + 1)...tick
            var present = 0.0
            let isSent = range.allSatisfy { t in encoding.bytes.contains { t < $0.count && $0[t] > 0 } }
            for layer in 0..<max(1, encoding.shape.temporalLayers) {
                let bytes = range.reduce(0) {
                    $0 + (($1 < encoding.bytes[layer].count) ? encoding.bytes[layer][$1] : 0)
                }
                present += Double(bytes) * 80 / Double(range.count)
                // A larger picture at a quarter of its frame rate is no better than a smaller one in full.
                if !options.isEmpty, options[0].encoding != encoding.number, layer < encoding.shape.temporalLayers - 2 {
                    continue
                }
                let mean = means[ssrc]?[layer] ?? 0
                options.append(
                    LayerOption(
                        encoding: encoding.number, layer: layer, mean: mean, present: isSent ? present : mean))
            }
        }
        return options
    }

    /// The mean rates of all encodings up to each temporal layer, by SSRC.
    func allMeans() -> [UInt32: [Double]] {
        offered.mapValues { encoding in (0..<3).map { meanRate(encoding, upTo: $0) } }
    }
}

/// The best choice of at most one option for each slot whose mean rates fit: that of the highest rate; gives its rate in the
/// window. Tries every choice.
func bestSet(_ slots: [[LayerOption]], fitting capacity: Double) -> (mean: Double, present: Double) {
    guard let first = slots.first else { return (0, 0) }
    let rest = Array(slots.dropFirst())
    var best = bestSet(rest, fitting: capacity)
    for option in first where option.mean <= capacity {
        let others = bestSet(rest, fitting: capacity - option.mean)
        if option.mean + others.mean > best.mean {
            best = (option.mean + others.mean, option.present + others.present)
        }
    }
    return best
}
