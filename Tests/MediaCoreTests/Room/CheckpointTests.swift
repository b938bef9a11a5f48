// Checkpoints as bytes: what they refuse, that hostile ones neither trap nor make a room that does, and that no part of the
// core's state is left out.

import SimulatedNetwork
import Testing

@testable import MediaCore

@Suite("Checkpoints")
struct CheckpointTests {
    /// A small room in the middle of everything: video, simulcast, loss, a receiver that pins, somebody gone.
    private static func bytes() -> [UInt8] {
        let lossy = LinkConditions(loss: 0.05)
        let simulation = Simulation(seed: 4)
        for step: Step in [
            .join(
                1,
                ParticipantProfile([.microphone(), .camera(.simulcast)], audioSlots: 1, videoSlots: 1, toServer: lossy)),
            .join(2, ParticipantProfile([.microphone()], audioSlots: 2, videoSlots: 1, fromServer: lossy)),
            .join(3, ParticipantProfile([], audioSlots: 0, videoSlots: 1)),
            .run(.milliseconds(400)), .leave(3), .run(.milliseconds(300)),
        ] { simulation.perform(step) }
        var checkpoint = Checkpoint()
        simulation.checkpoint(into: &checkpoint)
        return checkpoint.bytes
    }

    /// Gives a core packets, commands and time drawn at random.
    private func exercise(_ core: inout RoomCore, seed: UInt64, count: Int, _ out: inout Egress) {
        var random = SeededRandom(seed: seed)
        var now = Timestamp(nanoseconds: 1_700_000_000)
        let profile = ParticipantProfile([.microphone(), .camera(.simulcast)], audioSlots: 1, videoSlots: 1)
        for round in 0..<count {
            let peer = PeerID(UInt32(random.below(4)))
            now = now + .milliseconds(Int64(random.below(30)))
            switch random.below(7) {
            case 0, 1:
                let isVideo = random.chance(0.5)
                let ssrc = ClientNumbers.publishedSSRC(
                    peer: peer.rawValue, track: isVideo ? 1 : 0, encoding: isVideo ? random.below(3) : 0)
                let packet = OutgoingPacket(
                    payloadType: isVideo ? ClientNumbers.publishedVP8 : ClientNumbers.publishedOpus, marker: false,
                    sequence: UInt16(truncatingIfNeeded: random.next() >> (random.chance(0.5) ? 48 : 60)),
                    timestamp: UInt32(truncatingIfNeeded: round * 960), ssrc: ssrc,
                    payload: [0x90, 0x80, 0x81, 0x23, UInt8(random.below(2)), 0, 0, 0x9d, 1, 0x2a, 0, 1, 0, 1])
                core.receiveRTP(packet.bytes.span, from: peer, at: now, into: &out)
            case 2:
                // A NACK for a slot.
                let ssrc = ClientNumbers.slotSSRC(peer: peer.rawValue, slot: random.below(3))
                let bytes: [UInt8] =
                    [0x81, 205, 0, 3, 0, 0, 0, 9]
                    + (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * $0)) }
                    + random.bytes(4)
                core.receiveRTCP(bytes.span, from: peer, at: now, into: &out)
            case 3:
                let ssrc = ClientNumbers.slotSSRC(peer: peer.rawValue, slot: random.below(3))
                let bytes: [UInt8] =
                    [0x81, 206, 0, 2, 0, 0, 0, 9]
                    + (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * $0)) }
                core.receiveRTCP(bytes.span, from: peer, at: now, into: &out)
            case 4: core.advance(to: now, into: &out)
            case 5: command(&core, peer, profile.plan(peer: peer.rawValue), random.below(9), at: now, &out)
            default:
                let ssrc = ClientNumbers.publishedSSRC(peer: peer.rawValue, track: 1, encoding: 0)
                let bytes: [UInt8] =
                    [0x80, 200, 0, 6] + (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * $0)) }
                    + random.bytes(20)
                core.receiveRTCP(bytes.span, from: peer, at: now, into: &out)
            }
            out.removeAll()
        }
    }

    private func command(
        _ core: inout RoomCore, _ peer: PeerID, _ plan: PeerPlan, _ choice: Int, at now: Timestamp, _ out: inout Egress
    ) {
        guard let mid = Mid("a"), let video = Mid("rv0") else { return }
        switch choice {
        case 0: core.apply(.addParticipant(peer), at: now, into: &out)
        case 1: core.apply(.applyPlan(peer, plan), at: now, into: &out)
        case 2: core.apply(.peerConnected(peer), at: now, into: &out)
        case 3: core.apply(.peerDisconnected(peer), at: now, into: &out)
        case 4: core.apply(.removeParticipant(peer, .left), at: now, into: &out)
        case 5: core.apply(.setMuted(TrackID(peer: peer, mid: mid), now.nanoseconds & 1 == 0), at: now, into: &out)
        case 6:
            let level = AudioLevel(isVoice: true, level: UInt8(truncatingIfNeeded: now.nanoseconds & 127))
            let track = TrackID(peer: peer, mid: mid)
            core.apply(.soundLevel(track, timestamp: 960, level), at: now, into: &out)
        default:
            let wish = SlotWish(mid: video, pin: nil, wantedHeight: UInt16(truncatingIfNeeded: now.nanoseconds & 1))
            core.apply(.setSlotWishes(peer, [wish]), at: now, into: &out)
        }
    }

    @Test("A core restored and written again gives the same bytes")
    func roundTrip() throws {
        let bytes = Self.bytes()
        let core = try RoomCore(checkpoint: Checkpoint(bytes: bytes))
        // The memory of a longer checkpoint is used again, its rest is not left behind.
        var again = Checkpoint(bytes: bytes + [1, 2, 3])
        core.checkpoint(into: &again)
        #expect(again.bytes == bytes)
        #expect(core.statistics.rtpPacketsSent > 0)
    }

    @Test("Every beginning of a checkpoint is refused, and so is one that goes on")
    func truncated() {
        let bytes = Self.bytes()
        // Each length up to a kilobyte, then every 97th.
        for length in Array(0..<1_024) + Array(stride(from: 1_024, to: bytes.count, by: 97)) {
            #expect(throws: CheckpointError.self) {
                _ = try RoomCore(checkpoint: Checkpoint(bytes: Array(bytes.prefix(length))))
            }
        }
        #expect(throws: CheckpointError.trailingBytes(offset: bytes.count)) {
            _ = try RoomCore(checkpoint: Checkpoint(bytes: bytes + [0]))
        }
    }

    @Test("What is none, or of another version, is named so")
    func foreign() {
        #expect(throws: CheckpointError.notACheckpoint) { _ = try RoomCore(checkpoint: Checkpoint()) }
        #expect(throws: CheckpointError.notACheckpoint) {
            _ = try RoomCore(checkpoint: Checkpoint(bytes: [UInt8](repeating: 7, count: 400)))
        }
        var bytes = Self.bytes()
        bytes[5] = 9
        #expect(throws: CheckpointError.unknownVersion(9)) { _ = try RoomCore(checkpoint: Checkpoint(bytes: bytes)) }
    }

    @Test("With any byte changed it is refused, or the room that comes of it survives a thousand inputs")
    func changedBytes() {
        let bytes = Self.bytes()
        var random = SeededRandom(seed: 1)
        var out = Egress(capacity: 1 << 18)
        var refused = 0
        var made = 0
        // A debug build takes some bytes, an optimised one every byte.
        for offset in stride(from: 6, to: bytes.count, by: Self.step) {
            var changed = bytes
            changed[offset] ^= UInt8(truncatingIfNeeded: 1 &<< random.below(8)) | UInt8(random.below(3) == 0 ? 0xff : 0)
            guard var core = try? RoomCore(checkpoint: Checkpoint(bytes: changed)) else {
                refused += 1
                continue
            }
            made += 1
            exercise(&core, seed: UInt64(offset), count: 1_000, &out)
        }
        #expect(refused > 0)
        #expect(made > 0)
    }

    private static let step = _isDebugAssertConfiguration() ? 61 : 1

    @Test("A few bytes cannot ask for more memory than the limit")
    func hugeCounts() throws {
        var reader = CheckpointReader([0xff, 0xff, 0x03])
        #expect(throws: CheckpointError.truncated(offset: 3)) { _ = try reader.readRows() }
        var long = CheckpointReader([UInt8](repeating: 0xff, count: 12))
        #expect(throws: CheckpointError.invalid(offset: 10)) { _ = try long.readRows() }
        var rings = CheckpointReader([])
        let ring = RetransmissionMap.videoPackets * MemoryLayout<SentPacket>.stride
        var count = 0
        #expect(throws: CheckpointError.tooLarge) {
            while count < CheckpointLimit.memory {
                try rings.take(memory: ring)
                count += 1
            }
        }
        #expect(count == CheckpointLimit.memory / ring)
        #expect(throws: CheckpointError.tooLarge) { try rings.take(memory: -1) }
    }

    /// When one of these numbers changes, state came or went: write it to the checkpoint (`save` and `restore` or `code` in the
    /// type's own file), raise `Checkpoint.version`, and only then write the new number here.
    @Test("No stored property is forgotten")
    func sizes() {
        let sizes = [
            "RoomCore": MemoryLayout<RoomCore>.size, "RoomConfiguration": MemoryLayout<RoomConfiguration>.size,
            "Statistics": MemoryLayout<Statistics>.size, "PeerStatistics": MemoryLayout<PeerStatistics>.size,
            "Participant": MemoryLayout<Participant>.size, "PublishedTrack": MemoryLayout<PublishedTrack>.size,
            "Encoding": MemoryLayout<Encoding>.size, "ReceiveSlot": MemoryLayout<ReceiveSlot>.size,
            "StreamTable": MemoryLayout<StreamTable>.size, "StreamBinding": MemoryLayout<StreamBinding>.size,
            "ArrivalRecorder": MemoryLayout<ArrivalRecorder>.size, "NackTracker": MemoryLayout<NackTracker>.size,
            "PacketHistory": MemoryLayout<PacketHistory>.size, "HistoryPacket": MemoryLayout<HistoryPacket>.size,
            "RetransmissionMap": MemoryLayout<RetransmissionMap>.size, "SentPacket": MemoryLayout<SentPacket>.size,
            "RetiredStream": MemoryLayout<RetiredStream>.size, "SequenceWindow": MemoryLayout<SequenceWindow>.size,
            "ReceptionStatistics": MemoryLayout<ReceptionStatistics>.size, "AudioGate": MemoryLayout<AudioGate>.size,
            "EncodingMonitor": MemoryLayout<EncodingMonitor>.size,
            "KeyFrameRequester": MemoryLayout<KeyFrameRequester>.size,
            "SenderReportMapping": MemoryLayout<SenderReportMapping>.size,
            "PublisherClock": MemoryLayout<PublisherClock>.size, "RoundTrip": MemoryLayout<RoundTrip>.size,
            "Budget": MemoryLayout<Budget>.size, "KeyFrameBudget": MemoryLayout<KeyFrameBudget>.size,
            "SequenceRewriter": MemoryLayout<SequenceRewriter>.size, "TimestampLine": MemoryLayout<TimestampLine>.size,
            "PictureRewriter": MemoryLayout<PictureRewriter>.size, "PictureNumbers": MemoryLayout<PictureNumbers>.size,
            "TransportSequencer": MemoryLayout<TransportSequencer>.size,
            "PublishedTrackPlan": MemoryLayout<PublishedTrackPlan>.size,
            "ReceiveSlotPlan": MemoryLayout<ReceiveSlotPlan>.size, "CodecPlan": MemoryLayout<CodecPlan>.size,
            "EncodingPlan": MemoryLayout<EncodingPlan>.size, "FeedbackPlan": MemoryLayout<FeedbackPlan>.size,
            "HeaderExtensionMap": MemoryLayout<HeaderExtensionMap>.size,
            "SlotAssignment": MemoryLayout<SlotAssignment>.size,
        ]
        #expect(sizes == Self.recordedSizes)
    }

    private static let recordedSizes: [String: Int] = [
        "ArrivalRecorder": 41, "AudioGate": 78, "Budget": 33, "CodecPlan": 16, "Encoding": 4080, "EncodingMonitor": 17,
        "EncodingPlan": 33, "FeedbackPlan": 4, "HeaderExtensionMap": 10, "HistoryPacket": 122, "KeyFrameBudget": 41,
        "KeyFrameRequester": 41, "NackTracker": 17, "PacketHistory": 32, "Participant": 2672, "PeerStatistics": 104,
        "PictureNumbers": 4, "PictureRewriter": 302, "PublishedTrack": 313, "PublishedTrackPlan": 45,
        "PublisherClock": 24, "ReceiveSlot": 1310, "ReceiveSlotPlan": 44, "ReceptionStatistics": 66,
        "RetiredStream": 18, "RetransmissionMap": 16, "RoomConfiguration": 96, "RoomCore": 896, "RoundTrip": 25,
        "SenderReportMapping": 13, "SentPacket": 64, "SequenceRewriter": 304, "SequenceWindow": 272,
        "SlotAssignment": 51, "Statistics": 144, "StreamBinding": 24, "StreamTable": 48, "TimestampLine": 57,
        "TransportSequencer": 2,
    ]
}
