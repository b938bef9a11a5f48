// Decisions, commands and reasons as a person reads them: one sentence each, with its numbers.
public import MediaCore

extension TimeDelta {
    /// The span in milliseconds with one digit behind the point, as "12.5 ms".
    public var millisecondsText: String { Milliseconds.text(nanoseconds) + " ms" }
}

/// Numbers as text without the C library.
enum Milliseconds {
    /// Nanoseconds as milliseconds with one digit behind the point, cut, not rounded.
    static func text(_ nanoseconds: Int64) -> String {
        let tenths = nanoseconds.magnitude / 100_000
        return "\(nanoseconds < 0 ? "-" : "")\(tenths / 10).\(tenths % 10)"
    }

    /// A moment as seconds with three digits behind the point, cut, not rounded.
    static func seconds(_ nanoseconds: Int64) -> String {
        let thousandths = nanoseconds.magnitude / 1_000_000
        let rest = String(thousandths % 1_000)
        return "\(nanoseconds < 0 ? "-" : "")\(thousandths / 1_000)."
            + String(repeating: "0", count: 3 - rest.count) + rest
    }
}

extension TrackID {
    /// As "peer 3's track 0".
    public var sentence: String { "peer \(peer.rawValue)'s track \(mid.text)" }
}

extension PublishedTrackPlan {
    /// As "microphone 0": what it is, and its mid.
    var sentence: String { "\(source) \(mid.text)" }
}

extension Codec {
    /// The codec's name (RFC 8866 `a=rtpmap`).
    public var name: String {
        switch self {
        case .opus: "Opus"
        case .vp8: "VP8"
        case .vp9: "VP9"
        case .h264: "H264"
        case .av1: "AV1"
        }
    }
}

extension SlotReason {
    /// Why, as the end of a sentence.
    public var sentence: String {
        switch self {
        case .pinned: "the receiver pinned it"
        case .everyone: "there is a slot for everybody"
        case .speaker: "one of the loudest"
        case .screen: "a shared screen"
        case .nothing: "nothing is left to show"
        case .unsupportedCodec: "its codec was not negotiated"
        }
    }
}

extension KeyFrameCause {
    /// What asked, as the middle of a sentence.
    public var sentence: String {
        switch self {
        case .sourceSwitch: "a slot switches to it"
        case .receiverRequest: "a receiver asked"
        case .upstreamLoss: "packets from the publisher are lost"
        case .peerConnected: "a peer was connected"
        case .streamRestart: "the stream started anew"
        case .pacerStale: "what was to be sent next had waited too long"
        }
    }
}

extension KeyFrameSuppression {
    /// Why it was put off, as the end of a sentence.
    public var sentence: String {
        switch self {
        case .coalesced: "one was asked for a moment ago"
        case .receiverBudget: "the receiver asks too often"
        case .onItsWay: "a key frame is on its way"
        case .notNegotiated: "such requests were not negotiated"
        }
    }
}

extension Decision {
    /// The names of all kinds, in the order of `kindNumber`.
    public static let kindNames = [
        "streamBound", "streamEvicted", "streamRestarted", "layerAlive", "layerDead", "slotAssigned",
        "unsupportedCodec", "waitingForKeyFrame", "switched", "keyFrameRequested", "keyFrameSuppressed",
        "nackListOverflowed", "timestampCorrected", "receiverFrozen", "layerSwitched", "layersChanged",
        "estimateChanged", "probeStarted", "layerAllocated", "layersNeeded", "dominantSpeakerChanged",
    ]

    /// The number of its kind: the place in `kindNames`.
    public var kindNumber: Int {
        switch self {
        case .streamBound: 0
        case .streamEvicted: 1
        case .streamRestarted: 2
        case .layerAlive: 3
        case .layerDead: 4
        case .slotAssigned: 5
        case .unsupportedCodec: 6
        case .waitingForKeyFrame: 7
        case .switched: 8
        case .keyFrameRequested: 9
        case .keyFrameSuppressed: 10
        case .nackListOverflowed: 11
        case .timestampCorrected: 12
        case .receiverFrozen: 13
        case .layerSwitched: 14
        case .layersChanged: 15
        case .estimateChanged: 16
        case .probeStarted: 17
        case .layerAllocated: 18
        case .layersNeeded: 19
        case .dominantSpeakerChanged: 20
        }
    }

    /// The name of its kind.
    public var kindName: String { Self.kindNames[kindNumber] }

