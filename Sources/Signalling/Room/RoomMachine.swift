// A room's life: who is in it and as what, who waits for it, who may do what to whom, and what everybody is told of it in
// which order. Sans-IO: sessions, workers, tokens and the clock are the server's. What is asked by participants and done by
// hosts is in the files beside.

/// The state machine of one room.
///
/// Every function appends what is to be done to `actions`. Each change that all are told of raises `version` by one, and all
/// who are present are told all of them, in order, whoever caused them: whoever follows them from the snapshot of `joined` on
/// sees the same room. An error changes nothing.
public struct RoomMachine: Hashable, Sendable {
    /// The settings.
    public let options: RoomOptions
    /// Rises by one with each change.
    public private(set) var version: UInt64 = 0
    /// Everybody who has a place, in the order in which they came.
    public internal(set) var members: [RoomMember] = []
    /// Who waits, in the order in which they came.
    public internal(set) var waiting: [RoomWaiting] = []
    /// What all see of the room itself.
    public internal(set) var settings: RoomSettings
    /// Whether the room has ended: nobody is in it, and nobody can come in.
    public internal(set) var isEnded = false

    var standings: [RoomStanding] = []
    /// What became of those who waited last.
    var decided: [Decided] = []
    private var lastNumber: UInt32 = 0
    private var lastWaiting: UInt32 = 0
    var lastHand: UInt64 = 0
    var lastMessage: UInt64 = 0
    /// Whether there ever was a host: a room of equals needs none.
    private var hasHadHost = false
    /// When a speaker takes the place of the hosts who left.
    private var succession: SessionTime?
    var messageBytes: TokenBucket

    /// What became of somebody who waited.
    struct Decided: Hashable, Sendable {
        let number: UInt32
        let isAdmitted: Bool
        static let limit = 64
    }

    /// An empty room.
    public init(options: RoomOptions = RoomOptions()) {
        self.options = options
        settings = RoomSettings(isLocked: false, hasLobby: options.hasLobby)
        messageBytes = TokenBucket(
            perSecond: options.roomMessageBytesPerSecond, burst: options.roomMessageByteBurst)
    }

    /// When `advance` must be called next, or nil.
    public var nextDeadline: SessionTime? { succession }

    /// The participant with this number.
    public func member(_ number: UInt32) -> RoomMember? { index(of: number).map { members[$0] } }
    /// The participant of the same user on the same device, if there is one.
    public func member(user: String, device: String?) -> RoomMember? {
        guard let device else { return nil }
        return members.first { $0.newcomer.user == user && $0.newcomer.device == device }
    }
    /// The others as a newcomer sees them.
    public func others(than number: UInt32) -> [ParticipantDescription] {
        members.filter { $0.number != number && $0.isVisible }.map(\.description)
    }
    /// Who waits, for hosts; nil for everybody else.
    public func waitingList(for number: UInt32) -> [WaitingDescription]? {
        member(number)?.role == .host ? waiting.map(\.description) : nil
    }

    // MARK: Coming and going

    /// Somebody wants to come in.
    /// - Parameter waiting: the place in the lobby that it has already, which it keeps.
    public mutating func join(
        _ newcomer: Newcomer, waiting place: UInt32? = nil, at now: SessionTime, into actions: inout [RoomAction]
    ) throws(ProtocolError) -> RoomAdmission {
        guard !isEnded else { throw Self.ended }
        let standing = standing(of: newcomer.user)
        if standing?.isBanned == true { throw ProtocolError(.banned, "You may not come into this room any more.") }
        let passes = newcomer.canModerate || standing?.isKnown == true
        if settings.isLocked, !passes { throw ProtocolError(.roomLocked, "The room is locked.") }
        if settings.hasLobby, !passes {
            if let place, waiting.contains(where: { $0.number == place }) { return .waiting(place) }
            return .waiting(try startWaiting(newcomer, into: &actions))
        }
        guard members.count < options.maximumParticipants else {
            throw ProtocolError(.roomFull, "The room is full: \(options.maximumParticipants) people are in it.")
        }
        guard lastNumber < UInt32.max else {
            throw ProtocolError(.serverBusy, "This room has seen too many people; use another.")
        }
        if let place { stopWaiting(place, .left, by: nil, into: &actions) }
        lastNumber += 1
        let given = newcomer.role ?? options.defaultRole
        var role = newcomer.canModerate ? .host : standing?.role ?? given
        if role == .speaker, !newcomer.canSpeak { role = .listener }
        members.append(RoomMember(number: lastNumber, newcomer: newcomer, role: role, options: options))
        return .place(lastNumber)
    }

