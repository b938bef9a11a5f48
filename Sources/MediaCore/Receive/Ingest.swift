// The way of one RTP packet in: header, stream, sequence, history, liveness, then to the slots. Each step is a part of
// its own; here is only their order.

extension RoomCore {
    /// What of a packet is needed behind its parsing.
    private struct Incoming {
        var number: SequenceNumber
        var payload: Int
        var isRetransmission: Bool
        /// The bytes of the datagram.
        var bytes: Int
        var dependency: HeaderExtensionRange
        var packet = HistoryPacket()
    }

    /// Takes a packet in; the reason when it is dropped.
    mutating func ingest(
        _ bytes: Span<UInt8>, from id: PeerID, at now: Timestamp, into out: inout Egress
    ) -> DropReason? {
        guard let p = peerIndex.find(id.rawValue) else { return .unknownPeer }
        guard peers[p].isConnected else { return .peerNotConnected }
        peers[p].statistics.packetsReceived &+= 1
        peers[p].statistics.bytesReceived &+= UInt64(bytes.count)
        let map = peers[p].extensions
        guard let header = RTPHeader(bytes), let offsets = HeaderExtensionOffsets(bytes, header, map) else {
            return .malformedRTP
        }
        if peers[p].usesTransportFeedback, let sequence = offsets.readTransportSequence(bytes) {
            peers[p].arrivals.note(sequence, at: now)
            if peers[p].nextFeedback == nil {
                peers[p].nextFeedback = now + .milliseconds(configuration.transportFeedbackIntervalMilliseconds)
            }
        }
        let row: Int
        if let known = peers[p].streams.find(header.ssrc) {
            row = known
        } else {
            switch learn(header, offsets, bytes, from: p, at: now, into: &out) {
            case .row(let found): row = found
            case .dropped(let reason): return reason
            }
        }
        peers[p].streams.touch(row, at: now)
        let binding = peers[p].streams.rows[row]
        let e = Int(binding.encoding)
        if !binding.isRetransmission { peers[p].lastMediaSSRC = header.ssrc }
        var incoming = Incoming(
            number: header.sequenceNumber, payload: Int(header.payloadOffset),
            isRetransmission: binding.isRetransmission, bytes: bytes.count,
            dependency: offsets.dependencyDescriptor)
        incoming.packet.length = header.payloadLength
        if binding.isRetransmission {
            if let reason = unwrap(bytes, header, e, &incoming) { return reason }
        }
        guard Int(incoming.packet.length) <= PacketHistory.slotBytes else { return .oversized }
        guard let codec = codec(header.payloadType, isRetransmission: binding.isRetransmission, e) else {
            return .unknownPayloadType
        }
        incoming.packet.codec = codec
        if !binding.isRetransmission, let reason = readRedundancy(bytes, header, e, &incoming.packet) { return reason }
        incoming.packet.timestamp = header.timestamp.rawValue
        incoming.packet.marker = header.marker
        if let level = offsets.readAudioLevel(bytes) {
            incoming.packet.audioLevel = UInt16(level.level) | (level.isVoice ? 0x80 : 0)
        }
        if let orientation = offsets.readVideoOrientation(bytes) {
            incoming.packet.videoOrientation = UInt16(orientation)
        }
        if let delay = offsets.readPlayoutDelay(bytes) {
            incoming.packet.playoutDelay = UInt32(delay.minimum & 0xfff) << 12 | UInt32(delay.maximum & 0xfff)
        }
        return take(incoming, bytes, to: e, at: now, into: &out)
    }

    /// A retransmission gives up the packet that it carries.
    private mutating func unwrap(
        _ bytes: Span<UInt8>, _ header: RTPHeader, _ e: Int, _ incoming: inout Incoming
    ) -> DropReason? {
        guard encodings[e].window.isStarted else { return .bandwidthProbe }
        if header.payloadLength == 0 { return .paddingOnly }
        guard let original = RTXPayload(bytes, header) else { return .malformedRetransmission }
        incoming.number = original.originalSequenceNumber
        incoming.payload = original.payloadOffset
        incoming.packet.length = UInt16(truncatingIfNeeded: original.payloadLength)
        return nil
    }

