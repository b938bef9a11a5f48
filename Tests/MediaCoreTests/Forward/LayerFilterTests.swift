import Testing

// Which frames of an encoding's layers are forwarded, frame by frame.
@testable import MediaCore

@Suite("Layer filter")
struct LayerFilterTests {
    private func vp8(
        _ timestamp: UInt32, _ layer: UInt8, sync: Bool = false, key: Bool = false, marker: Bool = true
    ) -> HistoryPacket {
        var packet = HistoryPacket()
        packet.timestamp = timestamp
        packet.length = 100
        packet.marker = marker
        packet.isKeyFrame = key
        let payload: [UInt8] = [0x90, 0xe0, 0x80, 1, 1, layer << 6 | (sync ? 0x20 : 0), 1, 2, 3]
        packet.vp8 = VP8Descriptor(payload.span, at: 0, length: payload.count)
        return packet
    }

    private func vp9(
        _ timestamp: UInt32, spatial: UInt8, temporal: UInt8 = 0, predicted: Bool = true, up: Bool = false,
        ends: Bool = true, marker: Bool = false, key: Bool = false
    ) -> HistoryPacket {
        var packet = HistoryPacket()
        packet.timestamp = timestamp
        packet.length = 100
        packet.marker = marker
        packet.isKeyFrame = key
        let payload: [UInt8] = [
            0xa8 | (predicted ? 0x40 : 0) | (ends ? 0x04 : 0), 0x80, 1,
            temporal << 5 | (up ? 0x10 : 0) | spatial << 1 | (spatial > 0 ? 1 : 0), 7, 1, 2, 3,
        ]
        packet.vp9 = VP9Descriptor(payload.span, at: 0, length: payload.count)
        return packet
    }

    private func forwards(_ filter: inout LayerFilter, _ packet: HistoryPacket) -> Bool {
        filter.judge(packet, absent: 0) != .leaveOut
    }

    @Test("Without a limit everything goes, whatever layers there are")
    func open() {
        var filter = LayerFilter()
        filter.begin(vp8(0, 0, key: true), spatialCap: 0xff)
        for (time, layer) in [(1, 2), (2, 1), (3, 3), (4, 0)] as [(UInt32, UInt8)] {
            #expect(forwards(&filter, vp8(time, layer)))
        }
        #expect(filter.judge(vp9(5, spatial: 2, temporal: 3, marker: true), absent: 0) == .forward(marker: true))
    }

    @Test("Down with the next frame, never within one; up with a sync point of the next layer alone")
    func vp8Levels() {
        var filter = LayerFilter()
        filter.begin(vp8(0, 0, key: true), spatialCap: 0xff)
        #expect(forwards(&filter, vp8(10, 2)))
        filter.limit(spatial: 0xff, temporal: 0)
        // The same frame goes on to its end.
        #expect(forwards(&filter, vp8(10, 2)))
        #expect(!forwards(&filter, vp8(20, 1)))
        #expect(forwards(&filter, vp8(30, 0)))
        filter.limit(spatial: 0xff, temporal: 2)
        #expect(!forwards(&filter, vp8(40, 2, sync: true)))
        #expect(!forwards(&filter, vp8(50, 1)))
        #expect(forwards(&filter, vp8(60, 0)))
        #expect(forwards(&filter, vp8(70, 1, sync: true)))
        #expect(!forwards(&filter, vp8(80, 2)))
        #expect(forwards(&filter, vp8(90, 2, sync: true)))
        #expect(forwards(&filter, vp8(100, 2)))
        filter.limit(spatial: 0xff, temporal: 1)
        #expect(!forwards(&filter, vp8(110, 2)))
        filter.limit(spatial: 0xff, temporal: 0xff)
        #expect(!forwards(&filter, vp8(120, 2)))
        // A key frame lets everything follow.
        #expect(forwards(&filter, vp8(130, 0, key: true)))
        #expect(forwards(&filter, vp8(140, 2)))
    }

    @Test("What comes late is judged by what held when its frame was new")
    func late() {
        var filter = LayerFilter()
        filter.begin(vp8(0, 0, key: true), spatialCap: 0xff)
        filter.limit(spatial: 0xff, temporal: 1)
        #expect(forwards(&filter, vp8(20, 0)))
        #expect(forwards(&filter, vp8(10, 2)))
        filter.limit(spatial: 0xff, temporal: 0)
        #expect(forwards(&filter, vp8(60, 0)))
        #expect(forwards(&filter, vp8(40, 1)))
        #expect(!forwards(&filter, vp8(40, 2)))
        filter.limit(spatial: 0xff, temporal: 0xff)
        #expect(forwards(&filter, vp8(70, 1, sync: true)))
        #expect(!forwards(&filter, vp8(65, 1)))
        // Frames whose level is forgotten are left out.
        for i in 1...10 as ClosedRange<UInt32> {
            filter.limit(spatial: 0xff, temporal: i % 2 == 0 ? 0 : 1)
            _ = forwards(&filter, vp8(100 + i * 10, i % 2 == 0 ? 0 : 1, sync: true))
        }
        #expect(!forwards(&filter, vp8(40, 0)))
    }

