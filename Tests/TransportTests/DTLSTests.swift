// DTLS associations in memory: with loss, with wrong fingerprints, with other keys and versions, with a ClientHello in
// pieces, and with peers that never finish.
import COpenSSL
import EventLoop
import TestSupport
import Testing

@testable import Transport

/// Two endpoints and the wire between them.
private final class Association {
    let client: DTLSEndpoint
    let server: DTLSEndpoint
    /// What the wire does with a datagram: its number and its direction in, the datagrams that arrive out.
    var wire: (_ number: Int, _ fromClient: Bool, _ datagram: [UInt8]) -> [[UInt8]] = { _, _, datagram in [datagram] }
    var sizes: [Int] = []

    init(
        client clientIdentity: DTLSIdentity, server serverIdentity: DTLSIdentity,
        clientProfiles: [SRTPProfile] = SRTPProfile.preferred, serverProfiles: [SRTPProfile] = SRTPProfile.preferred,
        clientSees: [Fingerprint]? = nil, serverSees: [Fingerprint]? = nil, clientVersion: Int32 = DTLS1_2_VERSION
    ) throws {
        client = try DTLSEndpoint(
            context: DTLSContext(identity: clientIdentity, profiles: clientProfiles, version: clientVersion),
            role: .client, remoteFingerprints: clientSees ?? [serverIdentity.fingerprint])
        server = try DTLSEndpoint(
            context: DTLSContext(identity: serverIdentity, profiles: serverProfiles),
            role: .server, remoteFingerprints: serverSees ?? [clientIdentity.fingerprint])
    }

    /// Carries datagrams until both sides have come to an end, or the deadline is over.
    func run(seconds: Int64 = 20) {
        let deadline = MonotonicClock.now + seconds * 1_000_000_000
        client.start(at: MonotonicClock.now)
        server.start(at: MonotonicClock.now)
        var number = 0
        while MonotonicClock.now < deadline {
            var moved = false
            for fromClient in [true, false] {
                let (sender, receiver) = fromClient ? (client, server) : (server, client)
                for datagram in sender.takeOutgoing() {
                    moved = true
                    sizes.append(datagram.count)
                    for arriving in wire(number, fromClient, datagram) {
                        arriving.withUnsafeBytes { receiver.receive($0, at: MonotonicClock.now) }
                    }
                    number += 1
                }
            }
            if isOver(client), isOver(server), !moved { return }
            client.advance(to: MonotonicClock.now)
            server.advance(to: MonotonicClock.now)
        }
    }

    private func isOver(_ endpoint: DTLSEndpoint) -> Bool {
        switch endpoint.state {
        case .connected, .closed, .failed: true
        case .new, .handshaking: false
        }
    }
}

@Suite("DTLS")
struct DTLSTests {
    let ours: DTLSIdentity
    let theirs: DTLSIdentity

    init() throws {
        ours = try DTLSIdentity()
        theirs = try DTLSIdentity()
    }

    @Test("A handshake gives both sides the same keys, in every profile", arguments: SRTPProfile.allCases)
    func keys(profile: SRTPProfile) throws {
        let pair = try Association(client: theirs, server: ours, clientProfiles: [profile])
        pair.run()
        #expect(pair.client.state == .connected)
        #expect(pair.server.state == .connected)
        let client = try #require(pair.client.takeKeys()), server = try #require(pair.server.takeKeys())
        #expect(client.profile == profile)
        #expect(server.profile == profile)
        #expect(client.send == server.receive)
        #expect(client.receive == server.send)
        #expect(client.send != client.receive)
        #expect(client.send.count == profile.keyLength + profile.saltLength)
        #expect(pair.sizes.allSatisfy { $0 <= DTLSEndpoint.maximumDatagram })
        // Handed out once.
        #expect(pair.client.takeKeys() == nil)
        // And they work.
        let here = try SRTPSession(keys: client), there = try SRTPSession(keys: server)
        let packet = rtpPacket(sequence: 1, ssrc: 2, payload: [1, 2, 3])
        #expect(try there.unprotected(here.protected(packet)) == packet)
    }

    @Test("AEAD_AES_128_GCM is chosen when all are offered, whatever the client's order")
    func preference() throws {
        let pair = try Association(client: theirs, server: ours, clientProfiles: SRTPProfile.preferred.reversed())
        pair.run()
        #expect(pair.server.takeKeys()?.profile == .aes128GCM)
    }

    @Test("Any one lost datagram is made good", arguments: 0..<5)
    func loss(lost: Int) throws {
        let pair = try Association(client: theirs, server: ours)
        pair.wire = { number, _, datagram in number == lost ? [] : [datagram] }
        let start = MonotonicClock.now
        pair.run()
        // The fifth datagram is lost after the server's end of the handshake where the flights are four.
        #expect(pair.server.state == .connected)
        #expect(pair.client.state == .connected)
        #expect(MonotonicClock.now - start < 5_000_000_000)
    }

