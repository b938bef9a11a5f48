// The calls that are not over, found by their names and by whose room they share. Knows nothing else of them.

/// Calls by name.
public struct CallTable: Sendable {
    private var calls: [CallID: Call] = [:]
    /// The invitations into each call's room: what `host` says, the other way round.
    private var guests: [CallID: Set<CallID>] = [:]

    /// How many there are.
    public var count: Int { calls.count }
    /// Whether there are none.
    public var isEmpty: Bool { calls.isEmpty }
    /// All of them, in no order.
    public var values: Dictionary<CallID, Call>.Values { calls.values }

    /// The call of a name; nil: none.
    public internal(set) subscript(id: CallID) -> Call? {
        get { calls[id] }
        set {
            let old = calls[id]?.host
            calls[id] = newValue
            guard old != newValue?.host else { return }
            if let old {
                guests[old]?.remove(id)
                if guests[old]?.isEmpty == true { guests[old] = nil }
            }
            if let host = newValue?.host { guests[host, default: []].insert(id) }
        }
    }

    /// Whether somebody is called, or was, into the room of a call, and that call is not over.
    func hasGuests(_ id: CallID) -> Bool { guests[id] != nil }

    /// The calls that share the room named after a call with it: that call, and the invitations into it. In the order of their names.
    func sharing(roomOf id: CallID) -> [Call] {
        (guests[id] ?? []).union([id]).sorted().compactMap { calls[$0] }
    }
}

// What is found by the room follows from the calls.
extension CallTable: Hashable {
    /// Whether both hold the same calls.
    public static func == (a: CallTable, b: CallTable) -> Bool { a.calls == b.calls }
    /// Takes in the calls.
    public func hash(into hasher: inout Hasher) { hasher.combine(calls) }
}