    private mutating func startWaiting(
        _ newcomer: Newcomer, into actions: inout [RoomAction]
    ) throws(ProtocolError) -> UInt32 {
        guard waiting.count < options.maximumWaiting, lastWaiting < UInt32.max else {
            throw ProtocolError(.roomFull, "Too many people wait to be let in.")
        }
        lastWaiting += 1
        let one = RoomWaiting(number: lastWaiting, newcomer: newcomer)
        waiting.append(one)
        tellHosts(.waiting(.init(person: one.description, state: .waiting)), into: &actions)
        actions.append(
            .record(FeedEvent(.waiting, version: version, subject: one.description.id, user: newcomer.user)))
        return lastWaiting
    }

    /// Somebody waits no longer, of their own will or because the connection is lost.
    public mutating func cancelWaiting(_ number: UInt32, into actions: inout [RoomAction]) {
        stopWaiting(number, .left, by: nil, into: &actions)
    }

    /// The first offer is answered: the participant is in the room. Whether its tracks may be heard is settled here.
    public mutating func enter(
        _ number: UInt32, tracks: [RoomTrack], at now: SessionTime, into actions: inout [RoomAction]
    ) {
        guard let index = index(of: number), !members[index].isPresent else { return }
        members[index].isPresent = true
        members[index].tracks = silenced(tracks, of: index, into: &actions)
        know(members[index].newcomer.user) { $0.isKnown = true }
        if members[index].isVisible {
            change(
                .participantJoined(.init(version: version + 1, participant: members[index].description)),
                except: number, into: &actions)
        }
        record(.participantJoined, of: index, detail: members[index].role.rawValue, into: &actions)
        watchHosts(at: now)
    }

    /// A later offer is answered: tracks came or went. An offer does not unmute what a host muted: it may have been written
    /// before, and for something else.
    public mutating func renegotiate(
        _ number: UInt32, tracks: [RoomTrack], into actions: inout [RoomAction]
    ) {
        guard let index = index(of: number), members[index].isPresent else { return }
        let old = members[index].tracks
        func same(_ a: RoomTrack, _ b: RoomTrack) -> Bool { a.mid == b.mid && a.source == b.source }
        var settled = silenced(tracks, of: index, into: &actions)
        for position in settled.indices {
            guard let before = old.first(where: { same($0, settled[position]) }) else { continue }
            settled[position].mutedByHostAt = before.mutedByHostAt
            guard before.isMuted, !settled[position].isMuted, before.mutedByHostAt != nil else { continue }
            settled[position].isMuted = true
            actions.append(.setMuted(number, mid: settled[position].mid, true))
        }
        members[index].tracks = settled
        for track in old where !settled.contains(where: { same($0, track) }) {
            tellTrack(.trackUnpublished, track, of: index, into: &actions)
        }
        for track in settled {
            if let before = old.first(where: { same($0, track) }) {
                if before.isMuted != track.isMuted {
                    // The core keeps the mutes of tracks that stay: it is told.
                    actions.append(.setMuted(number, mid: track.mid, track.isMuted))
                    tellTrack(track.isMuted ? .trackMuted : .trackUnmuted, track, of: index, into: &actions)
                }
            } else {
                tellTrack(.trackPublished, track, of: index, into: &actions)
            }
        }
    }

