// Upgrades, messages, limits, heartbeats and closes of the WebSocket.
import EventLoop
import Gateway
import Glibc
import Testing

extension GatewaySuites {
    @Suite("WebSocket upgrades")
    struct UpgradeTests {
        @Test("an upgrade with the subprotocol is accepted as RFC 6455 section 1.3 shows it")
        func accepted() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let response = try #require(client.upgrade(subprotocols: "other, majlis.v1"))
            #expect(response.status == 101)
            #expect(response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(response.headers["sec-websocket-protocol"] == "majlis.v1")
            #expect(response.headers["sec-websocket-extensions"] == nil)
            #expect(await wait { gateway.told.withLock { $0.opened.count } == 1 })
            await gateway.stop()
        }

        @Test(
            "an upgrade without the subprotocol is refused",
            arguments: [nil, "", "other", "majlis.v2", "(http)", "majlis.v10", "http"])
        func subprotocol(_ offered: String?) async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            #expect(client.upgrade(subprotocols: offered)?.status == 400)
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            #expect(gateway.told.withLock { $0.opened.isEmpty })
            await gateway.stop()
        }

        @Test("the HTTP protocol's own name beside the right one opens nothing wrong")
        func internalName() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let response = client.upgrade(subprotocols: "(http), majlis.v1")
            #expect(response?.status != 101 || response?.headers["sec-websocket-protocol"] == "majlis.v1")
            await gateway.stop()
        }

        @Test("an upgrade on another path, of another version, or to something else is refused")
        func refused() async throws {
            let gateway = try await TestGateway()
            func status(_ path: String, _ headers: [String]) throws -> Int? {
                try #require(TestClient(port: gateway.port)).request(path, headers: headers)?.status
            }
            let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
            let named = "Sec-WebSocket-Protocol: majlis.v1"
            #expect(try status("/other", TestClient.upgradeHeaders + [named]) == 404)
            #expect(
                try status(
                    "/v1/ws", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8", key, named])
                    == 426)
            #expect(
                try status(
                    "/v1/ws",
                    ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"])
                    != 101)
            #expect(
                try status("/v1/ws", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", named])
                    != 101)
            #expect(await gateway.isEmptied())
            #expect(gateway.told.withLock { $0.opened.isEmpty })
            await gateway.stop()
        }

        @Test("a page of another site may not connect; of this one, and no page at all, may")
        func origins() async throws {
            let gateway = try await TestGateway()
            func status(_ headers: [String]) throws -> Int? {
                try #require(TestClient(port: gateway.port)).upgrade(headers: headers)?.status
            }
            #expect(try status(["Origin: http://localhost"]) == 101)
            #expect(try status(["Origin: HTTPS://LocalHost"]) == 101)
            #expect(try status([]) == 101)
            #expect(try status(["Origin: https://evil.example"]) == 403)
            #expect(try status(["Origin: http://localhost.evil.example"]) == 403)
            #expect(try status(["Origin: null"]) == 403)
            await gateway.stop()

            let listed = try await TestGateway { $0.origins = .list(["https://meet.example"]) }
            let client = try #require(TestClient(port: listed.port))
            #expect(client.upgrade(headers: ["Origin: https://MEET.example"])?.status == 101)
            let other = try #require(TestClient(port: listed.port))
            #expect(other.upgrade(headers: ["Origin: http://localhost"])?.status == 403)
            await listed.stop()
        }
    }

    @Suite("WebSocket messages")
    struct MessageTests {
        @Test(
            "messages of every length form come back as they were",
            arguments: [0, 1, 125, 126, 2_047, 2_048, 2_049, 65_535, 65_536])
        func echo(_ count: Int) async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            let text = String(repeating: "x", count: count)
            client.send(text: text)
            #expect(client.readFrame() == Frame(opcode: 1, payload: Array(text.utf8)))
            await gateway.stop()
        }

        @Test("a thousand messages sent at once are answered in order")
        func order() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.write((0..<1_000).flatMap { TestClient.frame(1, Array("message \($0)".utf8)) })
            for number in 0..<1_000 { #expect(client.readFrame()?.text == "message \(number)") }
            await gateway.stop()
        }

        @Test("the first message may come in the same packet as the upgrade")
        func early() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let head =
                "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Protocol: majlis.v1\r\n"
                + TestClient.upgradeHeaders.map { $0 + "\r\n" }.joined() + "\r\n"
            client.write(Array(head.utf8) + TestClient.frame(1, Array("early".utf8)))
            #expect(client.readResponse()?.status == 101)
            #expect(client.readFrame()?.text == "early")
            await gateway.stop()
        }

        @Test("fragments make one message, a ping between them notwithstanding")
        func fragments() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.send(1, Array("one ".utf8), isFinal: false)
            client.send(0, Array("two ".utf8), isFinal: false)
            client.send(9, Array("ping".utf8))
            client.send(0, Array("thr\u{e9}".utf8.dropLast()), isFinal: false)
            client.send(0, Array("\u{e9}".utf8.suffix(1)), isFinal: true)
            var frames: [Frame] = []
            for _ in 0..<2 { if let frame = client.readFrame() { frames.append(frame) } }
            #expect(frames.contains(Frame(opcode: 10, payload: Array("ping".utf8))))
            #expect(frames.contains(Frame(opcode: 1, payload: Array("one two thr\u{e9}".utf8))))
            await gateway.stop()
        }

        @Test("reserved bits and opcodes end the connection", arguments: [0xC1, 0x83, 0x8B, 0x80] as [UInt8])
        func reserved(_ first: UInt8) async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.write([first, 0x80, 1, 2, 3, 4])
            #expect(client.readClose()?.closeCode == 1002)
            client.close()
            #expect(await gateway.isEmptied())
            #expect(gateway.told.withLock { $0.received.isEmpty && $0.closed.count == 1 })
            await gateway.stop()
        }

        @Test("random bytes, before and after the upgrade, harm nobody else", arguments: 1...4)
        func randomBytes(_ seed: UInt64) async throws {
            let gateway = try await TestGateway { $0.handshakeSeconds = 0.5 }
            let witness = try gateway.client()
            var state = seed
            func next() -> UInt8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            }
            for round in 0..<60 {
                let client =
                    round.isMultiple(of: 2)
                    ? try gateway.client() : try #require(TestClient(port: gateway.port, seconds: 1))
                if round.isMultiple(of: 3) { client.write("GET /livez HTTP/1.1\r\n") }
                for _ in 0..<4 { client.write((0..<Int(next()) * 4).map { _ in next() }) }
                client.close()
            }
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 1 })
            witness.send(text: "still here")
            #expect(witness.readFrame()?.text == "still here")
            #expect(try #require(TestClient(port: gateway.port)?.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test("a binary frame is closed with 1003")
        func binary() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.send(2, [1, 2, 3])
            let close = client.readClose()
            #expect(close?.closeCode == 1003)
            #expect(close?.closeReason == "only text frames are understood")
            client.sendClose(1003)
            #expect(client.readsToEnd())
            #expect(await gateway.closure()?.code == 1003)
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test(
            "text that is not UTF-8 is closed with 1007",
            arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x61, 0xE2, 0x82]]
                as [[UInt8]]
        )
        func notUTF8(_ bytes: [UInt8]) async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.send(1, bytes)
            #expect(client.readClose()?.closeCode == 1007)
            client.close()
            #expect(await gateway.closure()?.code == 1007)
            #expect(gateway.told.withLock { $0.received.isEmpty })
            await gateway.stop()
        }

        @Test("a million one-byte fragments are cut off after the limit, and hold no memory")
        func tinyFragments() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            let chunk = (0..<1_000).flatMap { _ in TestClient.frame(0, [97], isFinal: false) }
            client.send(1, [97], isFinal: false)
            var sent = 1
            while sent < 1_000_000, client.write(chunk) { sent += 1_000 }
            #expect(await gateway.closure()?.code == CloseCode.tooLarge)
            client.close()
            #expect(await gateway.isEmptied())
            #expect(gateway.told.withLock { $0.received.isEmpty })
            await gateway.stop()
        }

        @Test("a flood of small messages is closed with 4429")
        func flood() async throws {
            let gateway = try await TestGateway { $0.maximumFramesPerSecond = 50 }
            let client = try gateway.client()
            client.write((0..<5_000).flatMap { _ in TestClient.frame(1, [97]) })
            #expect(client.readClose()?.closeCode == 4429)
            client.close()
            #expect(gateway.told.withLock { $0.received.count } <= 300)
            #expect(await gateway.closure()?.code == CloseCode.tooManyMessages)
            await gateway.stop()
        }
    }

    @Suite("WebSocket limits and ends")
    struct LimitTests {
        @Test("a message beyond the limit is closed with 4413 by what its header claims, before its bytes come")
        func oversize() async throws {
            for claim in [65_537, 1 << 20, Int.max] {
                let gateway = try await TestGateway()
                let client = try gateway.client()
                client.write(TestClient.frame(1, [UInt8](repeating: 97, count: 3_000), claims: claim))
                #expect(client.readClose()?.closeCode == 4413, "claims \(claim)")
                client.close()
                #expect(await gateway.closure()?.code == 4413)
                await gateway.stop()
            }
        }

        @Test("the limit counts over fragments, and can be raised for one connection")
        func raised() async throws {
            let gateway = try await TestGateway(answer: { gateway, id, message in
                gateway.setMaximumMessage(id, bytes: 524_288)
                gateway.send(id, String(message.count))
            })
            let first = try gateway.client()
            first.send(text: "hello")
            #expect(first.readFrame()?.text == "5")
            first.send(1, [UInt8](repeating: 97, count: 524_288))
            #expect(first.readFrame()?.text == "524288")
            first.send(1, [UInt8](repeating: 97, count: 300_000), isFinal: false)
            first.send(0, [UInt8](repeating: 97, count: 224_289), isFinal: true)
            #expect(first.readClose()?.closeCode == 4413)
            let second = try gateway.client()
            second.send(1, [UInt8](repeating: 97, count: 65_537))
            #expect(second.readClose()?.closeCode == 4413)
            await gateway.stop()
        }

        @Test("a client that does not read is cut when too much waits for it, and others go on")
        func slowReader() async throws {
            let gateway = try await TestGateway(
                { $0.outputLimitBytes = 1_000_000 },
                answer: { gateway, id, message in
                    if message.count == 2 {
                        for _ in 0..<400 { gateway.send(id, String(repeating: "y", count: 60_000)) }
                    } else {
                        gateway.send(id, utf8: message)
                    }
                })
            let slow = try gateway.client(receiveBuffer: 4_096)
            let other = try gateway.client()
            slow.send(text: "go")
            #expect(await wait { gateway.told.withLock { $0.closed.count } == 1 })
            #expect(await gateway.closure()?.code == 1006)
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 1 })
            other.send(text: "still here")
            #expect(other.readFrame()?.text == "still here")
            slow.close()
            await gateway.stop()
        }

        @Test("what was queued before a close is sent before it")
        func flushBeforeClose() async throws {
            let gateway = try await TestGateway(answer: { gateway, id, _ in
                for number in 0..<50 { gateway.send(id, String(repeating: "z", count: 10_000) + "\(number)") }
                gateway.close(id, code: 4401, reason: "token expired")
                gateway.send(id, "too late")
            })
            let client = try gateway.client()
            client.send(text: "go")
            for number in 0..<50 { #expect(client.readFrame()?.text.hasSuffix("z\(number)") == true) }
            let close = try #require(client.readFrame())
            #expect(close.closeCode == 4401)
            #expect(close.closeReason == "token expired")
            client.sendClose(4401)
            #expect(client.readsToEnd())
            #expect(await gateway.closure() == Closure(code: 4401, reason: "token expired", isByClient: false))
            await gateway.stop()
        }

        @Test("a long reason is cut between characters at 123 bytes")
        func longReason() async throws {
            let gateway = try await TestGateway(opened: { gateway, id in
                gateway.close(id, code: 4500, reason: String(repeating: "\u{e9}", count: 200))
            })
            let client = try gateway.client()
            #expect(client.readClose()?.closeReason == String(repeating: "\u{e9}", count: 61))
            await gateway.stop()
        }

        @Test("the client's close is answered, and its code and reason are told")
        func clientCloses() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            client.sendClose(4321, "my own")
            #expect(client.readClose()?.closeCode == 4321)
            #expect(client.readsToEnd())
            #expect(await gateway.closure() == Closure(code: 4321, reason: "my own", isByClient: true))
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a client that just goes is told as 1006")
        func clientVanishes() async throws {
            let gateway = try await TestGateway()
            try gateway.client().close()
            #expect(await gateway.closure()?.code == 1006)
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a client that does not answer a close is cut when its time is over")
        func unansweredClose() async throws {
            let gateway = try await TestGateway(
                { $0.closingSeconds = 0.3 },
                opened: { gateway, id in
                    for _ in 0..<100 { gateway.send(id, String(repeating: "w", count: 30_000)) }
                    gateway.close(id, code: 4401, reason: "no")
                })
            let client = try gateway.client(receiveBuffer: 4_096)
            #expect(await gateway.closure()?.code == 4401)
            #expect(await gateway.isEmptied(seconds: 5))
            client.close()
            await gateway.stop()
        }

        @Test("pings come at their interval; who answers stays, who is silent is cut")
        func heartbeat() async throws {
            let gateway = try await TestGateway {
                $0.heartbeatSeconds = 0.2
                $0.silenceSeconds = 0.7
            }
            let good = try gateway.client()
            let silent = try gateway.client()
            var pings = 0
            let start = MonotonicClock.now
            while MonotonicClock.now - start < 1_500_000_000, let frame = good.readFrame() {
                if frame.opcode == 9 {
                    pings += 1
                    good.send(10, frame.payload)
                }
            }
            #expect((5...9).contains(pings))
            #expect(silent.readsToEnd())
            #expect(await gateway.closure() == Closure(code: 1006, reason: "silent", isByClient: false))
            good.send(text: "still here")
            #expect(good.readFrame() != nil)
            await gateway.stop()
        }

        @Test("a message that is never finished is closed with 1008")
        func unfinishedMessage() async throws {
            let gateway = try await TestGateway {
                $0.heartbeatSeconds = 0.2
                $0.messageSeconds = 0.3
            }
            let client = try gateway.client()
            client.send(1, [97], isFinal: false)
            var close: Frame?
            while close == nil, let frame = client.readFrame() {
                if frame.opcode == 9 { client.send(10, frame.payload) }
                if frame.opcode == 8 { close = frame }
            }
            #expect(close?.closeCode == 1008)
            client.close()
            #expect(await gateway.closure()?.code == CloseCode.policy)
            await gateway.stop()
        }

        @Test("the whole gateway may be closed inside a message")
        func closedInside() async throws {
            let gateway = try await TestGateway(answer: { gateway, _, _ in gateway.close() })
            let clients = [try gateway.client(), try gateway.client()]
            clients[0].send(text: "end it")
            for client in clients { #expect(client.readsToEnd()) }
            #expect(await wait { gateway.told.withLock { $0.closed.count } == 2 })
            await gateway.stop()
        }

        @Test("all are told when the server goes")
        func goingAway() async throws {
            let gateway = try await TestGateway()
            let clients = try (0..<20).map { _ in try gateway.client() }
            try await gateway.perform { $0.closeAll(code: CloseCode.goingAway, reason: "restarting") }
            for client in clients {
                #expect(client.readClose()?.closeCode == 1001)
                client.sendClose(1001)
            }
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("five hundred connections come, speak and go, and nothing is left of them")
        func many() async throws {
            let gateway = try await TestGateway()
            for round in 0..<2 {
                var clients: [TestClient] = []
                for _ in 0..<500 { clients.append(try gateway.client()) }
                for (number, client) in clients.enumerated() { client.send(text: "\(round) \(number)") }
                for (number, client) in clients.enumerated() {
                    #expect(client.readFrame()?.text == "\(round) \(number)")
                }
                for (number, client) in clients.enumerated() {
                    if number.isMultiple(of: 2) { client.sendClose(1000) }
                    client.close()
                }
                #expect(await gateway.isEmptied())
            }
            let told = gateway.told.withLock { $0 }
            #expect(told.opened.count == 1_000)
            #expect(told.closed.count == 1_000)
            #expect(Set(told.opened).count == 1_000)
            #expect(Set(told.closed.map(\.id)) == Set(told.opened))
            await gateway.stop()
        }

        @Test("a connection that is gone can be spoken to without harm")
        func stale() async throws {
            let gateway = try await TestGateway()
            try gateway.client().close()
            #expect(await gateway.isEmptied())
            let next = try gateway.client()
            let first = gateway.told.withLock { $0.opened[0] }
            try await gateway.perform { gateway in
                gateway.send(first, "nobody")
                gateway.close(first, code: 4000, reason: "nobody")
                gateway.setMaximumMessage(first, bytes: 0)
            }
            next.send(text: "mine")
            #expect(next.readFrame()?.text == "mine")
            await gateway.stop()
        }
    }
}
