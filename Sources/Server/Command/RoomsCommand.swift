// `majlis rooms` and `majlis explain`: what a running server's rooms are, and why it forwards what it forwards.
import Gateway

/// Answers of the operators' interface, as far as the command prints them.
enum OperatorAnswer {
    struct Recording: Decodable {
        var state: String
        var payload: String
        var path: String?
        var seconds: Int?
        var elapsedSeconds: Int
    }
    struct Ended: Decodable {
        var path: String
        var reason: String
        var bytes: Int
        var refusals: Int
        var failure: String?
    }
    struct Room: Decodable {
        var name: String
        var people: Int
        var worker: Int
        var recording: Recording?
        var lastRecording: Ended?
    }
    struct Rooms: Decodable { var rooms: [Room] }
    struct Started: Decodable {
        var path: String
        var payload: String
        var seconds: Int
    }
    struct Kept: Decodable { var path: String }
    struct Explanations: Decodable {
        struct Entry: Decodable {
            var number: UInt64
            var seconds: Double
            var peer: String?
            var sentence: String
        }
        var entries: [Entry]
        var next: UInt64
        var forgotten: UInt64
    }
}

enum RoomsCommand {
    static let usage = """
        usage: majlis rooms [options]

        Lists the rooms of a running server: name, people, media worker, and the recording that runs.

        """ + OperatorConnection.options

    static func run(_ rest: [String]) -> Int32 {
        OperatorConnection.run(rest, usage: usage, options: []) { connection, arguments in
            if let word = arguments.words.first { throw UsageError("rooms takes options only, not \"\(word)\"") }
            let rooms = try connection.ask(.get, "/v1/rooms", as: OperatorAnswer.Rooms.self).rooms
            if rooms.isEmpty { print("No room is open.") }
            for room in rooms {
                var line = "\(printable(room.name))  \(room.people) \(room.people == 1 ? "person" : "people")"
                line += "  worker \(room.worker)"
                if let recording = room.recording {
                    line += "  \(recording.state == "on" ? "recording" : "about to record") \(recording.payload)"
                }
                print(line)
            }
            return 0
        }
    }
}

enum ExplainCommand {
    static let usage = """
        usage: majlis explain --room ROOM [options]

        Prints what the server decided in a room and why, one line a decision: when (seconds since the room was opened),
        whom it is about, and the sentence with its numbers.

          --room ROOM       the room
          --limit N         so many of the newest (1 to 1000, 200 unless told)
          --follow          go on with new ones until Control-C

        """ + OperatorConnection.options

    static func run(_ rest: [String]) -> Int32 {
        OperatorConnection.run(rest, usage: usage, switches: ["follow"], options: ["room", "limit"]) {
            connection, arguments in
            let path = OperatorConnection.path(try roomOption(arguments), "explain")
            let limit = try numberOption(arguments, "limit", 1...1_000, 200)
            var answer: OperatorAnswer.Explanations = try connection.ask(.get, path + "?limit=\(limit)")
            show(answer, forgets: false)
            guard arguments.has("follow") else { return 0 }
            var signals = EndSignals()
            var last = answer.entries.last?.number ?? (answer.next > 0 ? answer.next - 1 : 0)
            while !signals.came(within: 1_000) {
                repeat {
                    answer = try connection.ask(.get, path + "?after=\(last)&limit=1000")
                    show(answer, forgets: true)
                    last = answer.entries.last?.number ?? last
                } while answer.entries.count == 1_000
            }
            return 0
        }
    }

    private static func show(_ answer: OperatorAnswer.Explanations, forgets: Bool) {
        if forgets, answer.forgotten > 0 { print("(\(answer.forgotten) decisions are no longer there)") }
        for entry in answer.entries { print(line(entry)) }
        Command.flush()
    }

    /// `    12.340 s  p2: the sentence`
    static func line(_ entry: OperatorAnswer.Explanations.Entry) -> String {
        let milliseconds = Int64((min(max(entry.seconds, 0), 1e12) * 1_000).rounded())
        let fraction = String(milliseconds % 1_000)
        let time = "\(milliseconds / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
        let padding = String(repeating: " ", count: max(0, 10 - time.count))
        let peer = entry.peer.map { printable($0) + ": " } ?? ""
        return "\(padding)\(time) s  \(peer)\(printable(entry.sentence))"
    }
}
