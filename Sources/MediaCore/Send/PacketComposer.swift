// Composes one outgoing RTP packet in the arena: header and extensions anew (RFC 3550 §5.1, RFC 8285), the payload from
// its publisher's history with the picture numbers of the slot, as an original or as a retransmission (RFC 4588). Keeps
// nothing.

/// How a packet that was sent is composed again.
struct RetransmissionForm: BitwiseCopyable {
    var ssrc: SSRC
    var payloadType: PayloadType
    var sequence: UInt16
    var absoluteSendTime: UInt32
    var transportSequence: UInt16
}

/// Composes packets. The same arguments give the same bytes: that is what a packet sent again without RTX relies on.
enum PacketComposer {
    /// The most that a payload may grow: a VP8 descriptor written anew.
    private static let growth = VP8Descriptor.maximumLength

    /// Writes a packet to the arena and gives its length, or nil when it does not fit.
    @inline(__always) static func compose(
        _ sent: SentPacket, slot: SlotAddress, as retransmission: RetransmissionForm?, _ packet: HistoryPacket,
        place: Int, from history: borrowing PacketHistory, map: HeaderExtensionMap, into out: inout Egress
    ) -> Int? {
        let length = sent.isEmpty ? 0 : Int(packet.length)
        let dependency = sent.dependency != nil && map.dependencyDescriptor != 0 ? Int(packet.dependencyLength) : 0
        let room =
            RTPHeaderWriter.maximumLength + RTPHeaderWriter.maximumLength(dependencyOf: dependency)
            + RTXPayload.headLength + growth + length
        guard let at = out.place(for: room) else { return nil }
        let isRewrittenInPlace = sent.isEmpty || packet.vp8?.isRewrittenInPlace ?? true
        let isShort = dependency == 0 && isRewrittenInPlace && ShortHeader.fits(map)
        guard
            let head =
                isShort
                ? writeShortHead(sent, slot, retransmission, packet, map, at: at, in: &out)
                : writeHead(
                    sent, slot, retransmission, packet, dependency: dependency, place: place, from: history, map,
                    at: at, room: room, in: &out), head.skipped <= length
        else { return nil }
        let start = place * PacketHistory.slotBytes
        out.arena.copy(history.bytes, from: start + head.skipped, count: length - head.skipped, to: at + head.length)
        if head.skipped == 0, !sent.isEmpty {
            rewrite(packet, sent.picture, at: at + head.length, length: length, in: &out)
        }
        if let blocks = slot.blockPayloadType, !sent.isEmpty {
            out.arena.withMutableSpan(at + head.length, length) { span in
                REDPayload.write(blocks, headLength: Int(packet.redHead), into: &span, at: 0)
            }
        }
        return head.length + length - head.skipped
    }

    /// What comes before the payload, where its descriptor keeps its length: gives the bytes written and left out.
    @inline(__always) private static func writeShortHead(
        _ sent: SentPacket, _ slot: SlotAddress, _ retransmission: RetransmissionForm?, _ packet: HistoryPacket,
        _ map: HeaderExtensionMap, at: Int, in out: inout Egress
    ) -> (length: Int, skipped: Int)? {
        var length = ShortHeader.write(
            sent, slot: slot, as: retransmission, packet, map, into: &out.arena, at: at)
        if retransmission != nil {
            out.arena.withMutableSpan(at + length, RTXPayload.headLength) { span in
                RTXPayload.writeHead(SequenceNumber(UInt16(truncatingIfNeeded: sent.number)), into: &span, at: 0)
            }
            length += RTXPayload.headLength
        }
        return (length, Int(slot.skipped))
    }

    /// What comes before the payload, of any form: gives the bytes written and left out; nil when it does not fit.
    @inline(never) private static func writeHead(
        _ sent: SentPacket, _ slot: SlotAddress, _ retransmission: RetransmissionForm?, _ packet: HistoryPacket,
        dependency: Int, place: Int, from history: borrowing PacketHistory, _ map: HeaderExtensionMap, at: Int,
        room: Int, in out: inout Egress
    ) -> (length: Int, skipped: Int)? {
        var header = EgressHeader(
            marker: sent.marker, payloadType: slot.payloadType,
            sequenceNumber: SequenceNumber(UInt16(truncatingIfNeeded: sent.number)),
            timestamp: RTPTimestamp(sent.timestamp), ssrc: slot.ssrc, contributingSource: sent.contributingSource)
        var extensions = EgressExtensions()
        extensions.mid = slot.mid
        extensions.absoluteSendTime = sent.absoluteSendTime
        extensions.transportSequence = SequenceNumber(sent.transportSequence)
        if packet.audioLevel <= 0xff {
            extensions.audioLevel = AudioLevel(
                isVoice: packet.audioLevel & 0x80 != 0, level: UInt8(packet.audioLevel & 0x7f))
        }
        if sent.videoOrientation <= 0xff { extensions.videoOrientation = UInt8(sent.videoOrientation) }
        if sent.playoutDelay != HistoryPacket.noPlayoutDelay {
            extensions.playoutDelay = PlayoutDelay(
                minimum: UInt16(truncatingIfNeeded: sent.playoutDelay >> 12),
                maximum: UInt16(truncatingIfNeeded: sent.playoutDelay & 0xfff))
        }
        if let retransmission {
            header.ssrc = retransmission.ssrc
            header.payloadType = retransmission.payloadType
            header.sequenceNumber = SequenceNumber(retransmission.sequence)
            extensions.absoluteSendTime = retransmission.absoluteSendTime
            extensions.transportSequence = SequenceNumber(retransmission.transportSequence)
        }
        let isRetransmission = retransmission != nil
        let skipped = Int(slot.skipped)
        if dependency == 0 {
            return writeHead(
                sent, header, extensions, packet, skipped: skipped, isRetransmission, map, dependency: Span(), at: at,
                room: room, in: &out)
        }
        var descriptor = InlineArray<260, UInt8>(repeating: 0)
        let count = rewritten(packet, sent.dependency, place: place, history, &descriptor)
        return writeHead(
            sent, header, extensions, packet, skipped: skipped, isRetransmission, map,
            dependency: descriptor.span.extracting(0..<count), at: at, room: room, in: &out)
    }

