// A camera of moving bars, encoded in advance as VP8 in up to three sizes: a row of frames that begins with a key frame and is
// played again and again. A key frame that somebody asks for is the row's beginning.
package import Codecs

/// One size of a camera's picture.
package struct CameraLayer: Sendable {
    /// The rid, as browsers name the lowest, middle and full size: q, h, f.
    package var rid: String
    package var width: Int
    package var height: Int
    package var kilobitsPerSecond: Int
    /// The frames; each has a stamp's place at its end.
    package var frames: [[UInt8]]
}

/// The sizes of one camera.
package struct Camera: Sendable {
    package static let framesPerSecond = 30
    /// The bytes of a frame that fit a packet beside its headers, tag and payload descriptor.
    package static let payloadBytes = 1_160

    /// The lowest first.
    package let layers: [CameraLayer]

    /// Encodes the highest `layerCount` (1 to 3) of 320×180, 640×360 and 1280×720; one alone has no rid.
    /// - Parameter seconds: how long the row is.
    package init(layerCount: Int = 3, seconds: Int = 3) throws(CodecError) {
        let sizes = [("q", 320, 180, 150), ("h", 640, 360, 500), ("f", 1_280, 720, 1_500)]
        layers = try sizes.suffix(max(1, min(layerCount, 3))).map { size throws(CodecError) in
            let encoder = try VP8Encoder(
                width: size.1, height: size.2, kilobitsPerSecond: size.3, framesPerSecond: Self.framesPerSecond)
            guard var picture = Picture(width: size.1, height: size.2) else { throw .unsupported("size") }
            var frames: [[UInt8]] = []
            for number in 0..<seconds * Self.framesPerSecond {
                Self.draw(number, on: &picture)
                frames.append(try encoder.encode(picture).bytes + [UInt8](repeating: 0, count: Stamp.length))
            }
            return CameraLayer(
                rid: layerCount == 1 ? "" : size.0, width: size.1, height: size.2, kilobitsPerSecond: size.3,
                frames: frames)
        }
    }

    /// Slanting bars that move, with a texture that moves otherwise: enough to keep an encoder busy.
    private static func draw(_ number: Int, on picture: inout Picture) {
        let (width, height) = (picture.width, picture.height)
        let scale = max(1, width / 320)
        unsafe picture.luma.withUnsafeMutableBufferPointer { luma in
            for row in 0..<height {
                for column in 0..<width {
                    let bar = (column / scale + row / scale + number * 2) & 127
                    let grain = ((column / scale * 7 + number * 3) ^ (row / scale * 5)) & 15
                    unsafe luma[row * width + column] = UInt8(40 + (bar < 64 ? bar : 127 - bar) * 2 + grain)
                }
            }
        }
        let shade = UInt8(truncatingIfNeeded: 96 + abs(number % 64 - 32))
        for index in picture.blue.indices { picture.blue[index] = shade }
    }

    /// How a frame of so many bytes is divided: as few packets as there can be, of nearly one size, the larger ones last, as
    /// browsers do.
    package static func split(_ length: Int) -> (count: Int, small: Int, larger: Int) {
        let count = max(1, (length + payloadBytes - 1) / payloadBytes)
        return (count, length / count, length % count)
    }
}
