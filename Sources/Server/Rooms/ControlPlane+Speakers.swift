// Who speaks, told to everybody in the room: the `speakers` message. Each is told whole, so that one left out is made up for by
// the next, or on the control plane's next tick.
import Gateway
import MediaCore
import Signalling

extension ControlPlane {
    /// Tells everybody in a room who speaks.
    func speakersChanged(_ report: SpeakerReport, in room: RoomRecord?) {
        guard let room else { return }
        room.speakers = (report, describe(report, in: room))
        for participant in room.roster.participants where participant.isPresent {
            tellSpeakers(to: participant.id, in: room)
        }
    }

    /// Tells one who came, or came back, who speaks.
    func tellSpeakers(to id: PeerID, in room: RoomRecord) {
        guard let text = room.speakers?.text, let member = room.members[id],
            let number = member.session.machine.connection?.number, let socket = sockets[number]
        else { return }
        let isBehind = gateway.map { $0.outputBytes(socket) > 0 } ?? true
        if isBehind != member.isOwedSpeakers { room.members[id]?.isOwedSpeakers = isBehind }
        guard !isBehind else { return }
        change(member.session) { machine, actions in machine.inform(text: text, into: &actions) }
    }

    /// Tells those who could not be told before.
    func tellOwedSpeakers(in room: RoomRecord) {
        guard room.speakers != nil else { return }
        for participant in room.roster.participants where room.members[participant.id]?.isOwedSpeakers == true {
            tellSpeakers(to: participant.id, in: room)
        }
    }

    private func describe(_ report: SpeakerReport, in room: RoomRecord) -> String {
        func isShown(_ id: PeerID) -> Bool {
            room.roster.participant(id).map { $0.isPresent && !$0.isHidden } ?? false
        }
        let active = report.active.filter { isShown($0.peer) }.map {
            ServerMessage.Speakers.Voice(participant: RoomRoster.name(of: $0.peer), level: Int($0.level))
        }
        let dominant = report.dominant.flatMap { isShown($0) ? RoomRoster.name(of: $0) : nil }
        return ServerFrame(.speakers(.init(dominant: dominant, active: active))).text
    }
}
