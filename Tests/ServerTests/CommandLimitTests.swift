// What the sessions of one user, and those from one address, may ask for together, on a whole server.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Gateway
@testable import Server

@Suite("Limits of users and addresses", .serialized)
struct CommandLimitTests {
    /// Presence, asked so often: how often it was answered, and the errors.
    private func ask(_ client: SignallingClient, _ count: Int) throws -> (answers: Int, errors: [ProtocolError]) {
        var (answers, errors) = (0, [ProtocolError]())
        for _ in 0..<count {
            switch try client.ask(.call(.presence(.init(users: ["nobody"])))) {
            case .call(.presence): answers += 1
            case .error(let error): errors.append(error)
            case let other: Issue.record("\(other)")
            }
        }
        return (answers, errors)
    }

    @Test("The sessions of a user have one limit together; another user at the same address notices nothing")
    func user() throws {
        let server = try TestServer { $0.sessions.userCommandsPerSecond = 1 }
        defer { server.stop() }
        let tabs = try (0..<4).map { try SignallingClient.forCalls("mallory", port: server.port, device: "tab-\($0)") }
        var (answers, errors) = (0, [ProtocolError]())
        let begin = MonotonicClock.now
        for tab in tabs {
            let told = try ask(tab, 10)
            answers += told.answers
            errors += told.errors
        }
        let seconds = Int((MonotonicClock.now - begin) / 1_000_000_000)
        #expect((4...5 + seconds).contains(answers) && answers + errors.count == 40)
        #expect(errors.allSatisfy { $0.code == .rateLimited && (1...1_000).contains($0.retryAfterMilliseconds ?? 0) })
        #expect(errors.allSatisfy { $0.message.contains("user") && !$0.isFatal })
        // After the time named there is one more.
        let wait = try #require(try ask(tabs[0], 5).errors.last?.retryAfterMilliseconds)
        Pause.milliseconds(Int32(wait))
        #expect(try ask(tabs[3], 1).answers == 1)
        #expect(try ask(SignallingClient.forCalls("ada", port: server.port), 4).answers == 4)
    }

    @Test("All users of an address have one limit together")
    func address() throws {
        let server = try TestServer { $0.sessions.addressCommandsPerSecond = 1 }
        defer { server.stop() }
        var (answers, errors) = (0, [ProtocolError]())
        let begin = MonotonicClock.now
        for number in 0..<8 {
            let told = try ask(SignallingClient.forCalls("user-\(number)", port: server.port), 4)
            answers += told.answers
            errors += told.errors
        }
        let seconds = Int((MonotonicClock.now - begin) / 1_000_000_000)
        #expect((4...5 + seconds).contains(answers) && answers + errors.count == 32)
        #expect(errors.allSatisfy { $0.code == .rateLimited && $0.message.contains("address") })
    }

    @Test(
        "Too many sessions from one address: the token is not looked at, the error says when to come again, and it closes"
    )
    func hellos() throws {
        let server = try TestServer { $0.sessions.addressHellosPerSecond = 1 }
        defer { server.stop() }
        let earlier = try SignallingClient.forCalls("ada", port: server.port)
        var refused: (SignallingClient, ProtocolError)?
        for _ in 0..<20 where refused == nil {
            let client = try SignallingClient(port: server.port)
            do {
                try client.hello(token: "no token at all")
            } catch SignallingClient.Failure.refused(let error) where error.code == .rateLimited {
                refused = (client, error)
            } catch SignallingClient.Failure.refused(let error) {
                #expect(error.code == .notAuthenticated)
            }
        }
        let (client, error) = try #require(refused)
        #expect(error.isFatal && (1...1_000).contains(error.retryAfterMilliseconds ?? 0))
        #expect(client.socket.closeCode() == 4_429)
        // Whoever is in already stays, and can go on with the session on another socket.
        #expect(try ask(earlier, 1).answers == 1)
        let resumed = try SignallingClient(port: server.port, resuming: earlier)
        #expect(try ask(resumed, 1).answers == 1)
        Pause.milliseconds(Int32(error.retryAfterMilliseconds ?? 0))
        #expect(throws: Never.self) { _ = try SignallingClient.forCalls("budi", port: server.port) }
    }

    @Test("What a user may not have is not taken from the others of the address, who have theirs at another")
    func order() throws {
        var settings = Configuration.Sessions()
        (settings.userCommandsPerSecond, settings.addressCommandsPerSecond) = (1, 2)
        var limits = CommandLimits(settings)
        let now = SessionTime(nanoseconds: 1_000_000_000)
        let (here, there) = (AddressKey(high: 0, low: 1), AddressKey(high: 0, low: 2))
        var taken = 0
        for _ in 0..<100 where limits.command(of: "mallory", from: here, at: now) == nil { taken += 1 }
        #expect(taken == 4)
        for user in ["ada", "ada", "budi", "carol"] { #expect(limits.command(of: user, from: here, at: now) == nil) }
        #expect(limits.command(of: "dewi", from: here, at: now)?.message.contains("address") == true)
        #expect(limits.command(of: "dewi", from: there, at: now) == nil)
    }
}
