// `majlis replay`: runs a capture through the core again, compares, explains. Exit codes: 0 identical or nothing to compare
// with, 1 different, 2 used wrongly or not replayable.
import Captures
import Glibc
import MediaCore

enum ReplayCommand {
    private static var usage: String {
        let keys = ConfigurationKey.all.map { key in
            "      \(key.name)\n          \(key.meaning); \(key.range.lowerBound) to \(key.range.upperBound)\n"
        }
        return """
            usage: majlis replay FILE [options]

              --until SECONDS     stop this long after the capture's first input
              --report FILE.html  write a page that shows what happened; needs no network to be read
              --set KEY=VALUE     run a second time with another value and show what is decided otherwise; may be
                                  given more than once. Open loop: what clients sent is what was recorded
              --json              print one line of JSON instead of text

            Prints what came of it. Exit code 0: the same bytes and decisions as were recorded (or nothing was recorded
            to compare with, and the digest is printed); 1: something else, and the first difference is printed;
            2: wrong usage, or a file that cannot be replayed.

            Keys of --set:
            \(keys.joined())
            """
    }

    private struct Request {
        var path = ""
        var until: TimeDelta?
        var report: String?
        var changes = ConfigurationChanges()
        var isJSON = false
    }

    static func run(_ rest: [String]) -> Int32 {
        do {
            let arguments = try Arguments(rest, switches: ["json", "help"])
            if arguments.has("help") {
                print(usage, terminator: "")
                return 0
            }
            return try replay(request(arguments))
        } catch {
            Command.complain("\(error)")
            return 2
        }
    }

    private static func request(_ arguments: Arguments) throws -> Request {
        var request = Request()
        for (name, value) in arguments.options {
            switch name {
            case "until":
                request.until = try RewriteCommand.span(value, "--until")
            case "report": request.report = value
            case "set": try request.changes.add(value)
            case "json": request.isJSON = true
            default: throw ConfigurationError("unknown option --\(name); `majlis replay --help` lists what there is")
            }
        }
        guard let path = arguments.words.first, arguments.words.count == 1 else {
            throw ConfigurationError("give the one file to replay; `majlis replay --help` says more")
        }
        request.path = path
        return request
    }

    private static func replay(_ request: Request) throws -> Int32 {
        if let report = request.report, areOneFile(report, request.path) {
            throw ConfigurationError("--report would overwrite the capture: give it another name")
        }
        let (bytes, survey) = try CaptureFiles.survey(request.path)
        var options = Replay.Options(comparingWith: survey)
        options.until = request.until
        options.keepsDecisions = !request.changes.isEmpty
        let trace = request.report.map { _ in ReplayTrace(duration: survey.duration, peers: survey.admitted) }
        let started = ContinuousClock.now
        var replay = Replay(options, trace: trace)
        let result = try run(bytes, &replay)
        let elapsed = ContinuousClock.now - started
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18

        var whatIf: WhatIf?
        if !request.changes.isEmpty {
            var other = Replay.Options()
            other.until = request.until
            other.changes = request.changes
            other.keepsDecisions = true
            var second = Replay(other)
            let changed = try run(bytes, &second)
            whatIf = WhatIf(
                changes: request.changes, before: (replay.decisions, result.summary),
                after: (second.decisions, changed.summary), fromCheckpoint: replay.usedCheckpoint)
        }
        if let path = request.report, let trace {
            let labels = ReplayReport.Labels(
                title: request.path.split(separator: "/").last.map(String.init) ?? request.path,
                recordedBy: survey.build, replayedBy: "majlis \(Command.version)", seed: survey.seed,
                isTruncated: survey.isTruncated)
            try write(ReplayReport.page(trace, labels, whatIf: whatIf), to: path)
        }
        if request.isJSON {
            print(ReplayJSON.text(result, seconds: seconds, whatIf: whatIf))
        } else {
            tell(result, seconds: seconds, whatIf: whatIf, survey, request)
        }
        if case .different = result.verdict { return 1 }
        return 0
    }

    private static func run(_ bytes: [UInt8], _ replay: inout Replay) throws -> ReplayResult {
        var reader = try CaptureReader(bytes)
        var progress = CaptureProgress(total: bytes.count)
        while !replay.isOver, let event = try reader.next() {
            try replay.take(event)
            progress.step(reader.offset)
        }
        return try replay.finish()
    }

    private static func tell(
        _ result: ReplayResult, seconds: Double, whatIf: WhatIf?, _ survey: CaptureSurvey, _ request: Request
    ) {
        let summary = result.summary
        let media = Double(summary.duration.nanoseconds) / 1e9
        print("\(summary.events) events: \(summary.commands) commands, \(summary.turns) turns")
        print("in:  \(summary.rtpIn) RTP packets, \(summary.rtcpIn) RTCP, \(summary.bytesIn) bytes")
        print("out: \(summary.rtpOut) RTP packets, \(summary.rtcpOut) RTCP, \(summary.bytesOut) bytes")
        print("\(summary.decisions) decisions; \(result.statistics.dropped) drops")
        if summary.gaps > 0 || summary.skipped > 0 {
            print("\(summary.gaps) gaps; \(summary.skipped) events left out before a checkpoint")
        }
        if survey.isTruncated { print("the file ends within a block: what was written last is not in it") }
        let speed = seconds > 0 ? "\(Int(media / seconds)) times real time" : "at once"
        print("\(tenths(media)) s of media in \(Int(seconds * 1_000)) ms: \(speed)")
        print("digest: \(result.digest.text)")
        switch result.verdict {
        case .identical: print("identical: \(summary.compared) outputs and digests compared")
        case .nothingRecorded: print("nothing was recorded to compare with")
        case .different(let difference): print(difference.description)
        }
        if let whatIf { print(whatIf.description) }
        if let report = request.report { print("report: \(report)") }
    }

    private static func areOneFile(_ a: String, _ b: String) -> Bool {
        var first = stat()
        var second = stat()
        return unsafe stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }

    private static func tenths(_ value: Double) -> String { "\(Int(value)).\(Int(value * 10) % 10)" }

    private static func write(_ text: String, to path: String) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw ConfigurationError("cannot write \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress! + sent, $0.count - sent)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw ConfigurationError("cannot write \(path): \(unsafe String(cString: strerror(errno)))")
            }
            sent += count
        }
    }
}
