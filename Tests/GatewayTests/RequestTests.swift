// Whole requests told to the owner: bodies, limits, answers that come later or for nobody.
import EventLoop
import Gateway
import Glibc
import TestSupport
import Testing

extension GatewaySuites {
    @Suite("Requests with bodies")
    struct RequestTests {
        private static func post(_ path: String, _ body: String, _ headers: [String] = []) -> String {
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\n" + headers.map { $0 + "\r\n" }.joined()
                + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
        }

        /// Does something on the loop in a while.
        private static func later(_ gateway: Gateway, milliseconds: Int64, _ body: @escaping (Gateway) -> Void) {
            var timer: LoopTimer?
            timer = LoopTimer(on: gateway.loop) {
                body(gateway)
                timer?.close()
                timer = nil
            }
            timer?.start(after: milliseconds)
        }

        @Test("a whole request is told, and the connection is used again after it")
        func whole() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let long = String(repeating: "x", count: 65_536)
            for body in ["{}", long, "", "last"] {
                client.write(
                    Self.post("/api/a%20b?x=1&y=%26&z", body, ["Authorization: Bearer abc", "Content-Type: text/x"]))
                let response = try #require(client.readResponse())
                #expect(response.status == 200)
                #expect(response.text == "POST /api/a b [x=1,y=&,z=] Bearer abc text/x \(body)")
                #expect(response.headers["connection"] == nil)
            }
            #expect(try #require(client.request("/api", method: "DELETE")).text == "DELETE /api [] - - ")
            #expect(try #require(client.request("/api/x")).text == "GET /api/x [] - - ")
            let head = try #require(client.request("/api/x", method: "HEAD"))
            #expect(head.status == 200 && head.headers["content-length"] == "18" && head.body.isEmpty)
            #expect(try #require(client.request("/livez")).text == "ok\n")
            await gateway.stop()
        }

