// What bots write into the media they send, so that whoever receives it knows who sent it, when, and what it was: in the padding
// of an Opus packet (RFC 6716 §3.2.5), and behind the last partition of a VP8 frame, where decoders look at neither.

/// What somebody does with the microphone.
package enum Sound: UInt8, Sendable, CaseIterable {
    /// Nothing, with the microphone on.
    case quiet
    /// Speech.
    case speech
    /// A short sound of agreement.
    case backChannel
    /// A cough.
    case cough
    /// A steady noise that is no voice.
    case noise
}

/// The mark in one packet of sound or one frame of video.
package struct Stamp: Equatable, Sendable {
    /// The bytes that it takes.
    package static let length = 24
    private static let magic: UInt32 = 0x4d4a_5350

    /// The sender's number in the run.
    package var sender: UInt16
    /// Which of the sender's turns it belongs to.
    package var turn: UInt16
    /// Which packet of the turn it is, from 0; it stays at 65,535.
    package var place: UInt16
    /// What was said.
    package var sound: Sound
    /// When it was sent, in nanoseconds since 1970.
    package var sentAt: Int64

    package init(sender: UInt16, turn: UInt16 = 0, place: UInt16 = 0, sound: Sound = .quiet, sentAt: Int64) {
        (self.sender, self.turn, self.place, self.sound, self.sentAt) = (sender, turn, place, sound, sentAt)
    }

    /// Reads the last bytes of a payload; nil when they are no stamp.
    package init?(endOf payload: UnsafeRawBufferPointer) {
        guard payload.count >= Self.length else { return nil }
        let base = payload.count - Self.length
        func word<Value: FixedWidthInteger>(_ offset: Int, _: Value.Type) -> Value {
            unsafe Value(bigEndian: payload.loadUnaligned(fromByteOffset: base + offset, as: Value.self))
        }
        guard word(0, UInt32.self) == Self.magic, let sound = Sound(rawValue: word(10, UInt8.self)) else { return nil }
        self.sound = sound
        sender = word(4, UInt16.self)
        turn = word(6, UInt16.self)
        place = word(8, UInt16.self)
        sentAt = word(12, Int64.self)
        guard word(20, UInt32.self) == ~Self.magic else { return nil }
    }

    /// Writes it over the last bytes of `bytes[..<end]`; nothing where there is no room.
    package func write(into bytes: inout [UInt8], endingAt end: Int) {
        guard end >= Self.length, end <= bytes.count else { return }
        var at = end - Self.length
        func put<Value: FixedWidthInteger>(_ value: Value) {
            for index in 0..<Value.bitWidth / 8 {
                bytes[at + index] = UInt8(truncatingIfNeeded: value >> Value(Value.bitWidth - 8 - 8 * index))
            }
            at += Value.bitWidth / 8
        }
        put(Self.magic)
        put(sender)
        put(turn)
        put(place)
        put(sound.rawValue)
        put(UInt8(0))
        put(sentAt)
        put(~Self.magic)
    }
}

/// Opus packets with room at their end.
package enum PaddedOpus {
    /// The packet of one frame (code 0, as encoders make 20 ms) as one of code 3 with padding, `total` bytes long or as much
    /// longer as the stamp needs; nil for another packet, or where the padding would be longer than one length byte tells.
    package static func make(_ packet: [UInt8], total: Int = 0) -> [UInt8]? {
        guard let first = packet.first, first & 3 == 0, packet.count > 1 else { return nil }
        // TOC, frame count with the padding bit, padding length, frame.
        let padding = max(Stamp.length, total - packet.count - 2)
        guard padding <= 254 else { return nil }
        return [first | 3, 0x41, UInt8(padding)] + packet.dropFirst() + [UInt8](repeating: 0, count: padding)
    }
}