    @Test("Timestamps wrap")
    func wraps() {
        var filter = LayerFilter()
        filter.begin(vp8(0xffff_ff00, 0, key: true), spatialCap: 0xff)
        filter.limit(spatial: 0xff, temporal: 0)
        #expect(!forwards(&filter, vp8(0xffff_fff0, 1)))
        #expect(forwards(&filter, vp8(0x10, 0)))
        #expect(!forwards(&filter, vp8(0x20, 1)))
        #expect(forwards(&filter, vp8(0xffff_ff00, 2)))
    }

    @Test(
        "VP9: the marker is on the last packet of the highest layer forwarded; up at a key frame or from the layer below"
    )
    func vp9Levels() {
        var filter = LayerFilter()
        filter.limit(spatial: 1, temporal: 0xff)
        filter.begin(vp9(0, spatial: 0, predicted: false, key: true), spatialCap: 0xff)
        #expect(filter.judge(vp9(0, spatial: 0, predicted: false, key: true), absent: 0) == .forward(marker: false))
        #expect(filter.judge(vp9(0, spatial: 1, predicted: false, ends: false), absent: 0) == .forward(marker: false))
        #expect(filter.judge(vp9(0, spatial: 1, predicted: false), absent: 0) == .forward(marker: true))
        #expect(filter.judge(vp9(0, spatial: 2, predicted: false, marker: true), absent: 0) == .leaveOut)
        filter.limit(spatial: 2, temporal: 0xff)
        #expect(filter.judge(vp9(10, spatial: 1), absent: 0) == .forward(marker: true))
        #expect(filter.judge(vp9(10, spatial: 2), absent: 0) == .leaveOut)
        #expect(filter.judge(vp9(20, spatial: 2, predicted: false, marker: true), absent: 0) == .forward(marker: true))
        filter.limit(spatial: 1, temporal: 0xff)
        // The layer that would end the picture has stopped.
        #expect(filter.judge(vp9(30, spatial: 0), absent: 0b010) == .forward(marker: true))
    }

    @Test("VP9: more temporal layers behind a switching-up point")
    func vp9Temporal() {
        var filter = LayerFilter()
        filter.limit(spatial: 0xff, temporal: 0)
        filter.begin(vp9(0, spatial: 0, predicted: false, key: true), spatialCap: 0xff)
        #expect(!forwards(&filter, vp9(10, spatial: 0, temporal: 2)))
        filter.limit(spatial: 0xff, temporal: 2)
        #expect(forwards(&filter, vp9(20, spatial: 0, temporal: 0)))
        #expect(!forwards(&filter, vp9(30, spatial: 0, temporal: 2)))
        #expect(forwards(&filter, vp9(40, spatial: 0, temporal: 0, up: true)))
        #expect(forwards(&filter, vp9(50, spatial: 0, temporal: 2)))
        #expect(!forwards(&filter, vp9(30, spatial: 0, temporal: 2)))
    }
}

@Suite("Picture ids closed up")
struct PictureOmissionTests {
    private func picture(_ id: UInt16, long: Bool = true) -> SourcePicture {
        SourcePicture(pictureID: id, hasLongPictureID: long, tl0PictureIndex: 0, keyIndex: 0)
    }

    @Test("Pictures left out leave no gap, lost ones do, late ones have their place")
    func omission() {
        var rewriter = PictureRewriter(pictureID: 99, tl0PictureIndex: 0, keyIndex: 0)
        rewriter.begin(picture(0x7ffe))
        #expect(rewriter.map(picture(0x7ffe)).pictureID == 100)
        rewriter.omit(picture(0x7fff))
        rewriter.omit(picture(0x7fff))
        #expect(rewriter.map(picture(0)).pictureID == 101)
        // 1 is lost, 2 left out.
        rewriter.omit(picture(2))
        rewriter.omit(picture(3))
        #expect(rewriter.map(picture(4)).pictureID == 103)
        #expect(rewriter.map(picture(1)).pictureID == 102)
        rewriter.omit(picture(1))
        #expect(rewriter.map(picture(0x7ffe)).pictureID == 100)
        #expect(rewriter.map(picture(5)).pictureID == 104)
    }
}