    /// Of redundant audio notes where its headers end and its primary block begins.
    @inline(__always) private func readRedundancy(
        _ bytes: Span<UInt8>, _ header: RTPHeader, _ e: Int, _ packet: inout HistoryPacket
    ) -> DropReason? {
        guard !encodings[e].isVideo, packet.length > 0 else { return nil }
        let plan = tracks[Int(encodings[e].track)].plan.codecs[Int(packet.codec)]
        guard plan.redPayloadType == header.payloadType else { return nil }
        guard
            let red = REDPayload(
                bytes, at: Int(header.payloadOffset), length: Int(packet.length), of: plan.payloadType)
        else { return .malformedRedundancy }
        packet.redHead = UInt16(truncatingIfNeeded: red.headLength)
        packet.redPrimary = UInt16(truncatingIfNeeded: red.primaryOffset)
        return nil
    }

    /// The position of a payload type in the track's plan; remembered, because it hardly ever changes.
    private mutating func codec(_ payloadType: PayloadType, isRetransmission: Bool, _ e: Int) -> UInt8? {
        if !isRetransmission, encodings[e].payloadType == payloadType.rawValue { return encodings[e].codec }
        let t = Int(encodings[e].track)
        let found = tracks[t].plan.codecs.firstIndex {
            isRetransmission
                ? $0.rtxPayloadType == payloadType
                : $0.payloadType == payloadType || $0.redPayloadType == payloadType
        }
        guard let found, found < 256 else { return nil }
        if !isRetransmission {
            encodings[e].payloadType = payloadType.rawValue
            encodings[e].codec = UInt8(found)
            encodings[e].clockRate = tracks[t].plan.codecs[found].clockRate
        }
        return UInt8(found)
    }

    private mutating func take(
        _ incoming: Incoming, _ bytes: Span<UInt8>, to e: Int, at now: Timestamp, into out: inout Egress
    ) -> DropReason? {
        var packet = incoming.packet
        let t = Int(encodings[e].track)
        let p = Int(encodings[e].peer)
        let isNewest: Bool
        switch place(incoming.number, isRetransmission: incoming.isRetransmission, e, at: now, into: &out) {
        case .number(let number, let newest):
            packet.number = number
            isNewest = newest
        case .dropped(let reason): return reason
        }
        if incoming.isRetransmission {
            statistics.retransmissionsReceived &+= 1
        } else {
            let arrival = TimestampLine.ticks(now, clockRate: encodings[e].clockRate)
            encodings[e].statistics.count(packet.number, timestamp: packet.timestamp, arrival: arrival)
            encodings[e].senderReport.note(
                arrival: now, of: packet.timestamp, clockRate: encodings[e].clockRate)
        }
        if peers[p].nextNack != encodings[e].nacks.next { peers[p].nextNack.bring(forwardTo: encodings[e].nacks.next) }
        tracks[t].quietSince = now
        tracks[t].hasStalled = false
        if !tracks[t].hasStarted {
            tracks[t].hasStarted = true
            out.events.append(.trackStarted(tracks[t].id))
        }
        let wokeUp = !incoming.isRetransmission && encodings[e].monitor.hear(at: now)
        if wokeUp, tracks[t].isMuted { layerAlive(e, beginsKeyFrame: true, at: now, into: &out) }
        if tracks[t].isMuted { return .trackMuted }
        let codec = tracks[t].plan.codecs[Int(packet.codec)].codec
        if incoming.dependency.isPresent { readDependency(&packet, incoming.dependency, bytes, e) }
        KeyFrameDetector.inspect(&packet, codec, bytes, at: incoming.payload)
        noteCodec(packet.codec, of: t, at: now, into: &out)
        if wokeUp { layerAlive(e, beginsKeyFrame: packet.isKeyFrame, at: now, into: &out) }
        if encodings[e].isVideo {
            out.videoPackets &+= 1
            noteLayers(
                packet, bytes: incoming.bytes, isRetransmission: incoming.isRetransmission, e, at: now, into: &out)
            noteHeights(packet, bytes, at: incoming.payload, e)
            if packet.isKeyFrame {
                keyFrameArrived(packet.number, e)
            }
        } else if !incoming.isRetransmission {
            _ = encodings[e].rates.note(
                bytes: incoming.bytes, spatial: 0, temporal: 0, timestamp: packet.timestamp, isRetransmission: false,
                at: now)
            hear(packet, at: incoming.payload, e, t, isNewest: isNewest, at: now, into: &out)
        }
        if packet.length == 0 { return padding(packet, bytes, e, codec, isNewest, at: now, into: &out) }
        guard Int(packet.length) + Int(packet.dependencyLength) <= PacketHistory.slotBytes else { return .oversized }
        let kept = encodings[e].history.store(
            packet, bytes, payload: incoming.payload, dependency: Int(incoming.dependency.offset))
        guard let place = kept else { return .tooOld }
        fanOut(e, place: place, codec, isNewest: isNewest, at: now, into: &out)
        return nil
    }

