// Events for the format's tests: one of each kind and case, and random ones from a seed.
import Captures
import MediaCore

/// A small generator of numbers, the same on every machine.
struct Chance {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
    mutating func flag() -> Bool { next() & 1 == 1 }
    mutating func number() -> Int64 { Int64(bitPattern: next()) >> Int64(below(64)) }
    mutating func bytes(_ n: Int) -> [UInt8] { (0..<n).map { _ in UInt8(truncatingIfNeeded: next()) } }
    mutating func pick<T>(_ from: [T]) -> T { from[below(from.count)] }
    mutating func maybe<T>(_ make: (inout Chance) -> T) -> T? { flag() ? make(&self) : nil }
    mutating func list<T>(_ most: Int, _ make: (inout Chance) -> T) -> [T] {
        let count = below(most + 1)
        return (0..<count).map { _ in make(&self) }
    }
}

extension Chance {
    mutating func peer() -> PeerID { PeerID(UInt32(truncatingIfNeeded: number())) }
    mutating func token() -> Token {
        let count = 1 + below(16)
        let letters = (0..<count).map { _ in UInt8(0x21 + below(0x7e - 0x21 + 1)) }
        guard let token = Token(letters) else { preconditionFailure("letters make a token") }
        return token
    }
    mutating func mid() -> Mid { Mid(token: token()) }
    mutating func ssrc() -> SSRC { SSRC(UInt32(truncatingIfNeeded: next())) }
    mutating func track() -> TrackID { TrackID(peer: peer(), mid: mid()) }
    mutating func moment() -> Timestamp { Timestamp(nanoseconds: number()) }
    mutating func span() -> TimeDelta { TimeDelta(nanoseconds: number()) }
    mutating func codec() -> Codec {
        let byte = UInt8(truncatingIfNeeded: next())
        return pick([
            .opus, .vp8, .vp9(profile: byte), .h264(profile: UInt16(byte) << 7, packetizationMode: byte & 1),
            .av1(profile: byte),
        ])
    }
    mutating func codecPlan() -> CodecPlan {
        CodecPlan(
            codec: codec(), payloadType: PayloadType(UInt8(below(128))),
            rtxPayloadType: maybe { PayloadType(UInt8($0.below(128))) },
            redPayloadType: maybe { PayloadType(UInt8($0.below(128))) }, clockRate: UInt32(truncatingIfNeeded: next()))
    }
    mutating func feedback() -> FeedbackPlan {
        FeedbackPlan(
            nack: flag(), pictureLossIndication: flag(), fullIntraRequest: flag(), transportFeedback: flag())
    }
    mutating func kind() -> MediaKind { flag() ? .audio : .video }
    mutating func plan() -> PeerPlan {
        var map = HeaderExtensionMap()
        map.mid = UInt8(below(256))
        map.rid = UInt8(below(256))
        map.repairedRid = UInt8(below(256))
        map.audioLevel = UInt8(below(256))
        map.absoluteSendTime = UInt8(below(256))
        map.transportSequence = UInt8(below(256))
        map.videoOrientation = UInt8(below(256))
        map.playoutDelay = UInt8(below(256))
        map.dependencyDescriptor = UInt8(below(2) * below(256))
        map.allowsMixed = flag()
        let published = list(3) { chance in
            PublishedTrackPlan(
                mid: chance.mid(), kind: chance.kind(), source: chance.pick(TrackSource.allCases),
                codecs: chance.list(3) { $0.codecPlan() },
                encodings: chance.list(3) { chance in
                    EncodingPlan(
                        rid: chance.maybe { Rid(token: $0.token()) }, ssrc: chance.maybe { $0.ssrc() },
                        rtxSSRC: chance.maybe { $0.ssrc() })
                },
                feedback: chance.feedback(), isMuted: chance.flag())
        }
        let slots = list(3) { chance in
            ReceiveSlotPlan(
                mid: chance.mid(), kind: chance.kind(), ssrc: chance.ssrc(), rtxSSRC: chance.maybe { $0.ssrc() },
                codecs: chance.list(3) { $0.codecPlan() }, feedback: chance.feedback())
        }
        return PeerPlan(headerExtensions: map, published: published, slots: slots, reducedSizeRTCP: flag())
    }

