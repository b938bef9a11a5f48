// The session descriptions of bots: offers for Majlis and for a Janus publisher, answers for a Janus subscriber, and what is read
// of the other side's.
import SDP

/// What a description says of its transport.
struct DescribedTransport {
    var ufrag = ""
    var password = ""
    var fingerprints: [(algorithm: String, value: String)] = []
    var candidates: [String] = []
    private var setup: SetupRole?
    /// Whether the other side sends the ClientHello.
    var isActive: Bool { setup == .active }

    /// Reads the first of each; nil when a part is missing.
    init?(_ sdp: String) {
        guard let description = try? SessionDescription(parsing: sdp) else { return nil }
        for attribute in description.attributes + description.media.flatMap(\.attributes) {
            switch attribute {
            case .iceUserFragment(let text) where ufrag.isEmpty: ufrag = text
            case .icePassword(let text) where password.isEmpty: password = text
            case .fingerprint(let print) where fingerprints.isEmpty:
                fingerprints.append((print.algorithm, print.value))
            case .candidate(let candidate) where !candidates.contains(candidate.text):
                candidates.append(candidate.text)
            case .setup(let role) where setup == nil: setup = role
            default: break
            }
        }
        guard !ufrag.isEmpty, !password.isEmpty, !fingerprints.isEmpty else { return nil }
    }
}

/// One media section of a bot's description.
struct BotSection {
    enum Kind: String { case audio, video }
    var kind: Kind
    var mid: String
    var direction: String
    var ssrc: UInt32?
    var rids: [String] = []
    /// Whether packets of sound say how loud they are.
    var hasLevels = true
}

/// Writes descriptions.
enum BotDescription {
    /// - Parameter withExtensions: whether header extensions are offered; a Janus subscriber does without.
    static func text(
        _ sections: [BotSection], ufrag: String, password: String, fingerprint: String, candidate: String,
        setup: String, withExtensions: Bool = true
    ) -> String {
        var text = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
        text += "a=group:BUNDLE " + sections.map(\.mid).joined(separator: " ") + "\r\n"
        text += "a=msid-semantic: WMS *\r\n"
        for (index, section) in sections.enumerated() {
            let isAudio = section.kind == .audio
            // Servers probe a path with retransmissions, so whoever receives video takes them.
            let hasRTX = !isAudio && section.direction == "recvonly" && withExtensions
            text +=
                "m=\(section.kind) 9 UDP/TLS/RTP/SAVPF \(isAudio ? "111" : hasRTX ? "96 97" : "96")\r\nc=IN IP4 0.0.0.0\r\n"
            text += "a=ice-ufrag:\(ufrag)\r\na=ice-pwd:\(password)\r\na=ice-options:trickle\r\n"
            text += "a=fingerprint:sha-256 \(fingerprint)\r\na=setup:\(setup)\r\na=mid:\(section.mid)\r\n"
            if withExtensions { text += extensions(of: section) }
            text += "a=\(section.direction)\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
            if isAudio {
                text += "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 useinbandfec=1\r\n"
            } else {
                text += "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n"
                text += "a=rtcp-fb:96 transport-cc\r\n"
                if hasRTX { text += "a=rtcp-fb:96 nack\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" }
            }
            for rid in section.rids { text += "a=rid:\(rid) send\r\n" }
            if !section.rids.isEmpty { text += "a=simulcast:send \(section.rids.joined(separator: ";"))\r\n" }
            if let ssrc = section.ssrc {
                text += "a=msid:bot bot-\(section.mid)\r\na=ssrc:\(ssrc) cname:bot\r\n"
            }
            if index == 0 { text += "a=\(candidate)\r\na=end-of-candidates\r\n" }
        }
        return text
    }

    private static func extensions(of section: BotSection) -> String {
        var text =
            section.kind == .audio && section.hasLevels
            ? "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n" : ""
        text += "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
        text += "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
        if !section.rids.isEmpty { text += "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n" }
        return text
    }

    /// The sections that answer an offer of one who only sends.
    static func answering(_ offer: String) -> [BotSection] {
        guard let description = try? SessionDescription(parsing: offer) else { return [] }
        return description.media.map { media in
            BotSection(
                kind: media.kind == "audio" ? .audio : .video, mid: media.mid ?? "", direction: "recvonly")
        }
    }
}
