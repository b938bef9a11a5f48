// Calls on hold: who holds one, and who of a room's others is told. What travels meanwhile is the devices' own affair. The public
// surface is in `CallMachine`.

extension CallMachine {
    /// A side puts the call on hold, or takes that back. Each of the two does so for itself: the call goes on when neither wants it held.
    mutating func hold(
        _ id: CallID, _ isHolding: Bool, by device: CallDeviceID, at now: SessionTime, into actions: inout [CallAction]
    ) throws(ProtocolError) {
        var (call, side) = try findAccepted(id, for: device)
        guard call[side].isHolding != isHolding else { return }
        try spend(&call, side, bytes: 0, at: now)
        call[side].isHolding = isHolding
        calls[id] = call
        let told = CallMessage.Held(call: id, by: side)
        for side in CallSide.allCases { tell(isHolding ? .held(told) : .resumed(told), call[side], into: &actions) }
        tellOthers(in: call, into: &actions)
        actions.append(.record(call.record()))
    }

    /// Tells those in the other calls of a call's room who is on hold there now.
    func tellOthers(in call: Call, into actions: inout [CallAction]) {
        for other in others(in: call) {
            let users = onHold(besides: other) ?? []
            for side in CallSide.allCases {
                tell(.onHold(.init(call: other.id, users: users)), other[side], into: &actions)
            }
        }
    }

    /// Who has another call of this one's room on hold, in the order of their names, or nil where nobody has.
    func onHold(besides call: Call) -> [String]? {
        var users: Set<String> = []
        for other in others(in: call) {
            for side in other.heldBy { users.insert(other[side].user) }
        }
        return users.isEmpty ? nil : users.sorted()
    }

    /// The other calls that were accepted into a call's room, in the order of their names.
    private func others(in call: Call) -> [Call] {
        guard call.mode == .sfu else { return [] }
        return calls.sharing(roomOf: call.roomCall).filter {
            $0.id != call.id && $0.mode == .sfu && !$0.state.isPending
        }
    }
}
