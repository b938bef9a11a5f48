// Who may use the operators' interface: a bearer token (RFC 6750) with the grant `admin`, verified as the clients' are.
// Holds no token, and remembers failures by address key alone.
import EventLoop
import Gateway
import Tokens

/// Counts the refused tokens of an address: a burst of them, then one a second; what is beyond is told to wait and leaves no
/// line in the log. A good token is taken all the same, so that nobody behind the same proxy can lock an operator out. It is
/// bounded: where it is full of addresses, the one that failed longest ago makes room.
struct RefusalLimit {
    /// Failures that may come at once.
    static let burst: Int64 = 20
    /// Addresses that are remembered.
    static let maximumAddresses = 1_024
    private static let second: Int64 = 1_000_000_000

    /// By address, when its failures will all be forgiven.
    private var forgiven: [AddressKey: Int64] = [:]

    var count: Int { forgiven.count }

    /// Whether an address must wait. Times are nanoseconds of the monotonic clock.
    func mustWait(_ address: AddressKey, at now: Int64) -> Bool {
        (forgiven[address] ?? 0) > now + (Self.burst - 1) * Self.second
    }

    /// Counts a failure.
    mutating func failed(_ address: AddressKey, at now: Int64) {
        if forgiven.count >= Self.maximumAddresses, forgiven[address] == nil {
            forgiven = forgiven.filter { $0.value > now }
            if forgiven.count >= Self.maximumAddresses, let oldest = forgiven.min(by: { $0.value < $1.value })?.key {
                forgiven[oldest] = nil
            }
        }
        forgiven[address] = max(forgiven[address] ?? 0, now) + Self.second
    }
}

extension ControlPlane {
    private static let challenge = "Bearer realm=\"majlis\""

    /// The claims of an operator's token.
    func authenticate(_ request: GatewayRequest) throws(AdminError) -> TokenClaims {
        let now = MonotonicClock.now
        guard let authorization = request.authorization else {
            throw AdminError(
                401, "notAuthenticated", "An operator's token must be in Authorization: Bearer.",
                headers: [("WWW-Authenticate", Self.challenge)])
        }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        do throws(TokenError) {
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw .malformed }
            return try verifier.verify(String(parts[1].drop(while: { $0 == " " })), now: WallClock.seconds)
        } catch {
            guard !admin.refusals.mustWait(request.address, at: now) else {
                throw AdminError(
                    429, "tooManyRequests", "Too many tokens were refused; wait a moment.",
                    headers: [("Retry-After", "1")])
            }
            admin.refusals.failed(request.address, at: now)
            metrics.refusedTokens.add(1)
            log(.info, "operator's token refused", ("why", "\(error)"))
            throw AdminError(
                401, "notAuthenticated", "The token was refused: \(error).",
                headers: [("WWW-Authenticate", Self.challenge + ", error=\"invalid_token\"")])
        }
    }

    /// Whether the claims let their bearer at a room, at users where it is about one, or at what is about all.
    func authorise(_ claims: TokenClaims, _ route: AdminRoute?) throws(AdminError) {
        guard claims.admin else {
            throw AdminError(403, "forbidden", "This token does not have the grant admin.")
        }
        if route?.user != nil, Self.onlyRoom(of: claims) != nil {
            throw AdminError(403, "forbidden", "This token is for a room, not for users.")
        }
        guard let room = route?.room, let only = Self.onlyRoom(of: claims), only != room else { return }
        throw AdminError(403, "forbidden", "This token is for another room.")
    }

    /// The one room that the claims are for; nil: any.
    static func onlyRoom(of claims: TokenClaims) -> String? { claims.room == "*" ? nil : claims.room }
}
