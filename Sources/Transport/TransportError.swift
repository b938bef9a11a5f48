// What can go wrong at the transport's edge when it is used or set up. Bad packets from the network are never thrown.

/// A failure of setting up a part of the transport.
public enum TransportError: Error, Equatable, CustomStringConvertible {
    /// OpenSSL refused a step; the text names the step and OpenSSL's reason.
    case openSSL(String)
    /// libsrtp refused a step; the code is an `srtp_err_status_t`.
    case libsrtp(step: String, code: UInt32)
    /// The key material's length is not that of the profile.
    case wrongKeyLength(expected: Int, actual: Int)
    /// No local address is there to gather candidates on.
    case noLocalAddress
    /// A configured address is not a numeric IPv4 or IPv6 address.
    case invalidAddress(String)
    /// libnice refused a step; the text names it.
    case libnice(String)
    /// No port of the configured range is free on a local address.
    case noFreePort
    /// A kernel call failed; the code is an errno value.
    case system(call: String, code: Int32)
    /// A credential or a fingerprint from the other side has not the form that the standards demand.
    case invalidRemoteDescription(String)
    /// The transport is closed.
    case closed

    /// One sentence for a log line. It holds no address, key or token.
    public var description: String {
        switch self {
        case .openSSL(let step): "OpenSSL failed: \(step)"
        case .libsrtp(let step, let code): "libsrtp failed: \(step) (status \(code))"
        case .wrongKeyLength(let expected, let actual): "SRTP key material of \(actual) bytes instead of \(expected)"
        case .noLocalAddress: "no local address to gather candidates on"
        case .invalidAddress: "a configured address is not a numeric IPv4 or IPv6 address"
        case .libnice(let step): "libnice failed: \(step)"
        case .noFreePort: "no port of the configured range is free"
        case .system(let call, let code): "\(call) failed with errno \(code)"
        case .invalidRemoteDescription(let what): "the other side's description is not valid: \(what)"
        case .closed: "the transport is closed"
        }
    }
}
