// The command `majlis`: what its subcommands are and what they print. Exit codes: 0 done, 1 failed, 2 used wrongly.
import Glibc

/// A subcommand that another module brings along.
public struct Subcommand {
    let name: String
    let usage: String
    let run: ([String]) -> Int32

    /// - Parameters:
    ///   - name: the word after `majlis`.
    ///   - usage: what follows the word in the list of subcommands, in one line.
    ///   - run: takes what follows the word, and answers the exit code.
    public init(name: String, usage: String, run: @escaping ([String]) -> Int32) {
        (self.name, self.usage, self.run) = (name, usage, run)
    }
}

/// The command.
public enum Command {
    /// The version that `majlis version` prints and the server reports.
    public static let version = "0.1.0"

    private static func usage(_ others: [Subcommand]) -> String {
        """
        majlis \(version): a WebRTC signalling server and selective forwarding unit

          majlis serve [--dev] [--config FILE] [--print-config] [--KEY VALUE ...]
          majlis token --room ROOM --user USER [--name NAME] [--hours N] [--listen-only] [--config FILE]
          majlis token --admin [--can-record] [--room ROOM] [--config FILE]
          majlis rooms [--server URL] [--token TOKEN]
          majlis explain --room ROOM [--follow] [--server URL] [--token TOKEN]
          majlis capture start --room ROOM [--seconds N] [--payload whole] [--server URL] [--token TOKEN]
          majlis capture stop | keep --room ROOM [--server URL] [--token TOKEN]
          majlis capture convert IN OUT [--codec PT=NAME ...] [--extension ID=NAME ...] [--srtp-key HEX ...]
          majlis capture rewrite IN OUT [--from SECONDS] [--until SECONDS] [--headers]
          majlis replay FILE [--until SECONDS] [--report FILE.html] [--set KEY=VALUE ...] [--json]
        \(others.map { "  majlis \($0.name) \($0.usage)\n" }.joined())  majlis version

        Each of them says more with --help.

        """
    }

    /// Runs the command with its arguments (without the program's name) and returns its exit code. `others` are the subcommands
    /// of modules that this one does not know.
    public static func run(_ arguments: [String], beside others: [Subcommand] = []) -> Int32 {
        let rest = Array(arguments.dropFirst())
        do {
            switch arguments.first {
            case "serve": return try ServeCommand.run(rest)
            case "token": return try TokenCommand.run(rest)
            case "capture": return try CaptureCommand.run(rest)
            case "rooms": return RoomsCommand.run(rest)
            case "explain": return ExplainCommand.run(rest)
            case "replay": return ReplayCommand.run(rest)
            case "version", "--version":
                print("majlis \(version)")
                return 0
            case "help", "--help", "-h":
                print(usage(others), terminator: "")
                return 0
            case nil:
                complain(usage(others), prefix: "")
                return 2
            case .some(let word):
                if let other = others.first(where: { $0.name == word }) { return other.run(rest) }
                complain("there is no `majlis \(word)`; `majlis help` lists what there is")
                return 2
            }
        } catch {
            complain("\(error)")
            return 1
        }
    }

    /// Prints one line on standard error.
    static func complain(_ text: String, prefix: String = "majlis: ") {
        let bytes = Array((prefix + text + (text.hasSuffix("\n") ? "" : "\n")).utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }

    /// Has printed what was printed: standard output may be a file or a pipe.
    static func flush() { fflush(nil) }

    /// Defaults, then the file, then the environment, then the flags.
    static func configuration(_ arguments: Arguments, except own: Set<String>) throws(ConfigurationError)
        -> Configuration
    {
        var configuration = Configuration()
        if let path = arguments.value("config") ?? environment()["MAJLIS_CONFIG"] {
            configuration = try read(path, over: configuration)
        }
        try configuration.apply(environment: environment())
        for (name, value) in arguments.options where !own.contains(name) {
            let key = ["port": "listen.port", "host": "listen.host"][name] ?? name
            guard let setting = Setting.named(key) else {
                let near = Setting.nearest(to: key).map { "; did you mean --\($0)?" } ?? ""
                throw ConfigurationError("unknown option --\(name)\(near)")
            }
            try setting.set(&configuration, text: value, from: "--\(name)")
        }
        return configuration
    }

    private static func read(_ path: String, over base: Configuration) throws(ConfigurationError) -> Configuration {
        var configuration = base
        guard let bytes = readFile(path, limit: Configuration.maximumFileBytes + 1) else {
            throw ConfigurationError(
                "cannot read the configuration file \(path): \(unsafe String(cString: strerror(errno)))")
        }
        try configuration.apply(file: bytes, name: path)
        return configuration
    }

    /// The first `limit` bytes of a file, or nil with `errno` set.
    static func readFile(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < limit {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    static func environment() -> [String: String] {
        var values: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                values[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            unsafe entry += 1
        }
        return values
    }
}
