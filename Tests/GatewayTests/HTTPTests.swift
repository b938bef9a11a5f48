// Requests and responses, files, refusals, opening and not opening the port, TLS.
import EventLoop
import Gateway
import Glibc
import TestSupport
import Testing

extension GatewaySuites {
    @Suite("HTTP")
    struct HTTPTests {
        @Test("the delegate's paths are answered with its response, GET with a body and HEAD without")
        func delegatePaths() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let alive = try #require(client.request("/livez"))
            #expect(alive.status == 200)
            #expect(alive.text == "ok\n")
            #expect(alive.headers["x-content-type-options"] == "nosniff")
            #expect(alive.headers["cache-control"] == "no-store")
            #expect(alive.headers["date"]?.hasSuffix("GMT") == true)
            // The same connection is used again.
            let ready = try #require(client.request("/readyz?verbose=1", method: "HEAD"))
            #expect(ready.status == 503)
            #expect(ready.headers["content-length"] == "8")
            #expect(ready.body == [])
            #expect(try #require(client.request("/livez")).text == "ok\n")
            await gateway.stop()
        }

        @Test("the embedded page has its type, tag and policies, and is not sent again to who has it")
        func embeddedPage() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let page = try #require(client.request("/"))
            #expect(page.status == 200)
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(page.headers["content-security-policy"]?.contains("default-src 'self'") == true)
            #expect(page.text.lowercased().hasPrefix("<!doctype html>"))
            let tag = try #require(page.headers["etag"])
            let again = try #require(client.request("/index.html", headers: ["If-None-Match: \"other\", \(tag)"]))
            #expect(again.status == 304)
            #expect(again.headers["etag"] == tag)
            #expect(again.body == [])
            let head = try #require(client.request("/", method: "HEAD"))
            #expect(head.headers["content-length"] == String(page.body.count))
            #expect(try #require(client.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test("an unknown path is 404, the WebSocket's path without an upgrade is 426")
        func unknownPath() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            #expect(try #require(client.request("/nothing")).status == 404)
            #expect(try #require(client.request("/v1/ws")).status == 426)
            #expect(try #require(client.request("/index.html/")).status == 404)
            await gateway.stop()
        }

        @Test("other methods are 405 and end the connection", arguments: ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
        func otherMethods(_ method: String) async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let response = client.request("/livez", method: method, headers: ["Content-Length: 0"])
            #expect(response?.status == 405)
            #expect(response?.headers["allow"] == "GET, HEAD")
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a header with a line break in it is not sent")
        func noInjection() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let response = try #require(client.request("/injected"))
            #expect(response.status == 200)
            #expect(response.headers["x-one"] == nil)
            #expect(response.headers["x-two"] == nil)
            await gateway.stop()
        }

        @Test("a body of three million bytes comes whole to a client that reads slowly at first")
        func largeBody() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port, receiveBuffer: 4_096))
            client.write("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            Pause.milliseconds(50)
            let response = try #require(client.readResponse())
            #expect(response.body.count == 3_000_000)
            #expect(response.body.allSatisfy { $0 == 7 })
            #expect(try #require(client.request("/livez")).text == "ok\n")
            await gateway.stop()
        }

        @Test("a large response comes whole also when the connection closes after it")
        func largeBodyThenClose() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port, receiveBuffer: 4_096))
            // A GET with a body: answered, but the connection is not used again.
            client.write("GET /large HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody")
            Pause.milliseconds(50)
            let response = try #require(client.readResponse())
            #expect(response.headers["connection"] == "close")
            #expect(response.body.count == 3_000_000)
            #expect(client.readsToEnd())
            await gateway.stop()
        }

        @Test("a request head beyond the limit ends the connection")
        func largeHead() async throws {
            let gateway = try await TestGateway { $0.maximumHeaderBytes = 2_048 }
            let client = try #require(TestClient(port: gateway.port))
            client.write("GET /livez HTTP/1.1\r\nHost: localhost\r\nCookie: ")
            for _ in 0..<100 { if !client.write(String(repeating: "a", count: 1_000)) { break } }
            client.write("\r\n\r\n")
            #expect(client.readResponse()?.status != 200)
            #expect(await gateway.isEmptied())
            // Nobody else noticed.
            #expect(try #require(TestClient(port: gateway.port)?.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test(
            "rubbish in place of a request ends the connection",
            arguments: [
                "\r\n\r\n\r\n\r\n\u{0}\u{1}\u{2}", "GET\r\n\r\n", "BREW /pot HTCPCP/1.0\r\n\r\n",
                "\u{16}\u{3}\u{1}\u{2}\u{0}",
            ])
        func rubbish(_ bytes: String) async throws {
            let gateway = try await TestGateway { $0.handshakeSeconds = 0.5 }
            let client = try #require(TestClient(port: gateway.port))
            client.write(bytes)
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a request that trickles in is cut when its time is over, and so is an idle connection")
        func slowRequest() async throws {
            let gateway = try await TestGateway {
                $0.handshakeSeconds = 0.3
                $0.idleSeconds = 0.2
            }
            let slow = try #require(TestClient(port: gateway.port))
            let start = MonotonicClock.now
            let line = Array("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ".utf8) + [UInt8](repeating: 97, count: 400)
            var sent = 0
            while sent < line.count, slow.write([line[sent]]) {
                sent += 1
                Pause.milliseconds(10)
            }
            #expect(sent < line.count)
            #expect(MonotonicClock.now - start < 3_000_000_000)
            let idle = try #require(TestClient(port: gateway.port))
            #expect(try #require(idle.request("/livez")).status == 200)
            #expect(idle.readsToEnd())
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a client that does not fetch its response is cut")
        func slowFetch() async throws {
            let gateway = try await TestGateway { $0.responseSeconds = 0.4 }
            let client = try #require(TestClient(port: gateway.port, receiveBuffer: 4_096))
            client.write("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 1 })
            #expect(await gateway.isEmptied(seconds: 5))
            await gateway.stop()
        }

        @Test("a client that fetches slowly gets all of it, however long after the idle time and the response's")
        func slowLink() async throws {
            let gateway = try await TestGateway {
                $0.idleSeconds = 0.4
                $0.responseSeconds = 0.4
            }
            // Of the first the kernel has taken the last byte long before the client has. The other does not fit into the
            // kernel's buffers.
            for path in ["/call.js", "/large"] {
                let client = try #require(TestClient(port: gateway.port, receiveBuffer: 4_096))
                client.write("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let start = MonotonicClock.now
                var fetched = 0
                while MonotonicClock.now - start < 1_500_000_000 {
                    var few = [UInt8](repeating: 0, count: path == "/large" ? 2_000 : 250)
                    let count = recv(client.descriptor, &few, few.count, 0)
                    guard count > 0 else { break }
                    fetched += count
                    Pause.milliseconds(10)
                }
                #expect(fetched > 10_000, "cut after \(fetched) bytes")
                #expect(client.readsToEnd(), "the rest comes, and then the idle time ends the connection")
            }
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }

        @Test("a file is sent compressed to who takes that, under a tag of its own")
        func compressed() async throws {
            let gateway = try await TestGateway()
            let client = try #require(TestClient(port: gateway.port))
            let plain = try #require(client.request("/room.js"))
            let short = try #require(client.request("/room.js", headers: ["Accept-Encoding: br, gzip;q=0.5"]))
            #expect(plain.headers["content-encoding"] == nil)
            #expect(short.headers["content-encoding"] == "gzip")
            #expect(short.body.count < plain.body.count / 2)
            #expect(short.body.prefix(3) == [0x1F, 0x8B, 8])
            // The tail of the format is the number of bytes before compression.
            let tail = short.body.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            #expect(tail == plain.body.count)
            #expect(plain.headers["vary"] == "Accept-Encoding" && short.headers["vary"] == "Accept-Encoding")
            let tag = try #require(short.headers["etag"])
            #expect(tag != plain.headers["etag"])
            let known = ["If-None-Match: \(tag)", "Accept-Encoding: gzip"]
            #expect(try #require(client.request("/room.js", headers: known)).status == 304)
            #expect(try #require(client.request("/room.js", headers: ["If-None-Match: \(tag)"])).status == 200)
            for refusal in ["gzip;q=0", "identity", "gzip; q=0.000, *", "*;q=0"] {
                let response = try #require(client.request("/room.js", headers: ["Accept-Encoding: \(refusal)"]))
                #expect(response.headers["content-encoding"] == nil, "\(refusal)")
            }
            await gateway.stop()
        }

        @Test("connections beyond the limit are refused, and let in again when others have gone")
        func connectionLimit() async throws {
            let gateway = try await TestGateway { $0.maximumConnections = 5 }
            var clients: [TestClient] = []
            for _ in 0..<5 { clients.append(try gateway.client()) }
            let sixth = try #require(TestClient(port: gateway.port))
            #expect(sixth.readsToEnd())
            #expect(try await gateway.perform { $0.refusedCount } == 1)
            clients.removeLast().close()
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 4 })
            #expect(try gateway.client().send(text: "in"))
            await gateway.stop()
        }

        @Test("connections of one address beyond its limit are refused")
        func addressLimit() async throws {
            let gateway = try await TestGateway { $0.maximumConnectionsPerAddress = 2 }
            let clients = [try gateway.client(), try gateway.client()]
            #expect(try #require(TestClient(port: gateway.port)).readsToEnd())
            clients[0].close()
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 1 })
            #expect(try gateway.client().send(text: "in"))
            clients[1].close()
            await gateway.stop()
        }
    }

    @Suite("Files of a web root")
    struct WebRootTests {
        @Test("files are served as they are now, with their types")
        func files() async throws {
            let folder = try TemporaryFolder()
            folder.write("index.html", "<p>one")
            folder.write("app.js", "let a = 1")
            let gateway = try await TestGateway { $0.webRoot = folder.path }
            let client = try #require(TestClient(port: gateway.port))
            let page = try #require(client.request("/"))
            #expect(page.text == "<p>one")
            #expect(try #require(client.request("/app.js")).headers["content-type"] == "text/javascript; charset=utf-8")
            folder.write("index.html", "<p>two")
            let second = try #require(client.request("/", headers: ["If-None-Match: " + (page.headers["etag"] ?? "")]))
            #expect(second.status == 200)
            #expect(second.text == "<p>two")
            await gateway.stop()
        }

        @Test(
            "no path leads out of the folder",
            arguments: [
                "/../secret", "/%2e%2e/secret", "/..%2fsecret", "/x/../../secret", "/%2e%2e%2fsecret", "/.hidden",
                "/link", "//etc/passwd", "/..\\secret", "/%5c..%5csecret", "/index.html%00.js", "/./.hidden",
                "/%2ehidden",
                "/....//secret", "/%252e%252e/secret",
            ])
        func traversal(_ path: String) async throws {
            let outer = try TemporaryFolder()
            outer.write("secret", "secret")
            let folder = try TemporaryFolder()
            folder.write("index.html", "<p>one")
            folder.write(".hidden", "secret")
            #expect(symlink(outer.path + "/secret", folder.path + "/link") == 0)
            let gateway = try await TestGateway { $0.webRoot = folder.path }
            let client = try #require(TestClient(port: gateway.port, seconds: 5))
            let response = client.request(path)
            #expect(response?.status != 200)
            #expect(response?.text.contains("secret") != true)
            #expect(response?.text.contains("root:") != true)
            await gateway.stop()
        }
    }

    @Suite("Opening the port")
    struct OpeningTests {
        @Test("a port in use is named")
        func portInUse() async throws {
            let first = try await TestGateway()
            let port = first.port
            await #expect(throws: GatewayError.portInUse(port)) { try await TestGateway { $0.port = port } }
            #expect(GatewayError.portInUse(80).description == "port 80 is already in use by another program")
            await first.stop()
            // And is free again once the first has stopped.
            let second = try await TestGateway { $0.port = port }
            await second.stop()
        }

        @Test("several addresses share one port the kernel chose")
        func addresses() async throws {
            let gateway = try await TestGateway { $0.addresses = ["127.0.0.1", "127.0.0.2", "::1"] }
            #expect(gateway.port != 0)
            #expect(try #require(TestClient(port: gateway.port)?.request("/livez")).status == 200)
            await gateway.stop()
        }

        @Test("what cannot be is refused with its name")
        func refusals() async throws {
            await #expect(throws: GatewayError.addressUnusable("localhost")) {
                try await TestGateway { $0.addresses = ["localhost"] }
            }
            await #expect(throws: GatewayError.addressUnusable("192.0.2.77")) {
                try await TestGateway { $0.addresses = ["192.0.2.77"] }
            }
            await #expect(throws: GatewayError.unreadableWebRoot("/nowhere/at/all")) {
                try await TestGateway { $0.webRoot = "/nowhere/at/all" }
            }
            await #expect(throws: GatewayError.invalidLimit("maximumConnections")) {
                try await TestGateway { $0.maximumConnections = 0 }
            }
            await #expect(throws: GatewayError.invalidLimit("silenceSeconds")) {
                try await TestGateway { $0.silenceSeconds = .nan }
            }
        }

        @Test("certificates that are missing, halved or wrong are refused with their names")
        func badCertificates() async throws {
            let folder = try TemporaryFolder()
            folder.write("wrong.pem", "this is no certificate")
            let wrong = folder.path + "/wrong.pem"
            await #expect(throws: GatewayError.tlsIncomplete) {
                try await TestGateway { $0.tlsCertificatePath = wrong }
            }
            await #expect(throws: GatewayError.unreadableFile(path: "/nowhere.pem", code: ENOENT)) {
                try await TestGateway {
                    $0.tlsCertificatePath = wrong
                    $0.tlsKeyPath = "/nowhere.pem"
                }
            }
            await #expect(throws: GatewayError.certificateRejected(certificatePath: wrong, keyPath: wrong)) {
                try await TestGateway {
                    $0.tlsCertificatePath = wrong
                    $0.tlsKeyPath = wrong
                }
            }
            #expect(
                GatewayError.unreadableFile(path: "/x.pem", code: ENOENT).description
                    == "/x.pem cannot be read: No such file or directory")
        }

        @Test("no listening: nobody new comes in, those who are stay")
        func stopAccepting() async throws {
            let gateway = try await TestGateway()
            let client = try gateway.client()
            try await gateway.perform { $0.stopAccepting() }
            #expect(TestClient(port: gateway.port)?.request("/livez") == nil)
            client.send(text: "still here")
            #expect(client.readFrame()?.text == "still here")
            await gateway.stop()
        }

        @Test("a gateway closed on a loop that goes on frees its port and tells of each connection")
        func close() async throws {
            let gateway = try await TestGateway()
            let clients = [try gateway.client(), try gateway.client()]
            let idle = try #require(TestClient(port: gateway.port))
            #expect(await wait { (try? await gateway.perform { $0.connectionCount }) == 3 })
            let isFinished = Lock(false)
            try await gateway.perform { $0.close { isFinished.withLock { $0 = true } } }
            #expect(await wait { isFinished.withLock { $0 } })
            for client in clients + [idle] { #expect(client.readsToEnd()) }
            #expect(gateway.told.withLock { $0.closed.count } == 2)
            #expect(TestClient(port: gateway.port) == nil)
            #expect(try await gateway.perform { $0.connectionCount } == 0)
            await gateway.stop()
        }
    }

    @Suite("TLS")
    struct TLSTests {
        @Test("HTTP and WebSocket work over TLS, and plain text does not")
        func works() async throws {
            let folder = try TemporaryFolder()
            let paths = try folder.writeCertificate()
            let gateway = try await TestGateway {
                $0.tlsCertificatePath = paths.certificate
                $0.tlsKeyPath = paths.key
                $0.maximumMessageBytes = 300_000
            }
            let http = try #require(TestClient(port: gateway.port, usesTLS: true))
            #expect(try #require(http.request("/livez")).text == "ok\n")
            #expect(try #require(http.request("/large")).body.count == 3_000_000)
            let client = try gateway.client(usesTLS: true)
            let long = String(repeating: "salam ", count: 40_000)
            client.send(text: long)
            #expect(client.readFrame()?.text == long)
            client.sendClose(1000, "bye")
            #expect(client.readFrame()?.closeCode == 1000)
            #expect(await gateway.closure() == Closure(code: 1000, reason: "bye", isByClient: true))
            let plain = try #require(TestClient(port: gateway.port, seconds: 5))
            #expect(plain.request("/livez") == nil)
            await gateway.stop()
        }

        @Test("a handshake that never ends is cut")
        func silentHandshake() async throws {
            let folder = try TemporaryFolder()
            let paths = try folder.writeCertificate()
            let gateway = try await TestGateway {
                $0.tlsCertificatePath = paths.certificate
                $0.tlsKeyPath = paths.key
                $0.handshakeSeconds = 0.3
            }
            let client = try #require(TestClient(port: gateway.port))
            client.write([0x16, 0x03, 0x01])
            #expect(client.readsToEnd())
            #expect(await gateway.isEmptied())
            await gateway.stop()
        }
    }
}