    @Test("Every second datagram lost, all sent twice, or in reverse: it still connects")
    func badWire() throws {
        let lossy = try Association(client: theirs, server: ours)
        var random = SeededGenerator(seed: 3)
        lossy.wire = { _, _, datagram in Bool.random(using: &random) ? [] : [datagram] }
        lossy.run()
        #expect(lossy.server.state == .connected)
        let doubled = try Association(client: theirs, server: ours)
        doubled.wire = { _, _, datagram in [datagram, datagram] }
        doubled.run()
        #expect(doubled.server.state == .connected)
        #expect(doubled.client.state == .connected)
    }

    @Test("A wrong fingerprint fails by name, gives no keys, and the other side is told")
    func wrongFingerprint() throws {
        let other = try DTLSIdentity()
        let pair = try Association(client: theirs, server: ours, serverSees: [other.fingerprint])
        pair.run()
        #expect(pair.server.state == .failed(.fingerprintMismatch))
        #expect(pair.server.takeKeys() == nil)
        #expect(pair.client.state == .closed)

        let reversed = try Association(client: theirs, server: ours, clientSees: [other.fingerprint])
        reversed.run()
        #expect(reversed.client.state == .failed(.fingerprintMismatch))
        #expect(reversed.client.takeKeys() == nil)
    }

    @Test("One right fingerprint of several is enough, in SHA-256, SHA-384 or SHA-512")
    func fingerprintAlgorithms() throws {
        let other = try DTLSIdentity()
        for algorithm in FingerprintAlgorithm.allCases {
            let right = try #require(Fingerprint(certificate: theirs.certificate, algorithm: algorithm))
            let written = try #require(Fingerprint(algorithm: algorithm.rawValue.uppercased(), value: right.value))
            let pair = try Association(client: theirs, server: ours, serverSees: [other.fingerprint, written])
            pair.run()
            #expect(pair.server.state == .connected)
        }
    }

    @Test("Fingerprints are read strictly")
    func fingerprintText() throws {
        let value = ours.fingerprint.value
        #expect(Fingerprint(algorithm: "sha-256", value: value.lowercased())?.value == value)
        for (algorithm, value) in [
            ("sha-1", value), ("md5", value), ("", value), ("sha-512", value), ("sha-256", ""),
            ("sha-256", value + ":"),
            ("sha-256", String(value.dropLast())), ("sha-256", value.replacing(":", with: "-")),
            ("sha-256", "G" + value.dropFirst()), ("sha-256", value.replacing(":", with: "")),
        ] { #expect(Fingerprint(algorithm: algorithm, value: value) == nil) }
        #expect(throws: TransportError.self) {
            try DTLSEndpoint(context: DTLSContext(identity: ours), role: .server, remoteFingerprints: [])
        }
    }

    @Test("A peer with an RSA certificate is accepted")
    func rsaPeer() throws {
        let rsa = try DTLSIdentity(.rsa2048)
        let pair = try Association(client: rsa, server: ours)
        pair.run()
        #expect(pair.server.state == .connected)
        let server = try Association(client: ours, server: rsa)
        server.run()
        #expect(server.client.state == .connected)
        #expect(server.sizes.allSatisfy { $0 <= DTLSEndpoint.maximumDatagram })
    }

    @Test("DTLS 1.0 is refused")
    func oldVersion() throws {
        let pair = try Association(client: theirs, server: ours, clientVersion: DTLS1_VERSION)
        pair.run()
        guard case .failed(.handshake) = pair.server.state else {
            Issue.record("the server is \(pair.server.state)")
            return
        }
        #expect(pair.client.state != .connected)
    }

    @Test("No SRTP profile in common: no keys")
    func noProfile() throws {
        let pair = try Association(
            client: theirs, server: ours, clientProfiles: [.aes256GCM], serverProfiles: [.aes128GCM])
        pair.run()
        #expect(pair.server.state == .failed(.noProfile))
        #expect(pair.server.takeKeys() == nil)
    }