    /// The peers that it is about: the receiver or publisher first, then the other one where there is one.
    public var peers: [PeerID] {
        switch self {
        case .streamBound(let peer, _, _, _, _), .streamEvicted(let peer, _, _): [peer]
        case .streamRestarted(let track, _, _), .layerAlive(let track, _), .layerDead(let track, _, _),
            .keyFrameRequested(let track, _, _, _), .keyFrameSuppressed(let track, _, _, _),
            .nackListOverflowed(let track, _, _), .layersChanged(let track, _, _, _):
            [track.peer]
        case .slotAssigned(let peer, _, let track, _): track.map { [peer, $0.peer] } ?? [peer]
        case .unsupportedCodec(let peer, _, let track, _), .waitingForKeyFrame(let peer, _, let track, _),
            .switched(let peer, _, let track, _, _), .receiverFrozen(let peer, _, let track, _),
            .layerSwitched(let peer, _, let track, _, _, _):
            [peer, track.peer]
        case .layerAllocated(let peer, _, let track, _, _, _, _, _, _, _): [peer, track.peer]
        case .timestampCorrected(let peer, _, _), .estimateChanged(let peer, _), .probeStarted(let peer, _, _): [peer]
        case .layersNeeded(let track, _): [track.peer]
        case .dominantSpeakerChanged(let change): [change.to.peer] + (change.from.map { [$0.peer] } ?? [])
        }
    }

    /// The decision as a sentence, with the numbers it was taken on.
    public var sentence: String {
        switch self {
        case .streamBound(let peer, let ssrc, let mid, let layer, let isRetransmission):
            "SSRC \(Hexadecimal.text(ssrc.rawValue)) of peer \(peer.rawValue) is its track \(mid.text), layer \(layer)"
                + (isRetransmission ? ", retransmissions" : "")
        case .streamEvicted(let peer, let ssrc, let idle):
            "SSRC \(Hexadecimal.text(ssrc.rawValue)) of peer \(peer.rawValue) is forgotten: idle for "
                + idle.millisecondsText
        case .streamRestarted(let track, let layer, let jump):
            "\(track.sentence), layer \(layer), started anew: its sequence numbers jumped by \(jump)"
        case .layerAlive(let track, let layer): "\(track.sentence), layer \(layer), sends"
        case .layerDead(let track, let layer, let silence):
            "\(track.sentence), layer \(layer), is silent: nothing for \(silence.millisecondsText)"
        case .slotAssigned(let peer, let slot, let track, let reason):
            "peer \(peer.rawValue)'s slot \(slot.text) shows \(track?.sentence ?? "nothing"): \(reason.sentence)"
        case .unsupportedCodec(let peer, let slot, let track, let codec):
            "peer \(peer.rawValue)'s slot \(slot.text) cannot carry \(track.sentence): no \(codec.name)"
        case .waitingForKeyFrame(let peer, let slot, let track, let layer):
            "peer \(peer.rawValue)'s slot \(slot.text) waits for a key frame of \(track.sentence), layer \(layer)"
        case .switched(let peer, let slot, let track, let layer, let waited):
            "peer \(peer.rawValue)'s slot \(slot.text) forwards \(track.sentence), layer \(layer), after "
                + waited.millisecondsText
        case .keyFrameRequested(let track, let layer, let cause, let attempt):
            "a key frame of \(track.sentence), layer \(layer), is asked for because \(cause.sentence)"
                + (attempt > 1 ? " (attempt \(attempt))" : "")
        case .keyFrameSuppressed(let track, let layer, let cause, let why):
            "a key frame of \(track.sentence), layer \(layer), is not asked for (\(cause.sentence)): \(why.sentence)"
        case .nackListOverflowed(let track, let layer, let limit):
            "\(track.sentence), layer \(layer): more than \(limit) packets missing, all given up"
        case .timestampCorrected(let peer, let slot, let ticks):
            "the time of peer \(peer.rawValue)'s slot \(slot.text) was moved by \(ticks) ticks"
        case .receiverFrozen(let peer, let slot, let track, let silence):
            "peer \(peer.rawValue)'s slot \(slot.text) is frozen: nothing of \(track.sentence) for "
                + silence.millisecondsText
        case .layerSwitched(let peer, let slot, let track, let layer, let spatial, let temporal):
            "peer \(peer.rawValue)'s slot \(slot.text) forwards of \(track.sentence), layer \(layer), what is up to "
                + "spatial layer \(spatial), temporal layer \(temporal)"
        case .layersChanged(let track, let layer, let spatial, let temporal):
            "of \(track.sentence), layer \(layer), there are now \(spatial) spatial and \(temporal) temporal layers"
        case .estimateChanged(let peer, let change):
            "peer \(peer.rawValue) can be sent \(change.to.kilobitsText), before \(change.from.kilobitsText): "
                + change.sentence
        case .probeStarted(let peer, let rate, let estimate):
            "peer \(peer.rawValue)'s path is probed with \(rate.kilobitsText), above the estimate of "
                + estimate.kilobitsText
        case .layerAllocated(
            let peer, let slot, let track, let layer, let spatial, let temporal, let rate, let needed, let estimate,
            let reason):
            "peer \(peer.rawValue)'s slot \(slot.text) is given "
                + Self.step(of: track, layer, spatial, temporal, rate)
                + reason.sentence(needed: needed, estimate: estimate)
        case .layersNeeded(let track, let wanted):
            "of \(track.sentence) "
                + (wanted.contains(true)
                    ? "layers " + wanted.indices.filter { wanted[$0] }.map(String.init).joined(separator: ", ")
                        + " are needed" : "no layer is needed")
        case .dominantSpeakerChanged(let change): change.sentence
        }
    }
}

