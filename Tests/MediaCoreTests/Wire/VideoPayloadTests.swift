// Video payload heads: the examples of RFC 7741 §4.6, VP9 (RFC 9628 §4.2), H.264 (RFC 6184 §5) and AV1.
import MediaCore
import Testing

@Suite("VP8 descriptor") struct VP8DescriptorTests {
    static let keyFrame = "50 00 00 9d012a 8002 e001 aabb"

    private func descriptor(_ text: String) -> VP8Descriptor? {
        let bytes = hex(text)
        return VP8Descriptor(bytes.span, at: 0, length: bytes.count)
    }

    @Test("a key frame in a single packet (RFC 7741 section 4.6.1)")
    func keyFrameInOnePacket() throws {
        let read = try need(descriptor("90 80 11" + Self.keyFrame))
        #expect(read.startsFrame && read.isKeyFrame && !read.isNonReference)
        #expect(read.pictureID == 17 && !read.hasLongPictureID && read.length == 3)
        #expect(read.width == 640 && read.height == 480)
        #expect(read.tl0PictureIndex == nil && read.temporalLayer == nil && read.keyIndex == nil)
    }

    @Test("an inter frame without a picture number (section 4.6.2)")
    func interFrame() throws {
        let read = try need(descriptor("10 51 00 00"))
        #expect(read.length == 1 && read.startsFrame && !read.isKeyFrame && read.pictureID == nil)
    }

    @Test("partitions in packets of their own, and fragments of one (sections 4.6.3 and 4.6.4)")
    func partitions() throws {
        let first = try need(descriptor("90 80 11 50 00 00"))
        #expect(first.isKeyFrame && first.width == 0)
        let second = try need(descriptor("91 80 11 50 00 00"))
        #expect(second.startsPartition && !second.startsFrame && !second.isKeyFrame && second.partitionIndex == 1)
        let fragment = try need(descriptor("81 80 11 50 00 00"))
        #expect(!fragment.startsPartition && fragment.pictureID == 17)
    }

    @Test("a long picture number (section 4.6.5)")
    func longPictureID() throws {
        let read = try need(descriptor("90 80 9267" + Self.keyFrame))
        #expect(read.pictureID == 4_711 && read.hasLongPictureID && read.length == 4)
    }

    @Test("all optional fields are read: TL0PICIDX, TID, Y and KEYIDX")
    func allFields() throws {
        let read = try need(descriptor("b0 f0 ffff fe b5 51"))
        #expect(read.isNonReference && read.pictureID == 0x7fff && read.tl0PictureIndex == 254)
        #expect(read.temporalLayer == 2 && read.isLayerSync && read.keyIndex == 21 && read.length == 6)
        let noLayer = try need(descriptor("90 10 b5 51"))
        #expect(noLayer.temporalLayer == nil && !noLayer.isLayerSync && noLayer.keyIndex == 21)
        let noKey = try need(descriptor("90 20 75 51"))
        #expect(noKey.temporalLayer == 1 && noKey.isLayerSync && noKey.keyIndex == nil)
    }

    @Test("a payload that ends within its descriptor or right behind it is refused")
    func truncated() {
        let bytes = hex("b0 f0 ffff fe b5 51")
        for length in 0..<7 {
            let read = VP8Descriptor(bytes.span, at: 0, length: length)
            #expect(read == nil, "length \(length)")
        }
        let outside = VP8Descriptor(bytes.span, at: 1, length: 7)
        let negative = VP8Descriptor(bytes.span, at: -1, length: 4)
        #expect(outside == nil && negative == nil)
    }

    @Test("numbers are rewritten in place, cut to the bits that are there")
    func rewrites() throws {
        var long = hex("00 b0 f0 ffff fe b5 51")
        let read = try need(VP8Descriptor(long.span, at: 1, length: 7))
        var span = long.mutableSpan
        read.rewrite(pictureID: 0x8001, tl0PictureIndex: 7, keyIndex: 33, in: &span, at: 1)
        #expect(long == hex("00 b0 f0 8001 07 a1 51"))
        var short = hex("90 a0 11 b5 51")
        let readShort = try need(VP8Descriptor(short.span, at: 0, length: 5))
        var shortSpan = short.mutableSpan
        readShort.rewrite(pictureID: 0x1ff, tl0PictureIndex: 7, keyIndex: 3, in: &shortSpan, at: 0)
        #expect(short == hex("90 a0 7f b5 51"))
    }

    @Test("a descriptor written anew reads back with its long number")
    func writes() throws {
        let old = hex("b0 a0 11 60 51")
        let read = try need(VP8Descriptor(old.span, at: 0, length: old.count))
        var out = [UInt8](repeating: 0, count: 9)
        var span = out.mutableSpan
        let length = read.write(pictureID: 0x1234, tl0PictureIndex: 200, keyIndex: 9, into: &span, at: 1)
        #expect(length == 6)
        let again = try need(VP8Descriptor(out.span, at: 1, length: 7))
        #expect(again.pictureID == 0x1234 && again.tl0PictureIndex == 200 && again.keyIndex == 9)
        #expect(again.temporalLayer == 1 && again.isLayerSync && again.isNonReference && again.startsFrame)
        var least = [UInt8](repeating: 0, count: 3)
        var leastSpan = least.mutableSpan
        let refused = read.write(pictureID: 1, tl0PictureIndex: nil, keyIndex: nil, into: &leastSpan, at: 0)
        #expect(refused == nil && least == [0, 0, 0])
    }
}

