// The fields of what the control plane gave the core, for checkpoints: identifiers, plans, settings.

extension Token: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        var length = Int(count)
        try c.count(&length, 16)
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for i in 0..<length {
            bytes[i] = byte(at: i)
            try c.code(&bytes[i])
        }
        let token = Token(bytes, count: length)
        try c.require(token != nil)
        if let token { self = token }
    }
}

extension Mid: CheckpointField {
    static let any = Mid(token: .dash)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        var token = token
        try token.code(&c)
        self = Mid(token: token)
    }
}

extension Rid: CheckpointField {
    static let any = Rid(token: .dash)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        var token = token
        try token.code(&c)
        self = Rid(token: token)
    }
}

extension SSRC: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) { try c.code(&rawValue) }
}

extension CheckpointCoder {
    mutating func code(_ value: inout SSRC?) throws(CheckpointError) {
        try optional(&value, SSRC(0)) { c, v throws(CheckpointError) in try c.code(&v) }
    }
    mutating func code(_ value: inout Rid?) throws(CheckpointError) {
        try optional(&value, .any) { c, v throws(CheckpointError) in try c.code(&v) }
    }
    mutating func code(_ value: inout TrackID?) throws(CheckpointError) {
        try optional(&value, .any) { c, v throws(CheckpointError) in try c.code(&v) }
    }
    mutating func code(_ value: inout [CodecPlan]) throws(CheckpointError) {
        // The core tells a codec by its place in a byte.
        try list(&value, 256, .any) { c, v throws(CheckpointError) in try c.code(&v) }
    }
}

extension PeerID: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) { try c.code(&rawValue) }
}

extension TrackID: CheckpointField {
    static let any = TrackID(peer: PeerID(0), mid: .any)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&peer)
        try c.code(&mid)
    }
}

extension SlotAssignment: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&mid)
        try c.code(&track)
        try c.code(&reason)
    }
}

extension Codec: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        var kind: UInt8
        var profile: UInt16 = 0
        var mode: UInt8 = 0
        switch self {
        case .opus: kind = 0
        case .vp8: kind = 1
        case .vp9(let number): (kind, profile) = (2, UInt16(number))
        case .h264(let number, let packetization): (kind, profile, mode) = (3, number, packetization)
        case .av1(let number): (kind, profile) = (4, UInt16(number))
        }
        try c.code(&kind)
        try c.code(&profile)
        try c.code(&mode)
        try c.require(kind <= 4)
        switch kind {
        case 0: self = .opus
        case 1: self = .vp8
        case 2: self = .vp9(profile: UInt8(truncatingIfNeeded: profile))
        case 3: self = .h264(profile: profile, packetizationMode: mode)
        default: self = .av1(profile: UInt8(truncatingIfNeeded: profile))
        }
    }
}

extension CodecPlan: CheckpointField {
    static let any = CodecPlan(codec: .opus, payloadType: PayloadType(0), rtxPayloadType: nil, clockRate: 0)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&codec)
        try c.code(&payloadType.rawValue)
        payloadType = PayloadType(payloadType.rawValue)
        var rtx = rtxPayloadType?.rawValue
        try c.code(&rtx)
        rtxPayloadType = rtx.map { PayloadType($0) }
        var red = redPayloadType?.rawValue
        try c.code(&red)
        redPayloadType = red.map { PayloadType($0) }
        try c.code(&clockRate)
    }
}

extension FeedbackPlan: CheckpointField {
    static let any = FeedbackPlan(
        nack: false, pictureLossIndication: false, fullIntraRequest: false, transportFeedback: false)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&nack)
        try c.code(&pictureLossIndication)
        try c.code(&fullIntraRequest)
        try c.code(&transportFeedback)
    }
}

extension HeaderExtensionMap: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&mid)
        try c.code(&rid)
        try c.code(&repairedRid)
        try c.code(&audioLevel)
        try c.code(&absoluteSendTime)
        try c.code(&transportSequence)
        try c.code(&videoOrientation)
        try c.code(&playoutDelay)
        try c.code(&dependencyDescriptor)
        try c.code(&allowsMixed)
    }
}

extension EncodingPlan: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&rid)
        try c.code(&ssrc)
        try c.code(&rtxSSRC)
    }
}

extension PublishedTrackPlan: CheckpointField {
    static let any = PublishedTrackPlan(
        mid: .any, kind: .audio, source: .microphone, codecs: [], encodings: [], feedback: .any, isMuted: false)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&mid)
        try c.code(&kind)
        try c.code(&source)
        try c.code(&codecs)
        try c.list(&encodings, CheckpointLimit.listed, EncodingPlan(rid: nil, ssrc: nil, rtxSSRC: nil)) {
            c, v throws(CheckpointError) in try c.code(&v)
        }
        try c.code(&feedback)
        try c.code(&isMuted)
    }
}

extension ReceiveSlotPlan: CheckpointField {
    static let any = ReceiveSlotPlan(
        mid: .any, kind: .audio, ssrc: SSRC(0), rtxSSRC: nil, codecs: [], feedback: .any)
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&mid)
        try c.code(&kind)
        try c.code(&ssrc)
        try c.code(&rtxSSRC)
        try c.code(&codecs)
        try c.code(&feedback)
    }
}

extension RoomConfiguration: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        let range = -CheckpointLimit.setting...CheckpointLimit.setting
        try c.code(&ntpAtOrigin)
        try c.code(&keyFrameRequestIntervalMilliseconds, range)
        try c.code(&videoHistoryPackets, range)
        try c.code(&audioHistoryPackets, range)
        try c.code(&transportFeedbackIntervalMilliseconds, range)
        try c.code(&reportIntervalMilliseconds, range)
        try c.code(&bitrate)
    }
}

extension Statistics: CheckpointField {
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&rtpPacketsReceived)
        try c.code(&rtpBytesReceived)
        try c.code(&rtpPacketsSent)
        try c.code(&rtpBytesSent)
        try c.code(&rtcpReceived)
        try c.code(&rtcpSent)
        try c.code(&retransmissionsReceived)
        try c.code(&retransmissionsSent)
        try c.code(&nacksSent)
        try c.code(&nacksReceived)
        try c.code(&keyFrameRequestsSent)
        try c.code(&keyFrameRequestsReceived)
        try c.code(&keyFramesReceived)
        try c.code(&transportFeedbackSent)
        try c.code(&paddingSent)
        try c.code(&retransmissionCopies)
        try c.code(&transportFeedbackReceived)
        for i in drops.indices { try c.code(&drops[i]) }
    }
}

extension PeerStatistics: CheckpointField {
    // Jitter and the round trip are filled in when somebody asks.
    mutating func code<C: CheckpointCoder>(_ c: inout C) throws(CheckpointError) {
        try c.code(&packetsReceived)
        try c.code(&bytesReceived)
        try c.code(&packetsSent)
        try c.code(&bytesSent)
        try c.code(&packetsLost)
        try c.code(&reportedLost)
        // 256ths, as they came in a report block.
        var fraction = UInt64(max(0, min(256, reportedFractionLost * 256)))
        try c.code(&fraction)
        try c.require(fraction <= 256)
        reportedFractionLost = Double(fraction) / 256
        try c.code(&retransmissionsSent)
        try c.code(&keyFrameRequestsSent)
        try c.code(&keyFrameRequestsReceived)
    }
}
