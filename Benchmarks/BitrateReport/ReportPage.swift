// The report as one HTML page that needs nothing else: plots as inline SVG, tables, a list of all scenarios at the top.

import SimulatedNetwork

/// The page.
struct ReportPage {
    private let played: [PlayedScenario]
    private let seeds: Int

    init(_ played: [PlayedScenario], seeds: Int) {
        self.played = played
        self.seeds = seeds
    }

    var html: String {
        let all = played.flatMap(\.judged)
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>Majlis: the bitrate controller in the simulated network</title><style>\(Self.style)</style></head><body>
            <header><h1>The bitrate controller in the simulated network</h1>
            <p>Each scenario was played in virtual time with \(seeds) seeds. A goal is met when every run met it:
            <b>\(all.count { $0.isMet }) of \(all.count) are</b>. Plots show the run whose rate of media is in the middle; bands reach
            from the least to the greatest of all runs. Five seconds behind each change are shaded and do not count for goals about
            settled behaviour. Rates are those of RTP packets, without IP and UDP.</p>
            <p class="legend">\(Self.legend)</p></header>
            \(contents)
            \(played.map(section).joined(separator: "\n"))
            </body></html>

            """
    }

    private static let legend = """
        <span><i style="border-top:2px solid #333"></i>capacity</span>
        <span><i style="border-top:2px solid #c2560a"></i>estimate</span>
        <span><i style="border-top:2px solid #1660a8;background:#dbe8f4"></i>media forwarded</span>
        <span><i style="border-top:2px solid #9a5fb0"></i>with retransmissions and padding</span>
        <span><i style="border-top:2px dashed #2f8f4e"></i>best layers that fit 0.85 of the capacity</span>
        <span><i style="border-top:2px solid #a8324a"></i>p95 of the queue</span>
        """

    private var contents: String {
        var rows = ""
        for family in BitrateFamily.allCases {
            let own = played.filter { $0.scenario.family == family }
            guard !own.isEmpty else { continue }
            rows += "<tr class=\"family\"><th colspan=\"4\">\(family.rawValue)</th></tr>"
            for one in own {
                let met = one.judged.count { $0.isMet }
                let missed = one.judged.filter { !$0.isMet }.map { escape($0.name) }
                let isMet = met == one.judged.count
                rows += """
                    <tr><td><a href="#\(one.scenario.id)">\(escape(one.scenario.id))</a></td><td>\(escape(one.scenario.title))</td>
                    <td class="number \(isMet ? "met" : "missed")">\(met) of \(one.judged.count)</td>
                    <td class="small">\(missed.prefix(4).joined(separator: "<br>"))\(missed.count > 4 ? "<br>and \(missed.count - 4) more" : "")</td></tr>
                    """
            }
        }
        return """
            <section><table class="contents"><thead><tr><th>scenario</th><th></th><th>goals met</th><th>missed</th></tr></thead>
            <tbody>\(rows)</tbody></table></section>
            """
    }

    private func section(_ one: PlayedScenario) -> String {
        let median = one.median
        let plots = median.curves.indices.map { index in
            let others = one.runs.compactMap { $0.curves.indices.contains(index) ? $0.curves[index] : nil }
            return plot(one.scenario, median.curves[index], others)
        }
        let violations = one.runs.first { !$0.violations.isEmpty }
        let broken =
            violations.map {
                "<p class=\"broken\">Seed \($0.seed): \(escape($0.violations.prefix(3).joined(separator: "; ")))</p>"
            } ?? ""
        return """
            <section id="\(one.scenario.id)"><h2>\(escape(one.scenario.title)) <span>\(escape(one.scenario.id))</span></h2>
            <div class="body">\(plots.joined())<div>\(goals(one))\(broken)</div></div></section>
            """
    }

    private func goals(_ one: PlayedScenario) -> String {
        let rows = one.goals.map { goal -> String in
            let cells = goal.four.map { "<td class=\"number\">\(digits($0))</td>" }.joined()
            let kind = goal.bound == .reported ? "" : goal.isMet ? "met" : "missed"
            return """
                <tr><td>\(escape(goal.name))</td><td class="number">\(goal.bound.text)</td><td>\(goal.unit)</td>\(cells)
                <td class="\(kind)">\(goal.verdict)</td></tr>
                """
        }
        return """
            <table><thead><tr><th>measured</th><th class="number">goal</th><th></th><th class="number">best</th>
            <th class="number">median</th><th class="number">p95</th><th class="number">worst</th><th></th></tr></thead>
            <tbody>\(rows.joined())</tbody></table>
            """
    }

    private func plot(_ scenario: BitrateScenario, _ curves: ReceiverCurves, _ others: [ReceiverCurves]) -> String {
        let seconds = Double(curves.media.count) / 2
        func spread(_ path: KeyPath<ReceiverCurves, [Double]>) -> (low: [Double], high: [Double]) {
            var low: [Double] = []
            var high: [Double] = []
            for index in curves.media.indices {
                let values = others.compactMap {
                    $0[keyPath: path].indices.contains(index) ? $0[keyPath: path][index] : nil
                }
                let distribution = Distribution(values)
                low.append(distribution.least)
                high.append(distribution.greatest)
            }
            return (low, high)
        }
        let scale = 1_000.0
        func kilobits(_ values: [Double]) -> [Double] { values.map { $0 / scale } }
        let total = zip(curves.media, curves.extra).map { $0 + $1 }
        let media = spread(\.media)
        let estimate = spread(\.estimate)
        let queue = spread(\.queue)
        // A storm of retransmissions may leave the plot; everything else fits.
        let usual = Distribution(curves.media + curves.best + curves.estimate.filter(\.isFinite)).percentile(0.995)
        let highest = min(Distribution(total).percentile(0.995), 1.3 * usual)
        let capacity = Distribution(curves.capacity.filter(\.isFinite)).percentile(0.9)
        let most = max(usual, highest, min(capacity.isNaN ? 0 : capacity, 2.2 * usual))
        let rates = Plot(top: 22, height: 190, most: Plot.roundUp(most * 1.06 / scale), seconds: seconds)
        let delayMost = Distribution(queue.high).percentile(0.99)
        let delays = Plot(
            top: 240, height: 70, most: Plot.roundUp(max(160, delayMost.isNaN ? 0 : min(delayMost, 1_500))),
            seconds: seconds)
        let layers = Plot(top: 340, height: 62, most: 13, seconds: seconds)
        let joined = Double(curves.estimate.count) > 0 ? [0.0] : []
        let spans = (joined + scenario.changes).map { ($0, $0 + 5) }
        let zero = curves.media.map { _ in 0.0 }
        let svg = [
            rates.shade(spans), delays.shade(spans), layers.shade(spans),
            rates.frame("kb/s", ticks: 4),
            rates.band(zero, kilobits(curves.media), "#dbe8f4"),
            rates.band(kilobits(media.low), kilobits(media.high), "#1660a833"),
            rates.band(kilobits(estimate.low), kilobits(estimate.high), "#c2560a26"),
            rates.line(kilobits(total), "stroke=\"#9a5fb0\" stroke-width=\"1\""),
            rates.line(kilobits(curves.media), "stroke=\"#1660a8\" stroke-width=\"1.6\""),
            rates.line(kilobits(curves.best), "stroke=\"#2f8f4e\" stroke-width=\"1.2\" stroke-dasharray=\"4 3\""),
            rates.line(kilobits(curves.estimate), "stroke=\"#c2560a\" stroke-width=\"1.6\""),
            rates.line(kilobits(curves.capacity), "stroke=\"#333\" stroke-width=\"1.6\"", stepped: true),
            delays.frame("queue, ms", ticks: 2), delays.limit(150),
            delays.band(queue.low, queue.high, "#a8324a26"),
            delays.line(curves.queue, "stroke=\"#a8324a\" stroke-width=\"1.4\""),
            layerAxis(layers),
            layers.line(
                curves.layer.map { $0 < 0 ? 0 : $0 + 1 }, "stroke=\"#555\" stroke-width=\"1.6\"", stepped: true),
            layers.timeAxis(),
        ].joined(separator: "\n")
        return """
            <figure><figcaption>Receiver \(curves.receiver)</figcaption>
            <svg viewBox="0 0 \(Int(Plot.width)) 424" role="img">\(svg)</svg></figure>
            """
    }

    private func layerAxis(_ plot: Plot) -> String {
        var out = "<text x=\"4\" y=\"\(Int(plot.top) - 7)\" class=\"unit\">layer</text>"
        for (name, value) in [("none", 0.0), ("low", 2), ("middle", 6), ("high", 10)] {
            let at = plot.y(value)
            out +=
                "<line x1=\"\(Int(Plot.left))\" x2=\"\(Int(Plot.width - Plot.right))\" y1=\"\(at)\" y2=\"\(at)\" class=\"grid\"/>"
            out += "<text x=\"\(Int(Plot.left) - 6)\" y=\"\(at + 3)\" class=\"tick end\">\(name)</text>"
        }
        return out
    }
}

private func escape(_ text: String) -> String {
    var out = ""
    for character in text {
        switch character {
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "&": out += "&amp;"
        case "\"": out += "&quot;"
        default: out.append(character)
        }
    }
    return out
}

extension ReportPage {
    fileprivate static let style = """
        :root{color-scheme:light}body{margin:0 auto;max-width:1500px;padding:24px 28px 60px;font:15px/1.45 system-ui,sans-serif;
        color:#1d2126;background:#fff}h1{font-size:26px;margin:0 0 8px}h2{font-size:19px;margin:0 0 8px}
        h2 span{font-weight:400;color:#7a828c;font-size:14px;margin-left:8px}header p{max-width:980px;margin:6px 0}header p.legend{max-width:none}
        section{margin-top:34px;padding-top:18px;border-top:1px solid #dfe3e8}table{border-collapse:collapse;font-size:13.5px;
        margin-top:8px}th,td{text-align:left;padding:3px 12px 3px 0;vertical-align:top;border-bottom:1px solid #eef0f3}
        th{font-weight:600;color:#59616b}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        section:not(:first-of-type) table{font-size:12.5px}.body th,.body td{padding-right:9px}.met{color:#1f7a3f}.missed{color:#b3261e;font-weight:600}.small{font-size:12px;color:#59616b}
        tr.family th{padding-top:14px;color:#1d2126;border-bottom:1px solid #c9ced6}a{color:#1660a8;text-decoration:none}
        .body{display:flex;flex-wrap:wrap;gap:10px 30px;align-items:flex-start}figure{margin:0;flex:1 1 560px;max-width:700px}
        figcaption{font-size:13px;color:#59616b}svg{width:100%;height:auto;display:block}.grid{stroke:#e6e9ed;stroke-width:1}
        .limit{stroke:#a8324a;stroke-width:1;stroke-dasharray:3 4}.tick{font-size:10.5px;fill:#6b737d}.end{text-anchor:end}
        .mid{text-anchor:middle}.unit{font-size:10.5px;fill:#6b737d;font-weight:600}.unsettled{fill:#f1f3f5}
        .legend span{display:inline-block;margin-right:18px;font-size:13px}.legend i{display:inline-block;width:26px;height:8px;
        margin-right:6px;vertical-align:middle}.broken{font-size:12.5px;color:#b3261e;max-width:1100px}
        """
}
