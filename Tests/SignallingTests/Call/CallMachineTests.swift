// The rules of calls one by one: who rings, who has it, who is busy, and how it is over.
import Testing

@testable import Signalling

@Suite("A call between two")
struct CallMachineTests {
    @Test("All devices ring, the first to accept has it, the others are told so, and both report media")
    func wholeCall() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi", media: .video)
        #expect(scene.machine.calls[call]?.state == .ringing)
        #expect(scene.told(1) == [.ringing(call)])
        #expect(scene.told(2).isEmpty)
        let incoming = CallMessage.incoming(
            .init(
                call: call, from: .init(id: "ada", name: "Ada"), media: .video, mode: .direct, waiting: false,
                ringMilliseconds: 60_000))
        #expect(scene.told(3) == [incoming] && scene.told(4) == [incoming])
        #expect(scene.woken == ["budi"])

        let accepted = try scene.accept(4, call)
        #expect(accepted.user == .init(id: "ada", name: "Ada"))
        #expect(accepted.media == .video && !accepted.offers)
        #expect(scene.told(3) == [.endedElsewhere(.init(call: call, how: .accepted))])
        guard case .accepted(let told) = scene.told(1).first else { return #expect(Bool(false), "\(scene.actions)") }
        #expect(told.media == .audio && told.offers && told.replaces == nil && told.room == nil)
        #expect(told.token != accepted.token)
        #expect(scene.actions.contains(.stopWaking("budi", call)))
        #expect(scene.machine.calls[call]?.state == .connecting)

        try scene.ask(4, .connected(.init(call: call, path: .direct)))
        #expect(scene.told(4).isEmpty)
        try scene.ask(1, .connected(.init(call: call, path: .relayed)))
        #expect(scene.told(1) == [.connected(call)] && scene.told(4) == [.connected(call)])
        #expect(scene.machine.nextDeadline == nil)

        scene.now = scene.now.adding(milliseconds: 3_600_000)
        #expect(try scene.ask(4, .hangup(call)) == .ok(.init()))
        let end = CallMessage.Ended(call: call, reason: .hungUp, by: .callee)
        #expect(scene.end(1) == end && scene.end(4) == end)
        #expect(scene.told(2).isEmpty && scene.told(3).isEmpty && scene.missed.isEmpty)
        let record = try #require(scene.records.last)
        #expect(record.end == end && record.state == .active)
        #expect(record.caller.path == .relayed && record.callee.path == .direct)
        #expect(record.times.connected != nil && record.times.ended == scene.now)
        #expect(scene.machine.calls.isEmpty)
    }

