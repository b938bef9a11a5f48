"""What came of calls that were played side by side: figures of a run, medians of several, a page and a table. Plays nothing.

The rate is that of the picture's payload, without what was sent again, against the best that fits: of the direct call what the link
leaves beside the sound, at most its encoding's greatest rate; of the other one the best set of layers within that. The
five seconds after a change do not count for it. The queue is looked at every 10 ms, at all times.
"""

import collections
import html
import json
import statistics

from link_world import BITRATES, MAXIMUM, Notes

# What sound takes of a link, in kb/s, headers included; and how much more the headers make of a picture.
SOUND = 63
HEADERS = 1.07
# Of a layer with three temporal ones the lower two have so much (libwebrtc's allocation for VP8).
LOWER_TWO = 0.6
SETTLING = 5
KINDS = ("direct", "majlis")
NAMES = {"direct": "direct", "majlis": "through Majlis"}
COLOURS = {"direct": "#b4541a", "majlis": "#1a62b4"}
FIGURES = {
    "rate": ("rate ÷ best", lambda x: f"{x:.2f}"),
    "queue": ("queue p95, ms", lambda x: f"{x:.0f}"),
    "longest queue": ("queue p99.9, ms", lambda x: f"{x:.0f}"),
    "frozen": ("frozen, s", lambda x: f"{x:.1f}"),
    "longest": ("longest pause, s", lambda x: f"{x:.2f}"),
    "frames": ("frames/s", lambda x: f"{x:.1f}"),
    "concealed": ("sound made up, %", lambda x: f"{x:.2f}"),
    "lost": ("sound lost, packets", lambda x: f"{x:.0f}"),
    "heights": ("lines, mean", lambda x: f"{x:.0f}"),
}


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0


class Run:
    """One call and its figures."""

    def __init__(self, seen):
        self.seen, self.kind, self.scenario = seen, seen["kind"], seen["scenario"]
        self.phases = seen["phases"]
        self.begin, self.end = self.phases[0]["from"], self.phases[-1]["until"]
        self.notes = self.between(self.begin, self.end)
        self.queue = [(at, wait) for at, wait in seen["queue"] if self.begin <= at <= self.end]
        self.figures = self.measure()

    def between(self, since, until):
        return Notes(self.seen["watched"], since, until, self.seen["stalls"])

    def best(self, capacity, layers):
        """The best rate of the picture that fits into so many kb/s."""
        room = (capacity - SOUND) / HEADERS
        if self.kind == "direct":
            return min(MAXIMUM / 1000, room)
        steps = []
        for rid, most in BITRATES.items():
            sent, most = layers.get(rid, 0), most / 1000
            rate = sent if sent > 0.5 * most else most
            steps += [rate * LOWER_TWO, rate]
        return max((one for one in steps if one <= room), default=BITRATES["q"] / 1000 * 0.4)

    def rates(self):
        """For each second since the beginning what was received of the picture, in kb/s."""
        found = []
        samples = [one for one in self.notes.samples if one["video"]]
        for a, b in zip(samples[::5], samples[5::5]):
            def kept(one):
                return one["video"]["bytesReceived"] - one["video"]["retransmittedBytesReceived"]
            seconds = (b["at"] - a["at"]) / 1000
            found.append((a["at"] / 1000 - self.begin, (kept(b) - kept(a)) * 8 / 1000 / seconds))
        return found

    def measure(self):
        capacity, parts, spans = 0, [], []
        for number, phase in enumerate(self.phases):
            capacity = phase.get("kilobits", capacity)
            phase["capacity"] = capacity
            noted = self.between(phase["from"] + (SETTLING if number else 0), phase["until"])
            rate = (noted.grown("video", "bytesReceived") - noted.grown("video", "retransmittedBytesReceived")
                    ) * 8 / 1000 / max(noted.seconds, 1)
            phase["rate"], phase["best"] = rate, self.best(capacity, phase["layers"])
            parts.append(rate / phase["best"] * noted.seconds)
            spans.append(noted.seconds)
        noted = self.notes
        waits = [wait for _, wait in self.queue]
        pauses = [b[0] - a[0] - noted.stalled(a[0], b[0]) for a, b in zip(noted.frames, noted.frames[1:])]
        frames = noted.heights()
        return {
            "rate": sum(parts) / max(sum(spans), 1), "queue": percentile(waits, 0.95), "longest queue": percentile(waits, 0.999),
            "frozen": noted.grown("video", "totalFreezesDuration"), "longest": max(pauses, default=0) / 1000,
            "frames": len(noted.frames) / (self.end - self.begin), "concealed": noted.concealed() * 100,
            "lost": noted.grown("audio", "packetsLost"),
            "heights": sum(height * count for height, count in frames.items()) / max(sum(frames.values()), 1),
        }


def line(run):
    """One run in a line."""
    parts = ", ".join(f"{name} {show(run.figures[figure])}" for figure, (name, show) in FIGURES.items())
    rates = ", ".join(f"{phase['rate']:.0f} of {phase['best']:.0f}" for phase in run.phases)
    return f"{run.scenario}, {NAMES[run.kind]} (load {run.seen['load']:.1f}): {parts}; kb/s {rates}"


def gather(folder):
    """All runs of a folder: scenario → kind → runs."""
    runs = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in sorted(folder.glob("*.json")):
        run = Run(json.loads(path.read_text()))
        runs[run.scenario][run.kind].append(run)
    return runs


def middle(runs, figure):
    values = [run.figures[figure] for run in runs]
    return (statistics.median(values), min(values), max(values)) if values else None


def cell(runs, figure):
    found = middle(runs, figure)
    show = FIGURES[figure][1]
    return f"{show(found[0])} ({show(found[1])}–{show(found[2])})" if found else "–"


