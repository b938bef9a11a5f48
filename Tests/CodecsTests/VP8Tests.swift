// VP8 in and out, and bytes that are no VP8.
import Codecs
import Testing

@Suite("VP8")
struct VP8Tests {
    /// A picture with a bar that moves.
    static func picture(_ number: Int, width: Int = 320, height: Int = 180) throws -> Picture {
        var picture = try #require(Picture(width: width, height: height))
        for row in 0..<height {
            for column in 0..<width {
                picture.luma[row * width + column] =
                    (column + number * 3) % 64 < 32 ? UInt8(40 + row % 100) : UInt8(200 - row % 100)
            }
        }
        return picture
    }

    @Test("pictures come back nearly as they were; key frames come first and when asked for")
    func roundTrip() throws {
        let encoder = try VP8Encoder(width: 320, height: 180, kilobitsPerSecond: 500)
        let decoder = try VP8Decoder()
        for number in 0..<30 {
            let picture = try Self.picture(number)
            let frame = try encoder.encode(picture, asKey: number == 20)
            #expect(frame.isKey == (number == 0 || number == 20))
            let head = try #require(VP8Decoder.head(of: frame.bytes))
            #expect(head.isKey == frame.isKey)
            #expect(head.width == (frame.isKey ? 320 : 0) && head.height == (frame.isKey ? 180 : 0))
            // What stands behind a frame is nothing to it.
            let decoded = try #require(decoder.decode(frame.bytes + [UInt8](repeating: 7, count: 20)))
            let difference = try #require(decoded.meanSquareError(picture))
            // 25 dB and better.
            if number > 5 { #expect(difference < 205) }
        }
    }

    @Test("nothing is decoded before a key frame, and no picture larger than is taken")
    func refusals() throws {
        let encoder = try VP8Encoder(width: 320, height: 180, kilobitsPerSecond: 500)
        let key = try encoder.encode(Self.picture(0))
        let next = try encoder.encode(Self.picture(1))
        let decoder = try VP8Decoder()
        #expect(decoder.decode(next.bytes) == nil)
        #expect(decoder.decode(key.bytes) != nil)
        #expect(decoder.decode(next.bytes) != nil)
        let small = try VP8Decoder(maximumPixels: 320 * 179)
        #expect(small.decode(key.bytes) == nil)
        #expect(throws: CodecError.unsupported("size")) {
            try VP8Encoder(width: 321, height: 180, kilobitsPerSecond: 500)
        }
        #expect(throws: CodecError.unsupported("size")) {
            try VP8Encoder(width: 8_192, height: 180, kilobitsPerSecond: 500)
        }
        #expect(throws: CodecError.unsupported("picture size")) {
            try encoder.encode(Self.picture(0, width: 160, height: 90))
        }
        #expect(Picture(width: 0, height: -2) == nil)
    }

    @Test("garbage gives nothing or a picture within bounds; the decoder then still decodes")
    func garbage() throws {
        let encoder = try VP8Encoder(width: 64, height: 64, kilobitsPerSecond: 100)
        let key = try encoder.encode(Self.picture(0, width: 64, height: 64)).bytes
        let next = try encoder.encode(Self.picture(1, width: 64, height: 64)).bytes
        let decoder = try VP8Decoder(maximumPixels: 64 * 64)
        var random = SystemRandomNumberGenerator()
        #expect(VP8Decoder.head(of: []) == nil)
        for _ in 0..<3_000 {
            var frame: [UInt8]
            switch Int.random(in: 0..<3, using: &random) {
            case 0: frame = key
            case 1: frame = next
            default:
                frame = (0..<Int.random(in: 0...400, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            if !frame.isEmpty { frame.removeLast(Int.random(in: 0..<frame.count, using: &random)) }
            for _ in 0..<3 where !frame.isEmpty {
                frame[Int.random(in: 0..<frame.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let picture = decoder.decode(frame) { #expect(picture.width * picture.height <= 64 * 64) }
        }
        #expect(decoder.decode(key)?.width == 64)
        #expect(decoder.decode(next)?.width == 64)
    }
}
