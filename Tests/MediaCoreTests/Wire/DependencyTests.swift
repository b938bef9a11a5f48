import Testing

// The Dependency Descriptor: read, written with other numbers, and total.
@testable import MediaCore

@Suite("Dependency Descriptor")
struct DependencyTests {
    private func read(_ bytes: [UInt8], _ structure: inout DependencyStructure?) -> DependencyDescriptor? {
        DependencyDescriptor(bytes.span, at: 0, length: bytes.count, &structure)
    }

    /// Writes bits by hand.
    struct Bits {
        var bits: [Bool] = []
        mutating func add(_ value: Int, _ count: Int) {
            for place in stride(from: count - 1, through: 0, by: -1) { bits.append(value >> place & 1 == 1) }
        }
        var bytes: [UInt8] {
            stride(from: 0, to: bits.count, by: 8).map { start in
                (0..<8).reduce(UInt8(0)) { $0 << 1 | (start + $1 < bits.count && bits[start + $1] ? 1 : 0) }
            }
        }
    }

    /// L2T2, one chain a layer, with resolutions; the first frame with its own dependencies.
    static func small(active: Int? = nil) -> [UInt8] {
        var b = Bits()
        b.add(0b11, 2)
        b.add(62, 6)
        b.add(0xfffe, 16)
        b.add(1, 1)
        b.add(active == nil ? 0 : 1, 1)
        b.add(0b111, 3)
        b.add(62, 6)
        b.add(3, 5)
        b.add(0b01_10_01_11, 8)
        for row in ["2222", "0101", "0022", "0001"] { for c in row.utf8 { b.add(Int(c) - 48, 2) } }
        for differences in [[4], [2], [1, 4], [2]] {
            for d in differences {
                b.add(1, 1)
                b.add(d - 1, 4)
            }
            b.add(0, 1)
        }
        // Two chains of at most four: ns(5) of 2 is 10.
        b.add(0b10, 2)
        for chain in [0, 0, 1, 1] { b.add(chain, 1) }
        for _ in 0..<4 { b.add(0x43, 8) }
        b.add(1, 1)
        for side in [319, 179, 639, 359] { b.add(side, 16) }
        if let active { b.add(active, 4) }
        for value in [2, 2, 2, 3] { b.add(value, 2) }
        b.add(0b01, 2)
        b.add(6, 4)
        b.add(0b11, 2)
        b.add(299, 12)
        b.add(0, 2)
        for chain in [0, 255] { b.add(chain, 8) }
        return b.bytes
    }

    @Test("Every field of a structure and of the frame's own dependencies", arguments: [nil, 0b0111])
    func fields(active: Int?) throws {
        var structure: DependencyStructure?
        let bytes = Self.small(active: active)
        let frame = try #require(read(bytes, &structure))
        let found = try #require(structure)
        #expect(frame.startsFrame && frame.endsFrame && frame.hasStructure && frame.isResolved && frame.isKeyFrame)
        #expect(frame.templateID == 62 && frame.frameNumber == 0xfffe)
        #expect(frame.activeTargets == active.map { UInt32($0) })
        #expect((0..<4).map { frame.indications[$0] } == [.switchable, .switchable, .switchable, .required])
        let differences = frame.frameDifferences(bytes.span, at: 0, length: bytes.count, found)
        #expect(differences == [7, 300])
        #expect(found.templateIDOffset == 62 && found.targetCount == 4 && found.spatialLayerCount == 2)
        #expect(found.templates.map(\.spatialLayer) == [0, 0, 1, 1])
        #expect(found.templates.map(\.temporalLayer) == [0, 1, 0, 1])
        #expect(found.templates.map(\.frameDifferences) == [[4], [2], [1, 4], [2]])
        #expect(found.templates.map(\.chainDifferences) == Array(repeating: [4, 3], count: 4))
        #expect(found.chainCount == 2 && found.protectingChains == [0, 0, 1, 1])
        #expect(found.resolutions.map(\.height) == [180, 360] && found.resolutions.map(\.width) == [320, 640])
        #expect((0..<4).map { found.layers(ofTarget: $0).spatial } == [0, 0, 1, 1])
        #expect((0..<4).map { found.layers(ofTarget: $0).temporal } == [0, 1, 0, 1])
        // A frame of three bytes by its template; ids wrap at 64.
        let next = try #require(read([0x80 | 1, 0x00, 0x07], &structure))
        #expect(next.isResolved && next.startsFrame && !next.endsFrame && next.frameNumber == 7)
        #expect(next.spatialLayer == 1 && next.temporalLayer == 1 && next.indications[3] == .discardable)
        #expect(next.indications[2] == .notPresent)
        #expect(try #require(read([0x80 | 2, 0x00, 0x07], &structure)).isResolved == false)
        var none: DependencyStructure?
        #expect(try #require(read([0x80 | 1, 0x00, 0x07], &none)).isResolved == false)
    }

