// What the operators' subcommands share: where the server is, the token, a request and its answer, and the words printed.
import FoundationEssentials
import Gateway
import Glibc

/// The command was used wrongly: exit code 2.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The server refused, or cannot be reached: exit code 1.
struct OperatorError: Error, CustomStringConvertible {
    /// The HTTP status; nil where no answer came.
    let status: Int?
    let description: String
    init(status: Int? = nil, _ description: String) { (self.status, self.description) = (status, description) }
}

/// The way to a server's operators' interface.
struct OperatorConnection {
    static let options = """
          --server URL      the server (MAJLIS_SERVER; http://127.0.0.1:8480 unless told)
          --token TOKEN     an operator's token, made by `majlis token --admin`; better given as MAJLIS_TOKEN
          --ca FILE         trust this certificate authority (PEM) for https, in place of the system's

        """
    static let names: Set<String> = ["server", "token", "ca", "help"]

    private let client: HTTPClient
    private let token: String

    /// Reads the options, else the environment.
    init(_ arguments: Arguments) throws {
        let environment = Command.environment()
        let server = arguments.value("server") ?? environment["MAJLIS_SERVER"] ?? "http://127.0.0.1:8480"
        guard let token = arguments.value("token") ?? environment["MAJLIS_TOKEN"], !token.isEmpty else {
            throw UsageError("there is no token: set MAJLIS_TOKEN to what `majlis token --admin` prints")
        }
        do throws(HTTPClientError) {
            client = try HTTPClient(server: server, authorityFile: arguments.value("ca"))
        } catch {
            throw UsageError("\(error)")
        }
        self.token = token
        // A server that closes while it is written to must not end the command.
        signal(SIGPIPE, SIG_IGN)
    }

    /// The path of a room, or of a part of it.
    static func path(_ room: String, _ part: String = "") -> String {
        "/v1/rooms/" + HTTPClient.encoded(room) + (part.isEmpty ? "" : "/" + part)
    }

    private struct Refusal: Decodable { var message: String }

    /// Asks, and decodes the answer.
    func ask<Answer: Decodable>(
        _ method: HTTPMethod, _ target: String, json: String? = nil, as type: Answer.Type = Answer.self
    ) throws(OperatorError) -> Answer {
        let response: HTTPResponse
        do throws(HTTPClientError) {
            response = try client.send(method, target, bearer: token, json: json)
        } catch {
            throw OperatorError("\(error)")
        }
        let data = Data(response.body)
        guard (200..<300).contains(response.status) else {
            let refusal = try? JSONDecoder().decode(Refusal.self, from: data)
            throw OperatorError(
                status: response.status,
                refusal.map { printable($0.message) }
                    ?? "the server answered \(response.status); is it a Majlis server of this version?")
        }
        guard let answer = try? JSONDecoder().decode(type, from: data) else {
            throw OperatorError("the server's answer cannot be read; is it a Majlis server of this version?")
        }
        return answer
    }

    /// Runs a subcommand with its exit code.
    static func run(
        _ rest: [String], usage: String, switches: Set<String> = [], options: Set<String>,
        _ body: (OperatorConnection, Arguments) throws -> Int32
    ) -> Int32 {
        do {
            let arguments: Arguments
            do throws(ConfigurationError) {
                arguments = try Arguments(rest, switches: switches.union(["help"]))
            } catch {
                throw UsageError("\(error)")
            }
            if arguments.has("help") {
                print(usage, terminator: "")
                return 0
            }
            let known = options.union(names).union(switches)
            if let (name, _) = arguments.options.first(where: { !known.contains($0.name) }) {
                throw UsageError("unknown option --\(name); --help lists them")
            }
            return try body(OperatorConnection(arguments), arguments)
        } catch let error as UsageError {
            Command.complain("\(error)")
            return 2
        } catch {
            Command.complain("\(error)")
            return 1
        }
    }
}

/// The option --room.
func roomOption(_ arguments: Arguments) throws -> String {
    guard let room = arguments.value("room"), !room.isEmpty else { throw UsageError("--room ROOM is needed") }
    guard arguments.words.isEmpty else { throw UsageError("there is one word too many: \(arguments.words[0])") }
    return room
}

/// A whole number from an option.
func numberOption(_ arguments: Arguments, _ name: String, _ range: ClosedRange<Int>, _ none: Int) throws -> Int {
    guard let text = arguments.value(name) else { return none }
    guard let number = Int(text), range.contains(number) else {
        throw UsageError("--\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
}

/// Text of others without what would change a terminal: control characters, and what turns the direction of text.
func printable(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: out += "?"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out
}

/// SIGINT and SIGTERM as something that is asked for, from the making of this on.
struct EndSignals {
    private var set = sigset_t()

    init() {
        unsafe sigemptyset(&set)
        for number in [SIGINT, SIGTERM] { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for so long; true when a signal came first.
    mutating func came(within milliseconds: Int) -> Bool {
        var time = timespec(tv_sec: milliseconds / 1_000, tv_nsec: milliseconds % 1_000 * 1_000_000)
        return unsafe sigtimedwait(&set, nil, &time) > 0
    }
}
