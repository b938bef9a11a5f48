// The room's part of telling who speaks: what each packet of a microphone adds to its window, and every 40 ms while somebody
// speaks the decision who has the floor, and what is told. Opens no gate and fills no slot.

extension RoomCore {
    /// A packet of a microphone is so loud: its window and its gate hear it, and whose gate opens gets a slot.
    mutating func hear(
        _ heard: AudioLevel, isMeasured: Bool, _ timestamp: UInt32, _ t: Int, _ e: Int, at now: Timestamp,
        into out: inout Egress
    ) {
        let units = listen(heard, isMeasured: isMeasured, timestamp, t, clockRate: encodings[e].clockRate, at: now)
        let expired = tracks[t].gate.expire(at: now)
        let opened = tracks[t].gate.hear(
            heard, noise: noise(besideVoiceOf: t), units: units, timestamp: timestamp, at: now)
        if choosesSpeakers, opened, !expired {
            assignSlots(notWithin: Self.shortestSpeakersInterval, at: now, into: &out)
        }
    }

    /// How loud a packet was that did not say so: as if it came now, for who speaks; it has been forwarded or not.
    mutating func hearDecoded(
        _ level: AudioLevel, timestamp: UInt32, of id: TrackID, at now: Timestamp, into out: inout Egress
    ) {
        guard let t = find(id), !tracks[t].isVideo, !tracks[t].isMuted, peers[Int(tracks[t].peer)].isConnected,
            let e = tracks[t].encodings.first, tracks[t].levels.take(level.level, timestamp: timestamp)
        else { return }
        hear(level, isMeasured: true, timestamp, t, Int(e), at: now, into: &out)
    }

    /// A packet of a microphone adds to its window; how many units end with it.
    private mutating func listen(
        _ heard: AudioLevel, isMeasured: Bool, _ timestamp: UInt32, _ t: Int, clockRate: UInt32, at now: Timestamp
    ) -> Int {
        let units = tracks[t].voice.hear(
            heard, isMeasured: isMeasured, timestamp: timestamp, clockRate: clockRate, at: now)
        if speakers.next == nil, tracks[t].voice.speech & 1 != 0, tracks[t].plan.source == .microphone {
            speakers.wake(at: now)
        }
        return units
    }

    /// What a microphone brings beside the voice of its owner: its noise, or the voices of others out of a loudspeaker; nil where
    /// all that it brings is a machine's noise.
    func noise(besideVoiceOf t: Int) -> UInt8? {
        guard tracks[t].voice.liveliness >= SpeakerDetector.leastLiveliness else { return nil }
        let noise = tracks[t].voice.noise
        guard tracks[t].evidence.isCertainEcho else { return noise }
        return max(noise, UInt8(truncatingIfNeeded: min(tracks[t].voice.loudness / 16, 127)))
    }

    /// Nothing that was heard of a track counts any more.
    mutating func silence(_ t: Int, at now: Timestamp) {
        tracks[t].voice.forgetSpeech()
        tracks[t].evidence.clear()
        tracks[t].levels.forget()
        if tracks[t].evidence.isListed { speakers.wake(at: now) }
    }

    /// A track is gone: nobody who is not there has the floor.
    mutating func forgetSpeaker(_ t: Int, at now: Timestamp) {
        guard tracks[t].evidence.isListed || speakers.detector.holder == tracks[t].id else { return }
        speakers.detector.forget(tracks[t].id)
        speakers.wake(at: now)
    }

    /// Decides who has the floor and tells what has changed.
    mutating func chooseDominantSpeaker(at now: Timestamp, into out: inout Egress) {
        speakers.next = nil
        let holder = speakers.detector.holder.flatMap { find($0) }
        if let holder, !tracks[holder].isMuted {
            tracks[holder].voice.settle(at: now)
            speakers.detector.begin(holder: tracks[holder].voice, echoes: tracks[holder].evidence.isEcho)
        } else {
            speakers.detector.begin(holder: nil, echoes: false)
        }
        speakers.voices.removeAll(keepingCapacity: true)
        var isAnybodyHeard = false
        for i in peerOrder.indices {
            let p = Int(peerOrder[i])
            for j in peers[p].tracks.indices {
                let t = Int(peers[p].tracks[j])
                guard tracks[t].plan.source == .microphone, !tracks[t].isVideo, !tracks[t].isMuted else { continue }
                if weigh(t, at: now) { isAnybodyHeard = true }
            }
        }
        if let change = speakers.detector.decide(at: now) { out.decisions.append(.dominantSpeakerChanged(change)) }
        tellSpeakers(at: now, into: &out)
        if isAnybodyHeard { speakers.next = now + SpeakerDetector.interval }
    }

    /// Weighs one microphone and lists it; whether something of it can change by itself.
    private mutating func weigh(_ t: Int, at now: Timestamp) -> Bool {
        tracks[t].voice.settle(at: now)
        var evidence = tracks[t].evidence
        speakers.detector.weigh(tracks[t].id, &tracks[t].voice, &evidence, at: now)
        let recent = tracks[t].voice.speech(inLast: SpeakerBoard.listedUnits)
        evidence.isListed =
            recent >= (evidence.isListed ? 1 : SpeakerBoard.enoughUnits)
            && speakers.detector.isOwnSpeech(tracks[t].voice, evidence)
        tracks[t].evidence = evidence
        if evidence.isListed {
            let loud = UInt8(truncatingIfNeeded: tracks[t].voice.shown / 16)
            let step = SpeakerReport.step
            speakers.voices.append(
                SpeakerReport.Voice(peer: tracks[t].id.peer, level: (127 &- min(loud, 127)) / step &* step))
        }
        return tracks[t].voice.speech != 0
    }

    /// Tells who speaks when that has changed, at most five times a second.
    private mutating func tellSpeakers(at now: Timestamp, into out: inout Egress) {
        let dominant = speakers.detector.holder?.peer
        Self.order(&speakers.voices)
        guard dominant != speakers.told.dominant || speakers.voices != speakers.told.active else { return }
        if let last = speakers.toldAt, now >= last, now - last < SpeakerBoard.tellingInterval {
            let floorAt = speakers.floorToldAt.map { $0 + SpeakerBoard.floorInterval } ?? now
            guard dominant != speakers.told.dominant, now >= floorAt else {
                speakers.next.bring(forwardTo: last + SpeakerBoard.tellingInterval)
                return
            }
            speakers.floorToldAt = now
        }
        speakers.told = SpeakerReport(dominant: dominant, active: speakers.voices)
        speakers.toldAt = now
        out.events.append(.speakersChanged(speakers.told))
    }

    /// The loudest first, as many as are told; those equally loud stay in their order.
    private static func order(_ voices: inout [SpeakerReport.Voice]) {
        for i in voices.indices.dropFirst() {
            var at = i
            while at > 0, voices[at - 1].level > voices[at].level {
                voices.swapAt(at - 1, at)
                at -= 1
            }
        }
        if voices.count > SpeakerReport.limit { voices.removeLast(voices.count - SpeakerReport.limit) }
    }
}
