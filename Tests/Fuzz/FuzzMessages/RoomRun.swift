// A room's machine under the events that bytes spell: its rules hold after each, and its people are told versions in order.

import Signalling

/// A room's machine, and the events.
struct RoomRun {
    var events: EventBytes
    var now = SessionTime(nanoseconds: 0)
    var machine: RoomMachine
    var actions: [RoomAction] = []
    /// Who the server holds for present, or for coming in.
    var places: Set<UInt32> = []
    var waiting: Set<UInt32> = []
    var version: UInt64 = 0
    var muted: [String: Bool] = [:]

    init(events: [UInt8]) {
        self.events = EventBytes(events)
        var options = RoomOptions()
        options.maximumParticipants = 5
        options.maximumWaiting = 3
        options.changeBurst = 10
        machine = RoomMachine(options: options)
    }

    mutating func next() -> UInt8 { events.next() }

    mutating func play() {
        while !events.isOver {
            step()
            carryOut()
            check()
        }
    }

    mutating func step() {
        let event = next()
        let number = UInt32(event >> 4)
        switch event & 0x0F {
        case 0, 1: join(number)
        case 2, 3:
            if let one = machine.member(number), !one.isPresent {
                muted[RoomNames.participant(number)] = false
                machine.enter(number, tracks: [Self.track], at: now, into: &actions)
            }
        case 4:
            if places.remove(number) != nil { machine.leave(number, .left, at: now, into: &actions) }
        case 5:
            now = now.adding(milliseconds: Int64(next()) * 200)
            machine.advance(to: now, into: &actions)
        case 6:
            if waiting.remove(number) != nil { machine.cancelWaiting(number, into: &actions) }
        case 7:
            // A track that is new begins as its offer says.
            if machine.member(number)?.tracks.isEmpty == true { muted[RoomNames.participant(number)] = false }
            machine.renegotiate(number, tracks: next() & 1 == 0 ? [] : [Self.track], into: &actions)
        case 8, 9, 10, 11:
            attempt { machine, now, actions, byte throws(ProtocolError) in
                try machine.perform(.moderate(Self.moderation(byte)), by: number, at: now, into: &actions)
            }
        case 12:
            attempt { machine, now, actions, byte throws(ProtocolError) in
                try machine.moderate(Self.moderation(byte), by: .operator, at: now, into: &actions)
            }
        default:
            attempt { machine, now, actions, byte throws(ProtocolError) in
                try machine.perform(Self.request(byte), by: number, at: now, into: &actions)
            }
        }
    }

    static let track = RoomTrack(mid: "0", kind: .audio, source: .microphone, isMuted: false)

    mutating func attempt(
        _ body: (inout RoomMachine, SessionTime, inout [RoomAction], UInt8) throws(ProtocolError) -> Void
    ) {
        let byte = next()
        let before = machine.version
        do throws(ProtocolError) {
            try body(&machine, now, &actions, byte)
        } catch {
            precondition(actions.isEmpty && machine.version == before, "what was refused changed something")
        }
    }

    mutating func join(_ user: UInt32) {
        let byte = next()
        let newcomer = Newcomer(
            user: "u\(user & 3)", isHidden: byte & 8 != 0, canModerate: byte & 1 != 0, canSpeak: byte & 2 == 0,
            role: byte & 4 == 0 ? nil : .listener)
        switch try? machine.join(newcomer, at: now, into: &actions) {
        case .place(let number): places.insert(number)
        case .waiting(let number): waiting.insert(number)
        case nil: break
        }
    }

    static func moderation(_ byte: UInt8) -> Moderation {
        let number = UInt32(byte >> 4)
        return switch byte & 15 {
        case 0: .mute(number == 0 ? nil : number, .microphone)
        case 1: .requestUnmute(number, .microphone)
        case 2: .lowerHand(number)
        case 3: .invite(number)
        case 4: .withdrawInvitation(number)
        case 5: .setRole(number, .host)
        case 6: .setRole(number, .speaker)
        case 7: .setRole(number, .listener)
        case 8: .kick(number)
        case 9: .ban("u\(number & 3)")
        case 10: .unban("u\(number & 3)")
        case 11: .lock(number & 1 == 0)
        case 12: .setLobby(number & 1 == 0)
        case 13: .admit(number == 0 ? nil : number)
        case 14: number & 1 == 0 ? .deny(number >> 1) : .setMetadata("m\(number)")
        default: number == 15 ? .end : .mute(number, .camera)
        }
    }

    static func request(_ byte: UInt8) -> RoomRequest {
        switch byte & 7 {
        case 0: .mute(mid: "0", true, version: nil)
        case 1: .mute(mid: "0", false, version: byte & 8 == 0 ? nil : UInt64(byte >> 4))
        case 2: .raiseHand
        case 3: .lowerHand
        case 4: .answerInvitation(byte & 8 == 0)
        case 5: .stepDown
        case 6: byte & 8 == 0 ? .react("!") : .message("m", to: byte >> 4 == 0 ? nil : UInt32(byte >> 4))
        default: .setOwnMetadata(byte & 8 == 0 ? nil : "m")
        }
    }

    mutating func carryOut() {
        for action in actions {
            switch action {
            case .tell(let message, .everyone):
                guard let next = Self.version(of: message) else { break }
                precondition(next == version + 1, "a version left out")
                version = next
            case .setMuted(let number, _, let isMuted): muted[RoomNames.participant(number)] = isMuted
            case .remove(let number, _):
                precondition(places.remove(number) != nil, "somebody removed who was not there")
            case .forgetWaiting(let number):
                precondition(waiting.remove(number) != nil, "somebody let in who did not wait")
            case .tell, .record, .end: break
            }
        }
        actions.removeAll()
    }

    static func version(of message: ServerMessage) -> UInt64? {
        switch message {
        case .participantJoined(let told), .participantUpdated(let told): told.version
        case .participantLeft(let told): told.version
        case .trackPublished(let told): told.version
        case .trackUnpublished(let told): told.version
        case .trackMuted(let told): told.version
        case .roomUpdated(let told): told.version
        default: nil
        }
    }

    func check() {
        precondition(version == machine.version, "a change that nobody was told of")
        precondition(places == Set(machine.members.map(\.number)), "the server and the room hold others for present")
        precondition(waiting == Set(machine.waiting.map(\.number)))
        precondition(machine.settings.hasLobby || machine.waiting.isEmpty, "somebody waits and there is no lobby")
        for member in machine.members where member.isPresent {
            guard let track = member.tracks.first else { continue }
            precondition(track.isMuted || member.role != .listener, "a listener is heard")
            precondition(muted[member.id] == track.isMuted, "the core forwards what the room says is muted")
        }
    }
}
