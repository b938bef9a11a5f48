// RTP headers and header extensions: the vectors of RFC 8285 §4.2 and §4.3, RFC 6464 §3 and RFC 4588 §4, and that what
// is written reads back.
import MediaCore
import Testing

@Suite("RTP headers") struct RTPHeaderTests {
    static let fixed = "80 e0 1234 01020304 a0b0c0d0"

    @Test("the fixed header's fields are where RFC 3550 section 5.1 puts them")
    func fixedHeader() throws {
        let bytes = hex(Self.fixed + "ff fe")
        let header = try need(rtpHeader(bytes))
        #expect(header.marker)
        #expect(header.payloadType == PayloadType(96))
        #expect(header.sequenceNumber == SequenceNumber(0x1234))
        #expect(header.timestamp == RTPTimestamp(0x0102_0304))
        #expect(header.ssrc == SSRC(0xa0b0_c0d0))
        #expect(header.contributingSourceCount == 0)
        #expect(header.payloadOffset == 12)
        #expect(header.payloadLength == 2)
        #expect(header.paddingLength == 0)
    }

    @Test(
        "a malformed header is refused",
        arguments: [
            "", "80", "80 e0 1234 01020304 a0b0c0",  // shorter than 12 bytes
            "40 e0 1234 01020304 a0b0c0d0", "c0 e0 1234 01020304 a0b0c0d0",  // another version
            "81 e0 1234 01020304 a0b0c0d0 000000",  // a source is cut
            "90 e0 1234 01020304 a0b0c0d0 bede00",  // the extension's head is cut
            "90 e0 1234 01020304 a0b0c0d0 bede0001 000000",  // the extension is cut
            "a0 e0 1234 01020304 a0b0c0d0 00",  // padding of zero bytes
            "a0 e0 1234 01020304 a0b0c0d0 aa0004",  // padding longer than what is there
        ])
    func malformed(text: String) { #expect(rtpHeader(hex(text)) == nil) }

    @Test("padding is taken off the payload, and may be all of it")
    func padding() throws {
        let some = try need(rtpHeader(hex("a0 e0 1234 01020304 a0b0c0d0 aabb 000003")))
        #expect(some.payloadLength == 2 && some.paddingLength == 3)
        let all = try need(rtpHeader(hex("a0 e0 1234 01020304 a0b0c0d0 000003")))
        #expect(all.payloadLength == 0 && all.paddingLength == 3)
    }

    @Test("of a protected packet the count of padding is ciphertext, and not read", arguments: ["00", "ff"])
    func protected(last: String) throws {
        let bytes = hex("a0 e0 1234 01020304 a0b0c0d0 aabb \(last)")
        #expect(RTPHeader(bytes.span) == nil)
        let header = try need(RTPHeader(bytes.span, isProtected: true))
        #expect(header.payloadLength == 3 && header.paddingLength == 0)
    }

    @Test("the one-byte elements of RFC 8285 section 4.2 are found, padding between them passed over")
    func oneByteElements() throws {
        let bytes = hex("90 e0 1234 01020304 a0b0c0d0 bede0003 10d1 21d2d3 0000 33d4d5d6d7 aa")
        let header = try need(rtpHeader(bytes))
        var cursor = HeaderExtensionCursor(header)
        var found: [(UInt8, [UInt8])] = []
        while let element = cursor.next(bytes.span) {
            let start = Int(element.range.offset)
            found.append((element.id, Array(bytes[start..<start + Int(element.range.length)])))
        }
        #expect(found.map(\.0) == [1, 2, 3])
        #expect(found.map(\.1) == [hex("d1"), hex("d2d3"), hex("d4d5d6d7")])
        #expect(!cursor.isMalformed)
        #expect(header.payloadOffset == 28 && header.payloadLength == 1)
    }

    @Test("the two-byte elements of RFC 8285 section 4.3 are found, an empty one too")
    func twoByteElements() throws {
        for profile in ["1000", "100f"] {
            let bytes = hex("90 e0 1234 01020304 a0b0c0d0 \(profile)0003 0100 0201d1 00 ff04d2d3d4d5")
            let header = try need(rtpHeader(bytes))
            var cursor = HeaderExtensionCursor(header)
            var found: [[UInt8]] = []
            while let element = cursor.next(bytes.span) {
                let start = Int(element.range.offset)
                found.append([element.id] + bytes[start..<start + Int(element.range.length)])
            }
            #expect(found == [hex("01"), hex("02d1"), hex("ffd2d3d4d5")])
        }
    }

    @Test("identifier 15, and 0 with a length, end the one-byte elements; those before count")
    func stops() throws {
        var map = HeaderExtensionMap()
        map.audioLevel = 1
        map.videoOrientation = 2
        for stop in ["f0", "01"] {
            let offsets = try need(
                extensionOffsets(hex("90 e0 1234 01020304 a0b0c0d0 bede0002 10 85 \(stop) 00 20 01 0000"), map))
            #expect(offsets.audioLevel.isPresent)
            #expect(!offsets.videoOrientation.isPresent)
        }
    }

    @Test("an element that reaches past the block is refused", arguments: ["bede0001 000013", "10000001 00000104"])
    func elementTooLong(block: String) {
        let bytes = hex(Self.fixed.replacingFirst("80", "90") + block + "ff" + "aabbccddeeff")
        #expect(rtpHeader(bytes) != nil)
        #expect(extensionOffsets(bytes, fullMap()) == nil)
    }

    @Test("a block of another profile is passed over")
    func otherProfile() throws {
        let bytes = hex("90 e0 1234 01020304 a0b0c0d0 12340001 10ff0000 aa")
        #expect(try need(extensionOffsets(bytes, fullMap())) == HeaderExtensionOffsets())
        #expect(rtpHeader(bytes)?.payloadOffset == 20)
    }

    @Test("audio levels read as RFC 6464 section 3 draws them, in both forms")
    func audioLevel() throws {
        var map = HeaderExtensionMap()
        map.audioLevel = 6
        for block in ["bede0001 60 aa 0000", "10000001 06 01 aa 00"] {
            let bytes = hex("90 e0 1234 01020304 a0b0c0d0 \(block)")
            let offsets = try need(extensionOffsets(bytes, map))
            let level = offsets.readAudioLevel(bytes.span)
            #expect(level == AudioLevel(isVoice: true, level: 42))
        }
    }

    @Test("a retransmission's payload begins with the original number (RFC 4588 section 4)")
    func retransmission() throws {
        let bytes = hex(Self.fixed + "fffe 010203")
        let header = try need(rtpHeader(bytes))
        let payload = try need(RTXPayload(bytes.span, header))
        #expect(payload.originalSequenceNumber == SequenceNumber(0xfffe))
        #expect(payload.payloadOffset == 14 && payload.payloadLength == 3)
        let probe = hex("a0 e0 1234 01020304 a0b0c0d0 000003")
        let probeHeader = try need(rtpHeader(probe))
        let none = RTXPayload(probe.span, probeHeader)
        #expect(none == nil)
        var out: [UInt8] = [0, 0, 0, 0]
        var span = out.mutableSpan
        RTXPayload.writeHead(SequenceNumber(0xfffe), into: &span, at: 1)
        #expect(out == [0, 0xff, 0xfe, 0])
    }
}

@Suite("RTP header writer") struct RTPHeaderWriterTests {
    static let header = EgressHeader(
        marker: true, payloadType: PayloadType(111), sequenceNumber: SequenceNumber(0xfffe),
        timestamp: RTPTimestamp(0xdead_beef), ssrc: SSRC(0x0102_0304), contributingSource: 77)

