// The rooms of calls on a whole server: who may come back into them when the own call is over, and whether a call goes back to direct.
import Bots
import EventLoop
import Signalling
import Testing
import WholeServers

@testable import Server

@Suite("The rooms of calls", .serialized)
struct CallRoomTests {
    /// Ada and Budi in a call into whose room Ada has called Carol; all three are in it.
    final class Scene {
        let server: TestServer
        let (ada, budi, carol): (SignallingClient, SignallingClient, SignallingClient)
        let call: CallID
        let guest: CallID

        init(_ change: (inout Configuration) -> Void = { _ in }) throws {
            server = try TestServer(change)
            func client(_ user: String, _ port: Int) throws -> SignallingClient {
                try SignallingClient.forCalls(user, port: port)
            }
            let port = server.port
            (ada, budi, carol) = (try client("ada", port), try client("budi", port), try client("carol", port))
            call = try ada.invite("budi").call
            _ = try budi.incoming()
            _ = try budi.accept(call)
            for one in [ada, budi] { #expect(try one.does(.connected(.init(call: call, path: .direct)))) }
            let answer = try ada.ask(.call(.invite(.init(to: "carol", media: .audio, into: call))))
            guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
            guest = told.call
            _ = try carol.incoming()
            _ = try carol.accept(guest)
            for one in [ada, budi, carol] { #expect(try CallRoomTests.people(join(one)) != nil) }
        }

        func join(_ client: SignallingClient) throws -> ServerMessage {
            let offer = ClientCommand.Description(type: .offer, sdp: BadInputTests.offer())
            return try client.ask(
                .join(.init(room: call.room, offer: offer, tracks: [.init(mid: "0", source: .microphone)])))
        }

        /// A new session of a user on the same device, as after a page was loaded anew.
        func again(_ user: String) throws -> SignallingClient { try .forCalls(user, port: server.port) }

        func stop() { server.stop() }
    }

    /// Who is in the room that was joined; nil where it was refused for not being the client's.
    static func people(_ answer: ServerMessage) throws -> [String]? {
        switch answer {
        case .joined(let joined): return joined.participants.map(\.user).sorted()
        case .error(let error) where error.code == .forbidden: return nil
        default: throw ProtocolError(.internal, "\(answer)")
        }
    }

    @Test(
        "Who stays in a call's room comes back into it with another session; who left it, or was never in it, does not")
    func stays() throws {
        let scene = try Scene()
        defer { scene.stop() }
        // Carol's call ends first, then that of the two: both were Ada's.
        #expect(try scene.ada.does(.hangup(scene.guest)) && scene.ada.does(.hangup(scene.call)))
        #expect(try scene.ada.ask(.leave) == .left)
        #expect(try scene.budi.ended().call == scene.call && scene.carol.ended().call == scene.guest)
        #expect(try Self.people(scene.join(scene.ada)) == nil)

        let budi = try scene.again("budi")
        #expect(try Self.people(scene.join(budi)) == ["carol"])
        let carol = try scene.again("carol")
        #expect(try Self.people(scene.join(carol)) == ["budi"])
        // Once more: what was allowed to a session that came back is allowed to the next.
        let third = try scene.again("budi")
        #expect(try Self.people(scene.join(third)) == ["carol"])
        for user in ["ada", "mallory"] { #expect(try Self.people(scene.join(scene.again(user))) == nil) }

        #expect(try carol.ask(.leave) == .left)
        for client in [carol, try scene.again("carol")] { #expect(try Self.people(scene.join(client)) == nil) }
        #expect(try third.ask(.leave) == .left)
        #expect(try Self.people(scene.join(scene.again("budi"))) == nil)
    }

    @Test("Whoever was erased comes back into no room")
    func erased() throws {
        let scene = try Scene()
        defer { scene.stop() }
        #expect(try scene.ada.does(.hangup(scene.guest)) && scene.ada.does(.hangup(scene.call)))
        #expect(try scene.budi.does(.erase))
        #expect(scene.budi.socket.closeCode() == 4_403)
        #expect(try Self.people(scene.join(scene.again("budi"))) == nil)
    }

    @Test(
        "The two go from device to device again when the third is gone, where the settings say so",
        arguments: [true, false])
    func returning(isSet: Bool) throws {
        let scene = try Scene { $0.calls.returnsToDirect = isSet }
        defer { scene.stop() }
        #expect(try scene.carol.does(.hangup(scene.guest)))
        #expect(try scene.ada.ended().call == scene.guest)
        // Answered after what the end has brought about.
        for client in [scene.ada, scene.budi] {
            _ = try client.ask(.account(.blocked))
            let returned = client.seen.filter { if case .call(.returned) = $0.message { true } else { false } }
            #expect(returned.count == (isSet ? 1 : 0))
        }
    }
}
