import Testing

// The rewriters by themselves: sequence numbers, timestamps, picture numbers.
@testable import MediaCore

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

@Suite("Sequence rewriter")
struct SequenceRewriterTests {
    @Test("Segments follow each other without a gap; what is older than its segment is refused")
    func segments() {
        var rewriter = SequenceRewriter(highest: 99)
        #expect(rewriter.map(5) == nil)
        rewriter.begin(at: 1_000)
        #expect(rewriter.map(1_000) == 100)
        #expect(rewriter.map(1_003) == 103)
        #expect(rewriter.map(1_001) == 101)
        #expect(rewriter.map(999) == nil)
        rewriter.begin(at: 7)
        #expect(rewriter.map(7) == 104)
        // A leap of the source's becomes the longest gap that a slot may have.
        #expect(rewriter.map(1_004) == 104 + SequenceRewriter.longestGap)
    }

    @Test("Left-out packets are closed up, packets lost before them keep their place")
    func omitting() {
        var rewriter = SequenceRewriter(highest: 0)
        rewriter.begin(at: 10)
        #expect(rewriter.map(10) == 1)
        #expect(rewriter.omit(13) == true)
        #expect(rewriter.map(14) == 4)
        #expect(rewriter.map(12) == 3)
        #expect(rewriter.map(11) == 2)
        #expect(rewriter.map(13) == nil)
        #expect(rewriter.omit(12) == false)
    }

