// What of an encoding there is: the rate of each spatial and temporal layer over the last four seconds, its pictures' heights,
// and which layers have stopped, by their packets alone. Decides nothing.

/// The layers of one encoding as they arrive.
struct LayerRates: BitwiseCopyable {
    /// Layers told apart, each way; higher ones count as the highest.
    static let layers = 4
    /// A rate is measured over so many full buckets and the one that is being filled.
    static let buckets: Int64 = 17
    static let bucket = TimeDelta.milliseconds(250)
    static let bucketsOfSecond: Int64 = 4
    static let window = bucket * (buckets - 1)
    /// With each bucket the usual rate of a layer comes nearer to the one that is measured, by the difference divided by this.
    static let usualShare: Int64 = 8
    /// A rate before this is that of what came divided by this.
    static let shortest = TimeDelta.milliseconds(500)
    /// A layer silent for so long keeps the rate it had.
    static let silence = TimeDelta.seconds(1)
    /// A layer has stopped when others go on and it has been silent for so long, or for its own last pause and a margin.
    static let stopAfter = TimeDelta.milliseconds(950)
    static let stopMargin = TimeDelta.milliseconds(150)
    static let quietMargin = TimeDelta.milliseconds(50)

    private struct Layer: BitwiseCopyable {
        var first = Timestamp(nanoseconds: 0)
        var last = Timestamp(nanoseconds: 0)
        var bucket: Int64 = .min
        /// The rate when the last bucket with packets of the layer began.
        var rate: Int64 = 0
        /// What it takes over a longer time, zero where nothing is known.
        var usual: Int64 = 0
        var isSeen = false
    }

    /// The packets of all that has one spatial, or one temporal, layer.
    private struct Row: BitwiseCopyable {
        var last = Timestamp(nanoseconds: 0)
        var timestamp: UInt32 = 0
        /// The pause before the last frame.
        var pause = TimeDelta.zero
    }

    private var measured = InlineArray<16, Layer>(repeating: Layer())
    /// Bytes by bucket and layer, and frames by bucket and temporal layer.
    private var bytes = InlineArray<272, UInt32>(repeating: 0)
    private var frames = InlineArray<68, UInt16>(repeating: 0)
    /// The part of the bytes that key frames had, and the timestamp of the last of them.
    private var keyBytes = InlineArray<272, UInt32>(repeating: 0)
    private var keyTimestamp: UInt32?
    private var newestBucket: Int64 = .min
    private var bucketBegins = Timestamp(nanoseconds: .max)
    private var bucketEnds = Timestamp(nanoseconds: .min)
    private var newestTimestamp: UInt32 = 0
    private var isStarted = false
    private var last = Timestamp(nanoseconds: 0)
    private var lastFrame = Timestamp(nanoseconds: 0)
    /// The time between two frames, smoothed.
    private var interval = TimeDelta.zero
    /// Spatial layers first, then the temporal ones.
    private var rows = InlineArray<8, Row>(repeating: Row())
    private var seen: UInt8 = 0
    private var stopped: UInt8 = 0
    private var heights = InlineArray<4, UInt16>(repeating: 0)

    /// The layers seen, one at least.
    var spatialLayers: Int { Self.count(seen & 0x0f) }
    var temporalLayers: Int { Self.count(seen >> 4) }
    /// The layers seen that have not stopped, one at least.
    var liveSpatialLayers: Int { Self.count(seen & ~stopped & 0x0f) }
    var liveTemporalLayers: Int { Self.count((seen & ~stopped) >> 4) }
    /// A bit for each spatial layer that has stopped.
    var stoppedSpatialLayers: UInt8 { stopped & 0x0f }

    /// One past the highest layer of a set.
    private static func count(_ layers: UInt8) -> Int { max(1, 8 - layers.leadingZeroBitCount) }

    /// The height of a spatial layer's pictures, 0 where nothing told it.
    func height(spatial: Int) -> Int { spatial >= 0 && spatial < Self.layers ? Int(heights[spatial]) : 0 }

    mutating func setHeight(_ height: UInt16, spatial: Int) {
        if spatial >= 0, spatial < Self.layers, height > 0 { heights[spatial] = height }
    }

