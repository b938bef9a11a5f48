// The temporal layers of a simulated VP8 encoder: which layer each frame after a key frame is of, and what it is predicted
// from. Three layers follow each other as 0212, two as 01.

/// One frame's place in a temporal structure.
struct TemporalFrame: Sendable {
    var layer: UInt8
    /// It is predicted from the newest base-layer frame alone (Y of RFC 7741 §4.2).
    var isSync: Bool
}

/// What the frames of each layer were, newest of each.
struct TemporalPattern: Sendable {
    private var position = 0
    private var newest: [UInt64?] = [nil, nil, nil]
    private var count: UInt64 = 0

    /// The next frame of three layers, and the truth about it. Of eight frames the first two of a higher layer are sync
    /// points; the others need their own layer's last frame.
    mutating func next(isKey: Bool, ssrc: UInt32) -> (frame: TemporalFrame, truth: FrameTruth) {
        if isKey {
            position = 0
            newest = [nil, nil, nil]
        }
        let layers: [UInt8] = [0, 2, 1, 2]
        let layer = layers[position % 4]
        let isSync = [1, 2].contains(position % 8)
        position += 1
        count += 1
        let number = UInt64(ssrc) << 32 | count
        var references: [UInt64] = []
        if !isKey {
            let used = layer == 0 || isSync ? 1 : Int(layer) + 1
            references = newest.prefix(used).compactMap { $0 }
        }
        newest[Int(layer)] = number
        return (TemporalFrame(layer: layer, isSync: isSync), FrameTruth(number: number, references: references))
    }
}