    /// A listener's tracks are muted, whatever the offer says.
    private func silenced(
        _ tracks: [RoomTrack], of index: Int, into actions: inout [RoomAction]
    ) -> [RoomTrack] {
        guard members[index].role == .listener else { return tracks }
        return tracks.map { track in
            guard !track.isMuted else { return track }
            var muted = track
            muted.isMuted = true
            actions.append(.setMuted(members[index].number, mid: track.mid, true))
            return muted
        }
    }

    /// A participant is gone, or its first offer failed. Nothing happens where it is no longer there.
    public mutating func leave(
        _ number: UInt32, _ reason: ServerMessage.ParticipantLeft.Reason, at now: SessionTime,
        into actions: inout [RoomAction]
    ) {
        guard let index = index(of: number) else { return }
        takeOut(index, reason, by: nil, into: &actions)
        watchHosts(at: now)
    }

    /// Takes a participant out and tells the others, who are told nothing when they never knew.
    mutating func takeOut(
        _ index: Int, _ reason: ServerMessage.ParticipantLeft.Reason, by actor: RoomActor?,
        into actions: inout [RoomAction]
    ) {
        let gone = members.remove(at: index)
        if gone.isVisible {
            change(
                .participantLeft(.init(version: version + 1, participant: gone.id, reason: reason)),
                into: &actions)
        }
        guard gone.isPresent else { return }
        actions.append(
            .record(
                FeedEvent(
                    .participantLeft, version: version, subject: gone.id, user: gone.newcomer.user, by: name(of: actor),
                    detail: reason.rawValue)))
    }

    /// A recording began or ended.
    public mutating func setRecording(
        _ state: ServerMessage.Recording.State, _ payload: RecordingPayload, into actions: inout [RoomAction]
    ) {
        change(.recording(.init(version: version + 1, state: state, payload: payload)), into: &actions)
        let kind: FeedEvent.Kind = state == .on ? .recordingStarted : .recordingEnded
        actions.append(.record(FeedEvent(kind, version: version, detail: payload.rawValue)))
    }

    // MARK: Hosts who left

    /// Time went on: where no host came back, whoever of the speakers came first is host now. A room of listeners alone
    /// waits for a host.
    public mutating func advance(to now: SessionTime, into actions: inout [RoomAction]) {
        guard let due = succession, due <= now else { return }
        succession = nil
        guard let heir = members.firstIndex(where: { $0.isVisible && $0.role == .speaker }) else { return }
        setRole(heir, .host, by: nil, into: &actions)
    }

    /// Looks whether there is a host, and begins or ends the time that a room may be without one.
    mutating func watchHosts(at now: SessionTime) {
        if members.contains(where: { $0.isPresent && $0.role == .host }) {
            hasHadHost = true
            succession = nil
        } else if hasHadHost, succession == nil, let wait = options.successionMilliseconds,
            members.contains(where: { $0.isVisible && $0.role == .speaker })
        {
            succession = now.adding(milliseconds: wait)
        }
    }

    /// Gives somebody a role and says so; a listener is muted.
    mutating func setRole(
        _ index: Int, _ role: ParticipantRole, by actor: RoomActor?, into actions: inout [RoomAction]
    ) {
        members[index].role = role
        members[index].isInvited = false
        if role != .listener { members[index].hand = nil }
        update(index, into: &actions)
        record(.roleChanged, of: index, by: actor, detail: role.rawValue, into: &actions)
        if role == .listener {
            for track in members[index].tracks.indices { mute(track, of: index, by: actor, into: &actions) }
        }
        guard role == .host, members[index].isPresent else { return }
        hasHadHost = true
        succession = nil
        for one in waiting {
            actions.append(
                .tell(
                    .waiting(.init(person: one.description, state: .waiting)), to: .one(members[index].number)))
        }
    }

    // MARK: Telling

