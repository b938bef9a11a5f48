// What the two sides of a call say to each other, what becomes of devices that are lost, and calls that move into a room.
import Testing

@testable import Signalling

@Suite("Within a call")
struct CallMediaTests {
    private func candidate(_ call: CallID, _ text: String) -> CallCommand {
        .candidate(.init(call: call, candidate: text, mid: "0"))
    }
    private func offer(_ call: CallID, _ sdp: String) -> CallCommand {
        .description(.init(call: call, description: .init(type: .offer, sdp: sdp)))
    }
    private static func line(_ kind: String, _ more: String = "") -> String {
        "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ \(kind)\(more)"
    }

    @Test("What the caller says early waits for the device that accepts, in order; then both speak to each other alone")
    func relay() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        try scene.ask(1, offer(call, "v=0\r\n"))
        #expect(scene.actions.isEmpty)
        try scene.ask(1, candidate(call, Self.line("host")))
        #expect(scene.refusal(3, candidate(call, ""))?.code == .callNotAccepted)
        try scene.accept(4, call)
        #expect(scene.told(3).count == 1)
        guard case .description(let description) = scene.told(4).first, case .candidate(let told) = scene.told(4).last
        else { return #expect(Bool(false), "\(scene.actions)") }
        #expect(description.description.sdp == "v=0\r\n" && told.candidate == Self.line("host") && told.mid == "0")
        try scene.ask(4, .description(.init(call: call, description: .init(type: .answer, sdp: "v=0"))))
        #expect(scene.told(1).count == 1 && scene.actions.count == 1)
        #expect(scene.refusal(3, candidate(call, ""))?.code == .overtaken)
        #expect(scene.refusal(2, candidate(call, ""))?.code == .overtaken)
        // What was passed on is not passed on again.
        let token = try #require(scene.machine.calls[call]?.callee.token)
        scene.connect("budi", 5)
        try scene.ask(5, .reattach(.init(call: call, token: token)))
        #expect(scene.told(5).isEmpty)
        try scene.ask(4, .reattach(.init(call: call, token: token)))
        try scene.ask(1, .hangup(call))
        #expect(scene.refusal(1, candidate(call, ""))?.code == .callEnded)
        #expect(scene.refusal(4, offer(call, "v=0"))?.code == .callEnded)
    }