    /// Writes everything before the payload proper: header, RTX head, and a VP8 descriptor where it is written anew. Gives its
    /// length and how much of the payload it stands for, or nil when it does not fit.
    private static func writeHead(
        _ sent: SentPacket, _ header: EgressHeader, _ extensions: EgressExtensions, _ packet: HistoryPacket,
        skipped: Int, _ isRetransmission: Bool, _ map: HeaderExtensionMap, dependency: Span<UInt8>, at: Int, room: Int,
        in out: inout Egress
    ) -> (length: Int, skipped: Int)? {
        out.arena.withMutableSpan(at, room) { span -> (length: Int, skipped: Int)? in
            let written = RTPHeaderWriter.write(
                header, extensions, map, dependency: dependency, into: &span, at: 0)
            guard let written else { return nil }
            var end = written.length
            if isRetransmission {
                let number = SequenceNumber(UInt16(truncatingIfNeeded: sent.number))
                RTXPayload.writeHead(number, into: &span, at: end)
                end += RTXPayload.headLength
            }
            // A 7-bit picture id cannot go on a chain of 15 bits: such a descriptor is written anew.
            if !sent.isEmpty, let vp8 = packet.vp8, !vp8.isRewrittenInPlace,
                let count = vp8.write(
                    pictureID: sent.picture.pictureID,
                    tl0PictureIndex: vp8.tl0PictureIndex == nil ? nil : sent.picture.tl0PictureIndex,
                    keyIndex: vp8.keyIndex == nil ? nil : sent.picture.keyIndex, into: &span, at: end)
            {
                return (end + count, Int(vp8.length))
            }
            return (end, skipped)
        }
    }

    /// The bytes of padding of one packet (RFC 3550 §5.1): a count of 255 is the most that there can be.
    static let paddingBytes = 255

    /// Writes a packet of nothing but padding as a retransmission of nothing, which receivers count and forget; nil when it does
    /// not fit.
    static func composePadding(
        mid: Mid, as form: RetransmissionForm, timestamp: UInt32, map: HeaderExtensionMap, into out: inout Egress
    ) -> Int? {
        let room = RTPHeaderWriter.maximumLength + paddingBytes
        guard let at = out.place(for: room) else { return nil }
        var header = EgressHeader(
            marker: false, payloadType: form.payloadType, sequenceNumber: SequenceNumber(form.sequence),
            timestamp: RTPTimestamp(timestamp), ssrc: form.ssrc, contributingSource: 0)
        header.hasPadding = true
        var extensions = EgressExtensions()
        extensions.mid = mid
        extensions.absoluteSendTime = form.absoluteSendTime
        extensions.transportSequence = SequenceNumber(form.transportSequence)
        return out.arena.withMutableSpan(at, room) { span in
            guard let written = RTPHeaderWriter.write(header, extensions, map, into: &span, at: 0) else { return nil }
            let end = written.length + paddingBytes
            for place in written.length..<end { span[place] = 0 }
            span[end - 1] = UInt8(paddingBytes)
            return end
        }
    }

    /// The packet's Dependency Descriptor with the slot's numbers; gives its bytes, 0 when there is none.
    private static func rewritten(
        _ packet: HistoryPacket, _ rewrite: DependencyRewrite?, place: Int, _ history: borrowing PacketHistory,
        _ descriptor: inout InlineArray<260, UInt8>
    ) -> Int {
        guard let rewrite, let dependency = packet.dependency else { return 0 }
        let length = Int(packet.dependencyLength)
        let at = place * PacketHistory.slotBytes + Int(packet.length)
        var span = descriptor.mutableSpan
        return history.bytes.withSpan(at, length) { source -> Int in
            // One that would be too long with other active targets goes without them.
            dependency.write(rewrite, from: source, at: 0, length: length, into: &span, at: 0, limit: 255)
                ?? dependency.write(
                    DependencyRewrite(frameNumber: rewrite.frameNumber, templateShift: rewrite.templateShift),
                    from: source, at: 0, length: length, into: &span, at: 0, limit: 255) ?? 0
        }
    }

    private static func rewrite(
        _ packet: HistoryPacket, _ numbers: PictureNumbers, at: Int, length: Int, in out: inout Egress
    ) {
        if let vp8 = packet.vp8 {
            out.arena.withMutableSpan(at, length) { span in
                vp8.rewrite(
                    pictureID: numbers.pictureID, tl0PictureIndex: numbers.tl0PictureIndex, keyIndex: numbers.keyIndex,
                    in: &span, at: 0)
            }
        } else if let vp9 = packet.vp9 {
            out.arena.withMutableSpan(at, length) { span in
                vp9.rewrite(
                    pictureID: numbers.pictureID, tl0PictureIndex: numbers.tl0PictureIndex, in: &span, at: 0)
            }
        }
    }
}
