// The numbers of header extensions (RFC 8285 §6): one meaning for each within the BUNDLE group, and those that the
// core reads or writes answered with the offerer's numbers.
internal import MediaCore
internal import SDP

/// A header extension that the core reads or writes.
enum KnownExtension: Int, CaseIterable {
    case mid, rid, repairedRid, audioLevel, absoluteSendTime, transportSequence, videoOrientation, playoutDelay
    case dependencyDescriptor

    var uri: String {
        switch self {
        case .mid: "urn:ietf:params:rtp-hdrext:sdes:mid"
        case .rid: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
        case .repairedRid: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
        case .audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
        case .absoluteSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
        case .transportSequence: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
        case .videoOrientation: "urn:3gpp:video-orientation"
        case .playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
        case .dependencyDescriptor:
            "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
        }
    }

    /// Whether it means something in a section of this kind.
    func belongs(to kind: MediaKind) -> Bool {
        switch self {
        case .mid, .absoluteSendTime, .transportSequence: true
        case .audioLevel: kind == .audio
        case .rid, .repairedRid, .videoOrientation, .playoutDelay, .dependencyDescriptor: kind == .video
        }
    }

    /// Whether it is of use in a section that the server has in this direction, when the extension is written with its
    /// own; the server receives rids and never sends them.
    func isUsable(_ section: MediaDirection, written: MediaDirection) -> Bool {
        switch section {
        case .recvonly: written.receives
        case .sendonly: written.sends && self != .rid && self != .repairedRid
        case .sendrecv, .inactive: true
        }
    }
}

extension MediaDirection {
    /// The direction as the other side sees it (RFC 3264 §6.1).
    var reversed: MediaDirection {
        switch self {
        case .sendonly: .recvonly
        case .recvonly: .sendonly
        case .sendrecv, .inactive: self
        }
    }

    var sends: Bool { self == .sendonly || self == .sendrecv }

    var receives: Bool { self == .recvonly || self == .sendrecv }
}

/// The numbers agreed so far, over all sections.
struct HeaderExtensions {
    /// The URI of each number; numbers above 255 are not for the wire.
    private var uris: [UInt16: String] = [:]
    private var identifiers = [UInt16?](repeating: nil, count: KnownExtension.allCases.count)

    /// The numbers of the sections, every one of which is in the BUNDLE group.
    init(_ sections: some Sequence<MediaDescription>) throws(NegotiationError) {
        for section in sections {
            for case .extensionMapping(let mapping) in section.attributes where mapping.identifier <= 255 {
                if let known = uris[mapping.identifier], known != mapping.uri {
                    throw .conflictingHeaderExtension(mapping.identifier)
                }
                uris[mapping.identifier] = mapping.uri
                guard let known = KnownExtension.allCases.first(where: { $0.uri == mapping.uri }) else { continue }
                if let identifier = identifiers[known.rawValue], identifier != mapping.identifier {
                    throw .conflictingHeaderExtension(mapping.identifier)
                }
                identifiers[known.rawValue] = mapping.identifier
            }
        }
    }

    /// The mappings that answer a section's, in the order of the offer: those that can be used in the direction in which
    /// the server has the section. Numbers that need two-byte headers are agreed
    /// only where those may be mixed with one-byte headers; 0 and 15 are never (RFC 8285 §4.2).
    func answered(
        _ section: MediaDescription, kind: MediaKind, direction: MediaDirection, allowsMixed: Bool
    ) -> [ExtensionMapping] {
        var isAnswered = [Bool](repeating: false, count: KnownExtension.allCases.count)
        var answered: [ExtensionMapping] = []
        for case .extensionMapping(let mapping) in section.attributes {
            guard mapping.identifier >= 1, mapping.identifier <= (allowsMixed ? 255 : 14), mapping.identifier != 15,
                let known = KnownExtension.allCases.first(where: { $0.uri == mapping.uri }),
                known.belongs(to: kind), !isAnswered[known.rawValue]
            else { continue }
            let reversed = mapping.direction?.reversed
            guard known.isUsable(direction, written: reversed ?? .sendrecv) else { continue }
            isAnswered[known.rawValue] = true
            answered.append(ExtensionMapping(identifier: mapping.identifier, direction: reversed, uri: mapping.uri))
        }
        return answered
    }
}

extension HeaderExtensionMap {
    /// Takes up the numbers answered in one section.
    mutating func merge(_ mappings: [ExtensionMapping]) {
        for mapping in mappings {
            guard let known = KnownExtension.allCases.first(where: { $0.uri == mapping.uri }) else { continue }
            let identifier = UInt8(truncatingIfNeeded: mapping.identifier)
            switch known {
            case .mid: mid = identifier
            case .rid: rid = identifier
            case .repairedRid: repairedRid = identifier
            case .audioLevel: audioLevel = identifier
            case .absoluteSendTime: absoluteSendTime = identifier
            case .transportSequence: transportSequence = identifier
            case .videoOrientation: videoOrientation = identifier
            case .playoutDelay: playoutDelay = identifier
            case .dependencyDescriptor: dependencyDescriptor = identifier
            }
        }
    }
}
