// What is kept of calls, on a whole server: missed calls, records, block lists, what outlives the server, and erasing a user.
import Bots
import EventLoop
import Glibc
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("What is kept of calls", .serialized)
struct KeptCallTests {
    private func withServer(_ body: (TestServer) throws -> Void) throws {
        let server = try TestServer()
        defer { server.stop() }
        try body(server)
    }

    @Test("A missed call is kept once and told at every sign-in until it was seen")
    func missed() throws {
        try withServer { server in
            let ada = try SignallingClient.forCalls("ada", port: server.port)
            #expect(try ada.refusal(.call(.invite(.init(to: "budi", media: .audio)))) == .unknownUser)
            // Who has signed in on a device is known, though not connected.
            let first = try SignallingClient.forCalls("budi", port: server.port)
            #expect(try first.toldMissed().isEmpty)
            first.socket.abort()
            let phone = try SignallingClient.forCalls("budi", port: server.port, device: "tablet")
            let call = try ada.invite("budi", media: .video).call
            #expect(try phone.incoming().call == call)
            #expect(try ada.does(.cancel(call)))
            let told = try phone.missed()
            #expect(told.call == call && told.from == .init(id: "ada", name: "ada") && told.media == .video)
            #expect(abs(told.placedMilliseconds - WallClock.now / 1_000_000) < 60_000)
            // On other devices, and again after a new sign-in, once each.
            for device in ["phone", "tablet", "watch"] {
                let other = try SignallingClient.forCalls("budi", port: server.port, device: device)
                #expect(try other.toldMissed() == [told])
            }
            #expect(try ToldUser("budi", port: server.port).missed.map(\.call) == [call.text])
            #expect(try phone.does(.seen([call, CallID("nobody-knows")])))
            #expect(try phone.does(.seen([call])))
            #expect(try SignallingClient.forCalls("budi", port: server.port).toldMissed().isEmpty)
            #expect(metric("calls_missed_total", port: server.port) == 1)
            let record = try #require(try ToldCalls("budi", port: server.port).calls.first)
            #expect(record.call == call.text && record.reason == "cancelled" && record.answeredMilliseconds == nil)
        }
    }

    @Test("More missed calls than are told at once follow when the others were seen, each once")
    func manyMissed() throws {
        let server = try TestServer { $0.calls.pairSeconds = 0 }
        defer { server.stop() }
        let ada = try SignallingClient.forCalls("ada", port: server.port)
        let budi = try SignallingClient.forCalls("budi", port: server.port)
        _ = try budi.toldMissed()
        budi.socket.abort()
        var placed: [CallID] = []
        for _ in 0..<70 {
            let call = try ada.invite("budi").call
            placed.append(call)
            #expect(try ada.does(.cancel(call)))
        }
        let back = try SignallingClient.forCalls("budi", port: server.port)
        let newest = try back.toldMissed()
        #expect(newest.count == 64)
        #expect(try back.does(.seen(newest.map(\.call))))
        let older = Array(try back.toldMissed().dropFirst(64))
        // Of a few that were missed within one millisecond none is the older.
        #expect(Set((newest + older).map(\.call)) == Set(placed) && older.count == 6)
        #expect(Set(placed.suffix(54)).isSubset(of: newest.map(\.call)))
    }

