// A room, its people's clients and everything on its way between them, as one value: every order in which things can happen
// is walked through, and each state is looked at once.
import Testing

@testable import Signalling

/// What one client knows of the room, from what it was told.
struct RoomReplica: Hashable {
    var version: UInt64 = 0
    var people: [String: ParticipantDescription] = [:]
    var settings: RoomSettings?
    var waiting: [String: WaitingDescription] = [:]
    var lastMessage: UInt64?
    var end: RoomEndReason?
    var lobby: ServerMessage.Lobby.State?
    /// Something came that may not come.
    var fault: String?

    mutating func take(_ message: ServerMessage) {
        func follows(_ next: UInt64) {
            if next != version + 1 { fault = "version \(next) after \(version)" }
            version = next
        }
        switch message {
        case .joined(let joined):
            self = RoomReplica(fault: fault)
            version = joined.version
            people = Dictionary(uniqueKeysWithValues: joined.participants.map { ($0.id, $0) })
            people[joined.participant.id] = joined.participant
            settings = joined.settings
            for one in joined.waiting ?? [] { waiting[one.id] = one }
        case .lobby(let told): lobby = told.state
        case .roomEnded(let ended): end = ended.reason
        case _ where settings == nil: fault = "\(message.type) before joined"
        case .participantJoined(let joined):
            follows(joined.version)
            if people[joined.participant.id] != nil { fault = "came twice" }
            people[joined.participant.id] = joined.participant
        case .participantUpdated(let updated):
            follows(updated.version)
            if people[updated.participant.id] == nil { fault = "updated before it came" }
            people[updated.participant.id] = updated.participant
        case .participantLeft(let left):
            follows(left.version)
            if people.removeValue(forKey: left.participant) == nil { fault = "left and was not there" }
        case .trackMuted(let muted):
            follows(muted.version)
            let index = people[muted.participant]?.tracks.firstIndex { $0.id == muted.track }
            guard let index else { return fault = "a track that is not there was muted" }
            if people[muted.participant]?.tracks[index].muted == muted.muted { fault = "muted twice" }
            people[muted.participant]?.tracks[index].muted = muted.muted
        case .roomUpdated(let updated):
            follows(updated.version)
            settings = updated.settings
        case .waiting(let told): waiting[told.person.id] = told.state == .waiting ? told.person : nil
        case .message(let message):
            guard let number = message.number else { return }
            if let lastMessage, number != lastMessage + 1 { fault = "message \(number) after \(lastMessage)" }
            lastMessage = number
        case .reaction, .unmuteRequested: break
        default: fault = "\(message.type) was not expected"
        }
    }
}

/// The room and its people.
struct RoomWorld: Hashable {
    /// What somebody does, in an order of their own.
    enum Act: Hashable {
        case join
        case leave
        /// The unmute says which version the client saw.
        case unmute
        case request(RoomRequest)
        /// The connection is lost for good.
        case vanish
        /// Half a minute passes.
        case time
    }
    /// Where the server has somebody.
    enum Place: Hashable {
        case outside
        case waiting(UInt32)
        case entering(UInt32)
        case inside(UInt32)

        var number: UInt32? {
            switch self {
            case .inside(let number), .entering(let number): number
            case .outside, .waiting: nil
            }
        }
    }
    struct Person: Hashable {
        var newcomer: Newcomer
        var script: [Act]
        var place = Place.outside
        /// On its way to the server, and to the client.
        var up: [Act] = []
        var down: [ServerMessage] = []
        var replica = RoomReplica()
        /// What the server refused, in its order.
        var refused: [ProtocolError.Code] = []
    }

    var machine: RoomMachine
    var people: [Person]
    /// What the core does not forward.
    var muted: [String: Bool] = [:]
    var now = SessionTime(nanoseconds: 0)

    init(options: RoomOptions = RoomOptions(), _ people: [Person]) {
        machine = RoomMachine(options: options)
        self.people = people
    }

    static func person(
        _ user: String, host: Bool = false, role: ParticipantRole? = nil, _ script: Act...
    ) -> Person {
        Person(newcomer: Newcomer(user: user, device: "d", canModerate: host, role: role), script: script)
    }

