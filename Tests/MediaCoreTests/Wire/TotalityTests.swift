// No parser traps or reaches outside of its bytes, whatever they are: every cut of every sample, changed bytes, and the
// fuzz corpora of libwebrtc.
import MediaCore
import TestSupport
import Testing

@Suite("Totality") struct TotalityTests {
    /// Packets of each kind, made here.
    static let samples: [[UInt8]] = [
        hex("80e0123401020304a0b0c0d0fffe"),
        hex("93e0123401020304a0b0c0d0000000010000000200000003bede000310d121d2d3000033d4d5d6d790801150009d012a8002e001"),
        hex("b0e0123401020304a0b0c0d01000000301000201d100ff04d2d3d4d5aaaa000004"),
        hex("80e0123401020304a0b0c0d0b0f0fffffeb550009d012a8002e001"),
        hex("80e0123401020304a0b0c0d0aa812300073801400 0b40280016802002801 02ff"),
        hex("80e0123401020304a0b0c0d0f01152030506ff"),
        hex("80e0123401020304a0b0c0d078000267420002 68ce000165"),
        hex(
            "81c8000c6d2453ea0102030405060708000000050000000600000007000000090c0000030001000200000063111122220001000081ca0002000000010100000080c9000100000001"
        ),
        hex(
            "81ca0004000000010a68656c6c6f776f726c640000000081cb00030000000105627965212100008fcd0008000000010000 0002fffe0012fffffe070002a800d80004ff01fc180000000000"
        ),
        hex("81cd00040000000100000002000180050100000184ce000400000001000000000000000903000000"),
        hex("8fce00050000000100000000524 54d42010dffff0000000981ce00020000000100000002"),
    ]

    @Test("every cut of every sample parses within its bounds or fails")
    func cuts() {
        var parsed: Set<String> = []
        for sample in Self.samples {
            for length in 0...sample.count {
                let every = EveryParser(Array(sample[..<length]))
                parsed.formUnion(every.parsed)
                if let violation = every.violations.first { Issue.record("\(violation): \(sample[..<length])") }
            }
        }
        #expect(parsed == ["rtp", "rtcp", "vp8", "vp9", "h264", "av1"])
    }

    @Test("every value of every byte of every sample parses within its bounds or fails")
    func changedBytes() {
        for sample in Self.samples {
            for position in sample.indices {
                var changed = sample
                for value in UInt8.min...UInt8.max {
                    changed[position] = value
                    if let violation = EveryParser(changed).violations.first {
                        Issue.record("\(violation): byte \(position) = \(value) of \(sample)")
                    }
                }
            }
        }
    }

    @Test("random bytes behind the first bytes of RTP and RTCP parse within their bounds or fail", arguments: 0..<8)
    func randomBytes(seed: Int) {
        var random = Mix(state: UInt64(seed))
        for _ in 0..<4_000 {
            var bytes = (0..<Int(random.next() % 96)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if bytes.count > 4 {
                bytes[0] = bytes[0] & 0x3f | 0x80
                if random.next() & 1 == 0 {
                    bytes[1] = 200 + UInt8(truncatingIfNeeded: random.next() % 8)
                    bytes[2] = 0
                    bytes[3] = UInt8(truncatingIfNeeded: bytes.count / 4 - 1)
                    bytes.removeLast(bytes.count % 4)
                }
            }
            if let violation = EveryParser(bytes).violations.first { Issue.record("\(violation): \(bytes)") }
        }
    }

    @Test(
        "libwebrtc's fuzz corpora, and every cut of them, parse within their bounds or fail",
        .enabled(if: ExternalCaptures.arePresent, "the external captures are not there"),
        arguments: [
            ("libwebrtc/rtp-corpus", 9), ("libwebrtc/rtcp-corpus", 67), ("libwebrtc/stun-corpus", 19),
            ("aiortc", 45), ("werift", 34), ("mediasoup", 8),
        ])
    func corpora(folder: String, count: Int) throws {
        let files = ExternalCaptures.files(in: folder)
        #expect(files.count >= count - 8)
        for path in files {
            let bytes = try need(ExternalCaptures.bytes(path))
            for length in 0...min(bytes.count, 2_048) {
                if let violation = EveryParser(Array(bytes[..<length])).violations.first {
                    Issue.record("\(violation): \(path), \(length) bytes")
                }
            }
        }
    }

    @Test("reads outside of a span are zero and writes outside of it change nothing")
    func outside() {
        let bytes: [UInt8] = [1, 2, 3]
        let span = bytes.span
        let reads = [
            UInt64(span.uint8(at: 3)), UInt64(span.uint8(at: -1)), UInt64(span.uint16(at: 2)),
            UInt64(span.uint24(at: 1)), UInt64(span.uint32(at: 0)), span.uint64(at: .max),
            UInt64(span.uint16(at: .min)),
        ]
        #expect(reads == [0, 0, 0, 0, 0, 0, 0])
        #expect(span.uint16(at: 1) == 0x0203 && span.uint24(at: 0) == 0x010203)
        var room: [UInt8] = [9, 9, 9]
        var out = room.mutableSpan
        out.put8(1, at: 3)
        out.put16(1, at: 2)
        out.put24(1, at: -1)
        out.put32(1, at: 0)
        out.put64(1, at: .max)
        out.putZeros(4, at: 0)
        let copies = [
            out.copy(span, from: 0, length: 3, to: 1), out.copy(span, from: 1, length: 3, to: 0),
            out.copy(span, from: -1, length: 1, to: 0), out.copy(span, from: 0, length: -1, to: 0),
        ]
        #expect(room == [9, 9, 9] && copies == [false, false, false, false])
        var target = room.mutableSpan
        let copied = target.copy(span, from: 1, length: 2, to: 0)
        #expect(copied && room == [2, 3, 9])
    }
}
