// What a peer's transport is told when it is made. It reads no file.

/// A local address as clients know it: for a server behind 1:1 NAT.
public struct AnnouncedAddress: Sendable, Equatable {
    /// The local address it stands for; nil: all local addresses of its family.
    public var local: String?
    /// The address that clients are told.
    public var announced: String

    /// Takes the two addresses, both numeric.
    public init(local: String? = nil, announced: String) {
        self.local = local
        self.announced = announced
    }
}

/// The two roles of a transport.
public enum TransportRole: Sendable {
    /// ICE controlled, DTLS server: an SFU's side.
    case server
    /// ICE controlling, DTLS client: a bot's or a test's side.
    case client
}

/// Settings of peers' transports.
public struct TransportConfiguration: Sendable {
    /// The role.
    public var role: TransportRole
    /// Numeric local addresses to gather on; empty: those of the machine's interfaces, and loopback when there is nothing
    /// else.
    public var localAddresses: [String]
    /// UDP ports to draw from, one per peer and local address; nil: any.
    public var portRange: ClosedRange<UInt16>?
    /// What clients are told instead of local addresses.
    public var announcedAddresses: [AnnouncedAddress]
    /// Ranges in which peers' candidates are checked.
    public var remoteAddresses: RemoteAddressPolicy
    /// How long a path is used on when nothing has answered on it for ten seconds, in nanoseconds: consent lasts 30 (RFC 7675 §5.1).
    var doubtedTime: Int64 = (30 - ICEAgent.consentSeconds) * 1_000_000_000

    /// Takes the settings; the defaults are a server's on the open Internet.
    public init(
        role: TransportRole = .server, localAddresses: [String] = [], portRange: ClosedRange<UInt16>? = nil,
        announcedAddresses: [AnnouncedAddress] = [], remoteAddresses: RemoteAddressPolicy = []
    ) {
        self.role = role
        self.localAddresses = localAddresses
        self.portRange = portRange
        self.announcedAddresses = announcedAddresses
        self.remoteAddresses = remoteAddresses
    }

    /// Finds at the start what would otherwise fail at the first peer: an address that is none.
    public func validate() throws(TransportError) {
        _ = try resolvedLocalAddresses()
        for entry in announcedAddresses {
            for text in [entry.announced, entry.local ?? entry.announced] where IPAddress(text) == nil {
                throw .invalidAddress(text)
            }
        }
    }

    /// The addresses to gather on.
    func resolvedLocalAddresses() throws(TransportError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for text in localAddresses.prefix(LocalAddresses.maximum) {
            guard let address = IPAddress(text) else { throw .invalidAddress(text) }
            if !addresses.contains(address) { addresses.append(address) }
        }
        if addresses.isEmpty { addresses = LocalAddresses.ofThisMachine() }
        guard !addresses.isEmpty else { throw .noLocalAddress }
        return addresses
    }

    /// The address that clients are told for a local one.
    func announced(for local: IPAddress) -> IPAddress {
        for entry in announcedAddresses {
            guard let announced = IPAddress(entry.announced), announced.isIPv4 == local.isIPv4 else { continue }
            if let only = entry.local, IPAddress(only) != local { continue }
            return announced
        }
        return local
    }
}