    /// The place of the participant with this number. Numbers rise in the order of coming.
    func index(of number: UInt32) -> Int? {
        var (low, high) = (0, members.count)
        while low < high {
            let middle = (low + high) / 2
            if members[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < members.count && members[low].number == number ? low : nil
    }

    /// Whether a participant of this number was ever there.
    func wasThere(_ number: UInt32) -> Bool { number > 0 && number <= lastNumber }

    /// Tells all of a change, which raises the version by one; the message was made with it.
    mutating func change(_ message: ServerMessage, except number: UInt32? = nil, into actions: inout [RoomAction]) {
        version += 1
        actions.append(.tell(message, to: .everyone(except: number)))
    }

    /// Tells all how a participant is now.
    mutating func update(_ index: Int, into actions: inout [RoomAction]) {
        guard members[index].isVisible else {
            // Nobody else knows of it, but it must know what it may do.
            guard members[index].isPresent else { return }
            let told = ServerMessage.participantUpdated(
                .init(version: version, participant: members[index].description))
            actions.append(.tell(told, to: .one(members[index].number)))
            return
        }
        change(
            .participantUpdated(.init(version: version + 1, participant: members[index].description)), into: &actions)
    }

    /// Tells all of a track, and writes it into the feed.
    mutating func tellTrack(
        _ kind: FeedEvent.Kind, _ track: RoomTrack, of index: Int, by actor: RoomActor? = nil,
        into actions: inout [RoomAction]
    ) {
        let member = members[index]
        guard member.isVisible else { return }
        let (next, id) = (version + 1, track.id(of: member.number))
        let message: ServerMessage =
            switch kind {
            case .trackPublished:
                .trackPublished(
                    .init(version: next, track: track.description(of: member.number), participant: member.id))
            case .trackUnpublished: .trackUnpublished(.init(version: next, track: id, participant: member.id))
            default:
                .trackMuted(
                    .init(
                        version: next, track: id, participant: member.id, muted: track.isMuted,
                        by: other(actor, than: member)))
            }
        change(message, into: &actions)
        record(kind, of: index, by: actor, detail: track.source.rawValue, into: &actions)
    }

    /// Tells those who moderate.
    func tellHosts(_ message: ServerMessage, into actions: inout [RoomAction]) {
        for member in members where member.isPresent && member.role == .host {
            actions.append(.tell(message, to: .one(member.number)))
        }
    }

    /// Writes into the feed what happened to a participant.
    func record(
        _ kind: FeedEvent.Kind, of index: Int, by actor: RoomActor? = nil, detail: String? = nil,
        into actions: inout [RoomAction]
    ) {
        let member = members[index]
        actions.append(
            .record(
                FeedEvent(
                    kind, version: version, subject: member.id, user: member.newcomer.user,
                    by: other(actor, than: member), detail: detail)))
    }

    /// Who did something, where it was not the one whom it concerns.
    private func other(_ actor: RoomActor?, than member: RoomMember) -> String? {
        actor == .participant(member.number) ? nil : name(of: actor)
    }

    /// How all are told who did something: hidden people are not named, an operator is.
    func name(of actor: RoomActor?) -> String? {
        switch actor {
        case nil: nil
        case .operator: "operator"
        case .participant(let number): member(number).flatMap { $0.isVisible ? $0.id : nil }
        }
    }

    // MARK: What is remembered

    func standing(of user: String) -> RoomStanding? { standings.first { $0.user == user } }

    /// Changes what is remembered of a user; what says nothing is forgotten.
    mutating func know(_ user: String, _ change: (inout RoomStanding) -> Void) {
        let index = standings.firstIndex { $0.user == user }
        var standing = index.map { standings[$0] } ?? RoomStanding(user: user)
        change(&standing)
        let isEmpty = standing == RoomStanding(user: user)
        if let index {
            if isEmpty { standings.remove(at: index) } else { standings[index] = standing }
        } else if !isEmpty {
            standings.append(standing)
            if standings.count(where: { !$0.isBanned }) > RoomStanding.limit,
                let oldest = standings.firstIndex(where: { !$0.isBanned })
            {
                standings.remove(at: oldest)
            }
        }
    }

    static let ended = ProtocolError(.roomEnded, "The room has ended.")
}