    static func everyValue() -> EgressExtensions {
        var values = EgressExtensions()
        values.mid = Mid("video1")
        values.rid = Rid("h")
        values.repairedRid = Rid("0123456789abcdef")
        values.audioLevel = AudioLevel(isVoice: true, level: 31)
        values.absoluteSendTime = 0xabcdef
        values.transportSequence = SequenceNumber(0x1234)
        values.videoOrientation = 3
        values.playoutDelay = PlayoutDelay(minimum: 1, maximum: 4_095)
        return values
    }

    static func write(
        _ header: EgressHeader, _ values: EgressExtensions, _ map: HeaderExtensionMap, room: Int, at start: Int = 2
    ) -> (bytes: [UInt8], written: WrittenHeader?) {
        var storage = [UInt8](repeating: 0x55, count: max(start, 0) + room)
        var span = storage.mutableSpan
        let written = RTPHeaderWriter.write(header, values, map, into: &span, at: start)
        return (Array(storage[max(start, 0)...]), written)
    }

    @Test("what is written reads back, in one-byte and in two-byte form", arguments: [1, 14, 240] as [UInt8])
    func roundTrip(firstID: UInt8) throws {
        let map = firstID == 14 ? fullMap(firstID: 7) : fullMap(firstID: firstID)
        let (storage, result) = Self.write(Self.header, Self.everyValue(), map, room: 200)
        let written = try need(result)
        #expect(written.length <= RTPHeaderWriter.maximumLength && written.length % 4 == 0)
        let bytes = Array(storage[..<written.length]) + [0xaa]
        let header = try need(rtpHeader(bytes))
        #expect(header.marker && header.payloadType == PayloadType(111))
        #expect(header.sequenceNumber == SequenceNumber(0xfffe) && header.timestamp == RTPTimestamp(0xdead_beef))
        #expect(header.ssrc == SSRC(0x0102_0304) && Int(header.payloadOffset) == written.length)
        let source = header.contributingSource(0, in: bytes.span)
        #expect(source == 77 && header.contributingSourceCount == 1)
        #expect(header.extensionProfile == (firstID == 240 ? 0x1000 : 0xbede))
        let offsets = try need(HeaderExtensionOffsets(bytes.span, header, map))
        var read = EgressExtensions()
        read.mid = offsets.readMid(bytes.span)
        read.rid = offsets.readRid(bytes.span)
        read.repairedRid = offsets.readRepairedRid(bytes.span)
        read.audioLevel = offsets.readAudioLevel(bytes.span)
        read.absoluteSendTime = offsets.readAbsoluteSendTime(bytes.span)
        read.transportSequence = offsets.readTransportSequence(bytes.span)
        read.videoOrientation = offsets.readVideoOrientation(bytes.span)
        read.playoutDelay = offsets.readPlayoutDelay(bytes.span)
        #expect(read == Self.everyValue())
        #expect(written.transportSequenceOffset == 2 + Int(offsets.transportSequence.offset))
        #expect(written.absoluteSendTimeOffset == 2 + Int(offsets.absoluteSendTime.offset))
    }

