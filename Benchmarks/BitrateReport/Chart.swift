// Plots as inline SVG: curves over time, the spread over seeds behind the run in the middle.

/// A rectangle that values are drawn into.
struct Plot {
    static let width = 720.0
    static let left = 52.0
    static let right = 12.0

    var top: Double
    var height: Double
    /// The value at the top; the bottom is 0.
    var most: Double
    /// How long the time axis is, in seconds.
    var seconds: Double
    /// The time between two values.
    var step = 0.5

    private func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
    func x(_ second: Double) -> Double {
        Self.left + second / max(1, seconds) * (Self.width - Self.left - Self.right)
    }
    func y(_ value: Double) -> Double { top + height * (1 - min(1, max(0, value / max(1e-9, most)))) }

    /// A curve; values that are no numbers are gaps.
    func line(_ values: [Double], _ style: String, stepped: Bool = false) -> String {
        var path = ""
        var isDrawing = false
        for (index, value) in values.enumerated() {
            guard !value.isNaN else {
                isDrawing = false
                continue
            }
            let begin = x(Double(index) * step)
            let end = x(Double(index + 1) * step)
            let at = stepped ? begin : (begin + end) / 2
            path += (isDrawing ? "L" : "M") + number(at) + " " + number(y(value))
            if stepped { path += "H" + number(end) }
            isDrawing = true
        }
        return "<path d=\"\(path)\" fill=\"none\" \(style)/>"
    }

    /// The area between two curves.
    func band(_ low: [Double], _ high: [Double], _ fill: String) -> String {
        var forward = ""
        var back = ""
        for index in low.indices where !low[index].isNaN && !high[index].isNaN {
            let at = number(x((Double(index) + 0.5) * step))
            forward += (forward.isEmpty ? "M" : "L") + at + " " + number(y(high[index]))
            back = "L" + at + " " + number(y(low[index])) + back
        }
        return forward.isEmpty ? "" : "<path d=\"\(forward)\(back)Z\" fill=\"\(fill)\" stroke=\"none\"/>"
    }

    /// Axes with about `ticks` lines and their labels.
    func frame(_ unit: String, ticks: Int) -> String {
        var out = ""
        let interval = Self.interval(most, ticks)
        var value = 0.0
        while value <= most * 1.0001 {
            let at = number(y(value))
            out +=
                "<line x1=\"\(number(Self.left))\" x2=\"\(number(Self.width - Self.right))\" y1=\"\(at)\" y2=\"\(at)\" class=\"grid\"/>"
            out +=
                "<text x=\"\(number(Self.left - 6))\" y=\"\(number(y(value) + 3.5))\" class=\"tick end\">\(digits(value))</text>"
            value += interval
        }
        out += "<text x=\"4\" y=\"\(number(top - 7))\" class=\"unit\">\(unit)</text>"
        return out
    }

    /// The labels of the time axis below the rectangle.
    func timeAxis() -> String {
        var out = ""
        let span = Self.interval(seconds, 10)
        var second = 0.0
        while second <= seconds {
            out +=
                "<text x=\"\(number(x(second)))\" y=\"\(number(top + height + 15))\" class=\"tick mid\">\(digits(second))\(second == 0 ? " s" : "")</text>"
            second += span
        }
        return out
    }

    /// A dashed line at a limit.
    func limit(_ value: Double) -> String {
        guard value <= most else { return "" }
        let at = number(y(value))
        return
            "<line x1=\"\(number(Self.left))\" x2=\"\(number(Self.width - Self.right))\" y1=\"\(at)\" y2=\"\(at)\" class=\"limit\"/>"
    }

    /// Shaded spans that do not count.
    func shade(_ spans: [(Double, Double)]) -> String {
        spans.map { begin, end in
            let from = x(begin)
            let width = x(min(end, seconds)) - from
            return width <= 0
                ? ""
                : "<rect x=\"\(number(from))\" y=\"\(number(top))\" width=\"\(number(width))\" height=\"\(number(height))\" class=\"unsettled\"/>"
        }.joined()
    }

    /// A round interval that cuts `most` into about `count` parts.
    static func interval(_ most: Double, _ count: Int) -> Double {
        var scale = 1.0
        let rough = most / Double(max(1, count))
        while scale * 10 <= rough { scale *= 10 }
        while scale > rough, scale > 1e-6 { scale /= 10 }
        for factor in [1.0, 2, 5, 10] where scale * factor >= rough { return scale * factor }
        return scale * 10
    }

    /// A round value that is not below `value`.
    static func roundUp(_ value: Double) -> Double {
        let interval = interval(max(value, 1e-3), 4)
        return (value / interval).rounded(.up) * interval
    }
}
