// Who is in a room and what they publish, as everybody is told it: the room's version rises by one with each change. Pure:
// knows no socket, no worker and no clock.
import MediaCore
import Signalling

/// One participant of a room.
struct RosterParticipant {
    let id: PeerID
    let user: String
    let name: String?
    let device: String?
    /// Not shown to the others.
    let isHidden: Bool
    /// False while the first offer is being answered: nobody is told of the participant yet.
    var isPresent = false
    var tracks: [NegotiatedTrack] = []
    var slots: [(mid: Mid, kind: MediaKind)] = []

    /// The participant as the others see it.
    var description: ParticipantDescription {
        ParticipantDescription(
            id: RoomRoster.name(of: id), number: id.rawValue, user: user, name: name, device: device,
            tracks: tracks.map { RoomRoster.describe($0, of: id) })
    }
}

/// The people of one room, in the order in which they came.
struct RoomRoster {
    private(set) var version: UInt64 = 0
    private(set) var participants: [RosterParticipant] = []
    private var lastNumber: UInt32 = 0

    /// Something about the room itself changes: the version from then on.
    mutating func nextVersion() -> UInt64 {
        version += 1
        return version
    }

    /// The participant with this number.
    func participant(_ id: PeerID) -> RosterParticipant? { participants.first { $0.id == id } }

    /// The participant of the same user on the same device, if there is one.
    func participant(user: String, device: String?) -> RosterParticipant? {
        guard let device else { return nil }
        return participants.first { $0.user == user && $0.device == device }
    }

    /// Takes a place in the room; nobody is told before `enter`. Numbers rise and are never used twice; nil when a room
    /// has used them all.
    mutating func admit(user: String, name: String?, device: String?, isHidden: Bool) -> PeerID? {
        guard lastNumber < UInt32.max else { return nil }
        lastNumber += 1
        let id = PeerID(lastNumber)
        participants.append(
            RosterParticipant(id: id, user: user, name: name, device: device, isHidden: isHidden))
        return id
    }

    /// The first offer is answered: the participant is in the room. Returns what the others are told.
    mutating func enter(
        _ id: PeerID, tracks: [NegotiatedTrack], slots: [(mid: Mid, kind: MediaKind)]
    ) -> [ServerMessage] {
        guard let index = participants.firstIndex(where: { $0.id == id }), !participants[index].isPresent else {
            return []
        }
        participants[index].isPresent = true
        participants[index].tracks = tracks
        participants[index].slots = slots
        guard !participants[index].isHidden else { return [] }
        version += 1
        return [.participantJoined(.init(version: version, participant: participants[index].description))]
    }

    /// A later offer is answered. Returns what the others are told: tracks that came and went, and mutes.
    mutating func renegotiate(
        _ id: PeerID, tracks: [NegotiatedTrack], slots: [(mid: Mid, kind: MediaKind)]
    ) -> [ServerMessage] {
        guard let index = participants.firstIndex(where: { $0.id == id }) else { return [] }
        let old = participants[index].tracks
        participants[index].tracks = tracks
        participants[index].slots = slots
        guard participants[index].isPresent, !participants[index].isHidden else { return [] }
        var told: [ServerMessage] = []
        let owner = Self.name(of: id)
        for track in old where !tracks.contains(where: { $0.mid == track.mid && $0.source == track.source }) {
            version += 1
            told.append(
                .trackUnpublished(.init(version: version, track: Self.name(of: id, track.mid), participant: owner)))
        }
        for track in tracks {
            if let before = old.first(where: { $0.mid == track.mid && $0.source == track.source }) {
                guard before.isMuted != track.isMuted else { continue }
                version += 1
                told.append(muted(id, track.mid, track.isMuted))
            } else {
                version += 1
                told.append(
                    .trackPublished(.init(version: version, track: Self.describe(track, of: id), participant: owner)))
            }
        }
        return told
    }

