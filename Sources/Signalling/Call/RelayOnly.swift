// What is left of candidates and descriptions where neither side of a call may learn an address of the other: relayed candidates
// alone, without the addresses behind them (RFC 8839). Reads only the lines that hold addresses; never fails.

enum RelayOnly {
    /// A candidate without what it tells of the device behind it, or nil where it must not pass. That there are no more passes.
    static func candidate(_ text: String) -> String? {
        guard !text.isEmpty else { return text }
        // A line's end would begin another line wherever this is pasted into a description.
        guard !text.utf8.contains(where: { $0 < 0x20 }) else { return nil }
        let words = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        // foundation, component, transport, priority, address, port, "typ", type, then pairs
        guard words.count >= 8, words[6].lowercased() == "typ", words[7].lowercased() == "relay" else { return nil }
        var kept = Array(words[..<8])
        var index = 8
        while index + 1 < words.count {
            switch words[index].lowercased() {
            case "raddr": kept += [words[index], words[index + 1].contains(":") ? "::" : "0.0.0.0"]
            case "rport": kept += [words[index], "0"]
            // What belongs to the candidate itself, and what the two ends agree on.
            case "generation", "ufrag", "network-cost", "tcptype": kept += [words[index], words[index + 1]]
            default: break
            }
            index += 2
        }
        return kept.joined(separator: " ")
    }

    /// A description in which every line that holds an address holds none, or one of a relay.
    static func description(_ sdp: String) -> String {
        var kept = ""
        for line in sdp.split(whereSeparator: { $0 == "\r\n" || $0 == "\n" || $0 == "\r" }) {
            guard let clean = self.line(String(line)) else { continue }
            kept += clean + "\r\n"
        }
        return kept
    }

    private static func line(_ line: String) -> String? {
        let (kind, value) = (line.prefix(2).lowercased(), String(line.dropFirst(2)))
        switch kind {
        case "c=": return "c=" + unspecified(value.split(separator: " ").map(String.init), at: 2)
        case "o=": return "o=" + unspecified(value.split(separator: " ").map(String.init), at: 5)
        case "m=":
            // The port of the default candidate: 9 where there is none (RFC 8840 §4.1.1), 0 where the section is refused.
            var words = value.split(separator: " ").map(String.init)
            if words.count > 1, words[1] != "0" { words[1] = "9" }
            return "m=" + words.joined(separator: " ")
        case "a=": return attribute(value)
        default: return line
        }
    }

    private static func attribute(_ value: String) -> String? {
        let name = value.prefix { $0 != ":" && $0 != " " }.lowercased()
        switch name {
        case "candidate": return candidate(value).map { "a=" + $0 }
        case "remote-candidates", "source-filter", "rtcp-xr-addr": return nil
        case "rtcp":
            // a=rtcp:port IN IP4 address (RFC 3605)
            return "a=rtcp:9 IN IP4 0.0.0.0"
        default: return "a=" + value
        }
    }

    /// The words with the address at a place, whose kind is the word before, replaced by none.
    private static func unspecified(_ words: [String], at place: Int) -> String {
        guard words.count > place else { return "IN IP4 0.0.0.0" }
        var words = Array(words[...place])
        words[place] = words[place - 1].uppercased() == "IP6" ? "::" : "0.0.0.0"
        return words.joined(separator: " ")
    }
}