    private enum Placed {
        case number(Int64, isNewest: Bool)
        case dropped(DropReason)
    }

    /// Extends a sequence number, and notes what is missing before it.
    private mutating func place(
        _ number: SequenceNumber, isRetransmission: Bool, _ e: Int, at now: Timestamp, into out: inout Egress
    ) -> Placed {
        let t = Int(encodings[e].track)
        switch encodings[e].window.arrive(number, isRetransmission: isRetransmission) {
        case .first(let extended):
            encodings[e].statistics.begin(at: extended)
            return .number(extended, isNewest: true)
        case .newest(let extended, let missing):
            guard missing > 0, tracks[t].plan.feedback.nack else { return .number(extended, isNewest: true) }
            if !encodings[e].nacks.note(missing: missing, before: extended, at: now) {
                out.decisions.append(
                    .nackListOverflowed(tracks[t].id, layer: encodings[e].layer, limit: NackTracker.limit))
                if encodings[e].isVideo { requestKeyFrame(e, cause: .upstreamLoss, at: now, into: &out) }
            }
            return .number(extended, isNewest: true)
        case .late(let extended):
            encodings[e].nacks.remove(extended)
            return .number(extended, isNewest: false)
        case .restarted(let extended, let jump):
            out.decisions.append(.streamRestarted(tracks[t].id, layer: encodings[e].layer, jump: jump))
            encodings[e].statistics.begin(at: extended)
            encodings[e].nacks.reset()
            encodings[e].senderReport.forget()
            for i in encodings[e].fanout.indices {
                slots[Int(encodings[e].fanout[i])].sourceRestarted(of: Int32(truncatingIfNeeded: e))
            }
            if encodings[e].isVideo { requestKeyFrame(e, cause: .streamRestart, at: now, into: &out) }
            return .number(extended, isNewest: true)
        case .duplicate: return .dropped(.duplicate)
        case .tooOld: return .dropped(.tooOld)
        case .jumped: return .dropped(.sequenceJump)
        }
    }

    /// Reads a packet's Dependency Descriptor. A frame whose structure did not come cannot be told from any other: who forwards
    /// the encoding waits for the next structure.
    private mutating func readDependency(
        _ packet: inout HistoryPacket, _ range: HeaderExtensionRange, _ bytes: Span<UInt8>, _ e: Int
    ) {
        guard encodings[e].isVideo, packet.length > 0, range.length >= DependencyDescriptor.mandatoryLength else {
            return
        }
        packet.dependencyLength = range.length
        let read = encodings[e].dependencies.read(
            bytes, at: Int(range.offset), length: Int(range.length), number: packet.number)
        let frame =
            read ?? DependencyDescriptor(unresolved: bytes, at: Int(range.offset), length: Int(range.length))
        packet.dependency = frame
        guard frame?.isResolved != true, encodings[e].dependencies.concerns(packet.number) else { return }
        for i in encodings[e].fanout.indices {
            slots[Int(encodings[e].fanout[i])].sourceRestarted(of: Int32(truncatingIfNeeded: e))
        }
    }