    @Test(
        "Two accept: the first has it, the second is told that somebody else decided; accepting twice is accepting once"
    )
    func firstAcceptWins() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        let first = try scene.accept(3, call)
        #expect(scene.refusal(4, .accept(.init(call: call, media: .audio)))?.code == .overtaken)
        #expect(scene.refusal(4, .decline(call))?.code == .overtaken)
        #expect(try scene.accept(3, call, media: .video) == first)
        #expect(scene.actions.isEmpty)
        #expect(scene.machine.calls[call]?.callee.device == CallDeviceID(3))
    }

    @Test("Cancel before accept: over for all, and missed. Accept before cancel: over too, and both are told the same")
    func cancelAgainstAccept() throws {
        let scene = CallScene.two()
        let first = try scene.invite(1, "budi")
        try scene.ask(1, .cancel(first))
        let cancelled = CallMessage.Ended(call: first, reason: .cancelled, by: .caller)
        #expect([1, 3, 4].allSatisfy { scene.end($0) == cancelled })
        #expect(scene.missed.map(\.call) == [first] && scene.missed.map(\.user) == ["budi"])
        #expect(scene.refusal(3, .accept(.init(call: first, media: .audio)))?.code == .callEnded)

        let second = try scene.invite(1, "budi")
        try scene.accept(3, second)
        try scene.ask(1, .cancel(second))
        let hungUp = CallMessage.Ended(call: second, reason: .hungUp, by: .caller)
        #expect(scene.end(1) == hungUp && scene.end(3) == hungUp)
        #expect(scene.told(4).isEmpty && scene.missed.isEmpty)
        // Once more changes nothing, from either side.
        #expect(try scene.ask(1, .cancel(second)) == .ok(.init()))
        #expect(try scene.ask(3, .hangup(second)) == .ok(.init()))
        #expect(scene.actions.isEmpty)
    }

    @Test("Declined on one device is declined on all, and not missed")
    func decline() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        #expect(scene.refusal(3, .cancel(call))?.code == .forbidden)
        try scene.ask(4, .decline(call))
        let end = CallMessage.Ended(call: call, reason: .declined, by: .callee)
        #expect([1, 3, 4].allSatisfy { scene.end($0) == end })
        #expect(scene.missed.isEmpty)
    }

    @Test("A call that nobody answers is over after 60 seconds, one without media 30 seconds after it was accepted")
    func timeouts() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi")
        scene.wait(milliseconds: 59_999)
        #expect(scene.actions.isEmpty)
        scene.wait(milliseconds: 1)
        let end = CallMessage.Ended(call: call, reason: .unanswered)
        #expect([1, 3, 4].allSatisfy { scene.end($0) == end })
        #expect(scene.missed.count == 1 && scene.machine.nextDeadline == nil)

        let other = try scene.invite(1, "budi")
        scene.wait(milliseconds: 59_000)
        try scene.accept(3, other)
        try scene.ask(3, .connected(.init(call: other, path: .direct)))
        scene.wait(milliseconds: 29_999)
        #expect(scene.actions.isEmpty)
        scene.wait(milliseconds: 1)
        #expect(scene.end(1) == CallMessage.Ended(call: other, reason: .failed))
        #expect(scene.end(3) == scene.end(1) && scene.missed.isEmpty)
    }

    @Test(
        "Both call each other: the smaller name counts, whoever came first, and each sends what it asked for itself",
        arguments: [false, true])
    func glare(isFirstSmaller: Bool) throws {
        let scene = CallScene.two()
        let (small, large) = (CallID("a"), CallID("b"))
        scene.nextID = isFirstSmaller ? "a" : "b"
        let first = try scene.invite(1, "budi", media: .video)
        scene.nextID = isFirstSmaller ? "b" : "a"
        let second = try scene.invite(3, "ada", media: .audio)
        #expect([first, second].min() == small)
        func accepted(_ number: UInt64) -> CallMessage.Accepted? {
            for message in scene.told(number) { if case .accepted(let told) = message { return told } }
            return nil
        }
        let (ada, budi) = (try #require(accepted(1)), try #require(accepted(3)))
        #expect(ada.call == small && budi.call == small)
        #expect(ada.media == .audio && budi.media == .video)
        #expect(ada.offers == isFirstSmaller && budi.offers != isFirstSmaller)
        #expect(ada.replaces == (isFirstSmaller ? nil : large))
        #expect(budi.replaces == (isFirstSmaller ? large : nil))
        // Nobody rings any more; the device that has the call is not told that it is elsewhere.
        #expect(scene.told(4) == [.endedElsewhere(.init(call: first, how: .accepted))])
        #expect(scene.told(2).isEmpty)
        #expect(scene.machine.calls.count == 1 && scene.machine.calls[small]?.ringing == [])
        #expect(scene.machine.calls[small]?.state == .connecting)
        // What was sent under the other name before its sender knew.
        let loser: UInt64 = isFirstSmaller ? 3 : 1
        #expect(scene.refusal(loser, .candidate(.init(call: large, candidate: "")))?.code == .callEnded)
        #expect(try scene.ask(loser, .cancel(large)) == .ok(.init()))
        let end = CallMessage.Ended(call: small, reason: .hungUp, by: .callee)
        #expect(scene.end(1) == end && scene.end(3) == end)
        #expect(scene.machine.calls.isEmpty && scene.machine.nextDeadline == nil)
    }

    @Test("Who is in a call or places one is busy, unless a device offers call waiting; then that one alone rings")
    func busy() throws {
        let scene = CallScene.two()
        scene.connect("carol", 5)
        let call = try scene.activeCall(1, 3, "budi")
        let second = try scene.invite(5, "budi")
        #expect(scene.end(5) == CallMessage.Ended(call: second, reason: .busy))
        #expect(scene.told(3).isEmpty && scene.told(4).isEmpty && scene.woken.isEmpty)
        #expect(scene.missed.map(\.call) == [second])
        #expect(scene.refusal(1, .invite(.init(to: "carol", media: .audio)))?.code == .alreadyInCall)

        scene.connect("budi", 6, waiting: true)
        let third = try scene.invite(5, "budi")
        #expect(scene.told(6).count == 1 && scene.told(3).isEmpty && scene.told(4).isEmpty)
        guard case .incoming(let incoming) = scene.told(6).first else { return #expect(Bool(false)) }
        #expect(incoming.waiting)
        try scene.accept(6, third)
        #expect(scene.machine.calls.count == 2)
        try scene.ask(3, .hangup(call))
        #expect(scene.machine.calls[third]?.state == .connecting)
    }

    @Test("Two calls ring: taking one makes the other busy, but for a device that offers call waiting")
    func secondRings() throws {
        let scene = CallScene.two()
        scene.connect("carol", 5)
        let (first, second) = (try scene.invite(1, "budi"), try scene.invite(5, "budi"))
        #expect(scene.told(3).count == 1)
        try scene.accept(3, first)
        let end = CallMessage.Ended(call: second, reason: .busy)
        #expect([3, 4, 5].allSatisfy { scene.end($0) == end })
        try scene.ask(3, .hangup(first))

        scene.connect("budi", 6, waiting: true)
        let (third, fourth) = (try scene.invite(1, "budi"), try scene.invite(5, "budi"))
        try scene.accept(3, third)
        #expect(scene.told(4).contains(.endedElsewhere(.init(call: fourth, how: .busy))))
        #expect(scene.machine.calls[fourth]?.ringing == [CallDeviceID(6)])
        #expect(scene.end(5) == nil)
        // Placing a call is being in one, too.
        scene.connect("dian", 7, 8)
        let fifth = try scene.invite(5 + 2, "carol", isKnown: true)
        #expect(scene.end(7)?.reason == .busy && scene.machine.calls[fifth] == nil)
    }

    @Test("A device that connects while a call rings rings too, and one that was away")
    func latecomers() throws {
        let scene = CallScene()
        scene.connect("ada", 1)
        #expect(scene.refusal(1, .invite(.init(to: "budi", media: .audio)))?.code == .unknownUser)
        let call = try scene.invite(1, "budi", isKnown: true)
        #expect(scene.machine.calls[call]?.state == .inviting && scene.woken == ["budi"] && scene.told(1).isEmpty)
        scene.wait(milliseconds: 5_000)
        scene.connect("budi", 3)
        guard case .incoming(let incoming) = scene.told(3).first else { return #expect(Bool(false)) }
        #expect(incoming.ringMilliseconds == 55_000)
        #expect(scene.told(1) == [.ringing(call)])
        try scene.ask(3, .decline(call))

        scene.loseSocket(3)
        let other = try scene.invite(1, "budi")
        // It will hear of it when it is back, and only then does it ring.
        #expect(scene.told(3).count == 1 && scene.told(1).isEmpty)
        #expect(scene.machine.calls[other]?.state == .inviting)
        scene.findSocket(3)
        #expect(scene.told(1) == [.ringing(other)])
    }

    @Test("A blocked caller sees an ordinary call that nobody answers; nobody else sees anything")
    func blocked() throws {
        let scene = CallScene.two()
        let call = try scene.invite(1, "budi", isBlocked: true)
        // Whether a device rings would say whether one is connected.
        #expect(scene.told(1).isEmpty)
        #expect(scene.told(3).isEmpty && scene.told(4).isEmpty && scene.woken.isEmpty)
        #expect(scene.refusal(3, .accept(.init(call: call, media: .audio)))?.code == .unknownCall)
        #expect(scene.refusal(3, .decline(call))?.code == .unknownCall)
        // It makes nobody busy.
        scene.connect("carol", 5)
        try scene.ask(5, .cancel(scene.invite(5, "budi")))
        scene.wait(milliseconds: 60_000)
        #expect(scene.end(1) == CallMessage.Ended(call: call, reason: .unanswered))
        #expect(scene.missed.isEmpty && scene.told(3).isEmpty && !scene.actions.contains(.stopWaking("budi", call)))
        #expect(scene.records.last?.isBlocked == true)
    }

    @Test("Oneself, nobody, one person twice and too many at once cannot be called")
    func refused() throws {
        let scene = CallScene { $0.callsPerUser = 3 }
        scene.connect("ada", 1, waiting: true)
        scene.connect("ada", 2)
        #expect(scene.refusal(1, .invite(.init(to: "ada", media: .audio)))?.code == .forbidden)
        #expect(scene.refusal(1, .invite(.init(to: "nobody", media: .audio)))?.code == .unknownUser)
        let call = try scene.invite(1, "b", isKnown: true)
        #expect(scene.refusal(2, .invite(.init(to: "b", media: .audio)), isKnown: true)?.code == .alreadyInCall)
        #expect(scene.refusal(2, .cancel(call))?.code == .overtaken)
        #expect(scene.refusal(1, .accept(.init(call: call, media: .audio)))?.code == .forbidden)
        for user in ["c", "d"] { try scene.invite(1, user, isKnown: true) }
        #expect(scene.refusal(1, .invite(.init(to: "e", media: .audio)), isKnown: true)?.code == .alreadyInCall)
        #expect(scene.refusal(9, .cancel(call))?.code == .forbidden)
    }

    @Test("Nobody meddles with a call of others")
    func strangers() throws {
        let scene = CallScene.two()
        scene.connect("mallory", 9)
        let call = try scene.invite(1, "budi")
        let token = "token of \(call)"
        func tryAll(_ expected: ProtocolError.Code) {
            let commands: [CallCommand] = [
                .accept(.init(call: call, media: .audio)), .decline(call), .cancel(call), .hangup(call), .upgrade(call),
                .description(.init(call: call, description: .init(type: .offer, sdp: "v=0"))),
                .candidate(.init(call: call, candidate: "")), .connected(.init(call: call, path: .direct)),
                .quality(.init(call: call, lossPercent: 0, jitterMilliseconds: 0)),
                .reattach(.init(call: call, token: token)), .reattach(.init(call: call, token: "")),
            ]
            for command in commands { #expect(scene.refusal(9, command)?.code == expected, "\(command)") }
        }
        tryAll(.unknownCall)
        try scene.accept(3, call)
        tryAll(.unknownCall)
        try scene.ask(3, .hangup(call))
        tryAll(.unknownCall)
    }

    @Test("A flood of calls: the first ring, the others are told when to try again, and nobody else notices")
    func flood() throws {
        let scene = CallScene.two()
        var codes: [ProtocolError.Code: Int] = [:]
        for _ in 0..<10_000 {
            do {
                let call = try scene.invite(1, "budi")
                try scene.ask(1, .cancel(call))
            } catch let error as ProtocolError {
                codes[error.code, default: 0] += 1
                #expect((1...20_000).contains(error.retryAfterMilliseconds ?? 0))
            }
        }
        #expect(codes == [.rateLimited: 10_000 - 4])
        // The pair is used up, the caller is not; nor is anybody else.
        for number in 0..<8 { try scene.ask(1, .cancel(scene.invite(1, "user \(number)", isKnown: true))) }
        #expect(scene.refusal(1, .invite(.init(to: "user 8", media: .audio)), isKnown: true)?.code == .rateLimited)
        try scene.ask(3, .cancel(scene.invite(3, "ada")))
        // Connecting anew does not help.
        scene.disconnect(1)
        scene.disconnect(2)
        scene.connect("ada", 11)
        #expect(scene.refusal(11, .invite(.init(to: "budi", media: .audio)))?.code == .rateLimited)
        scene.wait(milliseconds: 20_000)
        try scene.ask(11, .cancel(scene.invite(11, "budi")))
        // And when the limits are full again the user is forgotten.
        for number: UInt64 in [11, 3, 4] { scene.disconnect(number) }
        #expect(scene.machine.users.keys.sorted() == ["ada"])
        scene.wait(milliseconds: 100_000)
        #expect(scene.machine.users.isEmpty && scene.machine.nextDeadline == nil)
    }

    @Test("Devices of one user are bounded: one whose socket is lost makes way, else the newest is refused")
    func devices() throws {
        let scene = CallScene { $0.devicesPerUser = 2 }
        scene.connect("ada", 1)
        scene.connect("budi", 3, 4)
        #expect(!scene.connect("budi", 5))
        #expect(scene.refusal(5, .invite(.init(to: "ada", media: .audio)))?.code == .forbidden)
        scene.loseSocket(4)
        #expect(scene.connect("budi", 6))
        let call = try scene.invite(1, "budi")
        #expect(scene.machine.calls[call]?.ringing == [CallDeviceID(3), CallDeviceID(6)])
    }

    @Test("Calls that are over are remembered, so many of them")
    func memory() throws {
        let scene = CallScene {
            $0.rememberedCalls = 2
            $0.inviteMilliseconds = 0
        }
        scene.connect("ada", 1)
        var calls: [CallID] = []
        for number in 0..<5 {
            calls.append(try scene.invite(1, "user \(number)", isKnown: true))
            try scene.ask(1, .cancel(calls[number]))
        }
        for call in calls[3...] { #expect(scene.refusal(1, .upgrade(call))?.code == .callEnded) }
        for call in calls[..<3] { #expect(scene.refusal(1, .upgrade(call))?.code == .unknownCall) }
    }
}
