// Who may enter the rooms of calls, which no token names: the people of a call while it goes on, and those of them who stay in its room
// when it is over, as long as the room is there.
import MediaCore
import Signalling

/// Who may come back into rooms although their calls are over.
struct Stays {
    private var byUser: [String: Set<String>] = [:]
    private var byRoom: [String: Set<String>] = [:]

    /// The rooms of a user.
    func rooms(of user: String) -> Set<String> { byUser[user] ?? [] }

    mutating func insert(_ user: String, in room: String) {
        byUser[user, default: []].insert(room)
        byRoom[room, default: []].insert(user)
    }

    /// - Returns: whether there was something to remove.
    @discardableResult
    mutating func remove(_ user: String, from room: String) -> Bool {
        guard byRoom[room]?.remove(user) != nil else { return false }
        if byRoom[room]?.isEmpty == true { byRoom[room] = nil }
        byUser[user]?.remove(room)
        if byUser[user]?.isEmpty == true { byUser[user] = nil }
        return true
    }

    mutating func forget(room: String) { for user in byRoom[room] ?? [] { remove(user, from: room) } }
    mutating func forget(user: String) { for room in byUser[user] ?? [] { remove(user, from: room) } }
}

extension ControlPlane {
    /// A session may enter the room of its call.
    func grant(_ room: String, of call: CallID, to session: SessionRecord) {
        session.callRooms[call] = room
        change(session) { machine, _ in machine.grant(room: room) }
    }

    /// A call is over, or on another device of the user. Whoever is in its room then stays in it.
    func revoke(_ call: CallID, of session: SessionRecord, isOver: Bool) {
        guard let room = session.callRooms.removeValue(forKey: call), !session.callRooms.values.contains(room),
            let user = session.machine.claims?.user
        else { return }
        if isOver, session.place?.room.name == room {
            calls.stays.insert(user, in: room)
        } else {
            change(session) { machine, _ in machine.revoke(room: room) }
        }
    }

    /// A new session of somebody who stayed in rooms may come back into them.
    func grantStays(to session: SessionRecord, of user: String) {
        for room in calls.stays.rooms(of: user) { change(session) { machine, _ in machine.grant(room: room) } }
    }

    /// Somebody is out of a room. Who left it, or was sent out of it, stays no longer; who was lost may come back with another session,
    /// also when the own call has ended for that.
    func noteOut(_ session: SessionRecord, of room: String, _ reason: RemovalReason) {
        guard let user = session.machine.claims?.user else { return }
        let hasCall = session.callRooms.values.contains(room)
        switch reason {
        case .timedOut, .failed, .replaced: if hasCall, session.isIn { calls.stays.insert(user, in: room) }
        case .left, .removed, .roomEnded:
            guard calls.stays.remove(user, from: room), !hasCall else { return }
            change(session) { machine, _ in machine.revoke(room: room) }
        }
    }
}
