// Candidates as text, addresses and which of them may be checked.
import TestSupport
import Testing

@testable import Transport

@Suite("ICE candidates")
struct ICECandidateTests {
    @Test("Candidates of browsers are read whole, and print back")
    func browsers() throws {
        let host = try #require(
            ICECandidate(
                "candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 ufrag abcd network-id 1"
            ))
        #expect(host.foundation == "1467250027")
        #expect(host.component == 1)
        #expect(host.isUDP)
        #expect(host.priority == 2_122_260_223)
        #expect(host.address == "192.168.0.196")
        #expect(host.port == 46_243)
        #expect(host.kind == .host)
        #expect(host.text == "candidate:1467250027 1 UDP 2122260223 192.168.0.196 46243 typ host")
        let reflexive = try #require(
            ICECandidate(
                "a=candidate:2 1 UDP 1685987071 203.0.113.9 52000 typ srflx raddr 10.0.0.2 rport 52000"))
        #expect(reflexive.kind == .serverReflexive)
        #expect(reflexive.related?.address == "10.0.0.2")
        #expect(ICECandidate(reflexive.text) == reflexive)
        let tcp = try #require(
            ICECandidate("candidate:3 1 tcp 1518280447 192.168.0.196 9 typ host tcptype active generation 0"))
        #expect(!tcp.isUDP)
    }

    @Test("What is not a candidate is none")
    func malformed() {
        for text in [
            "", "candidate:", "candidate:1 1 udp 1 1.2.3.4 5 typ", "candidate:1 1 udp 1 1.2.3.4 5 kind host",
            "candidate:1 0 udp 1 1.2.3.4 5 typ host", "candidate:1 257 udp 1 1.2.3.4 5 typ host",
            "candidate:1 1 udp -1 1.2.3.4 5 typ host", "candidate:1 1 udp 4294967296 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 1.2.3.4 65536 typ host", "candidate:1 1 udp 1 1.2.3.4 5 typ other",
            "candidate:\(String(repeating: "f", count: 33)) 1 udp 1 1.2.3.4 5 typ host", "m=audio",
            "candidate:1 1 udp 1 1.2.3.4 5 typ host" + String(repeating: " x", count: 300),
        ] { #expect(ICECandidate(text) == nil, "\(text.prefix(60))") }
    }

    @Test("Addresses are sorted into the ranges that decide about checks")
    func scopes() {
        let cases: [(String, IPAddress.Scope)] = [
            ("8.8.8.8", .global), ("172.15.0.1", .global), ("172.32.0.1", .global), ("100.63.0.1", .global),
            ("2001:db8::1", .global), ("10.0.0.1", .privateNetwork), ("172.16.0.1", .privateNetwork),
            ("192.168.255.1", .privateNetwork), ("100.64.0.1", .privateNetwork), ("fd00::1", .privateNetwork),
            ("fec0::1", .privateNetwork), ("169.254.169.254", .linkLocal), ("fe80::1", .linkLocal),
            ("febf::1", .linkLocal), ("127.0.0.1", .loopback), ("127.255.0.1", .loopback), ("::1", .loopback),
            ("0.0.0.0", .unusable), ("0.1.2.3", .unusable), ("::", .unusable), ("224.0.0.1", .unusable),
            ("255.255.255.255", .unusable), ("240.0.0.1", .unusable), ("ff02::1", .unusable),
            ("::ffff:127.0.0.1", .loopback), ("::ffff:10.1.1.1", .privateNetwork), ("64:ff9b::7f00:1", .loopback),
            ("2002:a00:1::1", .privateNetwork), ("::7f00:2", .unusable),
        ]
        for (text, scope) in cases { #expect(IPAddress(text)?.scope == scope, "\(text)") }
        for text in [
            "", "localhost", "1.2.3", "1.2.3.4.5", "01.2.3.4", "fe80::1%lo", "1.2.3.4\u{0}", "::g", " 1.2.3.4",
        ] {
            #expect(IPAddress(text) == nil, "\(text)")
        }
        #expect(IPAddress("2001:DB8:0:0::1")?.text == "2001:db8::1")
    }

    @Test("By default only global addresses are checked; names, TCP and other components never")
    func policy() throws {
        func judge(_ text: String, _ policy: RemoteAddressPolicy) throws -> RemoteCandidateOutcome {
            policy.judge(try #require(ICECandidate("candidate:" + text))).outcome
        }
        for policy: RemoteAddressPolicy in [[], .everything] {
            #expect(try judge("1 1 udp 1 8.8.8.8 5 typ host", policy) == .accepted)
            #expect(try judge("1 1 udp 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5 typ host", policy) == .name)
            #expect(try judge("1 1 udp 1 example.org 5 typ host", policy) == .name)
            #expect(try judge("1 1 tcp 1 8.8.8.8 9 typ host tcptype active", policy) == .notUDP)
            #expect(try judge("1 2 udp 1 8.8.8.8 5 typ host", policy) == .otherComponent)
            #expect(try judge("1 1 udp 1 8.8.8.8 0 typ host", policy) == .forbiddenAddress)
            #expect(try judge("1 1 udp 1 224.0.0.251 5353 typ host", policy) == .forbiddenAddress)
            #expect(try judge("1 1 udp 1 0.0.0.0 5 typ host", policy) == .forbiddenAddress)
        }
        for (address, needed): (String, RemoteAddressPolicy) in [
            ("10.0.0.1", .privateNetworks), ("fd00::1", .privateNetworks), ("169.254.169.254", .linkLocal),
            ("127.0.0.1", .loopback), ("::1", .loopback), ("::ffff:127.0.0.1", .loopback),
        ] {
            #expect(try judge("1 1 udp 1 \(address) 5 typ host", []) == .forbiddenAddress)
            #expect(try judge("1 1 udp 1 \(address) 5 typ host", needed) == .accepted)
            #expect(
                try judge("1 1 udp 1 \(address) 5 typ host", .everything.subtracting(needed)) == .forbiddenAddress)
        }
    }

    @Test("Announced addresses stand for local ones of their family")
    func announced() throws {
        let configuration = TransportConfiguration(announcedAddresses: [
            AnnouncedAddress(local: "10.0.0.1", announced: "203.0.113.1"),
            AnnouncedAddress(announced: "203.0.113.2"), AnnouncedAddress(local: "fd00::1", announced: "2001:db8::1"),
        ])
        for (local, told) in [
            ("10.0.0.1", "203.0.113.1"), ("10.0.0.2", "203.0.113.2"), ("fd00::1", "2001:db8::1"),
            ("fd00::2", "fd00::2"),
        ] { #expect(configuration.announced(for: try #require(IPAddress(local))).text == told) }
    }

    @Test("Local addresses: what is configured, else the machine's, and never none on a machine with loopback")
    func localAddresses() throws {
        #expect(try TransportConfiguration().resolvedLocalAddresses().isEmpty == false)
        #expect(
            try TransportConfiguration(localAddresses: ["::1", "127.0.0.1", "::1"]).resolvedLocalAddresses().count == 2)
        #expect(throws: TransportError.invalidAddress("localhost")) {
            try TransportConfiguration(localAddresses: ["localhost"]).resolvedLocalAddresses()
        }
    }
}