    @Test("values without an identifier are left out, and no block is written for none")
    func leavesOut() throws {
        let (bytes, result) = Self.write(Self.header, Self.everyValue(), HeaderExtensionMap(), room: 16)
        #expect(try need(result).length == 16)
        #expect(bytes == hex("81 ef fffe deadbeef 01020304 0000004d"))
    }

    @Test("the bytes are those worked out by hand")
    func exactBytes() throws {
        var plain = Self.header
        plain.contributingSource = nil
        var values = EgressExtensions()
        values.mid = Mid("0")
        values.transportSequence = SequenceNumber(9)
        var map = HeaderExtensionMap()
        map.mid = 4
        map.transportSequence = 3
        let (bytes, result) = Self.write(plain, values, map, room: 24)
        #expect(try need(result).length == 24)
        #expect(bytes == hex("90 ef fffe deadbeef 01020304 bede0002 310009 4030 000000"))
    }

    @Test("a header that does not fit is refused, whatever the room, and nothing outside of it is touched")
    func noRoom() throws {
        let map = fullMap()
        let whole = try need(Self.write(Self.header, Self.everyValue(), map, room: 200).written).length
        for room in 0..<whole {
            #expect(Self.write(Self.header, Self.everyValue(), map, room: room).written == nil)
        }
        #expect(Self.write(Self.header, Self.everyValue(), map, room: whole).written?.length == whole)
        var plain = Self.header
        plain.contributingSource = nil
        #expect(Self.write(plain, EgressExtensions(), map, room: 12).written?.length == 12)
        #expect(Self.write(plain, EgressExtensions(), map, room: 11).written == nil)
        #expect(Self.write(plain, EgressExtensions(), map, room: 40, at: -1).written == nil)
    }
}

extension String {
    /// The string with the first appearance of a part replaced.
    fileprivate func replacingFirst(_ part: String, _ other: String) -> String {
        hasPrefix(part) ? other + dropFirst(part.count) : self
    }
}
