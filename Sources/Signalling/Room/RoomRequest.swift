// What participants ask of a room, in the terms of `RoomMachine`. How it travels is `ClientCommand`'s.

/// What a participant asks of its room.
public enum RoomRequest: Hashable, Sendable {
    /// Mute or unmute an own track. `version` is the room's version that the person saw when deciding, where the client
    /// says it: an unmute that did not know of a host's mute does not undo it.
    case mute(mid: String, Bool, version: UInt64?)
    /// Ask to speak.
    case raiseHand
    /// No longer ask.
    case lowerHand
    /// Accept a host's invitation to speak, or decline it.
    case answerInvitation(Bool)
    /// Give up a role: a host becomes a speaker, a speaker a listener.
    case stepDown
    /// A sign that all see for a moment.
    case react(String)
    /// A text to the room, or to one person.
    case message(String, to: UInt32?)
    /// A text about the participant that all see; nil takes it away.
    case setOwnMetadata(String?)
    /// A host's.
    case moderate(Moderation)
}

/// What a host, or an operator, does with a room and its people. Every one of them may be done twice with the same end.
public enum Moderation: Hashable, Sendable {
    /// Mute the track of a source of one person, or of everybody who is no host.
    case mute(UInt32?, TrackSourceName)
    /// Ask somebody to unmute: nobody else can.
    case requestUnmute(UInt32, TrackSourceName)
    /// Take a hand out of the queue.
    case lowerHand(UInt32)
    /// Ask a listener to speak; one who has a hand up becomes a speaker at once.
    case invite(UInt32)
    /// Take an invitation back.
    case withdrawInvitation(UInt32)
    /// Give somebody a role.
    case setRole(UInt32, ParticipantRole)
    /// Remove somebody, who may come again.
    case kick(UInt32)
    /// Remove a user, on every device, for as long as the room is open.
    case ban(String)
    /// Let a banned user come again.
    case unban(String)
    /// Let nobody in who has not been in, or let people in.
    case lock(Bool)
    /// Have people wait until they are admitted, or not. When there is no lobby any more all who wait are admitted.
    case setLobby(Bool)
    /// Let somebody in who waits, or all (nil).
    case admit(UInt32?)
    /// Send somebody away who waits.
    case deny(UInt32)
    /// A text about the room that all see; nil takes it away.
    case setMetadata(String?)
    /// End the room for everybody.
    case end
}

/// Who acts on a room: a participant, or an operator, who may do everything.
public enum RoomActor: Hashable, Sendable {
    /// The participant with this number.
    case participant(UInt32)
    /// An operator, over HTTP.
    case `operator`
}
