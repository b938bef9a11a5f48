// What the control plane holds of one-to-one calls: the machine, the sessions of its devices, and what is still to be done.
import Signalling

/// One-to-one calls on the control loop.
struct CallDesk {
    var machine = CallMachine()
    /// The sessions of connected devices.
    var sessions: [CallDeviceID: SessionRecord] = [:]
    /// The devices of each user, in the order in which they connected.
    var devices: [String: [CallDeviceID]] = [:]
    /// The rooms of calls that are not over.
    var rooms: Set<String> = []
    /// What the machine asked for and is not done, in order.
    var actions: [CallAction] = []
    var isActing = false
    private var lastDevice: UInt64 = 0

    mutating func nextDevice() -> CallDeviceID {
        lastDevice += 1
        return CallDeviceID(lastDevice)
    }
}
