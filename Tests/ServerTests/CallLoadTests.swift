// `majlis load --callers` against a whole server, small.
import Bots
import Server
import Testing
import Tokens

@Suite("Calls among idle users", .serialized)
struct CallLoadTests {
    @Test("Every call that is placed among a small crowd is answered and ends, on both sides")
    func crowd() throws {
        let server = try TestServer { $0.calls.pairSeconds = 0 }
        defer { server.stop() }
        var options = LoadOptions()
        options.servers = ["ws://127.0.0.1:\(server.port)"]
        (options.callers, options.callsPerSecond, options.seconds, options.holdMilliseconds) = (20, 20, 2, 100)
        (options.joinsPerSecond, options.isQuiet) = (200, true)
        options.sources = ["127.0.0.2", "127.0.0.3"]
        let run = try CallLoadRun(options) { user in try TestServer.token(user) { $0.calls = true } }
        let result = run.run()
        #expect(result.isGood, "\(result.table)")
        #expect(metric("calls", port: server.port) == 0 && metric("store_failures_total", port: server.port) == 0)
    }

    @Test("Users who only are there stay connected, and one who finds no socket is counted with the reason")
    func idle() throws {
        let server = try TestServer()
        defer { server.stop() }
        var options = LoadOptions()
        options.servers = ["ws://127.0.0.1:\(server.port)"]
        (options.callers, options.callsPerSecond, options.seconds, options.joinsPerSecond) = (10, 0, 1, 200)
        options.isQuiet = true
        func run() throws -> (table: String, isGood: Bool) {
            try CallLoadRun(options) { user in try TestServer.token(user) { $0.calls = true } }.run()
        }
        let result = try run()
        #expect(result.isGood, "\(result.table)")
        // An address for documentation (RFC 5737) is nobody's.
        options.sources = ["127.0.0.2", "192.0.2.1"]
        let other = try run()
        #expect(!other.isGood && other.table.contains("5 of 10") && other.table.contains("no socket: Cannot assign"))
    }
}
