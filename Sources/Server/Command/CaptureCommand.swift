// `majlis capture`: its words (those about a running server are RecordCommand's), and `majlis capture convert`: a file of tcpdump or Wireshark made into a capture of a room. What the file does not say,
// codecs and header extensions, comes from the arguments; it guesses neither.
import Captures
import Glibc
import MediaCore
import Transport

enum CaptureCommand {
    static let usage = """
        usage: majlis capture convert IN OUT [options]
               majlis capture start | stop | keep --room ROOM [options]: recordings of a running server;
                                                                         majlis capture start --help says more

        IN is a pcap or pcapng file, OUT a capture that does not exist yet. Every UDP flow that carries RTP or RTCP
        becomes a participant.

          --codec PT=NAME       payload type PT is opus, vp8, vp9, h264 or av1; may be given several times. Each SSRC of
                                such a payload type becomes a published track; other packets are kept without one
          --extension ID=NAME   header extension ID is mid, rid, repaired-rid, audio-level, abs-send-time,
                                transport-cc, orientation, playout-delay or dependency-descriptor; may be given
                                several times
          --srtp-key HEX        the file is encrypted: master key and salt, one after the other; may be given several
                                times (one for each direction). Better given as MAJLIS_SRTP_KEYS, commas between
          --srtp-profile NAME   sha1-80 (the default), gcm-128 or gcm-256

        usage: majlis capture rewrite IN OUT [options]

        Trims a capture, takes the media out of it, or runs it with this build; says more with --help.

        """
    /// The longest file that is read: it is in memory as a whole.
    static let maximumFileBytes = 1 << 30

    static func run(_ rest: [String]) throws -> Int32 {
        if rest.first == "rewrite" { return try RewriteCommand.run(Array(rest.dropFirst())) }
        if let word = rest.first, ["start", "stop", "keep"].contains(word) {
            return RecordCommand.run(word, Array(rest.dropFirst()))
        }
        let arguments = try Arguments(rest, switches: ["help"])
        if arguments.has("help") {
            print(usage, terminator: "")
            return 0
        }
        guard arguments.words.count == 3, arguments.words[0] == "convert" else {
            Command.complain(usage, prefix: "")
            return 2
        }
        for (name, _) in arguments.options where !["codec", "extension", "srtp-key", "srtp-profile"].contains(name) {
            throw ConfigurationError("unknown option --\(name); majlis capture --help lists them")
        }
        let codecs = try codecs(arguments)
        let map = try extensions(arguments)
        let sessions = try sessions(arguments)
        let path = arguments.words[1]
        guard let bytes = Command.readFile(path, limit: maximumFileBytes + 1) else {
            throw ConfigurationError("cannot read \(path): \(unsafe String(cString: strerror(errno)))")
        }
        guard bytes.count <= maximumFileBytes else { throw ConfigurationError("\(path) is longer than 1 GiB") }
        let decryptor: ((inout [UInt8], Bool) -> Bool)? =
            sessions.isEmpty ? nil : { decrypt(&$0, isRTCP: $1, sessions) }
        let conversion: Conversion
        do throws(CaptureError) {
            conversion = try CaptureConvert.convert(bytes, decryptor: decryptor)
        } catch {
            throw ConfigurationError("\(path): \(error)")
        }
        let events = conversion.capture(configuration: RoomConfiguration(), seed: 1, build: Command.version) {
            plan(of: $0, codecs: codecs, map: map)
        }
        try write(events, to: arguments.words[2])
        report(conversion)
        return 0
    }

    // MARK: Arguments

    private static func pairs(_ arguments: Arguments, _ option: String) throws(ConfigurationError) -> [(UInt8, String)]
    {
        var result: [(UInt8, String)] = []
        for (name, value) in arguments.options where name == option {
            let parts = value.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let number = UInt8(parts[0]) else {
                throw ConfigurationError("--\(option) takes NUMBER=NAME, not \(value)")
            }
            result.append((number, String(parts[1])))
        }
        return result
    }

    private static func codecs(_ arguments: Arguments) throws(ConfigurationError) -> [UInt8: (Codec, UInt32)] {
        var result: [UInt8: (Codec, UInt32)] = [:]
        for (payloadType, name) in try pairs(arguments, "codec") {
            guard payloadType < 128 else { throw ConfigurationError("a payload type is 0 to 127, not \(payloadType)") }
            switch name.lowercased() {
            case "opus": result[payloadType] = (.opus, 48_000)
            case "vp8": result[payloadType] = (.vp8, 90_000)
            case "vp9": result[payloadType] = (.vp9(profile: 0), 90_000)
            // Constrained baseline, as browsers offer it.
            case "h264": result[payloadType] = (.h264(profile: 0x42e0, packetizationMode: 1), 90_000)
            case "av1": result[payloadType] = (.av1(profile: 0), 90_000)
            default: throw ConfigurationError("there is no codec \(name): opus, vp8, vp9, h264, av1")
            }
        }
        return result
    }