    @Test("Where either asks for relays only, no address of either passes, whoever asked", arguments: [true, false])
    func relayOnly(asksCaller: Bool) throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi", relayOnly: asksCaller ? true : nil)
        let sdp =
            "v=0\r\no=- 1 2 IN IP4 192.0.2.7\r\ns=-\r\nm=audio 50000 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 192.0.2.7\r\n"
            + "a=rtcp:50001 IN IP4 192.0.2.7\r\na=\(Self.line("host"))\r\na=mid:0\r\n"
        try scene.ask(1, offer(call, sdp))
        try scene.ask(1, candidate(call, Self.line("srflx", " raddr 192.0.2.7 rport 50000")))
        let accepted = try scene.accept(3, call, relayOnly: asksCaller ? nil : true)
        #expect(accepted.relayOnly)
        #expect(scene.told(3).count == 1)
        guard case .description(let told) = scene.told(3).first else { return #expect(Bool(false)) }
        #expect(!told.description.sdp.contains("192.0.2.7") && !told.description.sdp.contains("50000"))
        #expect(told.description.sdp.contains("a=mid:0\r\n"))
        for (number, other): (UInt64, UInt64) in [(1, 3), (3, 1)] {
            try scene.ask(number, candidate(call, Self.line("host")))
            #expect(scene.actions.isEmpty)
            try scene.ask(
                number, candidate(call, "candidate:2 1 udp 1 203.0.113.9 4000 typ relay raddr 192.0.2.7 rport 50000"))
            guard case .candidate(let told) = scene.told(other).first else { return #expect(Bool(false)) }
            #expect(told.candidate == "candidate:2 1 udp 1 203.0.113.9 4000 typ relay raddr 0.0.0.0 rport 0")
        }
        // Not asked for, nothing is touched.
        try scene.ask(1, .hangup(call))
        let open = try scene.invite(1, "budi")
        try scene.accept(3, open)
        try scene.ask(1, offer(open, sdp))
        #expect(scene.told(3) == [.description(.init(call: open, description: .init(type: .offer, sdp: sdp)))])
    }

    @Test("One side cannot fill the other's outbox, nor what is kept for it")
    func bounds() throws {
        let scene = CallScene.two {
            $0.relayedBurst = 100
            $0.queuedPerSide = 10
        }
        let call = try scene.invite(1, "budi")
        for _ in 0..<10 { try scene.ask(1, candidate(call, "")) }
        #expect(scene.refusal(1, candidate(call, ""))?.code == .tooManyPending)
        try scene.accept(3, call)
        #expect(scene.told(3).count == 10)
        for _ in 0..<90 { try scene.ask(1, candidate(call, "")) }
        let error = scene.refusal(1, candidate(call, ""))
        #expect(error?.code == .rateLimited && error?.retryAfterMilliseconds == 100)
        try scene.ask(3, candidate(call, ""))
        scene.wait(milliseconds: 100)
        try scene.ask(1, candidate(call, ""))
        let large = String(repeating: "x", count: 40_000)
        try scene.ask(3, offer(call, large))
        #expect(scene.refusal(3, offer(call, large))?.code == .rateLimited)
    }

    @Test(
        "The caller's session is lost while it rings, the callee's after it accepted: each has the grace, then both are told"
    )
    func lost() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        scene.disconnect(1)
        #expect(scene.actions.isEmpty)
        scene.wait(milliseconds: 29_999)
        #expect(scene.actions.isEmpty)
        scene.wait(milliseconds: 1)
        let end = CallMessage.Ended(call: call, reason: .lost, by: .caller)
        #expect(scene.end(3) == end && scene.end(4) == end && scene.missed.count == 1)

        let other = try scene.invite(2, "budi")
        try scene.accept(3, other)
        for number: UInt64 in [2, 3] { try scene.ask(number, .connected(.init(call: other, path: .direct))) }
        scene.loseSocket(3)
        scene.wait(milliseconds: 20_000)
        // The session had waited for 20 of the 30 seconds.
        scene.disconnect(3)
        scene.wait(milliseconds: 9_999)
        #expect(scene.actions.isEmpty)
        scene.wait(milliseconds: 1)
        #expect(scene.end(2) == CallMessage.Ended(call: other, reason: .lost, by: .callee))

        let third = try scene.invite(2, "budi")
        try scene.accept(4, third)
        scene.loseSocket(4)
        scene.now = scene.now.adding(milliseconds: 30_000)
        scene.disconnect(4)
        #expect(scene.end(2) == CallMessage.Ended(call: third, reason: .lost, by: .callee))
    }

