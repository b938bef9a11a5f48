// A session description (RFC 8866) as a value: its lines in the standard's parts, attributes typed where this project
// uses them. Does not judge what a description means; Negotiation does.

/// A line that is neither an attribute nor one of those with their own place: its letter and its text.
public struct DescriptionLine: Hashable, Sendable {
    /// The letter before the `=`, for example `c`.
    public var letter: Unicode.Scalar
    /// What follows the `=`.
    public var value: String

    /// A line.
    public init(letter: Unicode.Scalar, value: String) {
        self.letter = letter
        self.value = value
    }
}

/// A whole session description.
public struct SessionDescription: Hashable, Sendable {
    /// The text of the `o=` line: user name, session id, version, network type, address type, address.
    public var origin: String
    /// The text of the `s=` line; `-` for none.
    public var name: String
    /// The session's other lines (`i u e p c b t r z k`) in their order.
    public var lines: [DescriptionLine]
    /// The session's attributes in their order.
    public var attributes: [Attribute]
    /// The media sections in their order.
    public var media: [MediaDescription]

    /// A description from its parts.
    public init(
        origin: String, name: String = "-", lines: [DescriptionLine] = [.init(letter: "t", value: "0 0")],
        attributes: [Attribute] = [], media: [MediaDescription] = []
    ) {
        self.origin = origin
        self.name = name
        self.lines = lines
        self.attributes = attributes
        self.media = media
    }

    /// The groups of `a=group` (RFC 5888) in their order.
    public var groups: [MediaGroup] {
        attributes.compactMap { if case .group(let group) = $0 { group } else { nil } }
    }
}

/// One media section: an `m=` line and what belongs to it.
public struct MediaDescription: Hashable, Sendable {
    /// `audio`, `video`, `application`, or another word.
    public var kind: String
    /// The port; 0 when the section is rejected or, with `a=bundle-only`, has no transport of its own.
    public var port: UInt16
    /// The number of ports, where the line says it.
    public var portCount: UInt32?
    /// For example `UDP/TLS/RTP/SAVPF`.
    public var protocolName: String
    /// Payload types for RTP; other words for other protocols.
    public var formats: [String]
    /// The section's other lines (`i c b k`) in their order.
    public var lines: [DescriptionLine]
    /// The section's attributes in their order.
    public var attributes: [Attribute]

    /// A media section from its parts.
    public init(
        kind: String, port: UInt16, portCount: UInt32? = nil, protocolName: String, formats: [String],
        lines: [DescriptionLine] = [], attributes: [Attribute] = []
    ) {
        self.kind = kind
        self.port = port
        self.portCount = portCount
        self.protocolName = protocolName
        self.formats = formats
        self.lines = lines
        self.attributes = attributes
    }

    /// The tag of `a=mid` (RFC 9143), or nil.
    public var mid: String? {
        for case .mid(let mid) in attributes { return mid }
        return nil
    }

    /// The direction written in the section, or nil where it writes none (`sendrecv` then, RFC 8866 §6.7, unless the
    /// session says otherwise).
    public var direction: MediaDirection? {
        for case .direction(let direction) in attributes { return direction }
        return nil
    }

    /// Whether an attribute equal to this one is there.
    public func contains(_ attribute: Attribute) -> Bool { attributes.contains(attribute) }
}
