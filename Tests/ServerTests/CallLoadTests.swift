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
        let run = try CallLoadRun(options) { user in try TestServer.token(user) { $0.calls = true } }
        let result = run.run()
        #expect(result.isGood, "\(result.table)")
        #expect(metric("calls", port: server.port) == 0 && metric("store_failures_total", port: server.port) == 0)
    }
}