    /// The publisher says how many spatial layers there are: what is above has gone for good.
    mutating func declare(spatialLayers count: Int) {
        guard count > 0, count < Self.layers else { return }
        let kept = UInt8(truncatingIfNeeded: 1 << count - 1) | 0xf0
        seen &= kept
        stopped &= kept
    }

    private static func number(_ now: Timestamp) -> Int64 {
        let (quotient, rest) = now.nanoseconds.quotientAndRemainder(dividingBy: bucket.nanoseconds)
        return rest < 0 ? quotient - 1 : quotient
    }

    private static func place(_ bucket: Int64) -> Int {
        let rest = Int(truncatingIfNeeded: bucket % buckets)
        return rest < 0 ? rest + Int(buckets) : rest
    }

    /// What a packet said of the layers.
    enum News { case nothing, layerSeen, layerReturned }

    /// A packet of so many bytes came: whether a layer was seen for the first time, or one that had stopped goes on and is the
    /// highest now. A retransmission counts as bytes alone; what has the timestamp of a packet that begins a key frame is of it.
    mutating func note(
        bytes count: Int, spatial: UInt8, temporal: UInt8, timestamp: UInt32, isKeyFrame: Bool = false,
        isRetransmission: Bool, at now: Timestamp
    ) -> News {
        let s = min(Int(spatial), Self.layers - 1)
        let t = min(Int(temporal), Self.layers - 1)
        var bucket = newestBucket
        if now < bucketBegins || now >= bucketEnds {
            bucket = Self.number(now)
            if bucket > newestBucket, isStarted || !isRetransmission { turn(to: bucket) }
        }
        if isKeyFrame { keyTimestamp = timestamp }
        let isKey = keyTimestamp == timestamp
        if isRetransmission {
            guard isStarted else { return .nothing }
            add(count, to: s * Self.layers + t, bucket, isKey: isKey)
            return .nothing
        }
        let isSilenceOver = !isStarted || now - last >= Self.stopAfter
        if isSilenceOver { forgive(at: now) }
        let step = Int32(bitPattern: timestamp &- newestTimestamp)
        if step > 0 || isSilenceOver {
            let pause = max(.zero, min(now - lastFrame, Self.silence))
            interval = isStarted ? interval + (pause - interval) / 4 : .zero
            lastFrame = now
            newestTimestamp = timestamp
            let place = Self.place(bucket) * Self.layers + t
            frames[place] &+= frames[place] < .max ? 1 : 0
        }
        last = now
        isStarted = true
        measure(s * Self.layers + t, bucket, at: now)
        add(count, to: s * Self.layers + t, bucket, isKey: isKey)
        let (before, known) = (stopped, seen)
        let live = (liveSpatialLayers, liveTemporalLayers)
        note(row: s, timestamp, at: now)
        note(row: Self.layers + t, timestamp, at: now)
        if stopped != before, live != (liveSpatialLayers, liveTemporalLayers) { return .layerReturned }
        return seen == known ? .nothing : .layerSeen
    }

    /// Buckets that were not reached are empty.
    private mutating func turn(to bucket: Int64) {
        let from = newestBucket == .min ? bucket - Self.buckets : max(newestBucket, bucket - Self.buckets)
        var emptied = from + 1
        while emptied <= bucket {
            let place = Self.place(emptied)
            for layer in 0..<16 {
                bytes[place * 16 + layer] = 0
                keyBytes[place * 16 + layer] = 0
            }
            for layer in 0..<Self.layers { frames[place * Self.layers + layer] = 0 }
            emptied += 1
        }
        newestBucket = bucket
        noteSpan()
    }

    /// When the newest bucket begins and ends: hardly a packet needs a division.
    private mutating func noteSpan() {
        bucketBegins = Timestamp(nanoseconds: newestBucket &* Self.bucket.nanoseconds)
        bucketEnds = bucketBegins + Self.bucket
    }

    private mutating func add(_ count: Int, to layer: Int, _ bucket: Int64, isKey: Bool) {
        guard bucket > newestBucket - Self.buckets else { return }
        let place = Self.place(bucket) * 16 + layer
        let count = UInt32(truncatingIfNeeded: min(max(count, 0), 65_535))
        bytes[place] = bytes[place] &+ count
        if isKey { keyBytes[place] = keyBytes[place] &+ count }
    }