    mutating func command(_ which: Int) -> RoomCommand {
        switch which {
        case 0: .addParticipant(peer())
        case 1: .applyPlan(peer(), plan())
        case 2: .peerConnected(peer())
        case 3: .peerDisconnected(peer())
        case 4:
            .removeParticipant(peer(), pick([.left, .timedOut, .replaced, .removed, .failed, .roomEnded]))
        case 5: .setMuted(track(), flag())
        case 6:
            .soundLevel(
                track(), timestamp: UInt32(truncatingIfNeeded: next()),
                AudioLevel(isVoice: flag(), level: UInt8(below(128))))
        default:
            .setSlotWishes(
                peer(),
                list(4) { chance in
                    SlotWish(
                        mid: chance.mid(), pin: chance.maybe { $0.track() }, wantedHeight: UInt16(chance.below(65_536)),
                        priority: chance.flag() ? SlotWish.defaultPriority : UInt8(chance.below(256)))
                })
        }
    }
    mutating func reason() -> SlotReason {
        pick([.pinned, .everyone, .speaker, .screen, .nothing, .unsupportedCodec])
    }
    mutating func cause() -> KeyFrameCause {
        pick([.sourceSwitch, .receiverRequest, .upstreamLoss, .peerConnected, .streamRestart])
    }
    mutating func decision(_ which: Int) -> Decision {
        let layer = Int(number())
        return switch which {
        case 0: .streamBound(peer: peer(), ssrc: ssrc(), mid: mid(), layer: layer, isRetransmission: flag())
        case 1: .streamEvicted(peer: peer(), ssrc: ssrc(), idle: span())
        case 2: .streamRestarted(track(), layer: layer, jump: Int(number()))
        case 3: .layerAlive(track(), layer: layer)
        case 4: .layerDead(track(), layer: layer, silence: span())
        case 5: .slotAssigned(peer: peer(), slot: mid(), track: maybe { $0.track() }, reason: reason())
        case 6: .unsupportedCodec(peer: peer(), slot: mid(), track: track(), codec: codec())
        case 7: .waitingForKeyFrame(peer: peer(), slot: mid(), track: track(), layer: layer)
        case 8: .switched(peer: peer(), slot: mid(), track: track(), layer: layer, waited: span())
        case 9: .keyFrameRequested(track(), layer: layer, cause: cause(), attempt: Int(number()))
        case 10:
            .keyFrameSuppressed(
                track(), layer: layer, cause: cause(),
                why: pick([.coalesced, .receiverBudget, .onItsWay, .notNegotiated]))
        case 11: .nackListOverflowed(track(), layer: layer, limit: Int(number()))
        case 12: .timestampCorrected(peer: peer(), slot: mid(), ticks: Int(number()))
        case 13: .receiverFrozen(peer: peer(), slot: mid(), track: track(), silence: span())
        case 14:
            .layerSwitched(
                peer: peer(), slot: mid(), track: track(), layer: layer, spatial: Int(number()), temporal: Int(number())
            )
        case 15: .layersChanged(track(), layer: layer, spatial: Int(number()), temporal: Int(number()))
        case 16: .estimateChanged(peer: peer(), change())
        case 17: .probeStarted(peer: peer(), rate: rate(), estimate: rate())
        case 18:
            .layerAllocated(
                peer: peer(), slot: mid(), track: track(), layer: maybe { Int($0.below(256)) },
                spatial: maybe { Int($0.below(8)) }, temporal: maybe { Int($0.below(8)) }, rate: rate(), needed: rate(),
                estimate: rate(), reason: pick([.nothing, .wanted, .publisher, .estimate, .held]))
        case 19: .layersNeeded(track(), list(4) { $0.flag() })
        default:
            .dominantSpeakerChanged(
                FloorChange(
                    to: track(), from: maybe { $0.track() }, evidence: span(), needed: span(), silence: span()))
        }
    }

    private mutating func rate() -> DataRate { DataRate(bitsPerSecond: number()) }

    private mutating func change() -> EstimateChange {
        var change = EstimateChange()
        change.number = UInt32(truncatingIfNeeded: next())
        change.cause = pick([.start, .overuse, .increase, .probe, .loss, .receiverMaximum, .feedbackMissing])
        change.at = Timestamp(nanoseconds: number())
        change.from = rate()
        change.to = rate()
        change.acknowledged = rate()
        change.measured = rate()
        change.trendMicroseconds = Int32(truncatingIfNeeded: next())
        change.thresholdMicroseconds = Int32(truncatingIfNeeded: next())
        change.queue = span()
        change.lossPermille = Int32(truncatingIfNeeded: next())
        change.roundTrip = span()
        return change
    }

    mutating func configuration() -> RoomConfiguration {
        var configuration = RoomConfiguration()
        configuration.ntpAtOrigin = pick([0, .max, 0xea00_0000_8000_0000, next()])
        configuration.keyFrameRequestIntervalMilliseconds = number()
        configuration.videoHistoryPackets = Int(number())
        configuration.audioHistoryPackets = Int(number())
        configuration.transportFeedbackIntervalMilliseconds = number()
        configuration.reportIntervalMilliseconds = number()
        return configuration
    }

    /// One event of the kind; packets of every length that a datagram has, and of some that none has.
    mutating func event(_ which: Int) -> CaptureEvent {
        let packet = bytes(pick([0, 1, 11, 12, 13, 14, 15, 100, below(1_500), 65_507, 65_508]))
        let kind: Egress.Kind = flag() ? .rtp : .rtcp
        let original = packet.count + pick([0, 1, 700, 65_507 - packet.count, 65_508 - packet.count, -1])
        return switch which {
        case 0: .opened(configuration(), seed: next(), build: pick(["", "0.1.0", "مجلس"]), at: moment())
        case 1: .rtp(peer(), packet, at: moment())
        case 2: .rtcp(peer(), packet, at: moment())
        case 3: .cut(peer(), kind, packet, originalLength: original, at: moment())
        case 4: .command(command(below(8)), at: moment())
        case 5: .advanced(at: moment())
        case 6: .flushed
        case 7: .sent(peer(), kind, packet)
        case 8: .sentCut(peer(), kind, packet, originalLength: original)
        case 9:
            .digest(
                OutputDigest(scope: pick(OutputDigest.Scope.allCases), high: next(), low: next(), count: next()))
        case 10: .decision(decision(below(21)))
        case 11: .checkpoint(bytes(below(4_000)))
        case 12: .comment(pick(["", "one", "a longer one\nof two lines"]))
        default: .gap(events: next())
        }
    }
    static let kinds = 14
}

/// The bytes of a capture of these events.
func captureBytes(_ events: [CaptureEvent]) -> [UInt8] {
    var writer = CaptureWriter()
    for event in events { writer.append(event) }
    return writer.take()
}

/// Everything that a reader finds in the bytes, and the error that ended it.
func captureEvents(_ bytes: [UInt8]) -> (events: [CaptureEvent], isTruncated: Bool, error: CaptureError?) {
    var events: [CaptureEvent] = []
    do throws(CaptureError) {
        var reader = try CaptureReader(bytes)
        while let event = try reader.next() { events.append(event) }
        return (events, reader.isTruncated, nil)
    } catch {
        return (events, false, error)
    }
}
