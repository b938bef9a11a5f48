// The attributes (`a=`) of a session description, typed where this project uses them; every other one is kept as text.
// Sources: RFC 8866, 4585, 5285/8285, 5576, 5888, 8122, 8830, 8839, 8851, 8853, 9143.

/// One attribute line.
public enum Attribute: Hashable, Sendable {
    /// `a=rtpmap` (RFC 8866 §6.6).
    case rtpMap(RTPMap)
    /// `a=fmtp` (RFC 8866 §6.15).
    case formatParameters(FormatParameters)
    /// `a=rtcp-fb` (RFC 4585 §4.2).
    case rtcpFeedback(RTCPFeedback)
    /// `a=extmap` (RFC 8285 §5).
    case extensionMapping(ExtensionMapping)
    /// `a=extmap-allow-mixed` (RFC 8285 §6).
    case extensionMappingAllowMixed
    /// `a=mid` (RFC 5888 §4).
    case mid(String)
    /// `a=rid` (RFC 8851).
    case rid(RestrictionIdentifier)
    /// `a=simulcast` (RFC 8853 §5.1).
    case simulcast(Simulcast)
    /// `a=ssrc` (RFC 5576 §4.1).
    case ssrc(SourceAttribute)
    /// `a=ssrc-group` (RFC 5576 §4.2).
    case ssrcGroup(SourceGroup)
    /// `a=msid` (RFC 8830 §2).
    case mediaStreamID(MediaStreamID)
    /// `a=setup` (RFC 4145 §4, RFC 8842).
    case setup(SetupRole)
    /// `a=fingerprint` (RFC 8122 §5).
    case fingerprint(Fingerprint)
    /// `a=ice-ufrag` (RFC 8839 §5.4).
    case iceUserFragment(String)
    /// `a=ice-pwd` (RFC 8839 §5.4).
    case icePassword(String)
    /// `a=ice-options` (RFC 8839 §5.6).
    case iceOptions([String])
    /// `a=ice-lite` (RFC 8839 §5.3).
    case iceLite
    /// `a=candidate` (RFC 8839 §5.1).
    case candidate(Candidate)
    /// `a=end-of-candidates` (RFC 8840 §8.2).
    case endOfCandidates
    /// `a=rtcp-mux` (RFC 5761 §5.1.1).
    case rtcpMux
    /// `a=rtcp-rsize` (RFC 5506 §5).
    case rtcpReducedSize
    /// `a=group` (RFC 5888 §5), of a session.
    case group(MediaGroup)
    /// `a=sendrecv`, `a=sendonly`, `a=recvonly`, `a=inactive` (RFC 8866 §6.7).
    case direction(MediaDirection)
    /// `a=bundle-only` (RFC 9143 §6).
    case bundleOnly
    /// Any other attribute, as it was written; also a candidate of a form that this parser does not know, since RFC
    /// 8839 §5.1 wants such a candidate ignored.
    case other(name: String, value: String?)
}

/// Who sends in a media section, seen from the side whose description it is.
public enum MediaDirection: String, Hashable, Sendable, CaseIterable {
    case sendrecv, sendonly, recvonly, inactive
}

/// The DTLS role that a side offers or takes (RFC 8842).
public enum SetupRole: String, Hashable, Sendable, CaseIterable { case active, passive, actpass, holdconn }

/// What a payload type is.
public struct RTPMap: Hashable, Sendable {
    /// 0 to 127.
    public var payloadType: UInt8
    /// The encoding's name as written; names are compared without regard to case.
    public var encoding: String
    /// Hertz.
    public var clockRate: UInt32
    /// Audio channels, where written.
    public var channels: UInt8?

    /// A mapping.
    public init(payloadType: UInt8, encoding: String, clockRate: UInt32, channels: UInt8? = nil) {
        self.payloadType = payloadType
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
    }
}

/// The parameters of a format.
public struct FormatParameters: Hashable, Sendable {
    /// A payload type for RTP.
    public var format: String
    /// All that follows, as written.
    public var text: String

    /// Parameters as text.
    public init(format: String, text: String) {
        self.format = format
        self.text = text
    }

    /// The value of the parameter with this name (compared without regard to ASCII case), `""` for one without a value,
    /// nil for one that is not there. Parameters are separated by `;`, spaces around them do not count.
    public func value(of name: String) -> String? {
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
            let part = rest[..<end]
            rest = rest[end...].dropFirst()
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let key = ASCII.trimmed(part[..<equals])
            guard key.count == name.utf8.count, zip(key, name.utf8).allSatisfy(ASCII.isSameLetter) else { continue }
            return String(decoding: ASCII.trimmed(part[equals...].dropFirst()), as: UTF8.self)
        }
        return nil
    }
}

/// A kind of RTCP feedback for one payload type, or for all of them.
public struct RTCPFeedback: Hashable, Sendable {
    /// 0 to 127, or nil for `*`.
    public var payloadType: UInt8?
    /// For example `nack pli`.
    public var value: String

    /// A kind of feedback.
    public init(payloadType: UInt8?, value: String) {
        self.payloadType = payloadType
        self.value = value
    }
}

