// `majlis load`: from arguments to an exit code. Tokens are made by whoever runs it: bots know no secret's format.
import Glibc

/// The command.
package enum LoadCommand {
    /// Signs a token with a secret.
    package typealias Signer = (_ secret: String, _ audience: String?, _ user: String, _ room: String) throws -> String

    /// Runs it; `sign` makes tokens.
    package static func run(_ arguments: [String], sign: Signer) -> Int32 {
        // A server that closes while it is written to must not end the command.
        signal(SIGPIPE, SIG_IGN)
        do {
            let options = try LoadOptions(arguments)
            if options.wantsHelp {
                print(LoadOptions.usage, terminator: "")
                return 0
            }
            if options.callers > 0 {
                let secret = try secret(options)
                let run = try CallLoadRun(options) { try sign(secret, options.audience, $0, "*") }.run()
                print(run.table, terminator: "")
                fflush(nil)
                return run.isGood ? 0 : 1
            }
            let result = try LoadRun(options, token: try tokens(options, sign)).run()
            print(options.isJSON ? result.json + "\n" : result.table, terminator: "")
            fflush(nil)
            return result.joined == 0 || result.isVoid ? 1 : 0
        } catch let error as LoadUsageError {
            complain("\(error)")
            return 2
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func tokens(_ options: LoadOptions, _ sign: Signer) throws -> TokenMaker {
        if options.janus != nil { return { _, _, _ in "" } }
        if let path = options.tokenFile {
            guard let text = read(path) else { throw LoadUsageError("--tokens: \(path) cannot be read") }
            let lines = text.split(whereSeparator: \.isNewline).map(String.init)
            let needed = options.rooms * options.people
            guard lines.count >= needed else {
                throw LoadUsageError("--tokens: \(path) has \(lines.count) tokens for \(needed) bots")
            }
            return { _, _, number in lines[number] }
        }
        let secret = try secret(options)
        return try withoutActuallyEscaping(sign) { sign in
            // One token a room would do; a user each is what servers see.
            var made: [Int: String] = [:]
            for room in 0..<options.rooms {
                for profile in options.profiles(room: room) {
                    made[profile.number] = try sign(secret, options.audience, profile.user, profile.room)
                }
            }
            let tokens = made
            return { _, _, number in tokens[number] ?? "" }
        }
    }

    private static func secret(_ options: LoadOptions) throws(LoadUsageError) -> String {
        guard let secret = options.secret ?? environment("MAJLIS_TOKENS_SECRET"), !secret.isEmpty else {
            throw LoadUsageError(
                "there is no secret to make tokens with: set MAJLIS_TOKENS_SECRET to the server's, or give --tokens FILE"
            )
        }
        return secret
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    private static func read(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < 64 << 20 {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func complain(_ text: String) {
        let bytes = Array("majlis: \(text)\n".utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }
}
