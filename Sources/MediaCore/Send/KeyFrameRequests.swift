// Asks publishers for key frames (RFC 4585 §6.3.1, RFC 5104 §4.3.1), for slots that wait and for receivers that ask.
// When is KeyFrameRequester's and KeyFrameBudget's to say.

extension RoomCore {
    /// The shortest time between two requests for one encoding: the configured one, or a round trip and a margin.
    private func requestInterval(_ p: Int) -> TimeDelta {
        max(
            .milliseconds(configuration.keyFrameRequestIntervalMilliseconds),
            peers[p].roundTrip.value + .milliseconds(100))
    }

    /// A slot that waits for a key frame has it asked for.
    mutating func requestForWaiting(_ s: Int, cause: KeyFrameCause, at now: Timestamp, into out: inout Egress) {
        let receiver = Int(slots[s].peer)
        guard slots[s].isVideo, slots[s].isWaiting, !slots[s].isHidden, peers[receiver].isConnected else { return }
        let e = Int(slots[s].target)
        out.decisions.append(
            .waitingForKeyFrame(
                peer: peers[receiver].id, slot: slots[s].plan.mid, track: tracks[Int(encodings[e].track)].id,
                layer: encodings[e].layer))
        requestKeyFrame(e, cause: cause, at: now, into: &out)
    }

    /// Somebody needs a key frame of an encoding.
    mutating func requestKeyFrame(_ e: Int, cause: KeyFrameCause, at now: Timestamp, into out: inout Egress) {
        let p = Int(encodings[e].peer)
        let t = Int(encodings[e].track)
        guard peers[p].isConnected, encodings[e].ssrc != nil else { return }
        guard tracks[t].plan.feedback.pictureLossIndication || tracks[t].plan.feedback.fullIntraRequest else {
            out.decisions.append(
                .keyFrameSuppressed(tracks[t].id, layer: encodings[e].layer, cause: cause, why: .notNegotiated))
            return
        }
        let interval = requestInterval(p)
        if encodings[e].requester.request(cause, at: now, interval: interval) {
            sendKeyFrameRequest(e, at: now, into: &out)
        } else {
            out.decisions.append(
                .keyFrameSuppressed(tracks[t].id, layer: encodings[e].layer, cause: cause, why: .coalesced))
        }
        peers[p].nextKeyFrame.bring(forwardTo: encodings[e].requester.next)
    }

    private mutating func sendKeyFrameRequest(_ e: Int, at now: Timestamp, into out: inout Egress) {
        let p = Int(encodings[e].peer)
        let t = Int(encodings[e].track)
        encodings[e].requester.sent(at: now, interval: requestInterval(p))
        guard let media = encodings[e].ssrc else { return }
        let sender = peers[p].feedbackSSRC
        let usesPLI = tracks[t].plan.feedback.pictureLossIndication
        peers[p].feedbackCommand &+= 1
        let command = peers[p].feedbackCommand
        let isWritten = writeFeedback(to: p, into: &out) { writer, span in
            usesPLI
                ? writer.appendPictureLossIndication(sender: sender, media: media, into: &span)
                : writer.appendFullIntraRequest(
                    sender: sender, FullIntraRequestEntry(ssrc: media, commandNumber: command), into: &span)
        }
        guard isWritten else { return }
        statistics.keyFrameRequestsSent &+= 1
        peers[p].statistics.keyFrameRequestsSent &+= 1
        out.decisions.append(
            .keyFrameRequested(
                tracks[t].id, layer: encodings[e].layer, cause: encodings[e].requester.cause,
                attempt: encodings[e].requester.attempts))
    }

    /// A receiver says that it cannot decode what is on a slot.
    mutating func receiverAsksKeyFrame(_ s: Int, at now: Timestamp, into out: inout Egress) {
        statistics.keyFrameRequestsReceived &+= 1
        let receiver = Int(slots[s].peer)
        peers[receiver].statistics.keyFrameRequestsReceived &+= 1
        guard slots[s].isVideo, !slots[s].isHidden else { return }
        // A slot that waits has its request under way, repeated until it is answered.
        let e = Int(slots[s].isWaiting ? slots[s].target : slots[s].current)
        guard e >= 0 else { return }
        let track = tracks[Int(encodings[e].track)].id
        let layer = encodings[e].layer
        if slots[s].isWaiting {
            out.decisions.append(
                .keyFrameSuppressed(track, layer: layer, cause: .receiverRequest, why: .coalesced))
            return
        }
        // As long as anything waits for the receiver's pace, the key frame may.
        let pace = peers[receiver].pacer.isEmpty ? TimeDelta.zero : Self.longestWait
        if let last = slots[s].keyFrames.keyFrameAt, now - last < peers[receiver].roundTrip.value + pace {
            out.decisions.append(
                .keyFrameSuppressed(track, layer: layer, cause: .receiverRequest, why: .onItsWay))
            return
        }
        guard slots[s].keyFrames.ask(at: now, isAlone: encodings[e].fanout.count <= 1) else {
            peers[receiver].nextKeyFrame.bring(forwardTo: slots[s].keyFrames.deferredTo)
            out.decisions.append(
                .keyFrameSuppressed(track, layer: layer, cause: .receiverRequest, why: .receiverBudget))
            return
        }
        requestKeyFrame(e, cause: .receiverRequest, at: now, into: &out)
    }

    /// Repeats what was asked of a peer and has not come, and grants what was put off for its own slots.
    mutating func repeatKeyFrameRequests(of p: Int, at now: Timestamp, into out: inout Egress) {
        peers[p].nextKeyFrame = nil
        for number in peers[p].slots {
            let s = Int(number)
            guard let at = slots[s].keyFrames.deferredTo else { continue }
            guard at <= now else {
                peers[p].nextKeyFrame.bring(forwardTo: at)
                continue
            }
            let e = Int(slots[s].current)
            guard e >= 0, !slots[s].isWaiting, !slots[s].isHidden,
                slots[s].keyFrames.ask(at: now, isAlone: encodings[e].fanout.count <= 1)
            else {
                slots[s].keyFrames.forgetDeferred()
                continue
            }
            requestKeyFrame(e, cause: .receiverRequest, at: now, into: &out)
        }
        for t in peers[p].tracks {
            for number in tracks[Int(t)].encodings {
                let e = Int(number)
                if encodings[e].requester.isDue(at: now) {
                    if encodings[e].fanout.isEmpty || tracks[Int(t)].isMuted {
                        encodings[e].requester.settle()
                    } else {
                        sendKeyFrameRequest(e, at: now, into: &out)
                    }
                }
                peers[p].nextKeyFrame.bring(forwardTo: encodings[e].requester.next)
            }
        }
    }
}