    /// Somebody who is in already, with a microphone that is on.
    mutating func bringIn(_ index: Int) {
        arrive(index)
        if case .entering = people[index].place { enter(index) }
        while people.indices.contains(where: { !people[$0].down.isEmpty }) {
            for one in people.indices where !people[one].down.isEmpty { deliver(one) }
        }
    }

    // MARK: Steps

    /// Every state that can come next.
    func successors() -> [RoomWorld] {
        var next: [RoomWorld] = []
        func step(_ body: (inout RoomWorld) -> Void) {
            var copy = self
            body(&copy)
            next.append(copy)
        }
        // What is told to somebody who will neither act on what it knows nor be cut off concerns nobody else: it arrives at
        // once, which leaves every other order as it is.
        for index in people.indices where !people[index].script.contains(where: { $0 == .unmute || $0 == .vanish }) {
            guard let message = people[index].down.first else { continue }
            if case .lobby = message { continue }
            step { $0.deliver(index) }
            return next
        }
        for index in people.indices {
            if !people[index].script.isEmpty { step { $0.act(index) } }
            if !people[index].up.isEmpty { step { $0.serve(index) } }
            if !people[index].down.isEmpty { step { $0.deliver(index) } }
            if case .entering = people[index].place { step { $0.enter(index) } }
        }
        return next
    }

    private mutating func act(_ index: Int) {
        let act = people[index].script.removeFirst()
        switch act {
        case .unmute:
            let request = RoomRequest.mute(mid: "0", false, version: people[index].replica.version)
            people[index].up.append(.request(request))
        case .time:
            now = now.adding(milliseconds: 30_000)
            var actions: [RoomAction] = []
            machine.advance(to: now, into: &actions)
            carryOut(actions)
        case .vanish:
            people[index].up = []
            people[index].down = []
            goAway(index, .timedOut)
        case .join, .leave, .request: people[index].up.append(act)
        }
    }

    private mutating func serve(_ index: Int) {
        let act = people[index].up.removeFirst()
        switch act {
        case .join: arrive(index)
        case .leave: goAway(index, .left)
        case .request(let request):
            var actions: [RoomAction] = []
            guard case .inside(let number) = people[index].place else {
                people[index].refused.append(.notJoined)
                return
            }
            let before = machine
            do throws(ProtocolError) {
                try machine.perform(request, by: number, at: now, into: &actions)
            } catch {
                people[index].refused.append(error.code)
                #expect(actions.isEmpty && machine.members.map(\.role) == before.members.map(\.role))
                #expect(machine.version == before.version)
            }
            carryOut(actions)
        case .unmute, .vanish, .time: break
        }
    }

    private mutating func arrive(_ index: Int) {
        var actions: [RoomAction] = []
        var place: UInt32?
        switch people[index].place {
        case .waiting(let number): place = number
        case .outside: break
        case .entering, .inside: return
        }
        do throws(ProtocolError) {
            switch try machine.join(people[index].newcomer, waiting: place, at: now, into: &actions) {
            case .place(let number): people[index].place = .entering(number)
            case .waiting(let number):
                people[index].place = .waiting(number)
                people[index].down.append(.lobby(.init(state: .waiting)))
            }
        } catch {
            people[index].refused.append(error.code)
        }
        carryOut(actions)
    }