    @Test("Written with other numbers and targets it reads the same but for them")
    func rewriting() throws {
        var first: DependencyStructure?
        var random = TestRandom(state: 3)
        var descriptors: [[UInt8]] = [
            Self.small(), Self.small(active: 0b0011), [0x80 | 1, 0, 9], [0x41, 0, 9], [0x7e, 1, 2, 0],
        ]
        var custom = Bits()
        custom.add(0b11, 2)
        custom.add(0, 6)
        custom.add(77, 16)
        custom.add(0b01110, 5)
        custom.add(0b1001, 4)
        for value in [0, 1, 2, 3] { custom.add(value, 2) }
        custom.add(0b01, 2)
        custom.add(3, 4)
        custom.add(0, 2)
        descriptors.append(custom.bytes)
        _ = read(descriptors[0], &first)
        for bytes in descriptors {
            for active in [nil, 0, 0b1010, 0b1111] as [UInt32?] {
                var before = first
                let original = try #require(read(bytes, &before))
                let shift = UInt8.random(in: 0..<64, using: &random)
                let rewrite = DependencyRewrite(frameNumber: 0xabcd, templateShift: shift, activeTargets: active)
                var out = [UInt8](repeating: 0xff, count: 100)
                var span = out.mutableSpan
                let result = original.write(
                    rewrite, from: bytes.span, at: 0, length: bytes.count, into: &span, at: 3, limit: 90)
                let length = try #require(result)
                #expect(length <= bytes.count + DependencyDescriptor.growth)
                #expect(out[2] == 0xff && out[3 + length] == 0xff)
                // What the receiver knows has shifted ids.
                var known = first
                known?.templateIDOffset = (62 &+ shift) & 0x3f
                let again = DependencyDescriptor(out.span, at: 3, length: length, &known)
                let written = try #require(again)
                #expect(written.frameNumber == 0xabcd && written.isResolved)
                #expect(written.templateID == (original.templateID &+ shift) & 0x3f)
                #expect(written.activeTargets == active ?? original.activeTargets)
                #expect(written.indications == original.indications && written.startsFrame == original.startsFrame)
                #expect(written.endsFrame == original.endsFrame && written.hasStructure == original.hasStructure)
                let (old, new) = (try #require(before), try #require(known))
                let differences = written.frameDifferences(out.span, at: 3, length: length, new)
                let expected = original.frameDifferences(bytes.span, at: 0, length: bytes.count, old)
                #expect(differences == expected)
                #expect(known?.templates == before?.templates && known?.chainCount == before?.chainCount)
            }
        }
    }

    @Test("Whatever the bytes, reading ends; what is cut short is refused")
    func total() {
        let whole = Self.small(active: 0b0111)
        for length in 0..<whole.count {
            var structure: DependencyStructure?
            let cut = Array(whole.prefix(length))
            let frame = read(cut, &structure)
            #expect(frame == nil || length >= 3 && frame?.isResolved != true)
        }
        var random = TestRandom(state: 5)
        var structure: DependencyStructure?
        for round in 0..<20_000 {
            var bytes = round % 3 == 0 ? whole : (0..<Int.random(in: 0..<80, using: &random)).map { _ in 0 }
            for i in bytes.indices where round % 3 != 0 { bytes[i] = UInt8.random(in: 0...255, using: &random) }
            for _ in 0..<(round % 3 == 0 ? 3 : 0) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            var known = round % 2 == 0 ? nil : structure
            guard let frame = read(bytes, &known) else { continue }
            if known != nil { structure = known }
            var out = [UInt8](repeating: 0, count: 64)
            var span = out.mutableSpan
            _ = frame.write(
                DependencyRewrite(frameNumber: 1, templateShift: 63, activeTargets: .max), from: bytes.span, at: 0,
                length: bytes.count, into: &span, at: 0, limit: Int.random(in: 0...64, using: &random))
            if let known { _ = frame.frameDifferences(bytes.span, at: 0, length: bytes.count, known) }
        }
        #expect(structure != nil)
    }

    @Test("In a header a long descriptor makes elements of two-byte form, a short one does not")
    func header() throws {
        var map = HeaderExtensionMap()
        map.mid = 4
        map.dependencyDescriptor = 12
        map.allowsMixed = true
        var extensions = EgressExtensions()
        extensions.mid = Mid("v")
        let header = EgressHeader(
            marker: true, payloadType: PayloadType(96), sequenceNumber: SequenceNumber(1), timestamp: RTPTimestamp(2),
            ssrc: SSRC(3))
        for (length, profile, mixed) in [(3, 0xbede, true), (16, 0xbede, true), (17, 0x1000, true), (3, 0x1000, false)]
            as [(Int, UInt16, Bool)]
        {
            map.allowsMixed = mixed
            let descriptor = (0..<length).map { UInt8($0 + 1) }
            var bytes = [UInt8](repeating: 0, count: 200)
            var span = bytes.mutableSpan
            let result = RTPHeaderWriter.write(
                header, extensions, map, dependency: descriptor.span, into: &span, at: 0)
            let written = try #require(result)
            let packet = Array(bytes.prefix(written.length)) + [9]
            let parsed = RTPHeader(packet.span)
            let read = try #require(parsed)
            #expect(read.extensionProfile == profile)
            let found = HeaderExtensionOffsets(packet.span, read, map)
            let offsets = try #require(found)
            let range = offsets.dependencyDescriptor
            #expect(Array(packet[Int(range.offset)..<(Int(range.offset) + Int(range.length))]) == descriptor)
            let mid = offsets.readMid(packet.span)
            #expect(mid?.text == "v")
        }
    }
}
