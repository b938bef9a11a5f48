// `majlis capture start`, `stop` and `keep`: recordings of a running server's rooms. The files are the server's; it says
// where they are.
import Gateway
import Glibc

enum RecordCommand {
    static let usage = """
        usage: majlis capture start --room ROOM [--seconds N] [--payload headers|whole] [options]
               majlis capture stop --room ROOM [options]
               majlis capture keep --room ROOM [options]

        start records what goes into a room, into a file of the server's; it prints where and waits for the end. Control-C
        ends the recording. stop ends a recording that somebody else began. keep keeps what the flight recorder holds: the
        last seconds of the room, headers alone. Everybody in the room is shown that it is being recorded.

          --room ROOM       the room
          --seconds N       how long (1 to 86400, 60 unless told)
          --payload WHAT    headers (unless told): enough to replay and explain, nothing of what people say and show;
                            whole: everything, which needs a token made with --can-record

        """ + OperatorConnection.options

    /// The word that follows `capture`.
    static func run(_ word: String, _ rest: [String]) -> Int32 {
        OperatorConnection.run(
            rest, usage: usage, options: word == "start" ? ["room", "seconds", "payload"] : ["room"]
        ) {
            connection, arguments in
            let room = try roomOption(arguments)
            switch word {
            case "start": return try start(connection, arguments, room)
            case "stop":
                return report(try connection.ask(.delete, OperatorConnection.path(room, "captures")))
            default:
                let kept: OperatorAnswer.Kept = try connection.ask(.post, OperatorConnection.path(room, "flight"))
                print(printable(kept.path))
                return 0
            }
        }
    }

    private static func start(_ connection: OperatorConnection, _ arguments: Arguments, _ room: String) throws -> Int32
    {
        let seconds = try numberOption(arguments, "seconds", CaptureOrder.secondsRange, 60)
        let payload = arguments.value("payload") ?? "headers"
        guard CapturePayload(rawValue: payload) != nil else { throw UsageError("--payload is headers or whole") }
        // From here on Control-C ends the recording, not this command.
        var signals = EndSignals()
        let started: OperatorAnswer.Started = try connection.ask(
            .post, OperatorConnection.path(room, "captures"),
            json: "{\"seconds\":\(seconds),\"payload\":\"\(payload)\"}")
        print("recording \(started.payload == "whole" ? "everything" : "headers") for \(started.seconds) s into")
        print(printable(started.path))
        Command.flush()
        let isTerminal = isatty(1) == 1
        var failures = 0
        var told = 0
        while true {
            if signals.came(within: 1_000) {
                if isTerminal { print("") }
                return report(try connection.ask(.delete, OperatorConnection.path(room, "captures")))
            }
            let now: OperatorAnswer.Room
            do throws(OperatorError) {
                now = try connection.ask(.get, OperatorConnection.path(room))
                failures = 0
            } catch {
                if error.status == 404 {
                    print("the room is closed, and the recording with it")
                    return 0
                }
                failures += 1
                // A server that is busy for a moment goes on recording.
                guard failures < 5, error.status.map({ $0 >= 500 || $0 == 429 }) ?? true else { throw error }
                continue
            }
            guard let recording = now.recording, recording.path == started.path else {
                if isTerminal { print("") }
                guard let ended = now.lastRecording, ended.path == started.path else {
                    print("the recording is over")
                    return 0
                }
                return report(ended)
            }
            if isTerminal {
                print("\r\(recording.elapsedSeconds) of \(started.seconds) s ", terminator: "")
                Command.flush()
            } else if recording.elapsedSeconds >= told + 10 {
                told = recording.elapsedSeconds
                print("\(told) of \(started.seconds) s")
                Command.flush()
            }
        }
    }

    /// Says how a recording ended; 1 where it could not go on.
    private static func report(_ ended: OperatorAnswer.Ended) -> Int32 {
        let why =
            switch ended.reason {
            case "time": "its time is over"
            case "stopped": "it was ended"
            case "roomClosed": "the room is closed"
            case "fileLimit": "the file is as large as it may be"
            case "diskFull": "the server's disk is full"
            case "writeError": "the server could not write: \(ended.failure ?? "no reason given")"
            default: ended.reason
            }
        print("\(ended.bytes) bytes in \(printable(ended.path)): \(printable(why))")
        if ended.refusals > 0 { print("the disk was slow: events are missing in \(ended.refusals) places") }
        return ["time", "stopped", "roomClosed"].contains(ended.reason) ? 0 : 1
    }
}