def table(runs, scenarios):
    """The medians, with the least and the most, as text."""
    lines = []
    for scenario, (title, _, _) in scenarios.items():
        of = runs.get(scenario)
        if not of:
            continue
        lines += ["", f"{scenario}: {title} ({', '.join(f'{len(of[kind])} {NAMES[kind]}' for kind in KINDS)})"]
        lines.append(f"  {'':22}{'direct':>26}{'through Majlis':>26}")
        for figure, (name, _) in FIGURES.items():
            lines.append(f"  {name:22}" + "".join(f"{cell(of[kind], figure):>26}" for kind in KINDS))
    return "\n".join(lines) + "\n"


# The page.

WIDTH, HEIGHT, LEFT, BOTTOM = 560, 170, 46, 22


def chart(title, unit, lines, seconds, most, steps=()):
    """Lines over time: `[(colour, [(x, y)])]`; `steps` is a dashed one."""
    def x(at):
        return LEFT + at / seconds * (WIDTH - LEFT - 8)

    def y(value):
        return HEIGHT - BOTTOM - min(value, most) / most * (HEIGHT - BOTTOM - 24)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">',
             f'<text x="{LEFT}" y="13" class="t">{html.escape(title)}</text>']
    for part in range(5):
        value = most * part / 4
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="g"/>'
                     f'<text x="{LEFT - 5}" y="{y(value) + 4:.1f}" class="n">{value:.0f}</text>')
    for at in range(0, int(seconds) + 1, 10):
        parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 6}" class="n m">{at}</text>')
    parts.append(f'<text x="{WIDTH - 8}" y="13" class="n">{unit}</text>')
    for colour, points in lines:
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        parts.append(f'<polyline points="{path}" stroke="{colour}" class="l"/>')
    if steps:
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in steps)
        parts.append(f'<polyline points="{path}" class="c"/>')
    return "".join(parts) + "</svg>"


def scale(most):
    """The end of an axis of four parts, a round number."""
    part, size = most / 4, 1
    while size * 10 <= part:
        size *= 10
    return 4 * size * next(one for one in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if one * size >= part)


def coarse(run, step=0.25):
    """The longest wait of each stretch."""
    found = {}
    for at, wait in run.queue:
        place = int((at - run.begin) / step)
        found[place] = max(found.get(place, 0), wait)
    return [(place * step, wait) for place, wait in sorted(found.items())]


STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1180px;margin:24px auto;padding:0 16px;color:#1b2530;background:#fff}
h1{font-size:24px}h2{font-size:18px;margin:32px 0 4px}table{border-collapse:collapse;margin:8px 0 12px}
td,th{padding:3px 14px 3px 0;text-align:right;border-bottom:1px solid #dde3ea;font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left}.charts{display:flex;flex-wrap:wrap;gap:12px}svg{width:560px;max-width:100%}
.g{stroke:#e2e7ed}.l{fill:none;stroke-width:1.3;opacity:.75}.c{fill:none;stroke:#444;stroke-dasharray:5 4}
.t{font-size:12px;font-weight:600}.n{font-size:11px;fill:#5a6875;text-anchor:end}.m{text-anchor:middle}
.d{color:#b4541a;font-weight:600}.j{color:#1a62b4;font-weight:600}small{color:#5a6875}.bad{background:#fde8e4}
"""


def section(scenario, title, of):
    rows = ["<table><tr><th>median (least–most)</th><th class=d>direct</th><th class=j>through Majlis</th></tr>"]
    for figure, (name, _) in FIGURES.items():
        worse = ""
        if figure in ("queue", "frozen") and of["direct"] and of["majlis"]:
            direct, ours = (middle(of[kind], figure)[0] for kind in KINDS)
            worse = ' class="bad"' if ours > 1.1 * direct else ""
        rows.append(f"<tr><td>{html.escape(name)}</td><td>{cell(of['direct'], figure)}</td>"
                    f"<td{worse}>{cell(of['majlis'], figure)}</td></tr>")
    everything = [run for kind in KINDS for run in of[kind]]
    seconds = max(run.end - run.begin for run in everything)
    steps = []
    for phase in everything[0].phases:
        steps += [(phase["from"] - everything[0].begin, phase["capacity"]), (phase["until"] - everything[0].begin, phase["capacity"])]
    rates = [(COLOURS[run.kind], run.rates()) for run in everything]
    waits = [(COLOURS[run.kind], coarse(run)) for run in everything]
    capacity = scale(1.05 * max(value for _, value in steps))
    return (f"<h2>{html.escape(title)}</h2><small>{html.escape(scenario)}: {len(of['direct'])} direct, {len(of['majlis'])} through "
            f"Majlis; load of the machine {min(run.seen['load'] for run in everything):.1f}–"
            f"{max(run.seen['load'] for run in everything):.1f}</small>" + "".join(rows) + "</table><div class=charts>"
            + chart("Received picture, and what the link carries", "kb/s", rates, seconds, capacity, steps)
            + chart("Waiting in front of the link", "ms", waits, seconds, 320) + "</div>")


def write(folder, scenarios):
    """Writes `report.html` and `report.txt` into the folder; gives back the text."""
    runs = gather(folder)
    text = table(runs, scenarios)
    (folder / "report.txt").write_text(text)
    parts = [section(name, title, runs[name]) for name, (title, _, _) in scenarios.items() if name in runs]
    about = html.escape(__doc__.split("\n\n", 1)[1])
    (folder / "report.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>Side by side</title><style>{STYLE}</style>"
        f"<h1>Chromium to Chromium, <span class=d>direct</span> and <span class=j>through Majlis</span></h1>"
        f"<p>{about}</p><p>A cell is red where the queue or the freezes are more than 1.1 times those of the direct call.</p>"
        + "".join(parts))
    return text