/// The number of a header extension.
public struct ExtensionMapping: Hashable, Sendable {
    /// The number as written: 1 to 255 are usable on the wire (RFC 8285 §4), 4096 to 4351 ask for one (§6).
    public var identifier: UInt16
    /// The direction, where written.
    public var direction: MediaDirection?
    /// The URI that names the extension.
    public var uri: String
    /// What follows the URI, where something does.
    public var parameters: String?

    /// A mapping.
    public init(identifier: UInt16, direction: MediaDirection? = nil, uri: String, parameters: String? = nil) {
        self.identifier = identifier
        self.direction = direction
        self.uri = uri
        self.parameters = parameters
    }
}

/// Whether a rid or a simulcast list is about what its side sends or what it receives.
public enum RidDirection: String, Hashable, Sendable { case send, recv }

/// A restriction identifier with its restrictions.
public struct RestrictionIdentifier: Hashable, Sendable {
    /// Letters, digits, `-` and `_`.
    public var identifier: String
    /// Whether it is about a stream sent or received.
    public var direction: RidDirection
    /// The payload types of `pt=`; empty where any is allowed.
    public var payloadTypes: [UInt8]
    /// The other restrictions as written, for example `max-width=1280`.
    public var restrictions: [String]

    /// A restriction identifier.
    public init(
        identifier: String, direction: RidDirection, payloadTypes: [UInt8] = [], restrictions: [String] = []
    ) {
        self.identifier = identifier
        self.direction = direction
        self.payloadTypes = payloadTypes
        self.restrictions = restrictions
    }
}

/// One rid in a simulcast list.
public struct SimulcastAlternative: Hashable, Sendable {
    /// The identifier of an `a=rid` line.
    public var rid: String
    /// Whether it is written with `~`: paused from the start.
    public var isPaused: Bool

    /// A rid, paused or not.
    public init(rid: String, isPaused: Bool = false) {
        self.rid = rid
        self.isPaused = isPaused
    }
}

/// The simulcast streams of a media section: each stream is a list of alternatives, the preferred one first.
public struct Simulcast: Hashable, Sendable {
    /// Streams that the describing side sends; empty for none.
    public var send: [[SimulcastAlternative]]
    /// Streams that the describing side receives; empty for none.
    public var receive: [[SimulcastAlternative]]

    /// Simulcast streams.
    public init(send: [[SimulcastAlternative]] = [], receive: [[SimulcastAlternative]] = []) {
        self.send = send
        self.receive = receive
    }
}

/// An attribute of one RTP source.
public struct SourceAttribute: Hashable, Sendable {
    /// The source.
    public var ssrc: UInt32
    /// For example `cname`.
    public var name: String
    /// What follows the colon; nil without one.
    public var value: String?

    /// An attribute of a source.
    public init(ssrc: UInt32, name: String, value: String?) {
        self.ssrc = ssrc
        self.name = name
        self.value = value
    }
}

/// RTP sources that belong together.
public struct SourceGroup: Hashable, Sendable {
    /// For example `FID` (a source and its retransmissions).
    public var semantics: String
    /// The sources; for `FID` the media first, then its retransmissions.
    public var ssrcs: [UInt32]

    /// A group of sources.
    public init(semantics: String, ssrcs: [UInt32]) {
        self.semantics = semantics
        self.ssrcs = ssrcs
    }
}

/// The media stream that a section's track belongs to.
public struct MediaStreamID: Hashable, Sendable {
    /// `-` for no stream.
    public var stream: String
    /// The track, where written.
    public var track: String?

    /// A stream and, where given, a track.
    public init(stream: String, track: String? = nil) {
        self.stream = stream
        self.track = track
    }
}

/// The hash of a certificate.
public struct Fingerprint: Hashable, Sendable {
    /// The hash function's name in lower case, for example `sha-256`.
    public var algorithm: String
    /// The hash, 1 to 128 bytes.
    public var bytes: [UInt8]

    /// A hash.
    public init(algorithm: String, bytes: [UInt8]) {
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// The hash whose bytes are written as pairs of hexadecimal digits with colons between them, or nil.
    public init?(algorithm: String, value: String) {
        guard let bytes = Fingerprint.bytes(of: value.utf8) else { return nil }
        self.init(algorithm: String(decoding: ASCII.lowercased(algorithm.utf8), as: UTF8.self), bytes: bytes)
    }

    /// The hash as pairs of upper-case hexadecimal digits with colons between them.
    public var value: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 3)
        for (index, byte) in bytes.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ":")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func bytes(of text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var pending: UInt8?
        var wantsColon = false
        for character in text {
            if wantsColon {
                guard character == UInt8(ascii: ":"), bytes.count < 128 else { return nil }
                wantsColon = false
                continue
            }
            guard let digit = ASCII.hexadecimalDigit(character) else { return nil }
            if let high = pending {
                bytes.append(high << 4 | digit)
                pending = nil
                wantsColon = true
            } else {
                pending = digit
            }
        }
        return pending == nil && wantsColon ? bytes : nil
    }
}

/// Media sections that belong together.
public struct MediaGroup: Hashable, Sendable {
    /// For example `BUNDLE` (RFC 9143).
    public var semantics: String
    /// The tags of the sections, in their order.
    public var mids: [String]

    /// A group of media sections.
    public init(semantics: String, mids: [String]) {
        self.semantics = semantics
        self.mids = mids
    }
}
