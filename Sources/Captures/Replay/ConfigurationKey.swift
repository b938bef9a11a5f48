// The settings of a room's core by name, for replays with other constants; knows nothing of the server's settings.
public import MediaCore

/// One setting of `RoomConfiguration` that a replay may be given another value for.
public struct ConfigurationKey: Sendable {
    /// Its name, which is that of the field.
    public let name: String
    /// The values that it takes.
    public let range: ClosedRange<Int64>
    /// What it is, with its unit.
    public let meaning: String
    /// Whether only powers of two are taken.
    public let isPowerOfTwo: Bool
    /// Whether a change in the middle of a room holds for tracks published later only (`RoomCore.reconfigure`).
    public let isForNewTracks: Bool
    private let get: @Sendable (RoomConfiguration) -> Int64
    private let set: @Sendable (inout RoomConfiguration, Int64) -> Void

    private init(
        _ name: String, _ range: ClosedRange<Int64>, _ meaning: String, isPowerOfTwo: Bool = false,
        isForNewTracks: Bool = false,
        get: @escaping @Sendable (RoomConfiguration) -> Int64,
        set: @escaping @Sendable (inout RoomConfiguration, Int64) -> Void
    ) {
        self.name = name
        self.range = range
        self.meaning = meaning
        self.isPowerOfTwo = isPowerOfTwo
        self.isForNewTracks = isForNewTracks
        self.get = get
        self.set = set
    }

    /// Every setting, by name.
    public static let all: [ConfigurationKey] = [
        ConfigurationKey(
            "audioHistoryPackets", 16...4_096, "packets kept per audio track for retransmission, a power of two",
            isPowerOfTwo: true, isForNewTracks: true, get: { Int64($0.audioHistoryPackets) },
            set: { $0.audioHistoryPackets = Int(truncatingIfNeeded: $1) }),
        ConfigurationKey(
            "bitrate.maximumBitsPerSecond", 10_000...1_000_000_000, "the most that an estimate may be, in bit/s",
            get: { $0.bitrate.maximumBitsPerSecond }, set: { $0.bitrate.maximumBitsPerSecond = $1 }),
        ConfigurationKey(
            "bitrate.minimumBitsPerSecond", 10_000...1_000_000_000,
            "the least that an estimate may be, in bit/s; 1000000000: nothing is limited or paced",
            get: { $0.bitrate.minimumBitsPerSecond }, set: { $0.bitrate.minimumBitsPerSecond = $1 }),
        ConfigurationKey(
            "bitrate.pacingPercent", 100...1_000, "how much faster than its estimate a receiver is sent to, in percent",
            get: { $0.bitrate.pacingPercent }, set: { $0.bitrate.pacingPercent = $1 }),
        ConfigurationKey(
            "bitrate.probes", 0...1, "whether paths are probed",
            get: { $0.bitrate.probes ? 1 : 0 }, set: { $0.bitrate.probes = $1 != 0 }),
        ConfigurationKey(
            "bitrate.startBitsPerSecond", 10_000...1_000_000_000,
            "the estimate of a path before anything is known, in bit/s",
            isForNewTracks: true, get: { $0.bitrate.startBitsPerSecond },
            set: { $0.bitrate.startBitsPerSecond = $1 }),
        ConfigurationKey(
            "keyFrameRequestIntervalMilliseconds", 1...60_000,
            "the least time between two key-frame requests for one encoding, in ms",
            get: { $0.keyFrameRequestIntervalMilliseconds }, set: { $0.keyFrameRequestIntervalMilliseconds = $1 }),
        ConfigurationKey(
            "reportIntervalMilliseconds", 10...60_000, "the interval of sender and receiver reports, in ms",
            get: { $0.reportIntervalMilliseconds }, set: { $0.reportIntervalMilliseconds = $1 }),
        ConfigurationKey(
            "transportFeedbackIntervalMilliseconds", 10...10_000,
            "the interval of transport-wide feedback to publishers, in ms",
            get: { $0.transportFeedbackIntervalMilliseconds },
            set: { $0.transportFeedbackIntervalMilliseconds = $1 }),
        ConfigurationKey(
            "videoHistoryPackets", 16...4_096, "packets kept per video track for retransmission, a power of two",
            isPowerOfTwo: true, isForNewTracks: true, get: { Int64($0.videoHistoryPackets) },
            set: { $0.videoHistoryPackets = Int(truncatingIfNeeded: $1) }),
    ]

    /// The value in a configuration.
    public func value(in configuration: RoomConfiguration) -> Int64 { get(configuration) }
}

/// Why another value for a setting was not taken.
public struct ConfigurationChangeError: Error, Hashable, CustomStringConvertible {
    /// The sentence for the person who asked.
    public let description: String
}

/// Other values for some settings of a room's core.
public struct ConfigurationChanges: Sendable, Hashable {
    /// What is changed, in the order given.
    public private(set) var values: [Change] = []

    /// One setting and its other value.
    public struct Change: Sendable, Hashable {
        /// The setting's name.
        public var name: String
        /// Its value.
        public var value: Int64
    }

    /// No change.
    public init() {}

    /// Whether nothing is changed.
    public var isEmpty: Bool { values.isEmpty }

    /// Takes one change, written `name=value`. Throws for a setting that is not there, naming the nearest one, and for
    /// a value outside its range.
    public mutating func add(_ text: String) throws(ConfigurationChangeError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ConfigurationChangeError(description: "\"\(text)\" is not of the form key=value")
        }
        let name = String(text[..<equals])
        let given = String(text[text.index(after: equals)...])
        guard let key = ConfigurationKey.all.first(where: { $0.name == name }) else {
            let near = Self.nearest(to: name).map { "; did you mean \($0)?" } ?? ""
            throw ConfigurationChangeError(description: "there is no setting \(name)\(near)")
        }
        guard let value = Int64(given), key.range.contains(value) else {
            throw ConfigurationChangeError(
                description: "\(name) takes a whole number from \(key.range.lowerBound) to \(key.range.upperBound)")
        }
        guard !key.isPowerOfTwo || value & (value - 1) == 0 else {
            throw ConfigurationChangeError(description: "\(name) takes a power of two")
        }
        values.removeAll { $0.name == name }
        values.append(Change(name: name, value: value))
    }

    /// The configuration with the changes.
    public func applied(to configuration: RoomConfiguration) -> RoomConfiguration {
        var result = configuration
        for change in values {
            ConfigurationKey.all.first { $0.name == change.name }?.apply(change.value, to: &result)
        }
        return result
    }

    /// The setting whose name is nearest to a word, or nil when none is near.
    static func nearest(to word: String) -> String? {
        let scored = ConfigurationKey.all.map { (distance($0.name, word), $0.name) }
        let containing = ConfigurationKey.all.first { key in
            word.count >= 4 && key.name.lowercased().contains(word.lowercased())
        }
        if let containing { return containing.name }
        guard let best = scored.min(by: { $0.0 < $1.0 }), best.0 <= best.1.count / 2 else { return nil }
        return best.1
    }

    /// How many letters have to be changed, added or left out to make one word of the other (Levenshtein); words of more
    /// than 64 letters are cut.
    private static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.lowercased().utf8.prefix(64))
        let b = Array(b.lowercased().utf8.prefix(64))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let cost = min(diagonal + (a[i] == b[j] ? 0 : 1), row[j] + 1, row[j + 1] + 1)
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[b.count]
    }
}

extension ConfigurationKey {
    fileprivate func apply(_ value: Int64, to configuration: inout RoomConfiguration) { set(&configuration, value) }
}
