// The command line's HTTP client against a real gateway: over plain text and TLS, and every way of not getting an answer.
import EventLoop
import Gateway
import Glibc
import TestSupport
import Testing

extension GatewaySuites {
    @Suite("The HTTP client")
    struct ClientTests {
        @Test("requests with and without a body, and their answers")
        func requests() async throws {
            let gateway = try await TestGateway()
            let client = try HTTPClient(server: "http://127.0.0.1:\(gateway.port)/")
            let path = "/api/" + HTTPClient.encoded("a b/ü?&=%+")
            #expect(path == "/api/a%20b%2F%C3%BC%3F%26%3D%25%2B")
            let get = try client.send(.get, path + "?x=1", bearer: "abc.def")
            #expect(get.status == 200 && get.contentType == "text/plain; charset=utf-8")
            #expect(String(decoding: get.body, as: UTF8.self) == "GET /api/a b/ü?&=%+ [x=1] Bearer abc.def - ")
            let post = try client.send(.post, "/api", json: "{\"a\":1}")
            #expect(String(decoding: post.body, as: UTF8.self) == "POST /api [] - application/json {\"a\":1}")
            let long = String(repeating: "x", count: 60_000)
            #expect(try client.send(.post, "/api", json: long).body.count == 60_032)
            #expect(try client.send(.post, "/api").body.count == 17)
            #expect(String(decoding: try client.send(.delete, "/api").body, as: UTF8.self) == "DELETE /api [] - - ")
            #expect(try client.send(.get, "/nowhere").status == 404)
            #expect(try client.send(.put, "/api").status == 405)
            #expect(try client.send(.get, "/large").body.count == 3_000_000)
            await gateway.stop()
        }

        @Test("TLS: the certificate is verified, and its name")
        func secure() async throws {
            let folder = try TemporaryFolder()
            let paths = try folder.writeCertificate()
            let gateway = try await TestGateway {
                $0.tlsCertificatePath = paths.certificate
                $0.tlsKeyPath = paths.key
            }
            let good = try HTTPClient(server: "https://localhost:\(gateway.port)", authorityFile: paths.certificate)
            #expect(try good.send(.post, "/api", json: "{}").status == 200)
            #expect(try good.send(.get, "/large").body.count == 3_000_000)
            let unknown = try HTTPClient(server: "https://localhost:\(gateway.port)")
            #expect(throws: HTTPClientError.self) { try unknown.send(.get, "/livez", bearer: "secret") }
            let otherName = try HTTPClient(
                server: "https://127.0.0.1:\(gateway.port)", authorityFile: paths.certificate)
            #expect(throws: HTTPClientError.self) { try otherName.send(.get, "/livez", bearer: "secret") }
            let plain = try HTTPClient(server: "http://127.0.0.1:\(gateway.port)")
            #expect(throws: HTTPClientError.self) { try plain.send(.get, "/livez") }
            await gateway.stop()
        }

        @Test("nobody there, no answer, too large an answer: each a sentence")
        func failures() async throws {
            let gateway = try await TestGateway { $0.answerSeconds = 20 }
            let port = gateway.port
            gateway.asked.withLock {
                $0 = { gateway, id, request in
                    guard request.path == "/api/huge" else { return }
                    gateway.respond(id, HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: 9_000_000)))
                }
            }
            let client = try HTTPClient(server: "http://127.0.0.1:\(port)")
            let start = MonotonicClock.now
            #expect(throws: HTTPClientError("127.0.0.1:\(port) did not answer in 1 seconds")) {
                try client.send(.get, "/api", seconds: 1)
            }
            #expect(MonotonicClock.now - start < 10_000_000_000)
            #expect(throws: HTTPClientError("127.0.0.1:\(port) answered with more than 8 MiB")) {
                try client.send(.get, "/api/huge")
            }
            await gateway.stop()
            do {
                _ = try client.send(.get, "/livez")
                Issue.record("somebody answered")
            } catch {
                #expect(error.description.hasPrefix("127.0.0.1:\(port) cannot be reached: "), "\(error)")
            }
            #expect(throws: HTTPClientError.self) { try client.send(.get, "/a b") }
            #expect(throws: HTTPClientError.self) { try client.send(.get, "/", bearer: "a\r\nX: y") }
        }

        @Test(
            "addresses that are none",
            arguments: [
                "", "localhost", "ftp://x", "http://", "http://:80", "http://h:0", "http://h:x", "http://h:99999",
                "http://a b", "http://h/path", "http://u@h",
            ])
        func addresses(_ text: String) {
            #expect(throws: HTTPClientError.self) { try HTTPClient(server: text) }
        }
    }
}
