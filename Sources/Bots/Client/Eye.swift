// Watches one stream of VP8: puts frames together from packets that come in order and decodes them. A gap is a broken frame and a
// wish for a key frame; nothing is asked for again.
import Codecs
import MediaCore

/// One stream's decoder.
final class Eye {
    private let decoder: VP8Decoder
    private var frame: [UInt8] = []
    private var next: Int64?
    private var isBroken = true
    /// Whether a key frame is to be asked for.
    private(set) var wantsKeyFrame = false
    /// The size of the last picture, 0 before one.
    private(set) var height = 0

    init() throws(CodecError) { decoder = try VP8Decoder() }

    /// A packet came: its payload, descriptor and all.
    func take(
        _ number: Int64, marker: Bool, _ packet: UnsafeRawBufferPointer, payload: Range<Int>, into tally: inout Tally
    ) {
        guard !payload.isEmpty else {
            if next == number { next = number + 1 }
            return
        }
        let bytes = unsafe Array(packet[payload])
        guard let descriptor = VP8Descriptor(bytes.span, at: 0, length: bytes.count) else { return }
        if let next, number != next { isBroken = true }
        if descriptor.startsFrame {
            frame.removeAll(keepingCapacity: true)
            if next == nil || next == number || descriptor.isKeyFrame { isBroken = false }
        }
        next = number + 1
        frame += bytes[Int(descriptor.length)...]
        guard marker else { return }
        if !isBroken, let picture = decoder.decode(frame) {
            tally.frames += 1
            height = picture.height
            wantsKeyFrame = false
        } else {
            tally.brokenFrames += 1
            wantsKeyFrame = true
        }
        frame.removeAll(keepingCapacity: true)
    }
}
