// Stand-in.
struct LayerRates: BitwiseCopyable {
    var spatialLayers = 1
    var temporalLayers = 1
    var bytes: Int64 = 0
    var last: Int64 = 0
    var began: Int64 = .min
    mutating func note(bytes count: Int, at now: Timestamp) {
        if began == .min { began = now.nanoseconds }
        let span = now.nanoseconds &- began
        if span > 1_000_000_000 { last = bytes * 8_000 / max(1, span / 1_000_000); bytes = 0; began = now.nanoseconds }
        bytes += Int64(count)
    }
    func rate(spatial: UInt8, temporal: UInt8, at now: Timestamp) -> DataRate { DataRate(bitsPerSecond: last) }
    func height(spatial: UInt8) -> UInt16 { 0 }
}
