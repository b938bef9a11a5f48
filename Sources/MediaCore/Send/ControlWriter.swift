// Writes the RTCP datagrams of the core itself: feedback to publishers (NACK, transport-wide), sender reports of the
// slots and receiver reports of the streams (RFC 3550 §6.4, RFC 4585, RFC 5506).

extension Egress {
    /// The longest RTCP datagram that is written.
    static let controlBytes = 1_200

    /// Lets a compound be written to the arena and adds it; false when nothing was written or there is no room.
    mutating func writeControl(
        to peer: PeerID, _ body: (inout CompoundWriter, inout MutableSpan<UInt8>) -> Bool
    ) -> Bool {
        guard let at = place(for: Self.controlBytes) else { return false }
        let length = arena.withMutableSpan(at, Self.controlBytes) { span -> Int in
            var writer = CompoundWriter(at: 0, limit: Self.controlBytes)
            return body(&writer, &span) ? writer.length : 0
        }
        guard length > 0 else { return false }
        commit(length, to: peer, kind: .rtcp)
        return true
    }
}

extension RoomCore {
    /// The canonical name of everything that the server sends (RFC 3550 §6.5.1): one name, one clock.
    static let canonicalName = Token("majlis".utf8)
    /// More than a quarter makes no encoder repeat more; of a few packets lost no part is told.
    static let mostToldLoss: UInt32 = 64
    static let leastExpected: UInt32 = 25
    /// The bytes of a source description with it.
    static let descriptionBytes = 24

    /// Writes one feedback message to a peer, behind an empty report where reduced size was not agreed (RFC 4585 §3.1).
    mutating func writeFeedback(
        to p: Int, into out: inout Egress, _ body: (inout CompoundWriter, inout MutableSpan<UInt8>) -> Bool
    ) -> Bool {
        let isReduced = peers[p].reducedSizeRTCP
        let ssrc = peers[p].feedbackSSRC
        let isWritten = out.writeControl(to: peers[p].id) { writer, span in
            if !isReduced {
                guard writer.appendReceiverReport(ssrc: ssrc, into: &span) else { return false }
                Self.describe(ssrc, &writer, &span)
            }
            return body(&writer, &span)
        }
        if isWritten { statistics.rtcpSent &+= 1 } else { statistics.drop(.egressFull) }
        return isWritten
    }

    private static func describe(_ ssrc: SSRC, _ writer: inout CompoundWriter, _ span: inout MutableSpan<UInt8>) {
        guard let name = canonicalName else { return }
        _ = writer.appendSourceDescription(ssrc: ssrc, canonicalName: name, into: &span)
    }

    /// Asks a publisher again for what is due of each of its streams.
    mutating func writeNacks(to p: Int, at now: Timestamp, into out: inout Egress) {
        peers[p].nextNack = nil
        let roundTrip = peers[p].roundTrip.value
        for t in peers[p].tracks {
            for number in tracks[Int(t)].encodings {
                let e = Int(number)
                missed.removeAll(keepingCapacity: true)
                let gaveUp = encodings[e].nacks.takeDue(at: now, roundTrip: roundTrip, into: &missed)
                peers[p].nextNack.bring(forwardTo: encodings[e].nacks.next)
                // Nobody who is sent this layer can decode further: no need to wait until each of them says so.
                if gaveUp, encodings[e].isVideo, !encodings[e].fanout.isEmpty {
                    requestKeyFrame(e, cause: .upstreamLoss, at: now, into: &out)
                }
                guard !missed.isEmpty, let media = encodings[e].ssrc else { continue }
                let numbers = missed
                let sender = peers[p].feedbackSSRC
                let isWritten = writeFeedback(to: p, into: &out) { writer, span in
                    var isFirst = true
                    for number in numbers {
                        let lost = SequenceNumber(UInt16(truncatingIfNeeded: number))
                        let fits =
                            isFirst
                            ? writer.appendGenericNACK(sender: sender, media: media, missed: lost, into: &span)
                            : writer.appendMissed(lost, into: &span)
                        if !fits { break }
                        isFirst = false
                    }
                    return !isFirst
                }
                if isWritten { statistics.nacksSent &+= UInt64(numbers.count) }
            }
        }
    }

    /// Tells a publisher when each of its packets arrived.
    mutating func writeTransportFeedback(to p: Int, into out: inout Egress) {
        peers[p].nextFeedback = nil
        let end = peers[p].arrivals.end
        while peers[p].arrivals.isPending {
            let begin = peers[p].arrivals.begin
            var message = TransportFeedbackBuilder(
                sender: peers[p].feedbackSSRC, media: peers[p].lastMediaSSRC,
                base: SequenceNumber(UInt16(truncatingIfNeeded: begin)), feedbackCount: peers[p].feedbackCount)
            var next = begin
            var number = begin
            while number < end {
                if let arrival = peers[p].arrivals.arrival(of: number) {
                    let sequence = SequenceNumber(UInt16(truncatingIfNeeded: number))
                    guard message.add(sequence, arrival: arrival) else { break }
                    next = number + 1
                }
                number += 1
            }
            guard next > begin else {
                // Nothing of it can be told: begin behind it.
                peers[p].arrivals.finish(at: end)
                return
            }
            peers[p].arrivals.finish(at: next)
            peers[p].feedbackCount &+= 1
            if writeFeedback(to: p, into: &out, { $0.appendTransportFeedback(message, into: &$1) }) {
                statistics.transportFeedbackSent &+= 1
            }
        }
    }