extension Decision {
    /// What a slot is given of a track, in words.
    private static func step(
        of track: TrackID, _ layer: Int?, _ spatial: Int?, _ temporal: Int?, _ rate: DataRate
    ) -> String {
        guard let layer else { return "nothing of \(track.sentence)" }
        let parts = [spatial.map { "spatial layer \($0)" }, temporal.map { "temporal layer \($0)" }].compactMap { $0 }
        let within = parts.isEmpty ? "" : " up to " + parts.joined(separator: " and ")
        return "\(track.sentence), layer \(layer)\(within), \(rate.kilobitsText)"
    }
}

extension FloorChange {
    /// Who has the floor, and why.
    var sentence: String {
        let speech = "\(evidence.millisecondsText) of speech, \(needed.millisecondsText) needed"
        guard let from else { return "\(to.sentence) has the floor: \(speech)" }
        let silent =
            silence.nanoseconds < 100_000_000 ? "who speaks" : "silent for \(silence.millisecondsText)"
        return "\(to.sentence) has the floor, before \(from.sentence), \(silent): \(speech)"
    }
}

extension AllocationReason {
    /// The end of a sentence that says what was given.
    func sentence(needed: DataRate, estimate: DataRate) -> String {
        switch self {
        case .nothing: ""
        case .wanted: ": as much as the receiver wants"
        case .publisher: ": the best that its publisher sends"
        case .estimate:
            ": the next step takes \(needed.kilobitsText), of an estimate of \(estimate.kilobitsText) altogether"
        case .held:
            ": more had to be taken back a moment ago, of an estimate of \(estimate.kilobitsText) altogether"
        }
    }
}

extension EstimateChange {
    /// Why it changed, with its numbers.
    var sentence: String {
        switch cause {
        case .start: "the start"
        case .overuse:
            "the queue grows (slope \(trendMicroseconds) \u{b5}s, more than \(thresholdMicroseconds) \u{b5}s) and is "
                + "\(queue.nanoseconds / 1_000_000) ms long, \(acknowledged.kilobitsText) arrive"
        case .increase: "nothing is in the way, \(acknowledged.kilobitsText) arrive"
        case .probe: "a probe arrived with \(measured.kilobitsText)"
        case .loss: "\(Self.percent(lossPermille)) of the packets are lost"
        case .receiverMaximum: "the receiver asks for at most \(measured.kilobitsText)"
        case .feedbackMissing: "no feedback comes"
        case .feedbackBack: "feedback comes again"
        case .routeChange: "the path is another"
        case .window: "more is on its way than the path holds"
        }
    }

    private static func percent(_ permille: Int32) -> String { "\(permille / 10).\(abs(permille) % 10) %" }
}

extension DataRate {
    /// The rate in whole kilobits (1,000 bits) a second, cut, as "640 kb/s".
    public var kilobitsText: String { "\(bitsPerSecond / 1_000) kb/s" }
}

extension SlotQuality {
    /// Whether the path would not carry the next better step that the receiver wants, with a margin.
    public func isLimited(by estimate: DataRate?) -> Bool {
        estimate != nil && neededForNext != nil && [.forwarding, .lowerLayer, .switchingLayer].contains(status)
    }

    /// Whether a lower layer is forwarded because the receiver wants no more.
    public var isAsWanted: Bool { status == .lowerLayer && wantedHeight != nil && neededForNext == nil }

    private var position: String { "layer \((layer ?? 0) + 1) of \(layers)" }

    /// What it shows, as the beginning of a sentence.
    private var picture: String {
        (height.map { "\($0)p" } ?? position) + (temporalLayer == nil ? "" : " at a lower frame rate")
    }

