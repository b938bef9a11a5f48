// Sockets that are lost for 1, 10 and 40 seconds at every state of a call, on either side, with and without the server's noticing: after
// 1 and 10 seconds nothing is lost or doubled, and after 40 both sides know the same end. All at once on one server, in true time.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("Sockets that are cut at every state of a call", .serialized)
struct CallCutTests {
    /// How long, and whether the server is told: who walks out of a cell's reach closes nothing.
    static let cuts: [(seconds: Int64, isTold: Bool)] = [(1, true), (10, true), (10, false), (40, true)]

    @Test("1 and 10 seconds lose and double nothing, and after 40 both sides know the same end")
    func cuts() throws {
        // Nobody reads while the longest cut lasts: that alone is no reason to be gone.
        let server = try TestServer { $0.sessions.silenceSeconds = 300 }
        defer { server.stop() }
        let host = try NativeClient.Host()
        defer { host.stop() }
        var scenes: [CallCutScene] = []
        defer { for scene in scenes { scene.close() } }
        // Those with a time limit of their own come last.
        for stage in CallCutScene.Stage.allCases.reversed() {
            for role in stage.roles {
                for (seconds, isTold) in Self.cuts {
                    let scene = try CallCutScene(
                        stage, role, seconds: seconds, isTold: isTold, number: scenes.count, server: server.port, host)
                    scenes.append(scene)
                    try scene.prepare()
                }
            }
        }
        for scene in scenes { try scene.cut() }
        for scene in scenes { try scene.meanwhile() }
        for scene in scenes.sorted(by: { $0.due < $1.due }) {
            while MonotonicClock.now < scene.due { Pause.milliseconds(5) }
            try scene.comeBack()
        }
        print("call cuts: \(scenes.count) of them")
        #expect(metric("store_failures_total", port: server.port) == 0)
        #expect(Deadline.wait(seconds: 10) { metric("calls", port: server.port) == 0 })
    }
}
