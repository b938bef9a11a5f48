// The way of one RTCP datagram in: reports, NACKs and key-frame requests, each to the part that it concerns.

extension RoomCore {
    /// Takes the packets of a datagram in, in their order.
    mutating func ingestControl(_ bytes: Span<UInt8>, from p: Int, at now: Timestamp, into out: inout Egress) {
        guard var reader = CompoundReader(bytes) else { return statistics.drop(.malformedRTCP) }
        while let packet = reader.next(bytes) {
            let isRead: Bool
            switch packet.kind {
            case .senderReport: isRead = senderReport(bytes, packet, from: p, at: now, into: &out)
            case .receiverReport: isRead = receiverReport(bytes, packet, from: p, at: now, into: &out)
            case .genericNACK: isRead = negativeAcknowledgement(bytes, packet, from: p, at: now, into: &out)
            case .pictureLossIndication: isRead = pictureLoss(bytes, packet, from: p, at: now, into: &out)
            case .fullIntraRequest: isRead = fullIntra(bytes, packet, from: p, at: now, into: &out)
            // Names and farewells: the control plane knows both better.
            case .sourceDescription, .goodbye: isRead = true
            case .transportFeedback: isRead = transportFeedback(bytes, packet, from: p, at: now, into: &out)
            case .applicationLayerFeedback: isRead = maximumBitrate(bytes, packet, from: p, at: now, into: &out)
            case .application, .extendedReport, .other:
                statistics.drop(.unusedRTCP)
                isRead = true
            }
            if !isRead { statistics.drop(.malformedRTCP) }
        }
    }

    /// The slot of a peer with this SSRC, or nil.
    private func slot(_ ssrc: SSRC, of p: Int) -> Int? {
        for s in peers[p].slots where slots[Int(s)].plan.ssrc == ssrc { return Int(s) }
        return nil
    }

    private mutating func senderReport(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard let report = SenderReport(bytes, packet) else { return false }
        take(report.reportBlocks, bytes, from: p, at: now, into: &out)
        guard let row = peers[p].streams.find(report.ssrc) else { return true }
        let binding = peers[p].streams.rows[row]
        guard !binding.isRetransmission else { return true }
        let e = Int(binding.encoding)
        encodings[e].statistics.noteSenderReport(report.ntpTime.compact, at: now)
        encodings[e].senderReport.note(ntp: report.ntpTime.rawValue, timestamp: report.rtpTimestamp.rawValue)
        peers[p].clock.note(report.ntpTime.rawValue, at: now)
        for i in encodings[e].fanout.indices {
            let s = Int(encodings[e].fanout[i])
            guard Int(slots[s].current) == e else { continue }
            let clockRate = encodings[e].clockRate
            let captured = encodings[e].senderReport.captureTime(
                of: slots[s].line.newestOfSource, clockRate: clockRate, clock: peers[p].clock, arrival: now)
            guard captured != now else { continue }
            slots[s].compareLine(capture: TimestampLine.ticks(captured, clockRate: clockRate), at: now)
        }
        return true
    }

    private mutating func receiverReport(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard let report = ReceiverReport(bytes, packet) else { return false }
        take(report.reportBlocks, bytes, from: p, at: now, into: &out)
        return true
    }

    private mutating func take(
        _ cursor: ReportBlockCursor, _ bytes: Span<UInt8>, from p: Int, at now: Timestamp, into out: inout Egress
    ) {
        var blocks = cursor
        var latest = (lost: 0, expected: 0)
        var worst: UInt8?
        var lost: Int64 = 0
        while let block = blocks.next(bytes) {
            guard let s = slot(block.ssrc, of: p) else { continue }
            slots[s].report.note(block, at: now)
            latest.lost += Int(slots[s].report.lost)
            latest.expected += Int(slots[s].report.expected)
            worst = max(worst ?? 0, block.fractionLost)
            lost &+= Int64(block.cumulativeLost)
            let arrival = NTPTime(now, origin: NTPTime(configuration.ntpAtOrigin))
            if let roundTrip = block.roundTripTime(arrival: arrival) {
                peers[p].roundTrip.note(roundTrip)
                peers[p].bandwidth.noteRoundTrip(roundTrip)
            }
        }
        if latest.expected > 0, peers[p].hasVideoSlots {
            peers[p].bandwidth.takeReceiverReport(lost: latest.lost, expected: latest.expected, at: now)
            followEstimate(of: p, at: now, into: &out)
        }
        if let worst {
            peers[p].statistics.reportedFractionLost = Double(worst) / 256
            peers[p].statistics.reportedLost = lost
        }
    }

    private mutating func transportFeedback(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard let feedback = TransportFeedback(bytes, packet) else { return false }
        statistics.transportFeedbackReceived &+= 1
        guard peers[p].givesTransportFeedback, peers[p].hasVideoSlots else {
            statistics.drop(.unusedRTCP)
            return true
        }
        peers[p].bandwidth.takeFeedback(bytes, feedback, at: now)
        followEstimate(of: p, at: now, into: &out)
        return true
    }

    private mutating func maximumBitrate(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard let message = ReceiverEstimatedMaximumBitrate(bytes, packet), peers[p].hasVideoSlots else {
            statistics.drop(.unusedRTCP)
            return true
        }
        peers[p].bandwidth.takeMaximumBitrate(message.bitrate, at: now)
        followEstimate(of: p, at: now, into: &out)
        return true
    }

