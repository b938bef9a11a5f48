// How a receiver of VP8 finds out what a frame is predicted from, by picture id, TL0PICIDX, TID and Y alone (RFC 7741
// §4.2): by the rules that libwebrtc goes by. A frame whose references it cannot name is kept and not decoded.

/// The references of one slot's frames, as its receiver sees them.
struct VP8References: Sendable {
    /// What becomes of a frame.
    enum Outcome: Sendable { case decoded, waits, dropped }

    private static let remembered = 50
    private var newestPicture: Int64?
    private var newestBase: Int64?
    /// The newest picture of each layer when a base-layer frame was the newest, by its TL0PICIDX.
    private var layers: [Int64: [Int64?]] = [:]
    private var missing: Set<Int64> = []

    private static func extend(_ value: Int64, near newest: Int64?, bits: Int64) -> Int64 {
        guard let newest else { return value + (1 << bits) }
        let size = Int64(1) << bits
        var step = (value - newest) & (size - 1)
        if step >= size / 2 { step -= size }
        return newest + step
    }

    /// A whole frame came.
    mutating func receive(_ fields: VP8Fields) -> Outcome {
        guard let id = fields.pictureID, let index = fields.temporalLevelZeroIndex else { return .decoded }
        let picture = Self.extend(Int64(id), near: newestPicture, bits: fields.hasLongPictureID ? 15 : 7)
        let base = Self.extend(Int64(index), near: newestBase, bits: 8)
        let layer = Int(fields.temporalLayer ?? 0)
        if let newest = newestPicture, picture > newest {
            for skipped in (newest + 1)...picture where picture - newest < 1_000 { missing.insert(skipped) }
        }
        newestPicture = max(newestPicture ?? picture, picture)
        newestBase = max(newestBase ?? base, base)
        missing = missing.filter { $0 > picture - 100 }
        layers = layers.filter { $0.key > base - Int64(Self.remembered) }
        if fields.beginsKeyFrame {
            layers[base] = [nil, nil, nil, nil]
            return note(picture, base, layer)
        }
        guard let known = layers[layer == 0 ? base - 1 : base] else { return .waits }
        if layer == 0 {
            guard let last = known[0], last < picture else { return .dropped }
            layers[base] = known
            return note(picture, base, layer)
        }
        if fields.isLayerSync {
            if let last = known[layer], last >= picture { return .dropped }
            return note(picture, base, layer)
        }
        for below in 0...layer {
            guard let reference = known[below] else { return .waits }
            if reference >= picture { return .dropped }
            if missing.contains(where: { $0 > reference && $0 < picture }) { return .waits }
        }
        return note(picture, base, layer)
    }

    private mutating func note(_ picture: Int64, _ base: Int64, _ layer: Int) -> Outcome {
        var index = base
        while var known = layers[index] {
            if let last = known[layer], last > picture { break }
            known[layer] = picture
            layers[index] = known
            index += 1
        }
        missing.remove(picture)
        return .decoded
    }
}