    /// The worker answered the offer.
    private mutating func enter(_ index: Int) {
        guard case .entering(let number) = people[index].place else { return }
        var actions: [RoomAction] = []
        muted["\(number)"] = false
        machine.enter(
            number, tracks: [RoomTrack(mid: "0", kind: .audio, source: .microphone, isMuted: false)], at: now,
            into: &actions)
        people[index].place = .inside(number)
        guard let own = machine.member(number) else { return #expect(Bool(false), "entered and is not there") }
        carryOut(actions)
        people[index].down.append(
            .joined(
                .init(
                    room: "r", version: machine.version, participant: own.description,
                    participants: machine.others(than: number), answer: .init(type: .answer, sdp: ""), refused: [],
                    slots: [], settings: machine.settings, waiting: machine.waitingList(for: number),
                    resumeWindowSeconds: 30)))
    }

    private mutating func goAway(_ index: Int, _ reason: ServerMessage.ParticipantLeft.Reason) {
        var actions: [RoomAction] = []
        switch people[index].place {
        case .outside: return
        case .waiting(let number): machine.cancelWaiting(number, into: &actions)
        case .entering(let number), .inside(let number):
            muted["\(number)"] = nil
            machine.leave(number, reason, at: now, into: &actions)
        }
        people[index].place = .outside
        carryOut(actions)
    }

    private mutating func deliver(_ index: Int) {
        let message = people[index].down.removeFirst()
        people[index].replica.take(message)
        // A client that is let in joins at once.
        if case .lobby(let told) = message, told.state == .admitted { people[index].up.append(.join) }
    }

    private mutating func carryOut(_ actions: [RoomAction]) {
        for action in actions {
            switch action {
            case .tell(let message, let audience):
                for index in people.indices {
                    switch (audience, people[index].place) {
                    case (.everyone(let except), .inside(let number)) where number != except:
                        people[index].down.append(message)
                    case (.one(let one), .inside(let number)) where number == one: people[index].down.append(message)
                    case (.waiting(let one), .waiting(let number)) where number == one:
                        people[index].down.append(message)
                    default: break
                    }
                }
            case .setMuted(let number, _, let isMuted): muted["\(number)"] = isMuted
            case .remove(let number, let reason):
                muted["\(number)"] = nil
                guard let index = people.firstIndex(where: { $0.place.number == number }) else { break }
                people[index].place = .outside
                people[index].down.append(.roomEnded(.init(reason: reason)))
            case .forgetWaiting(let number):
                guard let index = people.firstIndex(where: { $0.place == .waiting(number) }) else { break }
                people[index].place = .outside
            case .record, .end: break
            }
        }
    }

    // MARK: What must hold

    /// What is true in every state.
    func check() {
        for member in machine.members where member.isPresent {
            let isMuted = member.tracks.allSatisfy(\.isMuted)
            #expect(muted["\(member.number)"] == isMuted, "the core forwards what the room says is muted")
            if member.role == .listener { #expect(isMuted, "a listener is heard") }
            if member.role != .listener { #expect(!member.isInvited) }
        }
        for member in machine.members { #expect(machine.standing(of: member.newcomer.user)?.isBanned != true) }
        let hands = machine.members.compactMap(\.hand)
        #expect(Set(hands).count == hands.count)
        #expect(machine.settings.hasLobby || machine.waiting.isEmpty)
        #expect(!machine.isEnded || (machine.members.isEmpty && machine.waiting.isEmpty))
        let inside = Set(people.compactMap(\.place.number))
        #expect(
            inside == Set(machine.members.map(\.number)), "the server and the room hold different people for present")
        for person in people {
            #expect(person.replica.fault == nil, "\(person.newcomer.user): \(person.replica.fault ?? "")")
            guard case .waiting = person.place else { continue }
            for message in person.down {
                guard case .lobby = message else {
                    // What is still under way from a stay before the wait.
                    if case .roomEnded = message { continue }
                    #expect(person.replica.settings != nil, "somebody who waits is told \(message.type)")
                    continue
                }
            }
        }
    }

    /// What is true when everything has been done and everybody has heard of it: all agree.
    func checkEnd() {
        let truth = Dictionary(
            uniqueKeysWithValues: machine.members.filter(\.isVisible).map { ($0.id, $0.description) })
        for person in people {
            guard case .inside(let number) = person.place else { continue }
            #expect(person.replica.people == truth, "\(person.newcomer.user) sees other people")
            #expect(person.replica.version == machine.version)
            #expect(person.replica.settings == machine.settings)
            guard let list = machine.waitingList(for: number) else { continue }
            #expect(Set(person.replica.waiting.values) == Set(list), "\(person.newcomer.user) sees another lobby")
        }
    }

    /// Walks through every order of everything. Returns how many states there are, and the last ones.
    static func explore(_ start: RoomWorld) -> (states: Int, ends: [RoomWorld]) {
        var seen: Set<RoomWorld> = [start]
        var open = [start]
        var ends: [RoomWorld] = []
        while let world = open.popLast() {
            world.check()
            let next = world.successors()
            if next.isEmpty {
                world.checkEnd()
                ends.append(world)
            }
            for one in next where seen.insert(one).inserted { open.append(one) }
        }
        return (seen.count, ends)
    }
}