    @Test("A callee's device that is lost while it rings ends nothing; another can accept")
    func ringingDeviceLost() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        scene.disconnect(3)
        #expect(scene.machine.calls[call]?.ringing == [CallDeviceID(4)])
        try scene.accept(4, call)
        #expect(scene.told(3).isEmpty)
    }

    @Test(
        "A new session takes its side over, is passed what was said meanwhile, and is told the outcome where it is late"
    )
    func reattach() throws {
        let scene = CallScene.two()
        let call = try scene.activeCall(1, 3, "budi")
        let token = try #require(scene.machine.calls[call]?.callee.token)
        scene.disconnect(3)
        try scene.ask(1, offer(call, "v=0"))
        #expect(scene.actions.isEmpty)
        scene.connect("budi", 5)
        #expect(scene.refusal(5, .hangup(call))?.code == .overtaken)
        #expect(scene.refusal(5, .reattach(.init(call: call, token: "token of nothing")))?.code == .unknownCall)
        guard case .call(.reattached(let told)) = try scene.ask(5, .reattach(.init(call: call, token: token)))
        else { return #expect(Bool(false)) }
        #expect(told.state == .active && told.user.id == "ada" && !told.offers && told.media == .audio)
        #expect(scene.told(5).count == 1)
        scene.wait(milliseconds: 40_000)
        #expect(scene.actions.isEmpty && scene.machine.nextDeadline == nil)
        // The old session, where it is still there, has it no longer.
        scene.connect("budi", 6)
        try scene.ask(6, .reattach(.init(call: call, token: token)))
        #expect(scene.told(5) == [.endedElsewhere(.init(call: call, how: .moved))])
        #expect(scene.refusal(5, .hangup(call))?.code == .overtaken)
        scene.disconnect(6)
        scene.wait(milliseconds: 30_000)
        let end = CallMessage.Ended(call: call, reason: .lost, by: .callee)
        #expect(scene.end(1) == end)
        #expect(try scene.ask(5, .reattach(.init(call: call, token: token))) == .call(.ended(end)))
    }

    @Test("After a restart both come back to the call that was kept, or it is over")
    func restore() throws {
        let scene = CallScene.two()
        let call = try scene.activeCall(1, 3, "budi")
        let record = try #require(scene.records.last)
        let later = CallScene()
        later.machine.restore(record, at: later.now)
        later.machine.restore(record, at: later.now)
        later.connect("ada", 1)
        later.connect("budi", 2)
        for (number, token): (UInt64, String) in [(1, record.caller.token), (2, record.callee.token)] {
            guard case .call(.reattached(let told)) = try later.ask(number, .reattach(.init(call: call, token: token)))
            else { return #expect(Bool(false)) }
            #expect(told.state == .active)
        }
        #expect(later.machine.nextDeadline == nil)
        try later.ask(2, .hangup(call))
        #expect(later.end(1)?.reason == .hungUp)
        let third = CallScene()
        third.machine.restore(record, at: third.now)
        third.wait(milliseconds: 30_000)
        #expect(third.machine.calls.isEmpty && third.records.last?.end?.reason == .lost)
    }

    @Test("A call moves into a room under its name, once; a call for a room has it from the start")
    func upgrade() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        #expect(scene.refusal(1, .upgrade(call))?.code == .callNotAccepted)
        #expect(scene.refusal(3, .upgrade(call))?.code == .callNotAccepted)
        try scene.accept(3, call)
        scene.wait(milliseconds: 29_000)
        try scene.ask(3, .upgrade(call))
        let room = "call-\(call)"
        let told = CallMessage.upgraded(.init(call: call, room: room))
        #expect(scene.told(1) == [told] && scene.told(3) == [told])
        #expect(scene.actions.contains(.openRoom(room, call: call, users: ["ada", "budi"])))
        try scene.ask(1, .upgrade(call))
        #expect(scene.actions.isEmpty)
        // Finding the room takes its own time.
        scene.wait(milliseconds: 29_999)
        #expect(scene.machine.calls[call]?.state == .connecting)
        for number: UInt64 in [1, 3] { try scene.ask(number, .connected(.init(call: call, path: .sfu))) }
        try scene.ask(1, .hangup(call))
        #expect(scene.actions.contains(.closeRoom(room, call: call)))

        let other = try scene.invite(1, "budi", mode: .sfu)
        #expect(!scene.actions.contains(.openRoom("call-\(other)", call: other, users: ["ada", "budi"])))
        #expect(try scene.accept(3, other).room == "call-\(other)")
        #expect(scene.actions.contains(.openRoom("call-\(other)", call: other, users: ["ada", "budi"])))
    }

    @Test("A third person is called into the room of a call, which moves there; each call ends by itself")
    func third() throws {
        let scene = CallScene.two()
        scene.connect("cita", 5)
        let call = try scene.invite(1, "budi")
        let into = CallCommand.invite(.init(to: "cita", media: .audio, into: call))
        #expect(scene.refusal(1, into)?.code == .callNotAccepted)
        try scene.accept(3, call)
        for number: UInt64 in [1, 3] { try scene.ask(number, .connected(.init(call: call, path: .direct))) }
        #expect(scene.refusal(5, into)?.code == .forbidden)
        #expect(scene.refusal(4, into)?.code == .overtaken)
        let answer = try scene.ask(1, into)
        guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        let room = "call-\(call)"
        #expect(scene.told(3) == [.upgraded(.init(call: call, room: room))])
        #expect(scene.told(5).contains { if case .incoming(let told) = $0 { told.mode == .sfu } else { false } })
        let accepted = try scene.accept(5, told.call)
        #expect(accepted.room == room && accepted.mode == .sfu)
        #expect(scene.actions.contains(.openRoom(room, call: told.call, users: ["ada", "cita"])))
        // The third leaves; the two go on as they had begun.
        try scene.ask(5, .hangup(told.call))
        let end = CallMessage.ended(.init(call: told.call, reason: .hungUp, by: .callee))
        #expect(scene.told(1) == [end, .returned(.init(call: call, offers: true))])
        #expect(scene.told(3) == [.returned(.init(call: call, offers: false))])
        #expect(scene.actions.contains(.closeRoom(room, call: call)))
        #expect(scene.machine.calls[call]?.state == .active && scene.machine.calls[call]?.mode == .direct)
        // A fourth; a device that needs the room stays in it whoever leaves, and the room is the two's to close.
        let again = try scene.invite(3, "cita", into: call)
        try scene.accept(5, again)
        try scene.ask(1, .upgrade(call))
        try scene.ask(5, .hangup(again))
        #expect(scene.told(1).isEmpty && scene.machine.calls[call]?.mode == .sfu)
        #expect(!scene.actions.contains { if case .closeRoom = $0 { true } else { false } })
        try scene.ask(3, .hangup(call))
        #expect(scene.actions.contains(.closeRoom(room, call: call)) && scene.machine.calls.isEmpty)
    }

    @Test("Each side holds a call for itself: both are told, once, and whoever comes back is told how it stands")
    func hold() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        #expect(scene.refusal(1, .hold(call))?.code == .callNotAccepted)
        try scene.accept(3, call)
        try scene.ask(1, .hold(call))
        let held = CallMessage.held(.init(call: call, by: .caller))
        #expect(scene.told(1) == [held] && scene.told(3) == [held] && scene.told(2).isEmpty && scene.told(4).isEmpty)
        #expect(scene.records.last?.caller.isHolding == true && scene.records.last?.callee.isHolding == false)
        // Twice is once, and nobody takes back what the other has asked for.
        for (device, command) in [(1, .hold(call)), (3, .resume(call))] as [(UInt64, CallCommand)] {
            try scene.ask(device, command)
            #expect(scene.actions.isEmpty)
        }
        try scene.ask(3, .hold(call))
        #expect(scene.told(1) == [.held(.init(call: call, by: .callee))])
        #expect(scene.refusal(2, .resume(call))?.code == .overtaken)
        scene.disconnect(3)
        scene.connect("budi", 5)
        func heldBy() throws -> [CallSide]? {
            guard
                case .call(.reattached(let told)) = try scene.ask(
                    5, .reattach(.init(call: call, token: "token of c3")))
            else { return [] }
            return told.heldBy
        }
        #expect(try heldBy() == [.caller, .callee])
        try scene.ask(1, .resume(call))
        #expect(scene.told(5) == [.resumed(.init(call: call, by: .caller))])
        #expect(try heldBy() == [.callee])
        try scene.ask(5, .resume(call))
        #expect(try heldBy() == nil)
        // Going to and fro is no way to fill the other's outbox.
        var refused: ProtocolError.Code?
        for _ in 0..<400 where refused == nil {
            do {
                try scene.ask(1, .hold(call))
                try scene.ask(1, .resume(call))
            } catch { refused = (error as? ProtocolError)?.code }
        }
        #expect(refused == .rateLimited)
    }

    @Test("Who is there: those with a device that has its socket, in the order asked")
    func presence() throws {
        let scene = CallScene.two()
        scene.connect("cita", 5)
        let asked = CallCommand.presence(.init(users: ["cita", "nobody", "budi", "ada"]))
        #expect(try scene.ask(1, asked) == .call(.presence(.init(present: ["cita", "budi", "ada"]))))
        scene.loseSocket(5)
        scene.disconnect(3)
        #expect(try scene.ask(1, asked) == .call(.presence(.init(present: ["budi", "ada"]))))
        scene.findSocket(5)
        scene.disconnect(4)
        #expect(try scene.ask(1, asked) == .call(.presence(.init(present: ["cita", "ada"]))))
    }

    @Test("Quality goes to the other side and into the record")
    func quality() throws {
        let scene = CallScene.two()
        let call = try scene.activeCall(1, 3, "budi")
        let good = CallCommand.Quality(call: call, rttMilliseconds: 20, lossPercent: 1, jitterMilliseconds: 9, mos: 4.4)
        let bad = CallCommand.Quality(call: call, rttMilliseconds: 90, lossPercent: 4, jitterMilliseconds: 2, mos: 2.5)
        for report in [good, bad] {
            try scene.ask(1, .quality(report))
            #expect(scene.actions == [.inform(.quality(report), to: CallDeviceID(3))])
        }
        try scene.ask(3, .hangup(call))
        let summary = try #require(scene.records.last).caller.quality
        #expect(summary.reports == 2 && summary.meanLossPercent == 2.5 && summary.worstLossPercent == 4)
        #expect(summary.worstRTTMilliseconds == 90 && summary.worstJitterMilliseconds == 9 && summary.worstMOS == 2.5)
        #expect(scene.records.last?.callee.quality.reports == 0)
    }

    @Test("What is left of a candidate where only relays pass")
    func candidates() {
        #expect(RelayOnly.candidate("") == "")
        #expect(RelayOnly.candidate(Self.line("host")) == nil)
        #expect(RelayOnly.candidate(Self.line("prflx", " raddr 10.0.0.1 rport 9")) == nil)
        #expect(
            RelayOnly.candidate(Self.line("relay", " raddr 2001:db8::1 rport 9 generation 0 ufrag x network-id 3"))
                == Self.line("relay", " raddr :: rport 0 generation 0 ufrag x"))
        #expect(
            RelayOnly.candidate(Self.line("RELAY", " RADDR 10.0.0.1 rport")) == Self.line("RELAY", " RADDR 0.0.0.0"))
        #expect(RelayOnly.candidate(Self.line("relay") + "\r\na=x:10.0.0.1") == nil)
        for text in ["x", "candidate:1 1 udp 1 10.0.0.1 9 typ", "candidate:1 1 udp 1 10.0.0.1 9 relay typ", "  "] {
            #expect(RelayOnly.candidate(text) == nil)
        }
    }

    @Test("What is left of a description where only relays pass, however its lines end")
    func descriptions() {
        for end in ["\r\n", "\n", "\r"] {
            let lines = [
                "v=0", "o=- 1 2 IN IP6 2001:db8::1", "c=IN IP6 2001:db8::1/127", "m=video 50000 UDP/TLS/RTP/SAVPF 96",
                "m=audio 0 RTP/AVP 0", "A=CANDIDATE:1 1 udp 1 2001:db8::1 9 typ host",
                "a=remote-candidates:1 2001:db8::1 9",
                "a=rtcp:50001 IN IP6 2001:db8::1",
                "a=candidate:1 1 udp 1 203.0.113.9 9 typ relay raddr 2001:db8::1 rport 9",
                "a=end-of-candidates", "c=", "o=",
            ]
            let left = RelayOnly.description(lines.joined(separator: end))
            #expect(!left.contains("2001:db8::1") && !left.contains("5000"))
            #expect(left.contains("o=- 1 2 IN IP6 ::\r\nc=IN IP6 ::\r\nm=video 9 UDP"))
            #expect(left.contains("m=audio 0 RTP/AVP 0\r\n") && left.contains("a=end-of-candidates\r\n"))
            #expect(left.contains("typ relay raddr :: rport 0\r\n"))
            #expect(RelayOnly.description(left) == left)
        }
    }
}
