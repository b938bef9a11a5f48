// RTP header extensions (RFC 8285): where the ones that were negotiated lie, and their values (RFC 6464, abs-send-time,
// transport-wide sequence numbers, RFC 9143 mid, RFC 8852 rid, 3GPP video orientation, playout delay). Writing is
// RTPHeaderWriter's.

/// Where one extension element's data lie in a datagram.
public struct HeaderExtensionRange: Hashable, Sendable, BitwiseCopyable {
    /// The offset of the first data byte; zero when the element is not there.
    public var offset: UInt16 = 0
    /// The number of data bytes.
    public var length: UInt8 = 0

    /// Nowhere.
    @inlinable public init() {}
    /// Whether the element is there.
    @inlinable public var isPresent: Bool { offset != 0 }
}

/// Where each negotiated header extension of one packet lies. Of an element that comes twice the last one counts.
public struct HeaderExtensionOffsets: Hashable, Sendable, BitwiseCopyable {
    /// The profile of one-byte elements (RFC 8285 §4.2).
    public static let oneByteProfile: UInt16 = 0xbede
    /// The profile of two-byte elements without its four application bits (RFC 8285 §4.3).
    public static let twoByteProfile: UInt16 = 0x1000

    /// The mid.
    public var mid = HeaderExtensionRange()
    /// The rid.
    public var rid = HeaderExtensionRange()
    /// The rid that an RTX stream repairs.
    public var repairedRid = HeaderExtensionRange()
    /// The audio level.
    public var audioLevel = HeaderExtensionRange()
    /// The absolute send time.
    public var absoluteSendTime = HeaderExtensionRange()
    /// The transport-wide sequence number.
    public var transportSequence = HeaderExtensionRange()
    /// The video orientation.
    public var videoOrientation = HeaderExtensionRange()
    /// The playout delay.
    public var playoutDelay = HeaderExtensionRange()
    /// The Dependency Descriptor.
    public var dependencyDescriptor = HeaderExtensionRange()

    /// No extension at all.
    public init() {}

    /// Finds the elements of a packet; nil when an element reaches past the block's end. A block of another profile
    /// holds nothing that is known. An element whose identifier was not negotiated is passed over.
    @inline(__always) public init?(_ bytes: Span<UInt8>, _ header: RTPHeader, _ map: HeaderExtensionMap) {
        var cursor = HeaderExtensionCursor(header)
        while let element = cursor.next(bytes) { note(element, map) }
        guard !cursor.isMalformed else { return nil }
    }

    /// Remembers an element if its identifier was negotiated.
    @inline(__always) private mutating func note(_ element: HeaderExtensionElement, _ map: HeaderExtensionMap) {
        switch element.id {
        case map.transportSequence: transportSequence = element.range
        case map.absoluteSendTime: absoluteSendTime = element.range
        case map.audioLevel: audioLevel = element.range
        case map.mid: mid = element.range
        case map.rid: rid = element.range
        case map.repairedRid: repairedRid = element.range
        case map.videoOrientation: videoOrientation = element.range
        case map.playoutDelay: playoutDelay = element.range
        case map.dependencyDescriptor: dependencyDescriptor = element.range
        default: break
        }
    }
}

/// One extension element: its identifier and where its data lie.
public struct HeaderExtensionElement: Hashable, Sendable, BitwiseCopyable {
    /// The local identifier, 1 to 14 in one-byte form, 1 to 255 in two-byte form.
    public var id: UInt8
    /// Where the data lie. An empty element (two-byte form only) has its offset and no length.
    public var range: HeaderExtensionRange
}

/// Walks the extension elements of one packet (RFC 8285 §4.2 and §4.3).
public struct HeaderExtensionCursor: Sendable, BitwiseCopyable {
    private enum Form: UInt8 { case oneByte, twoByte, none }
    private var position: Int
    private let end: Int
    private let form: Form
    /// Whether an element reached past the block's end; the walk stopped there.
    public private(set) var isMalformed = false

    /// A walk over the elements of this header; empty where there is no block or it is of another profile.
    @inline(__always) public init(_ header: RTPHeader) {
        position = Int(header.extensionOffset)
        end = Int(header.extensionOffset) &+ Int(header.extensionLength)
        if header.extensionProfile == HeaderExtensionOffsets.oneByteProfile {
            form = .oneByte
        } else if header.extensionProfile & 0xfff0 == HeaderExtensionOffsets.twoByteProfile {
            form = .twoByte
        } else {
            form = .none
        }
    }

