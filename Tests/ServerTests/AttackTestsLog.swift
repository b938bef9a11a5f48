// What the log of a whole server never holds, at its most talkative: addresses, tokens, secrets, ICE passwords.
import Bots
import EventLoop
import Signalling
import Testing
import WholeServers

@Suite("The log tells no secrets", .serialized)
struct AttackTestsLog {
    @Test(
        "a call, refused tokens, failed transports and a forged line: no address, token, secret or password is logged")
    func tellsNoSecrets() throws {
        let scene = try AttackScene(child: [
            "--turn.urls", "turn:192.0.2.7:3478", "--turn.secret", "turn-secret-turn-secret",
        ])
        let child = try #require(scene.child)
        var secrets = [TestServer.secret, "turn-secret-turn-secret"]
        let impostor = try NativeClient(scene.host, port: scene.port, user: "eve", token: TestServer.token("eve"))
        impostor.fingerprintToClaim = Array(repeating: "AB", count: 32).joined(separator: ":")
        try impostor.join()
        _ = try impostor.signalling.wait { message -> Bool? in
            if case .mediaState(let state) = message, state.state == .failed { true } else { nil }
        }
        for sdp in [scene.speaker.offer, scene.speaker.joined?.answer.sdp ?? ""] {
            for line in sdp.split(whereSeparator: \.isNewline) {
                for prefix in ["a=ice-pwd:", "a=ice-ufrag:", "a=fingerprint:sha-256 "] where line.hasPrefix(prefix) {
                    secrets.append(String(line.dropFirst(prefix.count)))
                }
            }
        }
        let token = try TestServer.token("forged")
        secrets += [token, String(token.split(separator: ".")[2])]
        for bad in [token + "x", "", try TestServer.token("late", seconds: -100)] {
            let client = try SignallingClient(port: scene.port)
            _ = try? client.hello(token: bad)
            if bad.count > 1 { secrets.append(bad) }
        }
        let liar = try SignallingClient(port: scene.port)
        let room = "x\" level=error\n\u{85}\u{2028}2026-01-01T00:00:00.000Z error forged \u{1b}[31m"
        let welcome = try liar.hello(token: TestServer.token("liar", room: "*"))
        secrets += [welcome.resumeToken, welcome.session] + welcome.iceServers.compactMap(\.credential)
        _ = try liar.ask(
            .join(.init(room: room, offer: .init(type: .offer, sdp: BadInputTests.offer()), tracks: [])))
        #expect(try liar.ask(.candidate(.init(candidate: "candidate:1 1 udp 1 192.0.2.99 9 typ host"))) == .ok(.init()))
        impostor.close()
        scene.stop()

        let log = child.logged
        #expect(
            log.contains("joined") && log.contains("refused") && log.contains("failed"), "the log has what happened")
        for secret in secrets { #expect(!log.contains(secret), "\(secret.prefix(6))… is in the log") }
        #expect(!log.contains("127.0.0.1") && !log.contains("192.0.2") && !log.contains("::1"))
        for line in log.split(separator: "\n") {
            #expect(line.first?.isNumber == true && line.contains("Z "), "every line is the server's own: \(line)")
            #expect(
                !line.unicodeScalars.contains {
                    $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) || $0.value == 0x2028
                })
            // What follows the quotation mark stays within the value.
            #expect(!line.contains("x\" level=error"))
        }
    }
}