    /// A packet of a layer is about to be added: what was measured before it is kept once a bucket.
    private mutating func measure(_ layer: Int, _ bucket: Int64, at now: Timestamp) {
        if !measured[layer].isSeen || now - measured[layer].last >= Self.silence {
            measured[layer].first = now
            measured[layer].isSeen = true
        } else if bucket > measured[layer].bucket, now - measured[layer].first >= Self.shortest {
            let rate = windowed(layer, at: now)
            measured[layer].rate = rate
            let usual = measured[layer].usual
            measured[layer].usual = usual > 0 ? usual + (rate - usual) / Self.usualShare : rate
        }
        measured[layer].bucket = bucket
        measured[layer].last = now
    }

    /// Bits a second over the buckets that are left at `now`, as they would be if nothing new began.
    private func windowed(_ layer: Int, at now: Timestamp) -> Int64 {
        let current = Self.number(now)
        var sum: Int64 = 0
        var keys: Int64 = 0
        var most: Int64 = 0
        for back in 0..<Self.buckets {
            let bucket = current - back
            guard bucket <= newestBucket, bucket > newestBucket - Self.buckets else { continue }
            let place = Self.place(bucket) * 16 + layer
            let key = Int64(keyBytes[place])
            let count = Int64(bytes[place]) - key
            sum += count
            keys += key
            most = max(most, count)
        }
        let begin = max(
            measured[layer].first.nanoseconds, (current &- Self.buckets &+ 1) &* Self.bucket.nanoseconds)
        let span = max(now.nanoseconds &- begin, Self.shortest.nanoseconds)
        // A page that is turned comes once: it is not what the layer takes.
        let others = (sum - most) * Self.bucket.nanoseconds / max(span - Self.bucket.nanoseconds, 1)
        if others > 0, most > others * 3 { sum -= most - others * 3 / 2 }
        let plain = (DataSize(bytes: sum) / TimeDelta(nanoseconds: span)).bitsPerSecond
        // Behind a key frame an encoder saves what that took beyond its share: with it more than usual is seen, without it less.
        let all = (DataSize(bytes: sum + keys) / TimeDelta(nanoseconds: span)).bitsPerSecond
        let usual = measured[layer].usual
        guard usual > 0 else { return max(plain, all / 2) }
        let fresh = max(plain, min(all, usual))
        // The first moments behind a silence, with their key frame or their new page, say little.
        let age = min(max(now.nanoseconds &- measured[layer].first.nanoseconds, 0), Self.window.nanoseconds)
        return usual + (fresh - usual) / 1_000 * (age / (Self.window.nanoseconds / 1_000))
    }

    /// The rate of one layer: measured while it comes, else the one that it had.
    private func rate(ofOnly layer: Int, at now: Timestamp) -> Int64 {
        guard measured[layer].isSeen else { return 0 }
        // The first moments of a layer, with its key frame, say nothing.
        guard now - measured[layer].last < Self.silence, now - measured[layer].first >= Self.shortest else {
            return measured[layer].rate
        }
        return windowed(layer, at: now)
    }

    /// The rate of these layers and of all below them: RTP datagrams without what is around them. Usable half a second
    /// behind the first packet; of layers that are silent it is what they had.
    func rate(spatial: UInt8, temporal: UInt8, at now: Timestamp) -> DataRate {
        var sum: Int64 = 0
        for s in 0...min(Int(spatial), Self.layers - 1) {
            for t in 0...min(Int(temporal), Self.layers - 1) { sum += rate(ofOnly: s * Self.layers + t, at: now) }
        }
        return DataRate(bitsPerSecond: sum)
    }

    /// Whether the rates are those of half a second at least.
    func isMeasured(at now: Timestamp) -> Bool {
        measured[0].isSeen && (measured[0].rate > 0 || now - measured[0].first >= Self.shortest)
    }

    /// Pictures of the last second in these temporal layers and all below.
    func framesPerSecond(temporal: UInt8, at now: Timestamp) -> Int {
        guard isStarted else { return 0 }
        let current = Self.number(now)
        var sum = 0
        // Full buckets only: they are one second.
        for back in 1...Self.bucketsOfSecond {
            let bucket = current - back
            guard bucket <= newestBucket, bucket > newestBucket - Self.buckets else { continue }
            for t in 0...min(Int(temporal), Self.layers - 1) {
                sum += Int(frames[Self.place(bucket) * Self.layers + t])
            }
        }
        return sum
    }
}