    private mutating func keyFrameArrived(_ number: Int64, _ e: Int) {
        statistics.keyFramesReceived &+= 1
        encodings[e].requester.settle()
        encodings[e].nacks.removeAll(before: number)
    }

    /// The publisher changed its codec: slots that cannot carry the new one must say so. Two payload types may be one
    /// codec, and that is no change.
    private mutating func noteCodec(_ codec: UInt8, of t: Int, at now: Timestamp, into out: inout Egress) {
        guard tracks[t].codec != Int(codec) else { return }
        let before = tracks[t].currentCodec
        tracks[t].codec = Int(codec)
        if tracks[t].currentCodec != before {
            assignSlots(notWithin: Self.speakersInterval, at: now, into: &out)
        }
    }

    /// Listens to who speaks.
    private mutating func hear(
        _ packet: HistoryPacket, at payload: Int, _ e: Int, _ t: Int, isNewest: Bool, at now: Timestamp,
        into out: inout Egress
    ) {
        guard packet.length > 0, isNewest else { return }
        let length = Int(packet.length &- packet.redPrimary)
        if packet.audioLevel <= 0xff {
            if tracks[t].levels.last != nil { tracks[t].levels.forget() }
            let told = AudioLevel(isVoice: packet.audioLevel & 0x80 != 0, level: UInt8(packet.audioLevel & 0x7f))
            noteSilence(told.level, length, packet, t, e)
            return hear(told, isMeasured: true, packet.timestamp, t, e, at: now, into: &out)
        }
        if tracks[t].plan.source == .microphone {
            out.unmeasured = Egress.UnmeasuredSound(
                track: tracks[t].id, timestamp: packet.timestamp, offset: payload + Int(packet.redPrimary),
                count: length)
        }
        let isAwaited = tracks[t].levels.awaitsAnswer(timestamp: packet.timestamp)
        // A packet that is long enough for speech ends silence before its level is known.
        noteSilence(length < AudioGate.assumedSpeechBytes ? tracks[t].levels.last : nil, length, packet, t, e)
        guard !isAwaited else { return }
        let guessed = AudioGate.assumed(payloadLength: length)
        hear(guessed, isMeasured: false, packet.timestamp, t, e, at: now, into: &out)
    }

    /// Notes whether a packet is silence.
    private mutating func noteSilence(_ told: UInt8?, _ length: Int, _ packet: HistoryPacket, _ t: Int, _ e: Int) {
        tracks[t].gate.noteSilence(
            told: told, payloadLength: length, timestamp: packet.timestamp, clockRate: encodings[e].clockRate)
    }

    /// A packet without payload is not forwarded and its number closed up; where later ones have gone out already its
    /// number is taken, and the packet fills it.
    private mutating func padding(
        _ packet: HistoryPacket, _ bytes: Span<UInt8>, _ e: Int, _ codec: Codec, _ isNewest: Bool, at now: Timestamp,
        into out: inout Egress
    ) -> DropReason? {
        var mustFill = false
        for i in encodings[e].fanout.indices {
            let s = Int(encodings[e].fanout[i])
            if Int(slots[s].current) == e, !slots[s].omit(packet.number) { mustFill = true }
        }
        guard mustFill, let place = encodings[e].history.store(packet, bytes, payload: 0) else { return .paddingOnly }
        fanOut(e, place: place, codec, isNewest: isNewest, at: now, into: &out)
        return nil
    }
}
