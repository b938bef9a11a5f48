// `majlis capture rewrite`: a capture made into another one of the same inputs, trimmed, without its media, or with what this
// build decides. Exit codes: 0 written, 1 not, 2 used wrongly.
import Captures
import Glibc
import MediaCore

enum RewriteCommand {
    static let usage = """
        usage: majlis capture rewrite IN OUT [options]

        IN is a capture of a room, OUT one that does not exist yet. The inputs are run through the core of this build; OUT
        holds them, what it decides, and digests of all that it gives, each second and at the end.

          --from SECONDS     begin so long after IN's first input, with a checkpoint; at the next end of a turn
          --until SECONDS    end so long after IN's first input
          --headers          without media: of an RTP packet its header, extensions and payload descriptor

        """

    static func run(_ rest: [String]) throws -> Int32 {
        let arguments = try Arguments(rest, switches: ["help", "headers"])
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        guard arguments.words.count == 2 else {
            Command.complain(usage, prefix: "")
            return 2
        }
        var options = CaptureRewrite.Options()
        for (name, value) in arguments.options {
            switch name {
            case "from": options.from = try Self.span(value, "--from")
            case "until": options.until = try Self.span(value, "--until")
            case "headers": options.cutsPayloads = true
            default: throw ConfigurationError("unknown option --\(name); `majlis capture rewrite --help` lists them")
            }
        }
        if let until = options.until, until < options.from {
            throw ConfigurationError("--until is before --from")
        }
        try rewrite(arguments.words[0], to: arguments.words[1], options)
        return 0
    }

    static func span(_ text: String, _ option: String) throws(ConfigurationError) -> TimeDelta {
        guard let seconds = Double(text), seconds >= 0, seconds <= 1e9 else {
            throw ConfigurationError("\(option) takes a number of seconds")
        }
        return TimeDelta(nanoseconds: Int64(seconds * 1e9))
    }

    private static func rewrite(_ path: String, to new: String, _ given: CaptureRewrite.Options) throws {
        var options = given
        let (bytes, survey) = try CaptureFiles.survey(path)
        let out = try NewCapture(path: new)
        options.digestScope = survey.digestScope ?? .whole
        options.build = build(after: survey.build)
        var rewrite = CaptureRewrite(options)
        var progress = CaptureProgress(total: bytes.count)
        var reader = try CaptureReader(bytes)
        while !rewrite.isOver, let event = try reader.next() {
            try rewrite.take(event) { out.append($0) }
            progress.step(reader.offset)
        }
        try rewrite.finish { out.append($0) }
        try out.finish()
        let summary = rewrite.summary
        print(
            "\(new): of \(summary.events) events; \(summary.rtpIn) RTP packets in, \(summary.rtpOut) out,",
            "\(summary.decisions) decisions run")
        print("digest: \(rewrite.digest.text)")
    }

    /// This build, and the one that recorded the inputs.
    private static func build(after old: String?) -> String {
        let inputs = " with inputs of "
        let this = "majlis \(Command.version)"
        guard let old, !old.isEmpty else { return this }
        // A capture that is written anew again still says who recorded it.
        let characters = Array(old)
        let mark = Array(inputs)
        let place = characters.indices.first { characters[$0...].starts(with: mark) }
        return this + inputs + String(place.map { characters[($0 + mark.count)...] } ?? characters[...])
    }
}