        @Test("a body in pieces; requests without one right behind each other")
        func pieces() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            for (number, body) in [(1, "one"), (2, "two"), (3, "")] {
                let bytes = Array(Self.post("/api/\(number)", body).utf8)
                for piece in stride(from: 0, to: bytes.count, by: 7) {
                    client.write(Array(bytes[piece..<min(piece + 7, bytes.count)]))
                    Pause.milliseconds(1)
                }
                #expect(try #require(client.readResponse()).text == "POST /api/\(number) [] - - \(body)")
            }
            // Without a body, all at once and answered late: one after the other all the same.
            gateway.asked.withLock {
                $0 = { gateway, id, request in
                    Self.later(gateway, milliseconds: 30) { $0.respond(id, TestGateway.echo(request)) }
                }
            }
            client.write((4...6).map { "GET /api/\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
            for number in 4...6 {
                #expect(try #require(client.readResponse()).text == "GET /api/\(number) [] - - ")
            }
            await gateway.stop()
        }

        @Test(
            "bytes behind a body, without waiting for the response, end the connection and hold nobody up",
            arguments: ["POST /api", "GET /api", "GET /large", "GET /", "DELETE /api", "PUT /livez"])
        func behindABody(_ line: String) async throws {
            let gateway = try await TestGateway()
            gateway.asked.withLock {
                $0 = { gateway, id, request in
                    Self.later(gateway, milliseconds: 30) { $0.respond(id, TestGateway.echo(request)) }
                }
            }
            let client = try #require(TestClient(port: gateway.port))
            let one = "\(line) HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            client.write(one + one + one)
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            #expect(try #require(TestClient(port: gateway.port)?.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test("a POST without a length has no body, and ends the connection")
        func noLength() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let response = try #require(client.request("/api", method: "POST"))
            #expect(response.text == "POST /api [] - - ")
            #expect(response.headers["connection"] == "close")
            #expect(client.readsToEnd())
            await gateway.stop()
        }

        @Test(
            "what is wrong with a head is said, and nobody else notices",
            arguments: [
                ("PUT /api HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 405),
                ("OPTIONS /api HTTP/1.1\r\nHost: h\r\n\r\n", 405),
                ("POST /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405),
                ("POST /api HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n", 413),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
                ("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: abc\r\n\r\nabc", 400),
                ("POST /api/%C3%28 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 400),
                ("GET /api?a=%01 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
            ])
        func heads(_ request: String, _ status: Int) async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            client.write(request)
            let response = try #require(client.readResponse())
            #expect(response.status == status)
            if status == 405 { #expect(response.headers["allow"] != nil) }
            #expect(try #require(TestClient(port: gateway.port)?.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test("a request that its head already has refused is answered before its body comes")
        func refusedByHead() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            client.write("POST /api/closed HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            let response = try #require(client.readResponse())
            #expect(response.status == 403 && response.headers["connection"] == "close")
            client.write("abcde")
            #expect(client.readsToEnd())
            #expect(try await gateway.perform { $0.pendingRequestCount } == 0)
            await gateway.stop()
        }

        @Test("a body that is too large is read for a while, so that its client reads why")
        func tooLarge() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            client.write(Self.post("/api", String(repeating: "x", count: 500_000)))
            #expect(try #require(client.readResponse()).status == 413)
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a body that does not come is given up with 408, an answer that does not with 504")
        func tooSlow() async throws {
            let gateway = try await TestGateway {
                $0.bodySeconds = 0.3
                $0.answerSeconds = 0.3
            }
            let slow = try #require(TestClient(port: gateway.port))
            slow.write("POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
            #expect(try #require(slow.readResponse()).status == 408)
            let late = Lock<RequestID?>(nil)
            gateway.asked.withLock { $0 = { _, id, _ in late.withLock { $0 = id } } }
            let client = try #require(TestClient(port: gateway.port))
            #expect(try #require(client.request("/api")).status == 504)
            // What comes afterwards goes to nobody, and the connection lives on.
            let id = try #require(late.withLock { $0 })
            try await gateway.perform { $0.respond(id, HTTPResponse(status: 200, text: "late")) }
            #expect(try #require(client.request("/livez")).text == "ok\n")
            #expect(try await gateway.perform { $0.pendingRequestCount } == 0)
            await gateway.stop()
        }

        @Test("clients that go before the answer, or in the middle of a body, leave nothing behind")
        func gone() async throws {
            let gateway = try await TestGateway()
            let ids = Lock<[RequestID]>([])
            gateway.asked.withLock { $0 = { _, id, _ in ids.withLock { $0.append(id) } } }
            for number in 0..<20 {
                let client = try #require(TestClient(port: gateway.port))
                let whole = Self.post("/api/\(number)", "body")
                client.write(number.isMultiple(of: 2) ? whole : String(whole.dropLast(2)))
                if number.isMultiple(of: 2) { #expect(await wait { ids.withLock { $0.count } == number / 2 + 1 }) }
                client.close()
            }
            let all = ids.withLock { $0 }
            try await gateway.perform { gateway in
                for id in all {
                    gateway.respond(id, HTTPResponse(status: 200, text: "late"))
                    gateway.respond(id, HTTPResponse(status: 200, text: "twice"))
                }
            }
            #expect(await gateway.isEmptied(seconds: 15))
            #expect(try await gateway.perform { $0.pendingRequestCount } == 0)
            await gateway.stop()
        }

        @Test("more requests than may wait: 429 for one address, 503 for all")
        func limits() async throws {
            for (total, perAddress, status) in [(3, 0, 503), (100, 3, 429)] {
                let gateway = try await TestGateway {
                    $0.maximumPendingRequests = total
                    $0.maximumPendingRequestsPerAddress = perAddress
                }
                let ids = Lock<[RequestID]>([])
                gateway.asked.withLock { $0 = { _, id, _ in ids.withLock { $0.append(id) } } }
                let waiting = try (0..<3).map { _ in try #require(TestClient(port: gateway.port)) }
                for client in waiting { client.write(Self.post("/api", "x")) }
                #expect(await wait { ids.withLock { $0.count } == 3 })
                let fourth = try #require(TestClient(port: gateway.port))
                fourth.write(Self.post("/api", "x"))
                let refusal = try #require(fourth.readResponse())
                #expect(refusal.status == status && refusal.headers["retry-after"] == "1")
                let all = ids.withLock { $0 }
                try await gateway.perform { gateway in
                    for id in all { gateway.respond(id, HTTPResponse(status: 201, text: "done")) }
                }
                for client in waiting { #expect(try #require(client.readResponse()).status == 201) }
                gateway.asked.withLock { $0 = { $0.respond($1, TestGateway.echo($2)) } }
                let fifth = try #require(TestClient(port: gateway.port))
                #expect(try #require(fifth.request("/api")).status == 200)
                await gateway.stop()
            }
        }

        @Test("a large answer that comes late is whole, and a stop with requests pending ends cleanly")
        func largeAnswer() async throws {
            let gateway = try await TestGateway()
            gateway.asked.withLock {
                $0 = { gateway, id, request in
                    guard request.path == "/api/large" else { return }
                    Self.later(gateway, milliseconds: 1) {
                        $0.respond(id, HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: 3_000_000)))
                    }
                }
            }
            let client = try #require(TestClient(port: gateway.port, receiveBuffer: 4_096))
            client.write(Self.post("/api/large", "x"))
            #expect(try #require(client.readResponse()).body.count == 3_000_000)
            client.write(Self.post("/api/never", "x"))
            #expect(await wait { (try? await gateway.perform { $0.pendingRequestCount }) == 1 })
            await gateway.stop()
            #expect(client.readsToEnd())
        }
    }
}
