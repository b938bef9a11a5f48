// VP8 decoding (RFC 6386) by libvpx. It takes any bytes, refuses pictures larger than it was told to take, and knows no RTP.
import CVPX

/// A VP8 decoder. One thread at a time.
@safe public final class VP8Decoder {
    /// What a frame says of itself before it is decoded.
    public struct Head: Sendable, Equatable {
        /// Whether it is a key frame; the size is in those alone.
        public var isKey: Bool
        /// In pixels.
        public var width: Int
        /// In pixels.
        public var height: Int
    }

    private let codec: UnsafeMutablePointer<vpx_codec_ctx_t>
    private let maximumPixels: Int
    private var hasKeyFrame = false

    /// Makes a decoder that refuses pictures of more pixels.
    public init(maximumPixels: Int = 1_920 * 1_088) throws(CodecError) {
        self.maximumPixels = maximumPixels
        unsafe codec = .allocate(capacity: 1)
        unsafe codec.initialize(to: vpx_codec_ctx_t())
        var configuration = vpx_codec_dec_cfg_t()
        configuration.threads = 1
        let status = unsafe majlis_vp8_decoder_init(codec, &configuration)
        guard status == VPX_CODEC_OK else {
            unsafe codec.deallocate()
            throw .library(step: "vpx_codec_dec_init", code: Int32(status.rawValue))
        }
    }

    deinit {
        unsafe vpx_codec_destroy(codec)
        unsafe codec.deallocate()
    }

    /// What a frame says of itself; nil for what is no frame.
    public static func head(of frame: [UInt8]) -> Head? {
        guard frame.count >= 3, frame.count <= Int(Int32.max) else { return nil }
        // RFC 6386 §9.1: the lowest bit of the first byte is 0 for a key frame.
        guard frame[0] & 1 == 0 else { return Head(isKey: false, width: 0, height: 0) }
        var width: UInt32 = 0, height: UInt32 = 0, isKey: Int32 = 0
        guard unsafe majlis_vp8_peek(frame, UInt32(frame.count), &width, &height, &isKey) == 0, width > 0, height > 0
        else { return nil }
        return Head(isKey: true, width: Int(width), height: Int(height))
    }

    /// The picture of a frame; nil for what cannot be decoded, for what comes before a key frame, and for a larger picture
    /// than is taken. Bytes behind the frame's end are ignored.
    public func decode(_ frame: [UInt8]) -> Picture? {
        guard let head = Self.head(of: frame), head.isKey || hasKeyFrame else { return nil }
        if head.isKey, head.width * head.height > maximumPixels { return nil }
        guard unsafe vpx_codec_decode(codec, frame, UInt32(frame.count), nil, 0) == VPX_CODEC_OK else {
            hasKeyFrame = false
            return nil
        }
        if head.isKey { hasKeyFrame = true }
        var place: vpx_codec_iter_t?
        guard let image = unsafe vpx_codec_get_frame(codec, &place) else { return nil }
        let planes = unsafe image.pointee.planes
        let strides = unsafe image.pointee.stride
        guard let luma = unsafe planes.0, let blue = unsafe planes.1, let red = unsafe planes.2 else { return nil }
        return unsafe Picture(
            width: Int(image.pointee.d_w), height: Int(image.pointee.d_h),
            planes: [
                (UnsafePointer(luma), Int(strides.0)), (UnsafePointer(blue), Int(strides.1)),
                (UnsafePointer(red), Int(strides.2)),
            ])
    }
}
