// How much the sessions of one user, and those from one address, may ask for together. A session's own limit is its machine's: what that
// refuses does not come here.
import EventLoop
import Gateway
import Signalling

/// What is left to users and addresses. An IPv6 /64 is one address.
struct CommandLimits {
    private var users: SharedLimit<String>
    private var addresses: SharedLimit<AddressKey>
    private var hellos: SharedLimit<AddressKey>
    private var nextTidy: Int64 = 0

    /// How often those who are within their limits again are forgotten, in nanoseconds.
    private static let tidyEvery: Int64 = 10_000_000_000

    init(_ settings: Configuration.Sessions) {
        users = SharedLimit(
            perSecond: settings.userCommandsPerSecond, sentence: "Too many commands of this user in a short time.")
        addresses = SharedLimit(
            perSecond: settings.addressCommandsPerSecond,
            sentence: "Too many commands from this address in a short time.")
        hellos = SharedLimit(
            perSecond: settings.addressHellosPerSecond,
            sentence: "Too many sessions from this address in a short time.")
    }

    /// A session asks for something.
    /// - Returns: why it may not, or nil.
    mutating func command(of user: String, from address: AddressKey, at now: SessionTime) -> ProtocolError? {
        // What one user may not have is not taken from the others behind the address.
        users.take(user, at: now) ?? addresses.take(address, at: now)
    }

    /// Somebody shows a token.
    /// - Returns: why it is not looked at, or nil.
    mutating func hello(from address: AddressKey, at now: SessionTime) -> ProtocolError? {
        hellos.take(address, at: now)
    }

    /// Time went on; it is in nanoseconds of the monotonic clock.
    mutating func tidy(at now: Int64) {
        guard now >= nextTidy else { return }
        nextTidy = now + Self.tidyEvery
        let time = SessionTime(nanoseconds: now)
        users.forgetFull(at: time)
        addresses.forgetFull(at: time)
        hellos.forgetFull(at: time)
    }
}
