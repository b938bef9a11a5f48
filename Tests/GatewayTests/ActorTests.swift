// A gateway whose delegate is an actor pinned to the gateway's loop, as the server's is.
import EventLoop
import Gateway
import Testing

private actor PinnedServer: GatewayDelegate {
    private let loop: LoopThread
    private var gateway: Gateway?
    private var names: [ConnectionID: Int] = [:]
    private(set) var closures: [Closure] = []
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: LoopThread) { self.loop = loop }

    func start() throws -> UInt16 {
        let gateway = try Gateway(loop: loop, configuration: GatewayConfiguration(), delegate: self)
        self.gateway = gateway
        return gateway.port
    }

    nonisolated func gatewayOpened(_ id: ConnectionID, address: AddressKey) {
        assumeIsolated { $0.names[id] = $0.names.count }
    }

    nonisolated func gatewayReceived(_ id: ConnectionID, message: [UInt8]) {
        assumeIsolated { server in
            server.gateway?.send(id, "\(server.names[id] ?? -1): \(String(decoding: message, as: UTF8.self))")
        }
        // Also later, from a job of the actor.
        Task { await self.sayLater(id) }
    }

    private func sayLater(_ id: ConnectionID) { gateway?.send(id, "later") }

    nonisolated func gatewayClosed(_ id: ConnectionID, closure: Closure) {
        assumeIsolated { $0.closures.append(closure) }
    }

    nonisolated func gatewayResponse(path: String) -> HTTPResponse? {
        assumeIsolated { server in
            path == "/count" ? HTTPResponse(status: 200, text: "\(server.names.count)") : nil
        }
    }
}

extension GatewaySuites {
    @Suite("An actor as the delegate")
    struct ActorTests {
        @Test("the actor is entered from every call without a hop, and sends from its own jobs")
        func pinned() async throws {
            let loop = LoopThread(name: "server")
            let server = PinnedServer(loop: loop)
            let port = try await server.start()
            for name in 0..<2 {
                let client = try #require(TestClient(port: port))
                #expect(client.upgrade()?.status == 101)
                client.send(text: "salam")
                #expect(client.readFrame()?.text == "\(name): salam")
                #expect(client.readFrame()?.text == "later")
                client.sendClose(1000)
                #expect(client.readClose()?.closeCode == 1000)
            }
            #expect(try #require(TestClient(port: port)?.request("/count")).text == "2")
            #expect(await wait { await server.closures.count == 2 })
            loop.stop()
            #expect(TestClient(port: port) == nil)
        }
    }
}
