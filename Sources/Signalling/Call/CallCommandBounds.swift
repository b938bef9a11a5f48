// The bounds of every field of a command about calls. Types and presence were checked by decoding.

extension BoundsCheck {
    mutating func call(_ command: CallCommand) {
        text("call", command.call?.text, 1...ProtocolLimits.callBytes)
        switch command {
        case .invite(let invite):
            text("to", invite.to, 1...ProtocolLimits.userBytes)
            text("into", invite.into?.text, 1...ProtocolLimits.callBytes)
        case .presence(let asked):
            count("users", asked.users.count, atMost: ProtocolLimits.presenceUsers)
            for user in asked.users { text("users", user, 1...ProtocolLimits.userBytes) }
        case .description(let told):
            text("description.sdp", told.description.sdp, 1...ProtocolLimits.callDescriptionBytes)
            lines("description.sdp", told.description.sdp)
        case .candidate(let candidate):
            text("candidate", candidate.candidate, 0...ProtocolLimits.candidateBytes)
            lines("candidate", candidate.candidate)
            text("mid", candidate.mid, 0...ProtocolLimits.midBytes)
            text("usernameFragment", candidate.usernameFragment, 0...ProtocolLimits.candidateBytes)
        case .quality(let quality):
            number("lossPercent", quality.lossPercent, 0...100)
            number("mos", quality.mos, 1...5)
        case .reattach(let reattach): text("token", reattach.token, 1...ProtocolLimits.callTokenBytes)
        case .accept, .decline, .cancel, .hangup, .connected, .upgrade, .hold, .resume: break
        }
    }

    /// What is passed on holds no control characters: JSON writes each of them in six bytes.
    private mutating func lines(_ field: String, _ value: String) {
        guard fault == nil, value.utf8.contains(where: { $0 < 0x20 && $0 != 9 && $0 != 10 && $0 != 13 }) else { return }
        fault = ProtocolError(.malformed, "The field \(field) holds control characters.")
    }

    private mutating func number(_ field: String, _ value: Double?, _ range: ClosedRange<Double>) {
        // What is no number is in no range.
        guard fault == nil, let value, !range.contains(value) else { return }
        fault = ProtocolError(
            .malformed, "The field \(field) is not within \(Int(range.lowerBound)) and \(Int(range.upperBound)).")
    }
}
