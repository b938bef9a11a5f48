// The larger worlds of calls, by name: minutes of walking in an optimised build, for which `CallModel` is made. The smaller ones are
// those of `CallModelTests`.

@testable import Signalling

extension CallWorld {
    /// A device that places a call, and may be lost with all that is on its way, reconnect and say something twice.
    static let caller = Budget(invites: 1, losses: 1, reconnects: 1, duplicates: 1)
    /// One that does not.
    static let other = Budget(losses: 1, reconnects: 1, duplicates: 1)

    enum Large: String, CaseIterable {
        case oneCallsOneFault, oneCallsTwoFaults, oneCallsOneThreeFaults, bothCallTwoDevicesEach, bothCallOneFault,
            bothCallTwoRingOneFault, callWaiting, addedOneFault, heldByHost, heldOneFault

        var world: CallWorld {
            switch self {
            case .oneCallsOneFault: CallWorld(a: [caller, other], b: [other, other], faults: 1)
            case .oneCallsTwoFaults: CallWorld(a: [caller], b: [other, other], faults: 2)
            case .oneCallsOneThreeFaults: CallWorld(a: [caller], b: [other], faults: 3)
            case .bothCallTwoDevicesEach: CallWorld(a: [caller, other], b: [caller, other])
            case .bothCallOneFault: CallWorld(a: [caller], b: [caller], faults: 1)
            case .bothCallTwoRingOneFault: CallWorld(a: [caller], b: [caller, other], faults: 1)
            case .callWaiting: CallWorld(a: [caller, caller], b: [other, other], waiting: true)
            case .addedOneFault:
                CallWorld(
                    a: [Budget(invites: 1, losses: 1, reconnects: 1, duplicates: 1, adds: 1)], b: [other], c: [other],
                    faults: 1)
            case .heldByHost: CallWorld(a: [Budget(invites: 1, adds: 1, holds: 1)], b: [Budget()], c: [Budget()])
            case .heldOneFault:
                CallWorld(
                    a: [Budget(invites: 1, adds: 1)], b: [Budget()],
                    c: [Budget(losses: 1, reconnects: 1, duplicates: 1, holds: 1)], faults: 1)
            }
        }
    }
}

extension CallWorld.Exploration: CustomStringConvertible {
    var description: String {
        "\(states) states, \(steps) steps, \(ends) quiet ends, ended "
            + reasons.map(\.rawValue).sorted().joined(separator: " ")
    }
}
