// What a run has shown: as figures, as a table for people, as JSON for programs.

/// The figures of one run.
package struct LoadResult: Sendable {
    package var wanted = 0
    package var joined = 0
    package var failures: [String: Int] = [:]
    package var seconds = 0.0
    /// Of the measured time; times of joining are of all.
    package var tally = Tally()
    /// Missing by the numbers, from the first packet to the last.
    package var lostEver = 0
    package var serverNanoseconds: Int64?
    package var serverBytes: Int?
    package var botNanoseconds: Int64 = 0
    /// The share of the bots' core (of all cores where they are not bound) that was idle.
    package var idle = 1.0
    package var core: Int?
    package var isVoid = false
    /// Bots that decoded what they heard, and those of them that heard no speech.
    package var listeners = 0
    package var deaf = 0
    /// Turns of speech of which those who listened heard the first 100 ms whole, and all such turns.
    package var wholeBeginnings = 0
    /// Those of which what was heard is like what was sent.
    package var likeBeginnings = 0
    package var beginnings = 0

    package init() {}

    /// The p-th share of some numbers, by the nearest rank; nil for none.
    package static func percentile(_ values: [Double], _ share: Double) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, max(0, Int((Double(sorted.count) * share).rounded(.up)) - 1))]
    }

    /// Name, value, unit; nil where there is nothing to say.
    private var rows: [(key: String, name: String, value: Double?, digits: Int, unit: String)] {
        let packets = Double(tally.received)
        let all = Double(max(1, tally.received + tally.lost))
        let server = serverNanoseconds.map(Double.init)
        let hasEars = tally.decoded + tally.concealed > 0
        let hasEyes = tally.frames + tally.brokenFrames > 0
        return [
            ("joined", "joined", Double(joined), 0, "of \(wanted)"),
            ("connectMedian", "WebSocket to connected, median", Self.percentile(tally.connectTimes, 0.5), 1, "ms"),
            ("connectP95", "its 95th percentile", Self.percentile(tally.connectTimes, 0.95), 1, "ms"),
            ("mediaMedian", "WebSocket to first media, median", Self.percentile(tally.mediaTimes, 0.5), 1, "ms"),
            ("mediaP95", "its 95th percentile", Self.percentile(tally.mediaTimes, 0.95), 1, "ms"),
            ("seconds", "measured", seconds, 1, "s"),
            ("sent", "packets sent by bots", Double(tally.sent), 0, ""),
            ("refused", "not taken by the kernel", tally.refused == 0 ? nil : Double(tally.refused), 0, ""),
            ("received", "packets received by bots", packets, 0, ""),
            ("receivedPerSecond", "each second", packets / max(seconds, 1e-9), 0, ""),
            ("receivedBitsPerSecond", "with", Double(tally.receivedBytes) * 8 / max(seconds, 1e-9) / 1e6, 2, "Mb/s"),
            ("lost", "lost", Double(tally.lost), 0, "(\(fixed(100 * Double(tally.lost) / all, 3)) %)"),
            ("latencyP50", "one-way latency, median", tally.latency.milliseconds(0.5), 2, "ms"),
            ("latencyP95", "its 95th percentile", tally.latency.milliseconds(0.95), 2, "ms"),
            ("latencyP99", "its 99th percentile", tally.latency.milliseconds(0.99), 2, "ms"),
            (
                "latencyLongest", "the longest", tally.latency.total > 0 ? Double(tally.latency.longest) / 1e6 : nil, 2,
                "ms of \(tally.latency.total)"
            ),
            ("heardSeconds", "sound decoded", hasEars ? Double(tally.decoded) / 50 : nil, 1, "s"),
            ("voicedSeconds", "speech heard in it", hasEars ? Double(tally.voiced) / 50 : nil, 1, "s"),
            ("deaf", "listeners who heard no speech", hasEars ? Double(deaf) : nil, 0, "of \(listeners)"),
            (
                "concealedMilliseconds", "made up for what was missing", hasEars ? Double(tally.concealed) * 20 : nil,
                0, "ms"
            ),
            (
                "noisyMilliseconds", "energy while its sender was quiet", hasEars ? Double(tally.noisy) * 20 : nil, 0,
                "ms"
            ),
            ("undecodable", "packets that are no Opus", hasEars ? Double(tally.undecodable) : nil, 0, ""),
            (
                "wholeBeginnings", "turns heard from their first 100 ms",
                beginnings > 0 ? Double(wholeBeginnings) : nil,
                0, "of \(beginnings)"
            ),
            (
                "likeBeginnings", "turns whose first 100 ms sound as sent",
                beginnings > 0 ? Double(likeBeginnings) : nil,
                0, "of \(beginnings)"
            ),
            ("frames", "frames of video decoded", hasEyes ? Double(tally.frames) : nil, 0, ""),
            ("brokenFrames", "frames broken", hasEyes ? Double(tally.brokenFrames) : nil, 0, ""),
            ("serverShare", "server, share of one core", server.map { $0 / (seconds * 1e7) }, 2, "%"),
            (
                "serverMicrosecondsPerPacket", "server, per packet received by bots",
                server.map { $0 / 1e3 / max(1, packets) }, 2, "µs"
            ),
            ("serverMegabytes", "server, resident memory", serverBytes.map { Double($0) / 1e6 }, 1, "MB"),
            ("botShare", "bots, share of one core", Double(botNanoseconds) / (seconds * 1e7), 1, "%"),
            ("idle", core.map { "idle on core \($0)" } ?? "idle on all cores", 100 * idle, 1, "%"),
        ]
    }

    /// The table.
    package var table: String {
        var text = ""
        for row in rows {
            guard let value = row.value else { continue }
            text += padded(row.name, to: 40) + leftPadded(fixed(value, row.digits), to: 14)
            text += (row.unit.isEmpty ? "" : "  " + row.unit) + "\n"
        }
        for (reason, count) in failures.sorted(by: { $0.key < $1.key }) { text += "failed, \(count): \(reason)\n" }
        if isVoid { text += "VOID: under 15 % idle on the bots' core; what was measured is the bots.\n" }
        return text
    }

    /// One JSON object.
    package var json: String {
        var fields = rows.compactMap { row in row.value.map { "\"\(row.key)\": \(fixed($0, 4))" } }
        fields.append("\"wanted\": \(wanted)")
        fields.append("\"turns\": \(beginnings)")
        fields.append("\"isVoid\": \(isVoid)")
        let reasons = failures.sorted { $0.key < $1.key }.map { "\"\(escaped($0.key))\": \($0.value)" }
        fields.append("\"failures\": {\(reasons.joined(separator: ", "))}")
        return "{" + fields.joined(separator: ", ") + "}"
    }

    private func escaped(_ text: String) -> String {
        String(
            decoding: text.utf8.flatMap { byte -> [UInt8] in
                switch byte {
                case 0x22, 0x5c: [0x5c, byte]
                case 0..<0x20: [0x20]
                default: [byte]
                }
            }, as: UTF8.self)
    }
}

/// A number with so many digits behind the point.
package func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "0" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int((value.magnitude * scale).rounded())
    let sign = value < 0 && whole > 0 ? "-" : ""
    guard digits > 0 else { return sign + "\(whole)" }
    let fraction = String(whole % Int(scale))
    return sign + "\(whole / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

func padded(_ text: String, to width: Int) -> String {
    text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
}

func leftPadded(_ text: String, to width: Int) -> String {
    text.count >= width ? text : String(repeating: " ", count: width - text.count) + text
}