/// What has stopped.
extension LayerRates {
    private mutating func note(row: Int, _ timestamp: UInt32, at now: Timestamp) {
        let bit = UInt8(1) << UInt8(row)
        if seen & bit == 0 {
            seen |= bit
            rows[row] = Row(last: now, timestamp: timestamp)
            return
        }
        stopped &= ~bit
        if rows[row].timestamp != timestamp {
            rows[row].pause = now - rows[row].last
            rows[row].timestamp = timestamp
        }
        rows[row].last = now
    }

    /// Everything was silent: no layer is blamed for not having come.
    private mutating func forgive(at now: Timestamp) {
        for row in 0..<8 where seen & ~stopped & 1 << UInt8(row) != 0 { rows[row].last = now }
    }

    private func limit(of row: Int) -> Timestamp {
        rows[row].last + max(Self.stopAfter, rows[row].pause + Self.stopMargin)
    }

    /// Whether a frame of any layer is overdue: then nothing is said of one layer.
    private func isQuiet(at now: Timestamp) -> Bool {
        now - last > interval * 5 / 2 + Self.quietMargin || now - last >= Self.stopAfter
    }

    /// True when by `now` a layer above the lowest has stopped while others go on, and the highest that goes on is another.
    mutating func expire(at now: Timestamp) -> Bool {
        guard isStarted, !isQuiet(at: now) else { return false }
        let before = (liveSpatialLayers, liveTemporalLayers)
        for row in 0..<8 where row % Self.layers != 0 && seen & ~stopped & 1 << UInt8(row) != 0 {
            if limit(of: row) <= now { stopped |= 1 << UInt8(row) }
        }
        return before != (liveSpatialLayers, liveTemporalLayers)
    }

    /// When `expire` should be called; nil while everything is silent or there is but one layer.
    func deadline(at now: Timestamp) -> Timestamp? {
        guard isStarted, now - last < Self.stopAfter else { return nil }
        var earliest: Timestamp?
        for row in 0..<8 where row % Self.layers != 0 && seen & ~stopped & 1 << UInt8(row) != 0 {
            earliest.bring(forwardTo: limit(of: row))
        }
        // What is overdue while everything is quiet is looked at again soon.
        return earliest.map { $0 > now ? $0 : now + Self.quietMargin }
    }
}

extension LayerRates: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&isStarted)
        guard isStarted else { return }
        try c.code(&last)
        try c.code(&lastFrame)
        try c.code(&interval)
        try c.code(&newestTimestamp)
        try c.optional(&keyTimestamp, 0) { c, v throws(CheckpointError) in try c.code(&v) }
        try c.code(&seen)
        try c.code(&stopped)
        try c.code(&newestBucket, -Self.bucketLimit...Self.bucketLimit)
        noteSpan()
        for layer in 0..<16 {
            try c.code(&measured[layer].isSeen)
            guard measured[layer].isSeen else { continue }
            try c.code(&measured[layer].first)
            try c.code(&measured[layer].last)
            try c.code(&measured[layer].bucket, -Self.bucketLimit...Self.bucketLimit)
            try c.code(&measured[layer].rate, 0...CheckpointLimit.number)
            try c.code(&measured[layer].usual, 0...CheckpointLimit.number)
            for place in 0..<Int(Self.buckets) {
                try c.code(&bytes[place * 16 + layer])
                try c.code(&keyBytes[place * 16 + layer])
            }
        }
        for row in 0..<8 where seen & 1 << UInt8(row) != 0 {
            try c.code(&rows[row].last)
            try c.code(&rows[row].timestamp)
            try c.code(&rows[row].pause)
            if row >= Self.layers {
                for place in 0..<Int(Self.buckets) { try c.code(&frames[place * Self.layers + row - Self.layers]) }
            }
        }
        for layer in 0..<Self.layers { try c.code(&heights[layer]) }
    }

    /// Numbers of buckets that a moment can have.
    private static let bucketLimit = CheckpointLimit.moment / bucket.nanoseconds + 1
}