    @Test("A record says who, when, by which path, how fast and how well")
    func record() throws {
        try withServer { server in
            let pair = try ActivePair("ada", "budi", port: server.port)
            for (rtt, loss, mos): (UInt16, Double, Double) in [(40, 1, 4), (60, 3, 3)] {
                let report = CallCommand.Quality(
                    call: pair.call, rttMilliseconds: rtt, lossPercent: loss, jitterMilliseconds: 5, mos: mos)
                #expect(try pair.callee.does(.quality(report)))
            }
            #expect(try ToldUser("ada", port: server.port).calls == [pair.call.text])
            // A call that is over as it begins has a record too, and is missed.
            let carol = try SignallingClient.forCalls("carol", port: server.port, device: "carol-tablet")
            let busy = try carol.invite("budi").call
            #expect(try carol.ended() == .init(call: busy, reason: .busy))
            #expect(try pair.callee.missed().call == busy)
            let short = try #require(try ToldCalls("carol", port: server.port).calls.first)
            #expect(short.call == busy.text && short.reason == "busy" && short.path == nil)
            #expect(short.legs.map(\.device) == ["carol-tablet", nil])
            #expect(try pair.caller.does(.hangup(pair.call)))
            // The answer came when the record was there.
            let record = try #require(try ToldCalls("ada", port: server.port).calls.first)
            #expect(record.call == pair.call.text && record.reason == "hungUp" && record.path == "relayed")
            #expect(record.answeredMilliseconds != nil && record.connectedMilliseconds != nil)
            #expect(record.legs.map(\.user) == ["ada", "budi"] && record.legs.map(\.role) == ["caller", "callee"])
            #expect(record.legs.map(\.device) == ["ada-phone", "budi-phone"])
            #expect(record.legs[1].rttMilliseconds == 50 && record.legs[1].lossPercent == 2)
            #expect(record.legs[1].mos == 3.5 && record.legs[0].mos == nil)
            #expect(try ToldUser("ada", port: server.port).calls.isEmpty)
        }
    }

    @Test("Whoever is blocked rings into nothing, and nothing is kept for the other; unblocked they are heard again")
    func blocking() throws {
        try withServer { server in
            let budi = try SignallingClient.forCalls("budi", port: server.port)
            let mallory = try SignallingClient.forCalls("mallory", port: server.port)
            #expect(try budi.does(.block("mallory")) && budi.does(.block("mallory")))
            #expect(try budi.ask(.account(.blocked)) == .blocked(.init(users: ["mallory"])))
            #expect(try budi.refusal(.account(.block("budi"))) == .malformed)
            let call = try mallory.invite("budi").call
            #expect(try mallory.does(.cancel(call)))
            #expect(mallory.seen.allSatisfy { if case .call(.ringing) = $0.message { false } else { true } })
            #expect(try budi.toldMissed().isEmpty)
            #expect(budi.seen.allSatisfy { if case .call = $0.message { false } else { true } })
            #expect(try budi.does(.unblock("mallory")))
            let second = try mallory.invite("budi").call
            #expect(try budi.incoming().call == second)
        }
    }

    @Test("Of two of whom one has blocked the other neither learns whether the other is there")
    func presence() throws {
        try withServer { server in
            let budi = try SignallingClient.forCalls("budi", port: server.port)
            let mallory = try SignallingClient.forCalls("mallory", port: server.port)
            let carol = try SignallingClient.forCalls("carol", port: server.port)
            func present(_ client: SignallingClient) throws -> [String]? {
                let asked = CallCommand.Presence(users: ["budi", "nobody", "mallory", "carol"])
                guard case .call(.presence(let told)) = try client.ask(.call(.presence(asked))) else { return nil }
                return told.present
            }
            #expect(try present(mallory) == ["budi", "mallory", "carol"])
            #expect(try budi.does(.block("mallory")))
            for _ in 0..<2 {
                #expect(try present(mallory) == ["mallory", "carol"])
                #expect(try present(budi) == ["budi", "carol"])
                #expect(try present(carol) == ["budi", "mallory", "carol"])
            }
            #expect(try budi.does(.unblock("mallory")))
            #expect(try present(mallory) == ["budi", "mallory", "carol"])
        }
    }