    @Test("Whatever comes in whatever order, no two packets get one number and none gets two")
    func injective() {
        var random = TestRandom(state: 11)
        for _ in 0..<200 {
            var rewriter = SequenceRewriter(highest: 0)
            rewriter.begin(at: 0)
            var given: [Int64: Int64] = [:]
            var omitted: Set<Int64> = []
            var newest: Int64 = 0
            for _ in 0..<300 {
                let number = max(0, newest + Int64.random(in: -20...4, using: &random))
                if Int.random(in: 0..<6, using: &random) == 0, given[number] == nil, number > newest {
                    if rewriter.omit(number) { omitted.insert(number) }
                } else if let out = rewriter.map(number) {
                    #expect(!omitted.contains(number))
                    if let before = given[number] { #expect(before == out) }
                    given[number] = out
                }
                newest = max(newest, number)
            }
            #expect(Set(given.values).count == given.count)
            let order = given.keys.sorted()
            for (a, b) in zip(order, order.dropFirst()) { #expect(given[a] ?? 0 < given[b] ?? 0) }
        }
    }
}

@Suite("Timestamp line")
struct TimestampLineTests {
    private func map(_ line: inout TimestampLine, _ source: UInt32, clock: UInt32) -> UInt32 {
        line.map(source, isNewest: true, mayPause: false, isVideo: true, clock: clock, capture: clock)
    }

    @Test("A source is laid on the line, and a second one never before the first")
    func line() {
        var line = TimestampLine(base: 5_000, clockRate: 90_000)
        line.begin(77, capture: 90_000)
        #expect(line.newest == 95_000)
        #expect(map(&line, 3_077, clock: 93_000) == 98_000)
        line.begin(1_000_000, capture: 92_000)
        #expect(line.newest == 98_001)
        line.begin(4_000_000_000, capture: 900_000)
        #expect(line.newest == 905_000)
    }

    @Test("A source whose timestamps jump or go back is laid on the line anew")
    func jumps() {
        var line = TimestampLine(base: 0, clockRate: 90_000)
        line.begin(0, capture: 0)
        #expect(map(&line, 2_000_000_000, clock: 3_000) == 3_000)
        #expect(map(&line, 2_000_003_000, clock: 6_000) == 6_000)
        #expect(map(&line, 1_999_000_000, clock: 9_000) == 9_000)
    }

    @Test(
        "What is off the line by a sender report is corrected in steps of ten milliseconds, late packets as their frame was"
    )
    func correction() {
        var line = TimestampLine(base: 0, clockRate: 90_000)
        line.begin(0, capture: 0)
        _ = map(&line, 3_000, clock: 3_000)
        #expect(line.compare(3_000, capture: 3_100, at: at(0)) == nil)
        #expect(line.compare(3_000, capture: 5_700, at: at(1)) == 2_700)
        #expect(map(&line, 6_000, clock: 6_000) == 6_900)
        #expect(line.map(3_000, isNewest: false, mayPause: false, isVideo: true, clock: 0, capture: 0) == 3_000)
        #expect(line.map(6_000, isNewest: true, mayPause: false, isVideo: true, clock: 0, capture: 0) == 6_900)
        #expect(line.compare(6_000, capture: 8_700, at: at(100)) == nil)
        #expect(line.compare(6_000, capture: 8_700, at: at(2_100)) == 1_800)
        #expect(map(&line, 9_000, clock: 9_000) == 10_800)
        #expect(line.compare(9_000, capture: 0, at: at(5_000)) == -10_800)
        #expect(map(&line, 9_090, clock: 9_090) == 10_800 + 45)
    }

    @Test("What is told of a correction is what was moved, when it was: of sound below 40 ms only where it pauses")
    func toldCorrection() {
        var line = TimestampLine(base: 0, clockRate: 48_000)
        line.begin(0, capture: 0)
        func moved(_ source: UInt32, mayPause: Bool) -> Int64? {
            let offset = line.offset
            _ = line.map(
                source, isNewest: true, mayPause: mayPause, isVideo: false, clock: source, capture: source)
            return line.correction(since: offset)
        }
        #expect(line.compare(0, capture: 1_440, at: at(0)) == 1_440)
        #expect(moved(960, mayPause: false) == nil)
        #expect(moved(1_920, mayPause: true) == 1_440)
        #expect(moved(2_880, mayPause: true) == nil)
        #expect(line.compare(2_880, capture: UInt32(bitPattern: 4_320 - 9_600), at: at(5_000)) == -9_600)
        #expect(moved(3_840, mayPause: false) == -480)
        // Timestamps that jump are laid on the line anew: that is no correction.
        let offset = line.offset
        _ = line.map(
            3_000_000_000, isNewest: true, mayPause: false, isVideo: false, clock: 9_600, capture: 9_600)
        #expect(line.offset != offset && line.correction(since: offset) == nil)
    }

    @Test("The server's clock in ticks, before and after its origin")
    func ticks() {
        #expect(TimestampLine.ticks(at(1_000), clockRate: 48_000) == 48_000)
        #expect(TimestampLine.ticks(at(-1_000), clockRate: 48_000) == UInt32(bitPattern: -48_000))
        #expect(TimestampLine.ticks(at(1), clockRate: 90_000) == 90)
        #expect(TimestampLine.ticks(Timestamp(nanoseconds: .max), clockRate: .max) >= 0)
    }
}

@Suite("Picture rewriter")
struct PictureRewriterTests {
    private func picture(_ id: UInt16, _ tl0: UInt8, _ key: UInt8, long: Bool = true) -> SourcePicture {
        SourcePicture(pictureID: id, hasLongPictureID: long, tl0PictureIndex: tl0, keyIndex: key)
    }

    @Test("Numbers wrap at their widths and go on over a switch")
    func wraps() {
        var rewriter = PictureRewriter(pictureID: 0x7fff, tl0PictureIndex: 255, keyIndex: 31)
        rewriter.begin(picture(0x7fff, 254, 30))
        #expect(
            rewriter.map(picture(0x7fff, 254, 30))
                == PictureNumbers(pictureID: 0, tl0PictureIndex: 0, keyIndex: 0))
        #expect(
            rewriter.map(picture(0, 255, 31)) == PictureNumbers(pictureID: 1, tl0PictureIndex: 1, keyIndex: 1))
        #expect(
            rewriter.map(picture(1, 0, 0)) == PictureNumbers(pictureID: 2, tl0PictureIndex: 2, keyIndex: 2))
        // Late: the picture before.
        #expect(rewriter.map(picture(0, 255, 31)).pictureID == 1)
        rewriter.begin(picture(500, 9, 9))
        #expect(
            rewriter.map(picture(500, 9, 9)) == PictureNumbers(pictureID: 3, tl0PictureIndex: 3, keyIndex: 3))
    }

    @Test("Seven-bit ids are counted on past their wrap")
    func short() {
        var rewriter = PictureRewriter(pictureID: 100, tl0PictureIndex: 0, keyIndex: 0)
        rewriter.begin(picture(126, 0, 0, long: false))
        let ids = [126, 127, 0, 1, 127, 2].map { rewriter.map(picture($0, 0, 0, long: false)).pictureID }
        #expect(ids == [101, 102, 103, 104, 102, 105])
    }
}
