// Carries one stored packet of sound to the slots of its encoding. Silence, and in a room where the loudest hold the slots whatever
// is behind a closed gate, is not forwarded: the slot rests, its numbers go on without a gap, and when the voice comes back so
// does what came just before the gate opened. Knows levels only as the gate tells of them.

extension RoomCore {
    /// Forwards a packet of sound of an encoding's history.
    mutating func fanOutSound(
        _ e: Int, place: Int, _ codec: Codec, isNewest: Bool, at now: Timestamp, into out: inout Egress
    ) {
        let packet = encodings[e].history[place]
        let t = Int(encodings[e].track)
        var source = context(e, packet, codec, arrived: now, at: now)
        source.isNewest = isNewest
        let isSilent = tracks[t].gate.isSilent
        let isClosed = !tracks[t].gate.isOpen && tracks[t].plan.source == .microphone
        let lead = tracks[t].gate.lead(before: packet.timestamp, clockRate: encodings[e].clockRate, at: now)
        var hasSwitched = false
        for i in 0..<encodings[e].fanout.count {
            let s = Int(encodings[e].fanout[i])
            if isSilent || isClosed && slots[s].followsGate {
                // What comes late fills its place in the numbers, where it has one.
                if isNewest || slots[s].current != source.encoding {
                    slots[s].rest(source.encoding)
                    statistics.drop(.silence)
                    continue
                }
            }
            let begins = slots[s].beginsSwitch(to: source.encoding)
            if begins || slots[s].isResting, isNewest, lead > 0, slots[s].followsGate,
                sendLead(lead, packet, e, source, to: s, into: &out)
            {
                hasSwitched = true
            }
            if forward(packet, place: place, e, source, to: s, into: &out) { hasSwitched = true }
            guard begins, !isNewest else { continue }
            source.isNewest = true
            follow(packet.number, e, source, to: s, into: &out)
            source.isNewest = isNewest
        }
        if hasSwitched { rebuildFanout() }
    }

    /// Sends a slot what came up to `lead` ticks before a packet and lies behind what the slot has sent, with its true times. True
    /// when the slot switched with it.
    private mutating func sendLead(
        _ lead: UInt32, _ packet: HistoryPacket, _ e: Int, _ source: SourceContext, to s: Int, into out: inout Egress
    ) -> Bool {
        var first = packet.number
        for _ in 0..<Self.longestLeadPackets {
            guard let place = encodings[e].history.find(first - 1),
                packet.timestamp &- encodings[e].history[place].timestamp <= lead
            else { break }
            first -= 1
        }
        var hasSwitched = false
        while first < packet.number {
            if let place = encodings[e].history.find(first) {
                let earlier = encodings[e].history[place]
                var before = source
                before.capture = source.capture &- (packet.timestamp &- earlier.timestamp)
                before.clock = source.clock &- (packet.timestamp &- earlier.timestamp)
                if slots[s].isAhead(earlier, before), earlier.length > 0, earlier.codec == packet.codec {
                    if forward(earlier, place: place, e, before, to: s, into: &out) { hasSwitched = true }
                }
            }
            first += 1
        }
        return hasSwitched
    }

    /// The most packets of a lead: 200 ms of packets of 10 ms.
    private static let longestLeadPackets = 20
}