    /// Writes the reports of a peer: on the slots that it receives and on the streams that it sends.
    mutating func writeReports(to p: Int, at now: Timestamp, into out: inout Egress) {
        let interval = TimeDelta.milliseconds(max(1, configuration.reportIntervalMilliseconds))
        let regular = (peers[p].nextReport ?? now) + interval
        peers[p].nextReport = regular > now ? regular : now + interval
        // Taken out and put back, so that reports allocate nothing once the arrays have grown.
        var blocks: [ReportBlock] = []
        var reports: [SenderReport] = []
        swap(&blocks, &reportBlocks)
        swap(&reports, &senderReports)
        defer {
            swap(&blocks, &reportBlocks)
            swap(&reports, &senderReports)
        }
        collectReportBlocks(of: p, at: now, into: &blocks)
        collectSenderReports(to: p, at: now, into: &reports)
        var report = 0
        var block = 0
        let fallback = peers[p].feedbackSSRC
        let limit = Egress.controlBytes
        while report < reports.count || block < blocks.count {
            let before = (report, block)
            let isWritten = out.writeControl(to: peers[p].id) { writer, span in
                let ssrc = report < reports.count ? reports[report].ssrc : fallback
                if report < reports.count {
                    guard writer.appendSenderReport(reports[report], into: &span) else { return false }
                    report += 1
                } else {
                    guard writer.appendReceiverReport(ssrc: ssrc, into: &span) else { return false }
                }
                while block < blocks.count, limit - writer.length >= ReportBlock.length + Self.descriptionBytes,
                    writer.appendReportBlock(blocks[block], into: &span)
                {
                    block += 1
                }
                Self.describe(ssrc, &writer, &span)
                while block == blocks.count, report < reports.count, limit - writer.length >= 28 + Self.descriptionBytes
                {
                    guard writer.appendSenderReport(reports[report], into: &span) else { break }
                    Self.describe(reports[report].ssrc, &writer, &span)
                    report += 1
                }
                return true
            }
            guard isWritten, before != (report, block) else {
                statistics.drop(.egressFull)
                return
            }
            statistics.rtcpSent &+= 1
        }
    }

    private mutating func collectReportBlocks(of p: Int, at now: Timestamp, into blocks: inout [ReportBlock]) {
        blocks.removeAll(keepingCapacity: true)
        for t in peers[p].tracks {
            for number in tracks[Int(t)].encodings {
                let e = Int(number)
                guard let ssrc = encodings[e].ssrc, encodings[e].statistics.isStarted, encodings[e].monitor.isAlive
                else { continue }
                let summary = encodings[e].statistics.summarise(at: now)
                let fraction = encodings[e].isVideo ? 0 : receiversLoss(of: e, at: now)
                blocks.append(
                    ReportBlock(
                        ssrc: ssrc, fractionLost: max(summary.fractionLost, fraction),
                        cumulativeLost: summary.cumulativeLost,
                        extendedHighest: summary.extendedHighest, jitter: summary.jitter,
                        lastSenderReport: summary.lastSenderReport,
                        delaySinceLastSenderReport: summary.delaySinceLastSenderReport))
            }
        }
    }

    /// Of sound that a publisher sends, the part that the worst of its receivers lost lately, in 256ths. Its encoder
    /// chooses by the fraction lost how much it repeats for whom a packet is lost (Opus in-band FEC, RFC 6716 §2.1.7), and the
    /// loss that matters to it may be behind the server. What was lost on the way to the server stays told by the
    /// cumulative number, by which senders judge their own path.
    private func receiversLoss(of e: Int, at now: Timestamp) -> UInt8 {
        var worst: UInt32 = 0
        for number in encodings[e].fanout {
            let report = slots[Int(number)].report
            guard report.isFresh(at: now), report.expected >= Self.leastExpected else { continue }
            worst = max(worst, min(report.lost * 256 / report.expected, Self.mostToldLoss))
        }
        return UInt8(worst)
    }

    /// A report of each slot that has sent: the moment on both of its clocks, which are one line.
    private func collectSenderReports(to p: Int, at now: Timestamp, into reports: inout [SenderReport]) {
        reports.removeAll(keepingCapacity: true)
        for number in peers[p].slots {
            let s = Int(number)
            guard slots[s].packetCount > 0 else { continue }
            let clockRate = slots[s].plan.codecs.first?.clockRate ?? 90_000
            let time = slots[s].line.base &+ TimestampLine.ticks(now, clockRate: clockRate)
            reports.append(
                SenderReport(
                    ssrc: slots[s].plan.ssrc, ntpTime: NTPTime(now, origin: NTPTime(configuration.ntpAtOrigin)),
                    rtpTimestamp: RTPTimestamp(time), packetCount: slots[s].packetCount,
                    octetCount: slots[s].octetCount))
        }
    }
}
