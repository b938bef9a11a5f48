// Foreign captures: every link layer and both classic byte orders by hand, and the public files with their known counts.
import Captures
import MediaCore
import TestSupport
import Testing

@Suite struct FormatConvertTests {
    private let packet: [UInt8] = [0x80, 96, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4, 0xaa]

    private func udp(_ payload: [UInt8], port: UInt8 = 1) -> [UInt8] {
        [0x30, port, 0x40, 1, 0, UInt8(8 + payload.count), 0, 0] + payload
    }
    private func version4(_ payload: [UInt8]) -> [UInt8] {
        let data = udp(payload)
        return [0x45, 0, 0, UInt8(20 + data.count), 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2] + data
    }
    private func version6(_ payload: [UInt8]) -> [UInt8] {
        let data = udp(payload)
        return [0x60, 0, 0, 0, 0, UInt8(data.count), 17, 64] + [UInt8](repeating: 1, count: 32) + data
    }
    private func word(_ n: UInt32, little: Bool) -> [UInt8] {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: n >> UInt32(8 * $0)) }
        return little ? bytes : bytes.reversed()
    }
    private func classic(
        _ frames: [[UInt8]], link: UInt32, little: Bool = true, magic: UInt32 = 0xa1b2_c3d4, cut: Int = 0
    ) -> [UInt8] {
        var file = word(magic, little: little) + word(0x0004_0002, little: little) + [UInt8](repeating: 0, count: 12)
        file += word(link, little: little)
        for (index, frame) in frames.enumerated() {
            file += word(1_700_000_000, little: little) + word(UInt32(index) * 10, little: little)
            file += word(UInt32(frame.count - cut), little: little) + word(UInt32(frame.count), little: little)
            file += frame.dropLast(cut)
        }
        return file
    }

    @Test("The link layers that tcpdump writes, IPv4 and IPv6, in both byte orders and time resolutions")
    func linkLayers() throws {
        let ethernet = [UInt8](repeating: 2, count: 12)
        let cases: [(UInt32, [UInt8])] = [
            (0, [2, 0, 0, 0] + version4(packet)), (1, ethernet + [8, 0] + version4(packet)),
            (1, ethernet + [0x86, 0xdd] + version6(packet)),
            (1, ethernet + [0x81, 0, 0, 5, 8, 0] + version4(packet)), (101, version6(packet)),
            (113, [UInt8](repeating: 0, count: 14) + [8, 0] + version4(packet)),
            (276, [8, 0] + [UInt8](repeating: 0, count: 18) + version4(packet)),
        ]
        for (link, frame) in cases {
            for little in [true, false] {
                let micro = try CaptureConvert.convert(classic([frame, frame], link: link, little: little))
                let events: [CaptureEvent] = [
                    .rtp(PeerID(1), packet, at: Timestamp(nanoseconds: 0)),
                    .rtp(PeerID(1), packet, at: Timestamp(nanoseconds: 10_000)),
                ]
                #expect(micro.events == events, "link type \(link)")
                #expect(micro.ntpAtOrigin == UInt64(1_700_000_000 + 2_208_988_800) << 32)
                #expect(micro.flows.map(\.streams) == [[.init(ssrc: SSRC(0x0102_0304), payloadType: PayloadType(96))]])
                let nano = try CaptureConvert.convert(
                    classic([frame, frame], link: link, little: little, magic: 0xa1b2_3c4d))
                #expect(nano.events.last?.moment == Timestamp(nanoseconds: 10))
            }
        }
    }

    @Test("A payload cut by the snapshot length is a cut packet, and cannot be decrypted")
    func cut() throws {
        let file = classic([version4(packet), version4(packet)], link: 101, cut: 1)
        let conversion = try CaptureConvert.convert(file)
        #expect(conversion.events.map(\.cutBytes) == [1, 1])
        let decrypted = try CaptureConvert.convert(file) { _, _ in true }
        #expect(decrypted.events.isEmpty && decrypted.flows.map(\.tooShort) == [2])
    }

    @Test("The decryptor's plaintext is what is taken, and what it refuses is counted")
    func decryptor() throws {
        let other: [UInt8] = [0x80, 200, 0, 1, 1, 2, 3, 4, 9]
        let file = classic([version4(packet), version4(packet), version4(other)], link: 101)
        let conversion = try CaptureConvert.convert(file) { bytes, isRTCP in
            bytes.removeLast()
            return !isRTCP
        }
        #expect(conversion.flows.map { [$0.rtpPackets, $0.rtcpPackets, $0.refused] } == [[2, 0, 1]])
        let plain = Array(packet.dropLast())
        #expect(conversion.events.allSatisfy { if case .rtp(_, plain, at: _) = $0 { true } else { false } })
    }

    @Test("What is converted makes a capture that is written and read back")
    func capture() throws {
        let conversion = try CaptureConvert.convert(classic([version4(packet), version4(packet)], link: 101))
        let plan = PeerPlan(headerExtensions: HeaderExtensionMap(), published: [], slots: [], reducedSizeRTCP: true)
        let events = conversion.capture(configuration: RoomConfiguration(), seed: 4, build: "x") { _ in plan }
        #expect(events.count == 6 + 2 * 3)
        #expect(captureEvents(captureBytes(events)).events == events)
        let none = conversion.capture(configuration: RoomConfiguration(), seed: 4, build: "x") { _ in nil }
        #expect(none.count == 3)
    }

    @Test("A capture of this project is a pcapng file that converts to the same packets")
    func ownFormat() throws {
        var writer = CaptureWriter()
        let events = (0..<5).map { CaptureEvent.rtp(PeerID(3), packet, at: Timestamp(nanoseconds: $0)) }
        for event in events { writer.append(event) }
        let conversion = try CaptureConvert.convert(writer.take())
        #expect(conversion.events.map(\.moment) == events.map(\.moment))
        #expect(conversion.flows.map(\.rtpPackets) == [5])
    }

    @Test("Foreign files cut or spoilt anywhere end cleanly")
    func spoilt() throws {
        var writer = CaptureWriter()
        for n in 0..<3 { writer.append(.rtp(PeerID(3), packet, at: Timestamp(nanoseconds: Int64(n)))) }
        let files = [writer.take(), classic([version4(packet), version6(packet)], link: 101)]
        var chance = Chance(seed: 3)
        var reached = 0
        for file in files {
            for count in 0..<file.count {
                if let conversion = try? CaptureConvert.convert(Array(file[..<count])) { reached = conversion.frames }
            }
            for _ in 0..<3_000 {
                var spoilt = file
                for _ in 0...chance.below(3) { spoilt[chance.below(file.count)] = UInt8(chance.below(256)) }
                if let conversion = try? CaptureConvert.convert(spoilt) { #expect(conversion.frames <= file.count) }
            }
        }
        #expect(reached == 1)
        #expect(throws: CaptureError.self) { _ = try CaptureConvert.convert([1, 2, 3, 4]) }
    }

    /// File, and per stream its SSRC, payload type and packets, as the folder's README has them.
    static let known: [(String, [(UInt32?, UInt8, Int)])] = [
        ("str0m/vp8.pcap", [(0xeedf_3944, 96, 104)]), ("str0m/vp9.pcap", [(nil, 98, 316)]),
        ("str0m/contiguous_vp9.pcap", [(nil, 98, 200)]), ("str0m/h264.pcap", [(nil, 126, 298)]),
        (
            "libjitsi/chrome_flexfec_and_video_capture.pcap",
            [(0xc38f_c709, 98, 2_553), (0xc623_6c24, 107, 111)]
        ),
        ("membrane/srtp.pcap", [(0xd366_768f, 96, 812), (nil, 127, 160)]),
    ]

    @Test(
        "The public captures have the counts that are known of them",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"), arguments: known.indices)
    func external(index: Int) throws {
        let (path, streams) = Self.known[index]
        let bytes = try #require(ExternalCaptures.bytes(path))
        let conversion = try CaptureConvert.convert(bytes)
        for (ssrc, payloadType, count) in streams {
            let found = conversion.events.filter {
                guard case .rtp(_, let packet, at: _) = $0 else { return false }
                return packet[1] & 0x7f == payloadType && (ssrc == nil || packet.span.uint32(at: 8) == ssrc)
            }
            #expect(found.count == count, "\(path), payload type \(payloadType)")
        }
        #expect(!conversion.isTruncated)
        #expect(conversion.datagrams == PcapFile(bytes)?.datagrams.count)
    }

    @Test(
        "Handshakes are not taken for media, and every public capture converts",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"))
    func others() throws {
        for path in ["zeek/webrtc-stun.pcap", "zeek/dtls1_2.pcap"] {
            let conversion = try CaptureConvert.convert(try #require(ExternalCaptures.bytes(path)))
            #expect(conversion.events.isEmpty, "\(path)")
            #expect(conversion.otherProtocols > 0)
        }
        for path in ["ndpi/stun_dtls_rtp.pcapng", "ndpi/stun.pcap", "str0m/h266.pcap"] {
            let bytes = try #require(ExternalCaptures.bytes(path))
            let conversion = try CaptureConvert.convert(bytes)
            #expect(conversion.datagrams == PcapFile(bytes)?.datagrams.count, "\(path)")
        }
    }
}