    /// The next element, or nil at the end, at a stop (identifier 15, or 0 with a length, in one-byte form), or at an
    /// element that reaches past the end.
    @inline(__always) public mutating func next(_ bytes: Span<UInt8>) -> HeaderExtensionElement? {
        guard form != .none, !isMalformed else { return nil }
        while position < end, bytes.uint8(at: position) == 0 { position &+= 1 }
        guard position < end else { return nil }
        let head = bytes.uint8(at: position)
        let id: UInt8
        let length: Int
        if form == .oneByte {
            id = head >> 4
            length = Int(head & 0x0f) &+ 1
            position &+= 1
            guard id != 15, id != 0 else {
                position = end
                return nil
            }
        } else {
            guard position &+ 2 <= end else {
                isMalformed = true
                return nil
            }
            id = head
            length = Int(bytes.uint8(at: position &+ 1))
            position &+= 2
        }
        guard position &+ length <= end, position &+ length <= bytes.count else {
            isMalformed = true
            return nil
        }
        var range = HeaderExtensionRange()
        range.offset = UInt16(truncatingIfNeeded: position)
        range.length = UInt8(truncatingIfNeeded: length)
        position &+= length
        return HeaderExtensionElement(id: id, range: range)
    }
}

/// The level of the audio in one packet, as its sender measured it (RFC 6464 §3).
public struct AudioLevel: Hashable, Sendable, BitwiseCopyable {
    /// Whether the sender believes that the packet holds speech. Meaningless where `vad=off` was negotiated.
    public var isVoice: Bool
    /// The level in −dBov: 0 is the loudest, 127 silence.
    public var level: UInt8
    /// A level; its top bit is dropped.
    public init(isVoice: Bool, level: UInt8) {
        self.isVoice = isVoice
        self.level = level & 0x7f
    }
}

/// The limits that a sender sets for the receiver's playout delay, in units of 10 ms, 12 bits each.
public struct PlayoutDelay: Hashable, Sendable, BitwiseCopyable {
    /// The least delay, 0 to 4,095.
    public var minimum: UInt16
    /// The greatest delay, 0 to 4,095.
    public var maximum: UInt16
    /// Limits; each is cut to 12 bits.
    public init(minimum: UInt16, maximum: UInt16) {
        self.minimum = minimum & 0x0fff
        self.maximum = maximum & 0x0fff
    }
}

/// Reading values. Each gives nil when the element is not there or does not have its length.
extension HeaderExtensionOffsets {
    /// The audio level (RFC 6464 §3; in two-byte form it may carry padding, so one byte or more is accepted).
    public func readAudioLevel(_ bytes: Span<UInt8>) -> AudioLevel? {
        guard audioLevel.isPresent, audioLevel.length >= 1 else { return nil }
        let byte = bytes.uint8(at: Int(audioLevel.offset))
        return AudioLevel(isVoice: byte & 0x80 != 0, level: byte)
    }
    /// The send time, 24 bits: seconds modulo 64 in 6.18 fixed point.
    public func readAbsoluteSendTime(_ bytes: Span<UInt8>) -> UInt32? {
        guard absoluteSendTime.isPresent, absoluteSendTime.length == 3 else { return nil }
        return bytes.uint24(at: Int(absoluteSendTime.offset))
    }
    /// The transport-wide sequence number (the four-byte second version carries it in its first two bytes).
    public func readTransportSequence(_ bytes: Span<UInt8>) -> SequenceNumber? {
        guard transportSequence.isPresent, transportSequence.length >= 2 else { return nil }
        return SequenceNumber(bytes.uint16(at: Int(transportSequence.offset)))
    }
    /// The mid (RFC 9143 §15.2); nil when it is longer than 16 bytes too.
    public func readMid(_ bytes: Span<UInt8>) -> Mid? {
        guard mid.isPresent else { return nil }
        return Token(bytes, at: Int(mid.offset), length: Int(mid.length)).map(Mid.init(token:))
    }
    /// The rid (RFC 8852 §3.1); nil when it is longer than 16 bytes too.
    public func readRid(_ bytes: Span<UInt8>) -> Rid? {
        guard rid.isPresent else { return nil }
        return Token(bytes, at: Int(rid.offset), length: Int(rid.length)).map(Rid.init(token:))
    }
    /// The repaired rid (RFC 8852 §3.2); nil when it is longer than 16 bytes too.
    public func readRepairedRid(_ bytes: Span<UInt8>) -> Rid? {
        guard repairedRid.isPresent else { return nil }
        return Token(bytes, at: Int(repairedRid.offset), length: Int(repairedRid.length)).map(Rid.init(token:))
    }
    /// The video orientation byte (3GPP TS 26.114 §7.4.5): camera, flip and two bits of rotation.
    public func readVideoOrientation(_ bytes: Span<UInt8>) -> UInt8? {
        guard videoOrientation.isPresent, videoOrientation.length == 1 else { return nil }
        return bytes.uint8(at: Int(videoOrientation.offset))
    }
    /// The playout delay's limits.
    public func readPlayoutDelay(_ bytes: Span<UInt8>) -> PlayoutDelay? {
        guard playoutDelay.isPresent, playoutDelay.length == 3 else { return nil }
        let bits = bytes.uint24(at: Int(playoutDelay.offset))
        return PlayoutDelay(
            minimum: UInt16(truncatingIfNeeded: bits >> 12), maximum: UInt16(truncatingIfNeeded: bits))
    }
}
