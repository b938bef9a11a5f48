// A room's machine together with what the media side knows of its people: which of a participant's media sections are tracks
// and slots, in the core's terms. Pure: knows no socket, no worker and no clock.
import MediaCore
import Signalling

/// One participant of a room, as the control plane sees it.
struct RosterParticipant {
    let member: RoomMember
    let tracks: [NegotiatedTrack]
    let slots: [(mid: Mid, kind: MediaKind)]

    var id: PeerID { PeerID(member.number) }
    /// False while the first offer is being answered: nobody is told of the participant yet.
    var isPresent: Bool { member.isPresent }
    /// Not shown to the others.
    var isHidden: Bool { member.newcomer.isHidden }
    /// The participant as the others see it.
    var description: ParticipantDescription { member.description }
}

/// The people of one room, in the order in which they came.
struct RoomRoster {
    var machine: RoomMachine
    private var tracks: [PeerID: [NegotiatedTrack]] = [:]
    private var slots: [PeerID: [(mid: Mid, kind: MediaKind)]] = [:]

    init(options: RoomOptions) { machine = RoomMachine(options: options) }

    var version: UInt64 { machine.version }
    var participants: [RosterParticipant] { machine.members.map { participant($0) } }

    private func participant(_ member: RoomMember) -> RosterParticipant {
        let id = PeerID(member.number)
        return RosterParticipant(member: member, tracks: tracks[id] ?? [], slots: slots[id] ?? [])
    }

    /// The participant with this number.
    func participant(_ id: PeerID) -> RosterParticipant? { machine.member(id.rawValue).map { participant($0) } }

    /// What an answered offer settled of a participant's media.
    mutating func settle(_ id: PeerID, tracks: [NegotiatedTrack], slots: [(mid: Mid, kind: MediaKind)]) {
        self.tracks[id] = tracks
        self.slots[id] = slots
    }

    /// A participant is gone.
    mutating func forget(_ id: PeerID) {
        tracks[id] = nil
        slots[id] = nil
    }

    /// The tracks of an answered offer, as the machine knows them.
    static func tracks(_ tracks: [NegotiatedTrack]) -> [RoomTrack] {
        tracks.map {
            RoomTrack(
                mid: $0.mid.text, kind: $0.kind == .audio ? .audio : .video, source: name(of: $0.source),
                isMuted: $0.isMuted)
        }
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
        guard parts.count == 2, let number = RoomNames.participant(String(parts[0])), let mid = Mid(String(parts[1])),
            let owner = participant(PeerID(number)), owner.tracks.contains(where: { $0.mid == mid })
        else { return nil }
        return TrackID(peer: owner.id, mid: mid)
    }

    /// `p7`
    static func name(of id: PeerID) -> String { RoomNames.participant(id.rawValue) }
    /// `p7/1`
    static func name(of id: PeerID, _ mid: Mid) -> String { "\(name(of: id))/\(mid.text)" }

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