    /// A track is muted or unmuted. Nil when there is no such track; no message when nothing changed.
    mutating func setMuted(_ id: PeerID, mid: Mid, _ isMuted: Bool) -> [ServerMessage]? {
        guard let index = participants.firstIndex(where: { $0.id == id }),
            let track = participants[index].tracks.firstIndex(where: { $0.mid == mid })
        else { return nil }
        guard participants[index].tracks[track].isMuted != isMuted else { return [] }
        participants[index].tracks[track].isMuted = isMuted
        guard participants[index].isPresent, !participants[index].isHidden else { return [] }
        version += 1
        return [muted(id, mid, isMuted)]
    }

    /// The participant is gone. Returns what the others are told: nothing when they never knew.
    mutating func leave(_ id: PeerID, reason: RemovalReason) -> [ServerMessage] {
        guard let index = participants.firstIndex(where: { $0.id == id }) else { return [] }
        let gone = participants.remove(at: index)
        guard gone.isPresent, !gone.isHidden else { return [] }
        version += 1
        let told: ServerMessage.ParticipantLeft.Reason =
            switch reason {
            case .left: .left
            case .timedOut: .timedOut
            case .replaced: .replaced
            case .removed: .removed
            case .failed: .failed
            case .roomEnded: .roomEnded
            }
        return [.participantLeft(.init(version: version, participant: Self.name(of: id), reason: told))]
    }

    /// The others as a newcomer sees them.
    func others(than id: PeerID) -> [ParticipantDescription] {
        participants.filter { $0.id != id && $0.isPresent && !$0.isHidden }.map(\.description)
    }

    /// What a slot shows, in the protocol's terms.
    func describe(_ assignment: SlotAssignment, kind: MediaKind) -> SlotDescription {
        let reason: SlotDescription.Reason =
            switch assignment.reason {
            case .pinned: .pinned
            case .everyone: .everyone
            case .speaker: .speaker
            case .screen: .screen
            case .nothing: .nothing
            case .unsupportedCodec: .unsupportedCodec
            }
        let kindName: MediaKindName = kind == .audio ? .audio : .video
        guard let id = assignment.track, let owner = participant(id.peer),
            let track = owner.tracks.first(where: { $0.mid == id.mid })
        else { return SlotDescription(mid: assignment.mid.text, kind: kindName, reason: reason) }
        return SlotDescription(
            mid: assignment.mid.text, kind: kindName, participant: Self.name(of: id.peer), number: id.peer.rawValue,
            track: Self.name(of: id.peer, id.mid), source: Self.name(of: track.source), reason: reason)
    }

    /// The track that a client's identifier names, when it is there.
    func track(named name: String) -> TrackID? {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].first == "p", let number = UInt32(parts[0].dropFirst()),
            let mid = Mid(String(parts[1])), let owner = participant(PeerID(number)),
            owner.tracks.contains(where: { $0.mid == mid })
        else { return nil }
        return TrackID(peer: owner.id, mid: mid)
    }

    private func muted(_ id: PeerID, _ mid: Mid, _ isMuted: Bool) -> ServerMessage {
        .trackMuted(
            .init(
                version: version, track: Self.name(of: id, mid), participant: Self.name(of: id), muted: isMuted))
    }

    /// `p7`
    static func name(of id: PeerID) -> String { "p\(id.rawValue)" }
    /// `p7/1`
    static func name(of id: PeerID, _ mid: Mid) -> String { "p\(id.rawValue)/\(mid.text)" }

    static func describe(_ track: NegotiatedTrack, of id: PeerID) -> TrackDescription {
        TrackDescription(
            id: name(of: id, track.mid), mid: track.mid.text, kind: track.kind == .audio ? .audio : .video,
            source: name(of: track.source), muted: track.isMuted)
    }

    static func name(of source: TrackSource) -> TrackSourceName {
        switch source {
        case .microphone: .microphone
        case .camera: .camera
        case .screen: .screen
        case .screenAudio: .screenAudio
        }
    }

    static func source(named name: TrackSourceName) -> TrackSource {
        switch name {
        case .microphone: .microphone
        case .camera: .camera
        case .screen: .screen
        case .screenAudio: .screenAudio
        }
    }
}
