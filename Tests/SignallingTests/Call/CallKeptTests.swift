// What the machine of calls does for storage: calls of another run whose secrets only storage can tell, and users who are erased.
import Testing

@testable import Signalling

@Suite("Calls and what is kept of them")
struct CallKeptTests {
    @Test(
        "A side whose secret only storage can tell is given back with its proof alone; from then on the secret is known"
    )
    func proof() throws {
        let scene = CallScene.two()
        let call = try scene.activeCall(1, 3, "budi")
        var record = try #require(scene.records.last)
        let token = record.caller.token
        (record.caller.token, record.callee.token) = ("", "")
        let later = CallScene()
        later.machine.restore(record, at: later.now)
        later.connect("ada", 1, 2)
        later.connect("budi", 3)
        later.connect("mallory", 4)
        let reattach = CallCommand.Reattach(call: call, token: token)
        #expect(later.machine.knows(call) && !later.machine.knows(CallID("another")))
        #expect(later.machine.needsProof(reattach, by: CallDeviceID(1)))
        #expect(!later.machine.needsProof(reattach, by: CallDeviceID(4)))
        #expect(later.refusal(1, .reattach(reattach))?.code == .unknownCall)
        var given = CallGiven(id: CallID(""), token: "")
        given.isProven = true
        func back(_ number: UInt64) throws -> ServerMessage {
            try later.machine.perform(
                .reattach(reattach), by: CallDeviceID(number), given: given, at: later.now, into: &later.actions)
        }
        #expect(throws: ProtocolError.self) { try back(4) }
        guard case .call(.reattached(let told)) = try back(1) else { return #expect(Bool(false)) }
        #expect(told.state == .active && told.user.id == "budi" && told.offers)
        #expect(!later.machine.needsProof(reattach, by: CallDeviceID(1)))
        #expect(later.machine.calls[call]?.record().caller.token == token)
        #expect(later.machine.calls[call]?.record().callee.token == "")
        // On another device, without storage.
        later.disconnect(1)
        try later.ask(2, .reattach(reattach))
        let guess = CallCommand.Reattach(call: call, token: "guess")
        #expect(later.refusal(2, .reattach(guess))?.code == .unknownCall)
    }

    @Test(
        "A third person comes back into the room of the call that they were called into, and the two are alone again after them"
    )
    func third() throws {
        let scene = CallScene.two()
        scene.connect("cita", 5)
        let call = try scene.activeCall(1, 3, "budi")
        let added = try scene.invite(1, "cita", into: call)
        let kept = scene.records.filter { $0.call == call }
        #expect(kept.last?.isInRoomForOthers == true && kept.last?.mode == .sfu)
        try scene.accept(5, added)
        let records = try [call, added].map { try #require(scene.machine.calls[$0]?.record()) }
        let later = CallScene()
        for record in records { later.machine.restore(record, at: later.now) }
        for (user, number) in [("ada", 1), ("budi", 3), ("cita", 5)] as [(String, UInt64)] {
            later.connect(user, number)
        }
        func back(_ number: UInt64, _ record: CallRecord, _ side: CallSide) throws -> String? {
            let token = side == .caller ? record.caller.token : record.callee.token
            let answer = try later.ask(number, .reattach(.init(call: record.call, token: token)))
            guard case .call(.reattached(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
            return told.room
        }
        for (number, place, side) in [(1, 0, .caller), (3, 0, .callee), (1, 1, .caller), (5, 1, .callee)]
            as [(UInt64, Int, CallSide)]
        { #expect(try back(number, records[place], side) == call.room) }
        try later.ask(5, .hangup(added))
        #expect(later.told(3) == [.returned(.init(call: call, offers: false))])
        #expect(later.machine.calls[call]?.mode == .direct)
    }

    @Test("Quality goes on from what another run had counted")
    func quality() throws {
        let scene = CallScene.two()
        let call = try scene.activeCall(1, 3, "budi")
        try scene.ask(
            1, .quality(.init(call: call, rttMilliseconds: 10, lossPercent: 2, jitterMilliseconds: 4, mos: 4)))
        let record = try #require(scene.machine.calls[call]?.record())
        let later = CallScene()
        later.machine.restore(record, at: later.now)
        later.connect("ada", 1)
        try later.ask(1, .reattach(.init(call: call, token: record.caller.token)))
        try later.ask(1, .quality(.init(call: call, rttMilliseconds: 30, lossPercent: 0, jitterMilliseconds: 6)))
        let summary = try #require(later.machine.calls[call]?.record().caller.quality)
        #expect(summary.reports == 2 && summary.meanLossPercent == 1 && summary.meanRTTMilliseconds == 20)
        #expect(summary.meanJitterMilliseconds == 5 && summary.meanMOS == 4)
    }

    @Test("Who is forgotten is in no call, hidden ones included; the others are told an outcome as ever")
    func forgetting() throws {
        let scene = CallScene.two()
        scene.connect("carol", 5)
        scene.connect("mallory", 6)
        let active = try scene.activeCall(1, 3, "budi")
        let hidden = try scene.invite(6, "ada", isBlocked: true)
        #expect(scene.machine.isInvolved("ada"))
        scene.disconnect(1)
        scene.disconnect(2)
        scene.actions = []
        scene.machine.forget("ada", at: scene.now, into: &scene.actions)
        #expect(scene.end(3) == .init(call: active, reason: .hungUp, by: .caller))
        #expect(scene.end(6) == .init(call: hidden, reason: .declined, by: .callee))
        #expect(scene.missed.isEmpty && scene.machine.calls.isEmpty && !scene.machine.isInvolved("ada"))
        // Calls that are over are remembered without the name.
        #expect(try scene.ask(3, .hangup(active)) == .ok(.init()))
        #expect(scene.machine.memory.all.allSatisfy { $0.caller != "ada" && $0.callee != "ada" })
        // Coming back, they are somebody new.
        scene.connect("ada", 7)
        #expect(scene.refusal(7, .hangup(active))?.code == .unknownCall)
        try scene.invite(7, "carol")
    }

    @Test("The feed forgets a name and keeps its numbers")
    func feed() {
        var feed = EventFeed(capacity: 2)
        for user in ["ada", "budi", "ada"] {
            feed.append(FeedEvent(.callPlaced, version: 0, user: user, by: "ada"), room: "r", milliseconds: 1)
        }
        feed.forget("ada")
        let page = feed.page(after: 0, limit: 10)
        #expect(page.entries.map(\.number) == [2, 3] && page.entries.map(\.event.user) == ["budi", nil])
        #expect(page.entries.allSatisfy { $0.event.by == nil })
    }
}
