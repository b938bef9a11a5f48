// Consent to a path that runs out (RFC 7675) while a check of another pair is under way, and the answer to that check
// afterwards: libnice 0.1.21 alone ends the whole process there, by an assertion. The peer is made by hand, because no
// ICE agent can be told to hold an answer back.
import EventLoop
import TestSupport
import Testing

@testable import Transport

@Suite("Consent during an ICE restart", .serialized)
struct ConsentDuringRestartTests {
    /// How long the peer has been silent when the restart comes, in nanoseconds: libnice's consent lasts 10 seconds, and
    /// a busy machine is to have some seconds left between the two.
    private static let silence: Int64 = 7_000_000_000

    private static let first = (ufrag: "peerOne", password: "the-first-password-of-the-peer")
    private static let second = (ufrag: "peerTwo", password: "the-second-password-of-the-peer")
    private static let lowPriority: UInt32 = 0x6E00_00FF
    private static let highPriority: UInt32 = 0x7E00_00FF

    /// A server's transport that a first socket of the peer is connected to, by ICE.
    private struct Scene {
        let world: TransportWorld
        let server: Side
        let serverPort: UInt16
        let old: StunPeer

        init() throws {
            world = try TransportWorld()
            let world = world
            server = try world.run {
                var configuration = TransportWorld.loopback
                configuration.doubtedTime = 0
                return try world.makeSide(.server, configuration)
            }
            let server = server
            let local = try world.run {
                try server.transport.setRemote(
                    ufrag: first.ufrag, password: first.password,
                    fingerprints: [("sha-256", world.clientContext.identity.fingerprint.value)])
                return (
                    credentials: (server.transport.localUfrag, server.transport.localPassword),
                    candidates: server.transport.localCandidates
                )
            }
            serverPort = try #require(local.candidates.first.flatMap { ICECandidate($0) }).port
            old = StunPeer(own: first, server: local.credentials, serverPort: serverPort, answers: true, seed: 1)
        }

        /// Whether packets of the server's go to this peer now. Loopback delivers before `sendto` returns.
        func reaches(_ peer: StunPeer) -> Bool {
            peer.read()
            let before = peer.datagrams.count
            let server = server
            world.run { server.transport.sendUnprotected([0x80, 0, 0, 1]) }
            peer.read()
            return peer.datagrams.count > before
        }

        /// Repeats until it is true; false when the time is over.
        func until(seconds: Int64, _ condition: () -> Bool) -> Bool {
            let deadline = MonotonicClock.now + seconds * 1_000_000_000
            while !condition() {
                guard MonotonicClock.now < deadline else { return false }
                Pause.milliseconds(20)
            }
            return true
        }

        /// Connects the first socket, which says nothing more from then on, and waits until its consent is old.
        func connectAndFallSilent() throws {
            try #require(
                until(seconds: 5) {
                    old.nominate(priority: lowPriority)
                    return reaches(old)
                })
            old.answers = false
            try #require(until(seconds: 10) { MonotonicClock.now >= old.lastAnswer + silence })
            try #require(reaches(old), "consent has run out before its time")
        }

        /// Gives the server the peer's second credentials; answers its own new ones.
        func describeRestart() throws -> StunPeer.Credentials {
            let world = world, transport = server.transport
            return try world.run {
                try transport.setRemote(
                    ufrag: second.ufrag, password: second.password,
                    fingerprints: [("sha-256", world.clientContext.identity.fingerprint.value)])
                return (transport.localUfrag, transport.localPassword)
            }
        }

        /// The peer's other socket nominates its pair, reads the server's checks of it and answers none of them until
        /// consent to the old path has run out. Answers the checks from before that.
        func holdAnswersBack(_ new: StunPeer) throws -> [StunMessage] {
            try #require(
                until(seconds: 2) {
                    new.nominate(priority: highPriority)
                    new.read()
                    return new.successes > 0 && !new.unanswered.isEmpty
                })
            var held: [StunMessage] = []
            var nominated = MonotonicClock.now
            try #require(
                until(seconds: 15) {
                    new.read()
                    let checks = new.unanswered
                    guard reaches(old) else { return true }
                    held = checks
                    // libnice gives a check up after some 3 seconds; another nomination makes it check again.
                    if MonotonicClock.now > nominated + 300_000_000 {
                        nominated = MonotonicClock.now
                        new.nominate(priority: highPriority)
                    }
                    return false
                })
            try #require(!held.isEmpty)
            return held
        }

        func finish() { world.end() }
    }

    @Test(
        "An answer that comes after consent to the old path has run out ends nothing: the restart goes on and connects")
    func restart() throws {
        let scene = try Scene()
        defer { scene.finish() }
        try scene.connectAndFallSilent()
        let world = scene.world, transport = scene.server.transport
        let local = try scene.describeRestart()
        let new = StunPeer(own: Self.second, server: local, serverPort: scene.serverPort, answers: false, seed: 2)
        let port = new.port
        world.run {
            let candidate = ICECandidate(
                foundation: "1", priority: Self.highPriority, address: "127.0.0.1", port: port, kind: .host)
            #expect(transport.addRemoteCandidate(candidate.text) == .accepted)
        }
        let held = try scene.holdAnswersBack(new)
        #expect(world.run { transport.state } == .connecting)
        #expect(world.run { (transport.localUfrag, transport.localPassword) == local })
        for check in held { new.answer(check) }
        // The candidate is checked anew, though the peer has sent nothing since.
        #expect(
            scene.until(seconds: 5) {
                new.read()
                return new.unanswered.contains { check in !held.contains { $0.transaction == check.transaction } }
            })
        new.answers = true
        #expect(
            scene.until(seconds: 5) {
                new.nominate(priority: Self.highPriority)
                return scene.reaches(new)
            })
        #expect(!scene.reaches(scene.old))
    }

    @Test(
        "The same while the peer moves to another pair without a restart: the transport fails, and a restart connects")
    func anotherPair() throws {
        let scene = try Scene()
        defer { scene.finish() }
        try scene.connectAndFallSilent()
        let world = scene.world, transport = scene.server.transport
        let before = world.run { (transport.localUfrag, transport.localPassword) }
        let moved = StunPeer(own: Self.first, server: before, serverPort: scene.serverPort, answers: false, seed: 3)
        let held = try scene.holdAnswersBack(moved)
        #expect(world.run { transport.state } == .failed(.iceFailed))
        for check in held { moved.answer(check) }
        #expect(!scene.reaches(moved))
        let local = try scene.describeRestart()
        let new = StunPeer(own: Self.second, server: local, serverPort: scene.serverPort, answers: true, seed: 4)
        #expect(
            scene.until(seconds: 5) {
                new.nominate(priority: Self.highPriority)
                return scene.reaches(new)
            })
        #expect(!scene.reaches(scene.old))
    }
}
