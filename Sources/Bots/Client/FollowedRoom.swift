// What a bot that follows its room knows of it by the server's messages: who is there, at which version, who has the floor. It decides
// nothing.
package import Signalling

/// A room as one of its people was told of it.
package struct FollowedRoom: Sendable, Equatable {
    /// That somebody has the floor.
    package struct Floor: Sendable, Equatable {
        /// Milliseconds since everybody began to talk.
        package var at: Int
        /// Who, by the name of the user; nil for nobody.
        package var user: String?
    }

    /// The room's newest version.
    package private(set) var version: UInt64 = 0
    /// How many versions were passed over.
    package private(set) var missed: UInt64 = 0
    /// Everybody, the bot as well: users by their names as participants.
    package private(set) var people: [String: String] = [:]
    /// Who was told to have the floor, and when.
    package private(set) var floors: [Floor] = []

    package init() {}

    /// The bot is in.
    mutating func join(_ joined: ServerMessage.Joined) {
        version = joined.version
        people = [:]
        for participant in joined.participants + [joined.participant] { people[participant.id] = participant.user }
    }

    /// A message says a version.
    mutating func note(version told: UInt64) {
        guard told > version, version > 0 else { return }
        missed += told - version - 1
        version = told
    }

    /// A message of the room.
    mutating func take(_ message: ServerMessage, at milliseconds: Int) {
        switch message {
        case .participantJoined(let joined): people[joined.participant.id] = joined.participant.user
        case .participantLeft(let left): people[left.participant] = nil
        case .speakers(let speakers):
            let user = speakers.dominant.flatMap { people[$0] }
            if floors.last?.user != user || floors.isEmpty { floors.append(Floor(at: milliseconds, user: user)) }
        default: break
        }
    }

    /// Who had the floor then.
    package func floor(at milliseconds: Int) -> String? { floors.last { $0.at <= milliseconds }?.user }
}
