// Finds the encoding of an SSRC that is not in the table yet (RFC 8843 §9.2): by mid and rid, else by a payload type
// that only one track has. Decides nothing about the packet itself.

extension RoomCore {
    /// What an unknown SSRC is found to be.
    enum Found {
        case row(Int)
        case dropped(DropReason)
    }

    /// Learns an SSRC from its first packet.
    mutating func learn(
        _ header: RTPHeader, _ offsets: HeaderExtensionOffsets, _ bytes: Span<UInt8>, from p: Int, at now: Timestamp,
        into out: inout Egress
    ) -> Found {
        let isRetransmission = carriesRetransmissions(header.payloadType, from: p)
        // Some clients probe the bandwidth so before any media: it must not be taken for somebody's stream.
        if header.ssrc.rawValue == 0, isRetransmission { return .dropped(.bandwidthProbe) }
        let rid = isRetransmission ? offsets.readRepairedRid(bytes) ?? offsets.readRid(bytes) : offsets.readRid(bytes)
        let e: Int
        switch encoding(mid: offsets.readMid(bytes), rid: rid, header.payloadType, isRetransmission, from: p) {
        case .row(let found): e = found
        case .dropped(let reason):
            return .dropped(isRetransmission && reason == .unknownSSRC ? .bandwidthProbe : reason)
        }
        let binding = StreamBinding(
            ssrc: header.ssrc, encoding: Int32(truncatingIfNeeded: e), isRetransmission: isRetransmission,
            isLearned: true, lastPacket: now)
        switch bind(binding, of: p) {
        case .full: return .dropped(.tooManySSRCs)
        case .evicted(let ssrc, let idle):
            out.decisions.append(.streamEvicted(peer: peers[p].id, ssrc: ssrc, idle: idle))
        case .added: break
        }
        let t = Int(encodings[e].track)
        out.decisions.append(
            .streamBound(
                peer: peers[p].id, ssrc: header.ssrc, mid: tracks[t].id.mid, layer: encodings[e].layer,
                isRetransmission: isRetransmission))
        guard let row = peers[p].streams.find(header.ssrc) else { return .dropped(.tooManySSRCs) }
        return .row(row)
    }

    private func carriesRetransmissions(_ payloadType: PayloadType, from p: Int) -> Bool {
        for t in peers[p].tracks {
            for codec in tracks[Int(t)].plan.codecs where codec.rtxPayloadType == payloadType { return true }
        }
        return false
    }

    private func has(_ payloadType: PayloadType, _ isRetransmission: Bool, _ t: Int) -> Bool {
        tracks[t].plan.codecs.contains {
            isRetransmission ? $0.rtxPayloadType == payloadType : $0.payloadType == payloadType
        }
    }

    private func encoding(
        mid: Mid?, rid: Rid?, _ payloadType: PayloadType, _ isRetransmission: Bool, from p: Int
    ) -> Found {
        if let mid {
            for number in peers[p].tracks where tracks[Int(number)].id.mid == mid {
                return encoding(rid: rid, of: Int(number))
            }
            return .dropped(.unknownMid)
        }
        // Without a mid only a payload type (and a rid) that no other track has can tell.
        var only: Int?
        for number in peers[p].tracks {
            let t = Int(number)
            guard has(payloadType, isRetransmission, t) else { continue }
            if let rid, !tracks[t].encodings.contains(where: { encodings[Int($0)].rid == rid }) { continue }
            guard only == nil else { return .dropped(.unknownSSRC) }
            only = t
        }
        guard let only else { return .dropped(.unknownSSRC) }
        if rid == nil, tracks[only].encodings.count > 1 { return .dropped(.unknownSSRC) }
        return encoding(rid: rid, of: only)
    }

    private func encoding(rid: Rid?, of t: Int) -> Found {
        let all = tracks[t].encodings
        if all.count == 1, let e = all.first { return .row(Int(e)) }
        guard let rid else { return .dropped(.unknownSSRC) }
        for e in all where encodings[Int(e)].rid == rid { return .row(Int(e)) }
        return .dropped(.unknownRid)
    }

    /// Puts an SSRC into a peer's table and tells its encoding.
    mutating func bind(_ binding: StreamBinding, of p: Int) -> StreamTable.Added {
        let e = Int(binding.encoding)
        if let row = peers[p].streams.find(binding.ssrc) {
            let known = peers[p].streams.rows[row]
            if known.encoding == binding.encoding, known.isRetransmission == binding.isRetransmission { return .added }
        }
        let added = peers[p].streams.add(binding)
        if case .full = added { return added }
        if binding.isRetransmission {
            if let old = encodings[e].rtxSSRC, old != binding.ssrc { peers[p].streams.remove(old) }
            encodings[e].rtxSSRC = binding.ssrc
        } else {
            takeOver(binding.ssrc, e)
        }
        return added
    }

    /// An encoding's packets come under this SSRC from now on.
    private mutating func takeOver(_ ssrc: SSRC, _ e: Int) {
        guard encodings[e].ssrc != ssrc else { return }
        let old = encodings[e].ssrc
        encodings[e].ssrc = ssrc
        guard let old else { return }
        peers[Int(encodings[e].peer)].streams.remove(old)
        encodings[e].restartReception()
        encodings[e].serialRenewed(&nextSerial)
        for i in encodings[e].fanout.indices {
            slots[Int(encodings[e].fanout[i])].sourceRestarted(of: Int32(truncatingIfNeeded: e))
        }
    }
}
