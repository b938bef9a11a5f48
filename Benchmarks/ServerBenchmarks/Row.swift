// A measured quantity and how it is printed.
import Bots
import Glibc

/// One quantity: its values over the rounds.
struct Row {
    let group: String
    let name: String
    let unit: String
    let values: [Double]
    let digits: Int

    init(_ group: String, _ name: String, _ unit: String, _ values: [Double], digits: Int? = nil) {
        self.group = group
        self.name = name
        self.unit = unit
        self.values = values.sorted()
        self.digits = digits ?? ((values.max() ?? 0) >= 1_000 ? 0 : 2)
    }

    /// The middle one of them.
    var median: Double { values.isEmpty ? 0 : values[values.count / 2] }

    static func printHead(arePinned: Bool) {
        print(
            "A whole server with native clients on loopback; "
                + (arePinned
                    ? "server on core 0, clients on core 1." : "one core for server and clients: no ratios hold."))
        print(
            "quantity".padding(to: 62) + "median".leftPadding(to: 10) + "lowest".leftPadding(to: 10)
                + "highest".leftPadding(to: 10) + "  unit")
    }

    static func printTable(_ rows: [Row]) {
        for row in rows {
            var line = (row.group + ": " + row.name).padding(to: 62) + fixed(row.median, row.digits).leftPadding(to: 10)
            let isSpread = row.values.count > 1
            line += (isSpread ? fixed(row.values[0], row.digits) : "").leftPadding(to: 10)
            line += (isSpread ? fixed(row.values[row.values.count - 1], row.digits) : "").leftPadding(to: 10)
            print(line + "  " + row.unit)
        }
        fflush(nil)
    }

    static func json(_ rows: [Row]) -> String {
        func quoted(_ text: String) -> String { "\"" + text + "\"" }
        let lines = rows.map { row in
            "  {\"group\": \(quoted(row.group)), \"name\": \(quoted(row.name)), \"unit\": \(quoted(row.unit)), "
                + "\"median\": \(fixed(row.median, 4)), \"values\": ["
                + row.values.map { fixed($0, 4) }.joined(separator: ", ") + "]}"
        }
        return "[\n" + lines.joined(separator: ",\n") + "\n]"
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        count >= width ? self + " " : self + String(repeating: " ", count: width - count)
    }

    fileprivate func leftPadding(to width: Int) -> String {
        count >= width ? self : String(repeating: " ", count: width - count) + self
    }
}