    /// Why it shows no more, as the end of a sentence.
    private func shortage(_ estimate: DataRate?) -> String {
        guard let estimate, let neededForNext else { return "the path would not carry more" }
        let step = nextHeight.map { $0 == height && !isPaused ? "a higher frame rate" : "\($0)p" } ?? "the next layer"
        guard estimate >= neededForNext else {
            return "the estimate of \(estimate.kilobitsText) is less than the \(neededForNext.kilobitsText) that "
                + "\(step) needs"
        }
        return "\(step) takes \(neededForNext.kilobitsText) of the estimate of \(estimate.kilobitsText), "
            + (isHeld ? "and as much had to be taken away a short time ago" : "which leaves too little to spare")
    }

    /// Why the slot shows what it shows, without naming anybody.
    /// - Parameter estimate: what the path to the receiver would carry, where that is known.
    public func sentence(estimate: DataRate? = nil) -> String {
        let why = "; on this slot: \(assignment.reason.sentence)"
        if isPaused { return "paused because \(shortage(estimate))" + why }
        if isLimited(by: estimate) { return "\(picture) because \(shortage(estimate))" + why }
        return switch status {
        case .empty: SlotReason.nothing.sentence
        case .hidden: "the receiver does not show it"
        case .unsupportedCodec: SlotReason.unsupportedCodec.sentence
        case .publisherSilent: "its publisher sends nothing" + why
        case .awaitingKeyFrame: "waits for a key frame of its publisher" + why
        case .frozen: "frozen: its publisher sends, but the key frame that is needed does not come" + why
        case .forwarding where layers > 1: "\(position), the highest that its publisher sends" + why
        case .forwarding: "all that its publisher sends" + why
        case .lowerLayer where isAsWanted: "\(picture), as much as the receiver wants" + why
        case .lowerLayer: "\(position), below the highest that its publisher sends" + why
        case .switchingLayer: "\(position) until the key frame of a higher one comes" + why
        }
    }
}

extension RoomCommand {
    /// The name of the command.
    public var name: String {
        switch self {
        case .addParticipant: "addParticipant"
        case .applyPlan: "applyPlan"
        case .peerConnected: "peerConnected"
        case .peerDisconnected: "peerDisconnected"
        case .removeParticipant: "removeParticipant"
        case .setMuted: "setMuted"
        case .setSlotWishes: "setSlotWishes"
        case .soundLevel: "soundLevel"
        }
    }

    /// The peer that it is about.
    public var peer: PeerID {
        switch self {
        case .addParticipant(let peer), .applyPlan(let peer, _), .peerConnected(let peer),
            .peerDisconnected(let peer), .removeParticipant(let peer, _), .setSlotWishes(let peer, _):
            peer
        case .setMuted(let track, _), .soundLevel(let track, timestamp: _, _): track.peer
        }
    }

    /// The command as a sentence.
    public var sentence: String {
        switch self {
        case .addParticipant(let peer): return "peer \(peer.rawValue) is admitted"
        case .applyPlan(let peer, let plan):
            let published = plan.published.map(\.sentence).joined(separator: ", ")
            return "peer \(peer.rawValue) negotiated: publishes \(published.isEmpty ? "nothing" : published), "
                + "receives on \(plan.slots.count) slots"
        case .peerConnected(let peer): return "peer \(peer.rawValue) is connected"
        case .peerDisconnected(let peer): return "peer \(peer.rawValue) lost its connection"
        case .removeParticipant(let peer, let reason): return "peer \(peer.rawValue) is gone: \(reason)"
        case .setMuted(let track, let isMuted): return "\(track.sentence) is \(isMuted ? "muted" : "unmuted")"
        case .setSlotWishes(let peer, let wishes):
            let text = wishes.map { wish in
                "slot \(wish.mid.text) at \(wish.wantedHeight) lines"
                    + (wish.priority == SlotWish.defaultPriority ? "" : " with priority \(wish.priority)")
                    + (wish.pin.map { ", pinned to \($0.sentence)" } ?? "")
            }
            return "peer \(peer.rawValue) wishes: \(text.joined(separator: "; "))"
        case .soundLevel(let track, let timestamp, let level):
            return
                "\(track.sentence) is decoded at \(timestamp): −\(level.level) dBov\(level.isVoice ? ", a voice" : "")"
        }
    }
}

/// Hexadecimal numbers.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Eight digits.
    static func text(_ value: UInt32) -> String {
        String(decoding: (0..<8).map { digits[Int(value >> (28 - 4 * $0) & 15)] }, as: UTF8.self)
    }

    /// Two digits a byte, with a space between; at most `limit` bytes of a slice.
    static func text(_ bytes: ArraySlice<UInt8>, limit: Int = 24) -> String {
        var out: [UInt8] = []
        for byte in bytes.prefix(limit) {
            if !out.isEmpty { out.append(0x20) }
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self) + (bytes.count > limit ? " …" : "")
    }
}