@Suite("VP9 descriptor") struct VP9DescriptorTests {
    private func descriptor(_ text: String) -> VP9Descriptor? {
        let bytes = hex(text)
        return VP9Descriptor(bytes.span, at: 0, length: bytes.count)
    }

    @Test("a key frame in non-flexible mode with a scalability structure of two layers and two pictures")
    func keyFrame() throws {
        // I L B V; 15-bit number; TID 0 SID 0; TL0PICIDX; N_S 1, Y, G; two sizes; pictures with 0 and 2 references.
        let read = try need(
            descriptor("aa 8123 00 07 38 0140 00b4 0280 0168 02 00 28 0102 ff"))
        #expect(read.isKeyFrame && read.startsFrame && !read.isInterPicturePredicted && !read.isFlexible)
        #expect(read.pictureID == 0x123 && read.tl0PictureIndex == 7 && read.temporalLayer == 0)
        #expect(read.spatialLayerCount == 2 && read.width == 640 && read.height == 360 && read.length == 19)
    }

    @Test("an inter frame in flexible mode names up to three references")
    func flexible() throws {
        let read = try need(descriptor("f0 11 52 03 05 06 ff"))
        #expect(read.isFlexible && read.isInterPicturePredicted && !read.isKeyFrame && read.pictureID == 17)
        #expect(read.temporalLayer == 2 && read.isSwitchingUpPoint && read.spatialLayer == 1)
        #expect(read.tl0PictureIndex == nil && read.length == 6)
        #expect(descriptor("f0 11 52 03 05 07 06 ff") == nil)
    }

    @Test("an upper spatial layer of a key picture does not begin a key frame")
    func upperLayer() throws {
        let read = try need(descriptor("28 03 07 ff"))
        #expect(read.spatialLayer == 1 && read.isInterLayerPredicted && !read.isKeyFrame)
    }

    @Test("every cut of a descriptor is refused")
    func truncated() {
        let bytes = hex("aa 8123 00 07 38 0140 00b4 0280 0168 02 00 28 0102 ff")
        for length in 0..<20 {
            let read = VP9Descriptor(bytes.span, at: 0, length: length)
            #expect(read == nil || length == 20, "length \(length)")
        }
    }

    @Test("numbers are rewritten in place")
    func rewrites() throws {
        var bytes = hex("a8 8123 00 07 ff")
        let read = try need(VP9Descriptor(bytes.span, at: 0, length: 6))
        var span = bytes.mutableSpan
        read.rewrite(pictureID: 0x7ffe, tl0PictureIndex: 255, in: &span, at: 0)
        #expect(bytes == hex("a8 fffe 00 ff ff"))
    }
}

@Suite("H.264 payload") struct H264PayloadTests {
    private func payload(_ text: String) -> H264Payload? {
        let bytes = hex(text)
        return H264Payload(bytes.span, at: 0, length: bytes.count)
    }

    @Test("single units: IDR and parameter sets begin a key frame, other slices do not")
    func singleUnits() {
        #expect(payload("65 88")?.startsInstantaneousRefresh == true)
        #expect(payload("67 42")?.hasSequenceParameters == true)
        #expect(payload("67 42")?.isKeyFrame == true)
        #expect(payload("68 ce")?.hasPictureParameters == true)
        #expect(payload("68 ce")?.isKeyFrame == false)
        #expect(payload("41 9a")?.isKeyFrame == false)
    }

    @Test("an aggregation packet holds what its units are")
    func aggregation() throws {
        let read = try need(payload("78 0002 6742 0002 68ce 0001 65"))
        #expect(read.hasSequenceParameters && read.hasPictureParameters && read.startsInstantaneousRefresh)
        #expect(payload("78 0001 41")?.isKeyFrame == false)
        #expect(payload("79 abcd 0001 67")?.isKeyFrame == true)
    }

    @Test("an aggregation packet whose last unit is cut short holds what came before, and the cut unit")
    func cutAggregation() throws {
        let read = try need(payload("78 0002 6742 0009 65"))
        #expect(read.hasSequenceParameters && read.startsInstantaneousRefresh)
        #expect(payload("78 0002 6742 0000 65")?.startsInstantaneousRefresh == false)
    }

    @Test("of a fragmented IDR slice only the first packet begins a key frame")
    func fragments() {
        #expect(payload("7c 85 88")?.isKeyFrame == true)
        #expect(payload("7c 05 88")?.isKeyFrame == false)
        #expect(payload("7c 05 88")?.isContinuation == true)
        #expect(payload("7c 81 88")?.isKeyFrame == false)
    }

    @Test(
        "malformed payloads are refused",
        arguments: ["", "e5 88", "78", "78 00", "78 0000 67", "78 0003", "7c 85", "79 abcd", "79 abcd 0001"])
    func malformed(text: String) { #expect(payload(text) == nil) }
}

@Suite("AV1 aggregation header") struct AV1AggregationHeaderTests {
    @Test("the bit of a new coded video sequence is read, and its contradiction refused")
    func reads() throws {
        let start = hex("18 0a0b")
        let read = try need(AV1AggregationHeader(start.span, at: 0, length: 3))
        #expect(read.isKeyFrame && read.elementCount == 1 && !read.continuesUnit && !read.isContinued)
        let middle = hex("d0 0a")
        let going = try need(AV1AggregationHeader(middle.span, at: 0, length: 2))
        #expect(going.continuesUnit && going.isContinued && !going.isKeyFrame)
        let contradiction = hex("88 0a")
        let refused = AV1AggregationHeader(contradiction.span, at: 0, length: 2)
        let empty = AV1AggregationHeader(start.span, at: 0, length: 1)
        #expect(refused == nil && empty == nil)
    }
}