    private mutating func pictureLoss(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard let request = PictureLossIndication(bytes, packet) else { return false }
        if let s = slot(request.media, of: p) {
            receiverAsksKeyFrame(s, at: now, into: &out)
        } else {
            statistics.drop(.feedbackForUnknownSSRC)
        }
        return true
    }

    private mutating func fullIntra(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard var request = FullIntraRequest(bytes, packet) else { return false }
        while let entry = request.next(bytes) {
            if let s = slot(entry.ssrc, of: p) {
                receiverAsksKeyFrame(s, at: now, into: &out)
            } else {
                statistics.drop(.feedbackForUnknownSSRC)
            }
        }
        return true
    }

    private mutating func negativeAcknowledgement(
        _ bytes: Span<UInt8>, _ packet: RTCPPacket, from p: Int, at now: Timestamp, into out: inout Egress
    ) -> Bool {
        guard var nack = GenericNACK(bytes, packet) else { return false }
        guard let s = slot(nack.media, of: p) else {
            statistics.drop(.feedbackForUnknownSSRC)
            return true
        }
        let asked = nack
        while let number = nack.next(bytes) {
            statistics.nacksReceived &+= 1
            if let reason = resend(number, on: s, at: now, into: &out) { statistics.drop(reason) }
        }
        // Where one packet in ten is lost one retransmission in ten is too, and a browser asks again a tenth of a second later: a
        // picture or two too late.
        guard slots[s].plan.rtxSSRC != nil else { return true }
        for _ in 1..<peers[p].bandwidth.copies {
            var again = asked
            while let number = again.next(bytes) { sendCopy(number, on: s, at: now, into: &out) }
        }
        return true
    }

    /// Has a packet that was sent again now follow once more, behind all that was asked for with it.
    private mutating func sendCopy(
        _ number: SequenceNumber, on s: Int, at now: Timestamp, into out: inout Egress
    ) {
        let receiver = Int(slots[s].peer)
        guard let record = slots[s].sentPacket(slots[s].extend(number)), record.resent > 0, record.resentAt == now,
            Int(record.resent) < mostResends(to: receiver)
        else { return }
        let e = Int(record.encoding)
        guard let place = place(of: record) else { return }
        guard peers[receiver].retransmissionBudget.take(at: now) else { return statistics.drop(.retransmissionBudget) }
        statistics.retransmissionCopies &+= 1
        let bytes = Int(encodings[e].history[place].length) + Self.headerBytes
        let reason =
            peers[receiver].mustWait(bytes, at: now)
            ? queueRetransmission(record.number, bytes: bytes, of: s, at: now)
            : resendNow(record.number, on: s, at: now, into: &out)
        if let reason { statistics.drop(reason) }
    }

    /// Where a packet that was sent is in its publisher's history; nil where it is overwritten, or its encoding is another.
    func place(of record: SentPacket) -> Int? {
        let e = Int(record.encoding)
        guard encodings.contains(e), encodings[e].serial == record.serial else { return nil }
        return encodings[e].history.find(record.source)
    }

    /// How often one packet is sent again, copies counted.
    private func mostResends(to p: Int) -> Int { Int(RetransmissionMap.maximumResends) * peers[p].bandwidth.copies }

    /// Sends a packet of a slot again; the reason when it is not.
    private mutating func resend(
        _ number: SequenceNumber, on s: Int, at now: Timestamp, into out: inout Egress
    ) -> DropReason? {
        let receiver = Int(slots[s].peer)
        guard let record = slots[s].sentPacket(slots[s].extend(number)) else { return .retransmissionUnknown }
        guard Int(record.resent) < mostResends(to: receiver) else { return .retransmissionLimit }
        let guardTime = max(RetransmissionMap.shortestInterval, peers[receiver].roundTrip.value * 3 / 4)
        if record.resent > 0, now - record.resentAt < guardTime { return .retransmissionTooSoon }
        let e = Int(record.encoding)
        guard let place = place(of: record) else { return .retransmissionOverwritten }
        let bytes = Int(encodings[e].history[place].length) + Self.headerBytes
        let mayLeave = peers[receiver].pacer.mayLeave(bytes, at: now)
        // Before the budget: what is not sent takes nothing from it.
        if !mayLeave, slots[s].isLeftBehind(record) { return .pacerStale }
        guard peers[receiver].retransmissionBudget.take(at: now) else { return .retransmissionBudget }
        guard mayLeave else { return queueRetransmission(record.number, bytes: bytes, of: s, at: now) }
        return resendNow(record.number, on: s, at: now, into: &out)
    }

    /// Sends a packet of a slot again whatever its receiver's pace; the reason when it is not.
    mutating func resendNow(
        _ number: Int64, on s: Int, at now: Timestamp, into out: inout Egress
    ) -> DropReason? {
        let receiver = Int(slots[s].peer)
        guard let record = slots[s].sentPacket(number) else { return .retransmissionUnknown }
        let e = Int(record.encoding)
        guard let place = place(of: record) else { return .retransmissionOverwritten }
        let packet = encodings[e].history[place]
        let reason = slots[s].resend(
            record, packet, place: place, from: encodings[e].history, absoluteSendTime: absoluteSendTime(now), at: now,
            to: &peers[receiver], into: &out)
        guard reason == nil else { return reason }
        statistics.rtpPacketsSent &+= 1
        statistics.rtpBytesSent &+= UInt64(out.lastCount)
        statistics.retransmissionsSent &+= 1
        return nil
    }
}