    @Test("Wrong in form: each is refused, and nothing else happens")
    func badInput() throws {
        try withServer { server in
            let budi = try SignallingClient.forCalls("budi", port: server.port)
            let nameless = try SignallingClient.forCalls("budi", port: server.port, device: nil)
            #expect(try budi.refusal(.account(.block(""))) == .malformed)
            #expect(try budi.refusal(.account(.block(String(repeating: "u", count: 257)))) == .malformed)
            #expect(try budi.refusal(.account(.block("a\u{0}"))) == .malformed)
            #expect(try budi.refusal(.call(.invite(.init(to: "a\u{0}", media: .audio)))) == .unknownUser)
            let calls = (0...ProtocolLimits.seenCalls).map { CallID("\($0)") }
            #expect(try budi.refusal(.account(.seen(calls))) == .malformed)
            // This server has no push service, and a token must be one.
            #expect(try budi.refusal(.account(.push(.init(provider: .apns, token: "abcd")))) == .forbidden)
            #expect(try budi.refusal(.account(.push(.init(provider: .apns, token: "no hex")))) == .malformed)
            #expect(try nameless.refusal(.account(.push(.init(provider: .fcm, token: "token")))) == .malformed)
            let without = try SignallingClient(port: server.port)
            try without.hello(token: TestServer.token("carol"), device: "phone")
            #expect(try without.refusal(.account(.block("ada"))) == .forbidden)
            // A device's name with a zero in it is none.
            let zero = try SignallingClient.forCalls("zed", port: server.port, device: "a\u{0}b")
            #expect(try zero.toldMissed().isEmpty)
            #expect(try ToldUser("zed", port: server.port).devices.map(\.device) == ["unnamed"])
            #expect(metric("store_failures_total", port: server.port) == 0)
        }
    }

