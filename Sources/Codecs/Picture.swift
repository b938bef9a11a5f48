// One picture of video in memory, planar YUV 4:2:0. It knows no camera and no screen.

/// A picture: luma, and both chroma planes at half the size each way.
public struct Picture: Sendable, Equatable {
    /// The largest side, in pixels.
    public static let maximumSide = 4_096

    /// In pixels, even.
    public let width: Int
    /// In pixels, even.
    public let height: Int
    /// Row after row, without gaps.
    public var luma: [UInt8]
    /// Blue difference, a quarter as many.
    public var blue: [UInt8]
    /// Red difference, a quarter as many.
    public var red: [UInt8]

    /// A grey picture; nil where a side is odd, below 16 or above `maximumSide`.
    public init?(width: Int, height: Int) {
        let sides = 16...Self.maximumSide
        guard sides.contains(width), sides.contains(height), width.isMultiple(of: 2), height.isMultiple(of: 2) else {
            return nil
        }
        self.init(width: width, height: height, luma: [UInt8](repeating: 128, count: width * height))
    }

    private init(width: Int, height: Int, luma: [UInt8]) {
        (self.width, self.height, self.luma) = (width, height, luma)
        blue = [UInt8](repeating: 128, count: ((width + 1) / 2) * ((height + 1) / 2))
        red = blue
    }

    /// A picture of a decoder, of any size that it has.
    init(
        width: Int, height: Int, planes: [(bytes: UnsafePointer<UInt8>, stride: Int)]
    ) {
        func rows(_ plane: Int, _ width: Int, _ height: Int) -> [UInt8] {
            unsafe [UInt8](unsafeUninitializedCapacity: width * height) { buffer, count in
                for row in 0..<height {
                    for column in 0..<width {
                        unsafe buffer[row * width + column] = unsafe planes[plane].bytes[
                            row * planes[plane].stride + column]
                    }
                }
                count = width * height
            }
        }
        (self.width, self.height) = (width, height)
        luma = rows(0, width, height)
        blue = rows(1, (width + 1) / 2, (height + 1) / 2)
        red = rows(2, (width + 1) / 2, (height + 1) / 2)
    }

    /// The mean square difference of the luma of two pictures; nil for pictures of different size.
    public func meanSquareError(_ other: Picture) -> Double? {
        guard width == other.width, height == other.height else { return nil }
        var sum = 0
        for index in luma.indices {
            let difference = Int(luma[index]) - Int(other.luma[index])
            sum += difference * difference
        }
        return Double(sum) / Double(luma.count)
    }
}
