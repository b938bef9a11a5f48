// VP8 encoding (RFC 6386) by libvpx, for real time: one picture in, at most one frame out. It makes no RTP.
import CVPX

/// A VP8 encoder of one picture size. One thread at a time.
@safe public final class VP8Encoder {
    /// One encoded picture.
    public struct Frame: Sendable, Equatable {
        /// The frame.
        public var bytes: [UInt8]
        /// Whether it can be decoded without any other.
        public var isKey: Bool
    }

    /// In pixels.
    public let width: Int
    /// In pixels.
    public let height: Int
    private let codec: UnsafeMutablePointer<vpx_codec_ctx_t>
    private let image: UnsafeMutablePointer<vpx_image_t>
    private var pictures: Int64 = 0

    /// - Parameters:
    ///   - width: in pixels, even, 16 to 4,096.
    ///   - height: in pixels, even, 16 to 4,096.
    ///   - kilobitsPerSecond: the rate aimed at, 10 to 50,000.
    ///   - framesPerSecond: 1 to 60.
    public init(width: Int, height: Int, kilobitsPerSecond: Int, framesPerSecond: Int = 30) throws(CodecError) {
        guard Picture(width: width, height: height) != nil else { throw .unsupported("size") }
        guard (10...50_000).contains(kilobitsPerSecond) else { throw .unsupported("kilobitsPerSecond") }
        guard (1...60).contains(framesPerSecond) else { throw .unsupported("framesPerSecond") }
        (self.width, self.height) = (width, height)
        var configuration = unsafe vpx_codec_enc_cfg_t()
        var status = unsafe majlis_vp8_encoder_defaults(&configuration)
        guard status == VPX_CODEC_OK else { throw .library(step: "defaults", code: Int32(status.rawValue)) }
        unsafe configuration.g_w = UInt32(width)
        unsafe configuration.g_h = UInt32(height)
        unsafe configuration.g_timebase.num = 1
        unsafe configuration.g_timebase.den = Int32(framesPerSecond)
        unsafe configuration.g_threads = 1
        unsafe configuration.g_lag_in_frames = 0
        unsafe configuration.g_error_resilient = 1
        unsafe configuration.rc_end_usage = VPX_CBR
        unsafe configuration.rc_target_bitrate = UInt32(kilobitsPerSecond)
        unsafe configuration.rc_dropframe_thresh = 0
        unsafe configuration.kf_mode = VPX_KF_DISABLED
        unsafe codec = .allocate(capacity: 1)
        unsafe codec.initialize(to: vpx_codec_ctx_t())
        status = unsafe majlis_vp8_encoder_init(codec, &configuration)
        guard status == VPX_CODEC_OK,
            let made = unsafe vpx_img_alloc(nil, VPX_IMG_FMT_I420, UInt32(width), UInt32(height), 16)
        else {
            unsafe codec.deallocate()
            throw .library(step: "vpx_codec_enc_init", code: Int32(status.rawValue))
        }
        unsafe image = made
        // As fast as it goes, as a conference does.
        _ = unsafe majlis_vp8_set(codec, Int32(VP8E_SET_CPUUSED.rawValue), -12)
        _ = unsafe majlis_vp8_set(codec, Int32(VP8E_SET_STATIC_THRESHOLD.rawValue), 1)
        _ = unsafe majlis_vp8_set(codec, Int32(VP8E_SET_TOKEN_PARTITIONS.rawValue), 0)
    }

    deinit {
        unsafe vpx_codec_destroy(codec)
        unsafe codec.deallocate()
        unsafe vpx_img_free(image)
    }

    /// Encodes one picture of the encoder's size; the first is a key frame, and those asked for.
    public func encode(_ picture: Picture, asKey: Bool = false) throws(CodecError) -> Frame {
        guard picture.width == width, picture.height == height else { throw .unsupported("picture size") }
        unsafe copy(picture.luma, to: image.pointee.planes.0, image.pointee.stride.0, width, height)
        unsafe copy(picture.blue, to: image.pointee.planes.1, image.pointee.stride.1, width / 2, height / 2)
        unsafe copy(picture.red, to: image.pointee.planes.2, image.pointee.stride.2, width / 2, height / 2)
        let status = unsafe vpx_codec_encode(
            codec, image, pictures, 1, asKey ? vpx_enc_frame_flags_t(VPX_EFLAG_FORCE_KF) : 0,
            UInt(VPX_DL_REALTIME))
        guard status == VPX_CODEC_OK else { throw .library(step: "vpx_codec_encode", code: Int32(status.rawValue)) }
        pictures += 1
        var place: vpx_codec_iter_t?
        var length = 0
        var isKey: Int32 = 0
        guard let bytes = unsafe majlis_vp8_next_frame(codec, &place, &length, &isKey) else {
            throw .library(step: "no frame came out", code: 0)
        }
        return unsafe Frame(bytes: Array(UnsafeRawBufferPointer(start: bytes, count: length)), isKey: isKey != 0)
    }

    private func copy(
        _ plane: [UInt8], to target: UnsafeMutablePointer<UInt8>?, _ stride: Int32, _ width: Int, _ height: Int
    ) {
        guard let target = unsafe target, plane.count >= width * height else { return }
        unsafe plane.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            for row in 0..<height {
                unsafe (target + row * Int(stride)).update(from: base + row * width, count: width)
            }
        }
    }
}