    /// Cuts a ClientHello's handshake message into fragments of at most `size` bytes, each in a datagram of its own
    /// (RFC 6347 §4.2.3), as Chromium's large one comes.
    private static func fragments(_ datagram: [UInt8], size: Int) -> [[UInt8]] {
        guard datagram.count > 25, datagram[0] == 22, datagram[13] == 1 else { return [datagram] }
        let body = Array(datagram[25...])
        return stride(from: 0, to: body.count, by: size).enumerated().map { index, start in
            let part = body[start..<min(start + size, body.count)]
            func three(_ value: Int) -> [UInt8] { [16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
            let message =
                [datagram[13]] + three(body.count) + datagram[17..<19] + three(start) + three(part.count) + part
            // Epoch 0; each record needs its own number.
            let number: [UInt8] = [
                0, 0, 0, 0, UInt8(datagram[9]), UInt8(truncatingIfNeeded: Int(datagram[10]) + index),
            ]
            let length = [UInt8(message.count >> 8), UInt8(message.count & 255)]
            return datagram[..<3] + [0, 0] + number + length + message
        }
    }

    @Test("A ClientHello in two datagrams connects, also when they come in reverse", arguments: [false, true])
    func splitClientHello(reversed: Bool) throws {
        let pair = try Association(client: theirs, server: ours)
        var pieces = 0
        pair.wire = { number, fromClient, datagram in
            guard fromClient, number == 0 else { return [datagram] }
            let parts = Self.fragments(datagram, size: (datagram.count - 25) / 2 + 1)
            pieces = parts.count
            return reversed ? parts.reversed() : parts
        }
        pair.run()
        #expect(pieces == 2)
        #expect(pair.server.state == .connected)
        #expect(pair.client.state == .connected)
        #expect(pair.client.takeKeys()?.send == pair.server.takeKeys()?.receive)
    }

    @Test("A peer that never finishes is given up after 30 seconds, and its datagrams are bounded")
    func neverFinishes() throws {
        let pair = try Association(client: theirs, server: ours)
        let start: Int64 = 1_000
        pair.client.start(at: start)
        let hello = try #require(pair.client.takeOutgoing().first)
        hello.withUnsafeBytes { pair.server.receive($0, at: start) }
        #expect(pair.server.state == .handshaking)
        pair.server.advance(to: start + DTLSEndpoint.handshakeTimeout - 1)
        #expect(pair.server.state == .handshaking)
        pair.server.advance(to: start + DTLSEndpoint.handshakeTimeout)
        #expect(pair.server.state == .failed(.timedOut))

        let flooded = try Association(client: theirs, server: ours).server
        for _ in 0...DTLSEndpoint.maximumHandshakeDatagrams { hello.withUnsafeBytes { flooded.receive($0, at: start) } }
        #expect(flooded.state == .failed(.tooManyDatagrams))
        #expect(flooded.takeOutgoing().count <= DTLSEndpoint.maximumQueuedDatagrams)
    }

    @Test(
        "Captured ClientHellos in pieces: of DTLS 1.2 answered, of DTLS 1.0 refused",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
    func capturedHellos() throws {
        func feed(_ file: String) throws -> DTLSEndpoint {
            let datagrams = udpPayloads(ofPcap: try #require(ExternalCaptures.bytes(file)))
            let server = try Association(client: theirs, server: ours).server
            // The first two are one ClientHello.
            for datagram in datagrams.prefix(2) {
                datagram.withUnsafeBytes { server.receive($0, at: MonotonicClock.now) }
            }
            return server
        }
        let new = try feed("zeek/dtls1_2.pcap")
        #expect(new.state == .handshaking)
        // ServerHello, certificate, key exchange, certificate request: a flight, not an alert.
        #expect(new.takeOutgoing().map(\.count).reduce(0, +) > 400)
        let old = try feed("zeek/dtls1_0.pcap")
        guard case .failed(.handshake) = old.state else {
            Issue.record("DTLS 1.0 gave \(old.state)")
            return
        }
    }

    @Test("What is not DTLS, or broken, ends nothing before a handshake and no connection after it")
    func garbage() throws {
        let pair = try Association(client: theirs, server: ours)
        var random = SeededGenerator(seed: 12)
        func throwGarbage(_ count: Int) {
            for _ in 0..<count {
                var bytes = random.bytes(Int.random(in: 0..<200, using: &random))
                if bytes.count > 13, Bool.random(using: &random) {
                    // Looks like a record of the version, so that it reaches OpenSSL.
                    (bytes[0], bytes[1], bytes[2]) = (UInt8.random(in: 20...25, using: &random), 254, 253)
                    (bytes[3], bytes[4], bytes[11]) = (0, 0, 0)
                    bytes[12] = UInt8(bytes.count - 13)
                }
                bytes.withUnsafeBytes { pair.server.receive($0, at: MonotonicClock.now) }
            }
        }
        for bytes in [[], [22], [22, 254, 253], [UInt8](repeating: 0, count: 100)] as [[UInt8]] {
            bytes.withUnsafeBytes { pair.server.receive($0, at: MonotonicClock.now) }
        }
        #expect(pair.server.state == .new)
        pair.run()
        #expect(pair.server.state == .connected)
        throwGarbage(2_000)
        #expect(pair.server.state == .connected)
        // Still the same association: a close gets through.
        pair.client.close()
        for datagram in pair.client.takeOutgoing() {
            datagram.withUnsafeBytes { pair.server.receive($0, at: MonotonicClock.now) }
        }
        #expect(pair.server.state == .closed)
    }
}