    @Test(
        "A server that was killed comes back: calls go on, what rang is missed, block lists and missed calls are there")
    func restart() throws {
        let folder = ServerFolder()
        let server = try ChildServer(folder.options)
        let pair = try ActivePair("ada", "budi", port: server.port)
        let carol = try SignallingClient.forCalls("carol", port: server.port)
        let dan = try SignallingClient.forCalls("dan", port: server.port)
        #expect(try dan.does(.block("mallory")))
        #expect(try pair.caller.does(.hold(pair.call)))
        #expect(try pair.callee.next { if case .held(let told) = $0 { told.by } else { nil } } == CallSide.caller)
        let ringing = try carol.invite("dan")
        _ = try dan.incoming()
        // Asked after what is to be kept: answered after it.
        #expect(try dan.ask(.account(.blocked)) == .blocked(.init(users: ["mallory"])))
        server.kill()

        let second = try ChildServer(folder.options)
        let port = second.port
        let reattach = CallCommand.reattach(.init(call: pair.call, token: pair.callerToken))
        let mallory = try SignallingClient.forCalls("mallory", port: port)
        #expect(try mallory.refusal(.call(reattach)) == .unknownCall)
        let ada = try SignallingClient.forCalls("ada", port: port, device: "ada-phone")
        let guess = CallCommand.reattach(.init(call: pair.call, token: pair.calleeToken))
        #expect(try ada.refusal(.call(guess)) == .unknownCall)
        guard case .call(.reattached(let told)) = try ada.ask(.call(reattach)) else { return #expect(Bool(false)) }
        #expect(told.state == .active && told.user.id == "budi" && told.offers && told.mode == .direct)
        #expect(told.heldBy == [.caller])
        let back = try SignallingClient.forCalls("dan", port: port)
        let missed = try back.toldMissed()
        #expect(missed.map(\.call) == [ringing.call] && missed.first?.from == .init(id: "carol", name: "carol"))
        #expect(try back.ask(.account(.blocked)) == .blocked(.init(users: ["mallory"])))
        let caller = try SignallingClient.forCalls("carol", port: port)
        let late = try caller.ask(.call(.reattach(.init(call: ringing.call, token: ringing.token))))
        #expect(late == .call(.ended(.init(call: ringing.call, reason: .lost))))

        // Once more, in good order, before the other side has come back.
        #expect(second.stop() == 0)
        let third = try ChildServer(folder.options)
        defer { #expect(third.stop() == 0) }
        for (user, token) in [("budi", pair.calleeToken), ("ada", pair.callerToken)] {
            let client = try SignallingClient.forCalls(user, port: third.port, device: "\(user)-phone")
            let answer = try client.ask(.call(.reattach(.init(call: pair.call, token: token))))
            guard case .call(.reattached) = answer else { return #expect(Bool(false), "\(user): \(answer)") }
            if user == "ada" { #expect(try client.does(.hangup(pair.call))) }
        }
        let records = try ToldCalls("ada", port: third.port).calls
        #expect(records.map(\.call) == [pair.call.text] && records.first?.reason == "hungUp")
        #expect(records.first?.path == "relayed")
    }

    @Test("Two servers do not work on one file")
    func twoServers() throws {
        let folder = ServerFolder()
        let server = try ChildServer(folder.options)
        defer { server.stop() }
        let second = try #require(
            ChildProcess(
                ChildProcess.command, ["serve", "--port", "0", "--host", "127.0.0.1"] + folder.options,
                environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)"]))
        #expect(second.exitCode() == 1)
        #expect(second.text.contains("another server works on"))
    }

    @Test("Where nothing is said the file is in the service's own folder, and nobody else may read it")
    func ownFolder() throws {
        let folder = ServerFolder()
        let server = try #require(
            ChildProcess(
                ChildProcess.command, ["serve", "--port", "0", "--host", "127.0.0.1"],
                environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)", "STATE_DIRECTORY=\(folder.path):/other"]))
        #expect(server.prints("serves http"))
        var status = stat()
        #expect(stat(folder.database, &status) == 0 && status.st_mode & 0o777 == 0o600)
        server.signal(SIGTERM)
        #expect(server.exitCode() == 0)
    }

    @Test("Erasing a user ends their calls and leaves nothing that names them", arguments: [true, false])
    func erasing(byOperator: Bool) throws {
        let folder = ServerFolder()
        let server = try ChildServer(folder.options)
        defer { #expect(server.stop() == 0) }
        let name = "somebody-to-look-for"
        let pair = try ActivePair(name, "budi", port: server.port)
        let other = try SignallingClient.forCalls("other", port: server.port)
        #expect(try other.does(.block(name)) && pair.caller.does(.block("other")))
        let missed = try other.invite("budi").call
        #expect(try pair.callee.does(.connected(.init(call: pair.call, path: .direct))))
        #expect(folder.contains(name))
        _ = try? other.does(.cancel(missed))
        if byOperator {
            let answer = HTTPConversation.ask(
                port: server.port, "DELETE", "/v1/users/\(name)", token: try AdminScene.token())
            #expect(answer?.status == 200, "\(answer?.text ?? "")")
        } else {
            #expect(try pair.caller.does(.erase))
        }
        #expect(pair.caller.socket.closeCode() == 4_403)
        #expect(try pair.callee.ended().reason == .hungUp)
        #expect(!folder.contains(name))
        let record = try #require(try ToldCalls("budi", port: server.port).calls.first { $0.call == pair.call.text })
        #expect(record.legs.map(\.user) == [nil, "budi"])
        #expect(try ToldUser(name, port: server.port).devices.isEmpty)
        #expect(try other.ask(.account(.blocked)) == .blocked(.init(users: [])))
        #expect(try other.refusal(.call(.invite(.init(to: name, media: .audio)))) == .unknownUser)
    }

    @Test("Users are for operators of all rooms, and a name has its limits")
    func operators() throws {
        try withServer { (server) throws in
            func status(_ method: String, _ target: String, room: String = "*") throws -> Int? {
                HTTPConversation.ask(port: server.port, method, target, token: try AdminScene.token(room: room))?.status
            }
            #expect(try status("GET", "/v1/users/ada", room: "standup") == 403)
            #expect(try status("DELETE", "/v1/users/ada", room: "standup") == 403)
            #expect(try status("GET", "/v1/users/" + String(repeating: "u", count: 257)) == 400)
            #expect(try status("GET", "/v1/users/ada/calls?limit=0") == 400)
            #expect(try status("GET", "/v1/users/ada/calls?before=1&limit=1000") == 200)
            #expect(try status("GET", "/v1/users/ada?limit=1") == 400)
            #expect(try status("DELETE", "/v1/users/ada") == 200)
            #expect(HTTPConversation.ask(port: server.port, "GET", "/v1/users/ada")?.status == 401)
        }
    }
}
