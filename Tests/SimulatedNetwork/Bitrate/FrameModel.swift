// How large the frames of a simulated encoder are, which of them exist at all, and which temporal layer each belongs to.

/// What a simulated encoder is shown.
public enum Motion: Sendable, Hashable {
    /// A person: a frame at every tick, sizes between half and one and a half of their mean.
    case camera
    /// A shared screen: long stretches without a frame, single frames, scrolling, and now and then a new page as large as a
    /// key frame.
    case screen
}

/// One frame that an encoder makes.
struct ModelFrame {
    var layer: UInt8
    /// Whether it needs no frame of its own or a higher temporal layer but the base's (RFC 7741's Y).
    var isSync: Bool
    var bytes: Int
}

/// What a screen does at present.
struct ScreenState: Sendable {
    var isScrolling = false
    var ticksLeft = 0
}

extension VideoShape {
    /// The share of the rate that frames of up to each temporal layer take, as in libwebrtc's VP8: of two layers 60 %, of three
    /// 40 % and 60 %.
    public func share(upTo layer: Int) -> Double {
        switch temporalLayers {
        case 3: [0.4, 0.6, 1][min(2, max(0, layer))]
        case 2: [0.6, 1][min(1, max(0, layer))]
        default: 1
        }
    }

    /// The temporal layer of the frame that is `position` frames behind the last key frame, and whether it is a sync point.
    private func place(_ position: Int) -> (layer: UInt8, isSync: Bool) {
        switch temporalLayers {
        case 3: [(0, false), (2, true), (1, true), (2, false)][position % 4]
        case 2: position % 2 == 1 ? (1, true) : (0, false)
        default: (0, false)
        }
    }

    /// The next frame of an encoding with this rate, or nil when there is nothing new to see.
    func frame(
        _ position: Int, isKey: Bool, bitsPerSecond: Int, _ screen: inout ScreenState, _ random: inout SeededRandom
    ) -> ModelFrame? {
        let mean = max(100, bitsPerSecond / 8 / max(1, framesPerSecond))
        if motion == .screen { return screenFrame(isKey: isKey, mean: mean, &screen, &random) }
        let (layer, isSync) = isKey ? (0, false) : place(position)
        if isKey { return ModelFrame(layer: 0, isSync: false, bytes: keyFrameFactor * mean) }
        var scaled = mean
        if temporalLayers == 3 {
            // Of four frames one is of layer 0, one of layer 1 and two are of layer 2.
            scaled = layer == 0 ? mean * 16 / 10 : layer == 1 ? mean * 8 / 10 : mean * 8 / 10
        } else if temporalLayers == 2, keepsShares {
            scaled = layer == 0 ? mean * 12 / 10 : mean * 8 / 10
        }
        return ModelFrame(layer: layer, isSync: isSync, bytes: scaled / 2 + random.below(scaled))
    }

    private func screenFrame(
        isKey: Bool, mean: Int, _ screen: inout ScreenState, _ random: inout SeededRandom
    ) -> ModelFrame? {
        if isKey { return ModelFrame(layer: 0, isSync: false, bytes: keyFrameFactor * mean) }
        if screen.ticksLeft <= 0 {
            screen.isScrolling = random.chance(0.4)
            screen.ticksLeft = 3 + random.below(screen.isScrolling ? 15 : 25)
            if random.chance(0.3) { return ModelFrame(layer: 0, isSync: false, bytes: keyFrameFactor * mean) }
        }
        screen.ticksLeft -= 1
        guard screen.isScrolling || random.chance(0.1) else { return nil }
        return ModelFrame(layer: 0, isSync: false, bytes: mean / 2 + random.below(mean))
    }
}