    private static func extensions(_ arguments: Arguments) throws(ConfigurationError) -> HeaderExtensionMap {
        var map = HeaderExtensionMap()
        for (identifier, name) in try pairs(arguments, "extension") {
            guard identifier > 0 else { throw ConfigurationError("a header extension's number is 1 to 255") }
            switch name {
            case "mid": map.mid = identifier
            case "rid": map.rid = identifier
            case "repaired-rid": map.repairedRid = identifier
            case "audio-level": map.audioLevel = identifier
            case "abs-send-time": map.absoluteSendTime = identifier
            case "transport-cc": map.transportSequence = identifier
            case "orientation": map.videoOrientation = identifier
            case "playout-delay": map.playoutDelay = identifier
            case "dependency-descriptor": map.dependencyDescriptor = identifier
            default: throw ConfigurationError("there is no header extension \(name); majlis capture --help lists them")
            }
        }
        return map
    }

    private static func sessions(_ arguments: Arguments) throws -> [SRTPSession] {
        let profile: SRTPProfile
        switch arguments.value("srtp-profile") ?? "sha1-80" {
        case "sha1-80": profile = .aes128CounterModeSHA1
        case "gcm-128": profile = .aes128GCM
        case "gcm-256": profile = .aes256GCM
        case let name: throw ConfigurationError("there is no SRTP profile \(name): sha1-80, gcm-128, gcm-256")
        }
        var texts = arguments.options.filter { $0.name == "srtp-key" }.map(\.value)
        if texts.isEmpty, let set = Command.environment()["MAJLIS_SRTP_KEYS"] {
            texts = set.split(separator: ",").map(String.init)
        }
        let length = profile.keyLength + profile.saltLength
        return try texts.map { text in
            // The key itself stays out of the sentence.
            guard let key = hexadecimal(text), key.count == length else {
                throw ConfigurationError("an SRTP key of this profile is \(2 * length) hexadecimal digits")
            }
            return try SRTPSession(keys: SRTPKeys(profile: profile, send: key, receive: key))
        }
    }

    private static func hexadecimal(_ text: String) -> [UInt8]? {
        let digits = text.compactMap { $0.isASCII ? $0.hexDigitValue : nil }
        guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    // MARK: Conversion

    /// Tries each key on a copy: a failed attempt may leave the packet changed.
    private static func decrypt(_ packet: inout [UInt8], isRTCP: Bool, _ sessions: [SRTPSession]) -> Bool {
        for session in sessions {
            var copy = packet
            let length = unsafe copy.withUnsafeMutableBytes { bytes in
                isRTCP ? unsafe try? session.unprotectRTCP(bytes) : unsafe try? session.unprotectRTP(bytes)
            }
            guard let length, length <= copy.count else { continue }
            copy.removeLast(copy.count - length)
            packet = copy
            return true
        }
        return false
    }

    private static func plan(
        of flow: ConvertedFlow, codecs: [UInt8: (Codec, UInt32)], map: HeaderExtensionMap
    ) -> PeerPlan {
        let feedback = FeedbackPlan(
            nack: true, pictureLossIndication: true, fullIntraRequest: true,
            transportFeedback: map.transportSequence != 0)
        var published: [PublishedTrackPlan] = []
        for stream in flow.streams {
            guard let (codec, clockRate) = codecs[stream.payloadType.rawValue], let mid = Mid("\(published.count)")
            else {
                continue
            }
            let isAudio = codec == .opus
            let numbered = CodecPlan(
                codec: codec, payloadType: stream.payloadType, rtxPayloadType: nil, clockRate: clockRate)
            published.append(
                PublishedTrackPlan(
                    mid: mid, kind: isAudio ? .audio : .video, source: isAudio ? .microphone : .camera,
                    codecs: [numbered], encodings: [EncodingPlan(rid: nil, ssrc: stream.ssrc, rtxSSRC: nil)],
                    feedback: feedback, isMuted: false))
        }
        return PeerPlan(headerExtensions: map, published: published, slots: [], reducedSizeRTCP: true)
    }

    private static func write(_ events: [CaptureEvent], to path: String) throws {
        let out = try NewCapture(path: path)
        for event in events { out.append(event) }
        try out.finish()
    }

    private static func report(_ conversion: Conversion) {
        for flow in conversion.flows {
            let streams = flow.streams.map {
                "0x\(String($0.ssrc.rawValue, radix: 16)) payload type \($0.payloadType.rawValue)"
            }
            print(
                "peer \(flow.peer.rawValue): \(flow.rtpPackets) RTP, \(flow.rtcpPackets) RTCP, \(flow.refused) refused;",
                streams.isEmpty ? "no stream" : streams.joined(separator: ", "))
        }
        print(
            "\(conversion.frames) frames, \(conversion.datagrams) UDP datagrams, \(conversion.events.count) packets taken"
                + (conversion.isTruncated ? "; the file ends within a frame" : ""))
    }
}
