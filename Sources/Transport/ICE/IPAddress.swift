// Numeric IP addresses: reading, writing and what range they lie in (RFC 6890). Names are never resolved here.
import Glibc

/// A numeric IPv4 or IPv6 address.
struct IPAddress: Hashable, Sendable {
    /// The ranges that decide whether a peer's candidate may be checked.
    enum Scope: Sendable {
        /// Reachable from everywhere.
        case global
        /// RFC 1918, carrier-grade NAT (RFC 6598) and unique local IPv6 (RFC 4193).
        case privateNetwork
        /// 169.254/16 and fe80::/10.
        case linkLocal
        /// 127/8 and ::1.
        case loopback
        /// Not the address of a host: unspecified, multicast, broadcast, reserved.
        case unusable
    }

    /// 4 or 16 bytes in network order.
    let bytes: [UInt8]

    /// Reads a numeric address; an IPv4 address mapped into IPv6 becomes the IPv4 address. Nil for everything else,
    /// zone identifiers included.
    init?(_ text: String) {
        guard text.utf8.count < Int(INET6_ADDRSTRLEN), !text.utf8.contains(0) else { return nil }
        var raw = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &raw) == 1 {
            bytes = Array(raw[..<4])
        } else if unsafe inet_pton(AF_INET6, text, &raw) == 1 {
            let isMapped = raw[..<10].allSatisfy { $0 == 0 } && raw[10] == 0xFF && raw[11] == 0xFF
            bytes = isMapped ? Array(raw[12...]) : raw
        } else {
            return nil
        }
    }

    /// Takes the address out of a socket address of either family.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch unsafe Int32(address.pointee.sa_family) {
        case AF_INET:
            bytes = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).asBytes
        case AF_INET6:
            bytes = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).asBytes
        default: return nil
        }
    }

    var isIPv4: Bool { bytes.count == 4 }

    var text: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = isIPv4 ? AF_INET : AF_INET6
        guard unsafe inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    var scope: Scope {
        if isIPv4 { return Self.scope(ipv4: bytes[...]) }
        // Addresses that carry an IPv4 address reach that one: NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-compatible.
        if bytes[..<12] == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] { return Self.scope(ipv4: bytes[12...]) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return Self.scope(ipv4: bytes[2..<6]) }
        if bytes[..<15].allSatisfy({ $0 == 0 }) { return bytes[15] == 1 ? .loopback : .unusable }
        if bytes[..<12].allSatisfy({ $0 == 0 }) { return .unusable }
        if bytes[0] == 0xFF { return .unusable }
        if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return .linkLocal }
        if bytes[0] & 0xFE == 0xFC || (bytes[0] == 0xFE && bytes[1] & 0xC0 == 0xC0) { return .privateNetwork }
        return .global
    }

    private static func scope(ipv4 bytes: ArraySlice<UInt8>) -> Scope {
        let first = bytes[bytes.startIndex], second = bytes[bytes.startIndex + 1]
        switch (first, second) {
        case (0, _), (224..., _): return .unusable
        case (127, _): return .loopback
        case (169, 254): return .linkLocal
        case (10, _), (172, 16...31), (192, 168), (100, 64...127): return .privateNetwork
        default: return .global
        }
    }
}

extension sockaddr_in {
    fileprivate var asBytes: [UInt8] { unsafe withUnsafeBytes(of: sin_addr.s_addr) { unsafe Array($0) } }
}

extension sockaddr_in6 {
    fileprivate var asBytes: [UInt8] { unsafe withUnsafeBytes(of: sin6_addr) { unsafe Array($0) } }
}

/// The addresses of this machine.
enum LocalAddresses {
    /// How many addresses an agent gathers on at most: each costs a socket.
    static let maximum = 8

    /// All usable addresses of interfaces that are up, without loopback and link-local ones; only when there are none of
    /// those, loopback (IPv4 first).
    static func ofThisMachine() -> [IPAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return [] }
        defer { unsafe freeifaddrs(list) }
        var outside: [IPAddress] = [], loopback: [IPAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            guard unsafe entry.pointee.ifa_flags & UInt32(IFF_UP) != 0,
                let socketAddress = unsafe entry.pointee.ifa_addr, let address = unsafe IPAddress(socketAddress)
            else { continue }
            switch address.scope {
            case .global, .privateNetwork: if !outside.contains(address) { outside.append(address) }
            case .loopback: if !loopback.contains(address) { loopback.append(address) }
            case .linkLocal, .unusable: break
            }
        }
        if !outside.isEmpty { return Array(outside.prefix(maximum)) }
        return loopback.filter(\.isIPv4).isEmpty ? loopback : loopback.filter(\.isIPv4)
    }
}
