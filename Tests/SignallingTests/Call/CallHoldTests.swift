// Calls on hold that share a room: who of the others is told, whenever they come. A call of two is held in `CallMediaTests`.
import Testing

@testable import Signalling

@Suite("Calls on hold in a room")
struct CallHoldTests {
    /// Ada talks to Budi and has called Chandra into the call: the call of the two, and that of Ada and Chandra.
    private func three() throws -> (CallScene, CallID, CallID, guestToken: String) {
        let scene = CallScene.two()
        scene.connect("chandra", 5)
        let call = try scene.activeCall(1, 3, "budi")
        let guest = try scene.invite(1, "chandra", into: call)
        let token = try scene.accept(5, guest).token
        for number in [1, 5] as [UInt64] { try scene.ask(number, .connected(.init(call: guest, path: .sfu))) }
        return (scene, call, guest, token)
    }

    private func isOnHold(_ call: CallID, _ users: String...) -> [CallMessage] {
        [.onHold(.init(call: call, users: users))]
    }

    @Test("Both sides of the other calls are told who holds, once, and that nobody does any more")
    func told() throws {
        let (scene, call, guest, _) = try three()
        try scene.ask(3, .hold(call))
        let held = CallMessage.held(.init(call: call, by: .callee))
        #expect(scene.told(3) == [held] && scene.told(5) == isOnHold(guest, "budi"))
        #expect(scene.told(1) == [held] + isOnHold(guest, "budi"))
        try scene.ask(3, .hold(call))
        #expect(scene.actions.isEmpty)
        try scene.ask(5, .hold(guest))
        #expect(scene.told(3) == isOnHold(call, "chandra"))
        try scene.ask(1, .hold(call))
        #expect(scene.told(5) == isOnHold(guest, "ada", "budi"))
        for (number, left) in [(3, ["ada"]), (1, [])] as [(UInt64, [String])] {
            try scene.ask(number, .resume(call))
            #expect(scene.told(5) == [.onHold(.init(call: guest, users: left))])
        }
        // The call is over that was on hold: nobody of it is, and the two go back from the room.
        try scene.ask(1, .hangup(guest))
        let returned = CallMessage.returned(.init(call: call, offers: false))
        #expect(scene.told(3) == isOnHold(call) + [returned])
    }

    @Test("A call that is direct, and one in another room, concern nobody else")
    func others() throws {
        let (scene, call, guest, _) = try three()
        scene.connect("dewi", 6)
        scene.connect("eka", 7)
        let direct = try scene.activeCall(6, 7, "eka")
        try scene.ask(6, .hold(direct))
        #expect(scene.told(1).isEmpty && scene.told(5).isEmpty && scene.told(7).count == 1)
        try scene.ask(6, .upgrade(direct))
        try scene.ask(7, .hold(direct))
        #expect(scene.told(1).isEmpty && scene.told(5).isEmpty && scene.told(6).count == 1)
        try scene.ask(1, .hold(call))
        #expect(scene.told(6).isEmpty && scene.told(7).isEmpty && scene.told(5) == isOnHold(guest, "ada"))
    }

    @Test("Who comes later, or comes back, is told who is on hold; nobody is while a call only rings")
    func later() throws {
        let (scene, call, guest, token) = try three()
        try scene.ask(1, .hold(call))
        scene.connect("dewi", 6)
        let fourth = try scene.invite(5, "dewi", into: guest)
        #expect(scene.told(6).count == 1)
        try scene.ask(1, .resume(call))
        #expect(scene.told(6).isEmpty)
        try scene.ask(1, .hold(call))
        let accepted = try scene.accept(6, fourth)
        #expect(accepted.onHold == ["ada"] && accepted.room == call.room)
        try scene.ask(6, .hold(fourth))
        scene.disconnect(5)
        scene.connect("chandra", 8)
        guard case .call(.reattached(let told)) = try scene.ask(8, .reattach(.init(call: guest, token: token))) else {
            Issue.record("not taken over")
            return
        }
        #expect(told.onHold == ["ada", "dewi"] && told.heldBy == nil)
    }
}
