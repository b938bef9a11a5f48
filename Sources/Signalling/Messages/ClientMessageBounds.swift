// The bounds of every field of a client's message. Types and presence were checked by decoding.

extension ClientMessage {
    /// The first field out of its bounds, as an error, or nil when all are within.
    public var boundsFault: ProtocolError? {
        var check = BoundsCheck()
        switch self {
        case .hello(let hello):
            check.text("token", hello.token, 1...ProtocolLimits.tokenBytes)
            check.text("device", hello.device, 1...ProtocolLimits.deviceBytes)
            check.text("client", hello.client, 0...ProtocolLimits.deviceBytes)
        case .resume(let resume):
            check.text("session", resume.session, 1...ProtocolLimits.sessionBytes)
            check.text("resumeToken", resume.resumeToken, 1...ProtocolLimits.tokenBytes)
        case .ack: break
        case .command(let command): check.command(command)
        }
        return check.fault
    }
}

struct BoundsCheck {
    var fault: ProtocolError?

    mutating func text(_ field: String, _ value: String?, _ bytes: ClosedRange<Int>) {
        guard fault == nil, let value, !bytes.contains(value.utf8.count) else { return }
        fault = ProtocolError(
            .malformed,
            value.isEmpty
                ? "The field \(field) must not be empty."
                : "The field \(field) is longer than \(bytes.upperBound) bytes.")
    }

    mutating func count(_ field: String, _ count: Int, atMost limit: Int) {
        guard fault == nil, count > limit else { return }
        fault = ProtocolError(.malformed, "The field \(field) has more than \(limit) entries.")
    }

    mutating func command(_ command: ClientCommand) {
        switch command {
        case .join(let join):
            text("room", join.room, 1...ProtocolLimits.roomBytes)
            text("device", join.device, 1...ProtocolLimits.deviceBytes)
            text("name", join.name, 0...ProtocolLimits.nameBytes)
            tracks(join.tracks)
            if fault == nil, join.offer.type != .offer {
                fault = ProtocolError(.malformed, "The field offer.type must be \"offer\".")
            }
        case .offer(let offer):
            tracks(offer.tracks)
        case .candidate(let candidate):
            text("candidate", candidate.candidate, 0...ProtocolLimits.candidateBytes)
            text("mid", candidate.mid, 0...ProtocolLimits.midBytes)
            text("usernameFragment", candidate.usernameFragment, 0...ProtocolLimits.candidateBytes)
        case .mute(let mute):
            text("mid", mute.mid, 1...ProtocolLimits.midBytes)
        case .subscribe(let subscribe):
            count("slots", subscribe.slots.count, atMost: ProtocolLimits.slots)
            for wish in subscribe.slots {
                text("slots.mid", wish.mid, 1...ProtocolLimits.midBytes)
                text("slots.pin", wish.pin, 1...ProtocolLimits.trackBytes)
            }
        case .react(let react):
            text("reaction", react.reaction, 1...ProtocolLimits.reactionBytes)
        case .message(let message):
            text("text", message.text, 1...ProtocolLimits.roomMessageBytes)
            text("to", message.to, 1...ProtocolLimits.trackBytes)
            valid(command)
        case .metadata(let metadata):
            text("metadata", metadata.metadata, 0...ProtocolLimits.metadataBytes)
        case .moderate(let moderate):
            text("participant", moderate.participant, 1...ProtocolLimits.trackBytes)
            text("user", moderate.user, 1...ProtocolLimits.userBytes)
            text("metadata", moderate.metadata, 0...ProtocolLimits.roomMetadataBytes)
            valid(command)
        case .call(let call): self.call(call)
        case .account(let command): account(command)
        case .iceRestart, .raiseHand, .lowerHand, .answerInvitation, .stepDown, .leave, .answer: break
        }
    }

    /// Fields that must be there because another says so, and names of people.
    private mutating func valid(_ command: ClientCommand) {
        guard fault == nil else { return }
        do throws(ProtocolError) { _ = try command.roomRequest() } catch { fault = error }
    }

    private mutating func tracks(_ tracks: [ClientCommand.Track]) {
        count("tracks", tracks.count, atMost: ProtocolLimits.tracks)
        for track in tracks { text("tracks.mid", track.mid, 1...ProtocolLimits.midBytes) }
    }
}
