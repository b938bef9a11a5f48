// Where a server is: its URL in parts, and the address that its name has. Plain HTTP and WebSockets only; bots stand beside the
// server or behind what ends TLS for it.
import Glibc

/// A WebSocket's place.
package struct ServerPlace: Sendable, Equatable {
    /// For the Host header.
    package let host: String
    package let port: Int
    package let path: String
    /// The first address of the name, numeric.
    package let address: String

    package struct Failure: Error, CustomStringConvertible, Equatable {
        package let description: String
    }

    /// Reads `http://host:port`, `ws://host:port/path` or `host:port`, and looks the name up.
    package init(_ text: String, defaultPort: Int = 8_480, defaultPath: String = "/v1/ws") throws(Failure) {
        var rest = text[...]
        if let end = rest.firstRange(of: "://") {
            let scheme = rest[..<end.lowerBound].lowercased()
            guard scheme == "ws" || scheme == "http" else {
                throw Failure(
                    description: scheme == "wss" || scheme == "https"
                        ? "\(text): bots speak plain ws:// only; point them at the server's own port"
                        : "\(text): the scheme is to be ws or http")
            }
            rest = rest[end.upperBound...]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let path = rest[slash...]
        self.path = path.isEmpty || (path == "/" && defaultPath != "/") ? defaultPath : String(path)
        var authority = rest[..<slash]
        var port = defaultPort
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                throw Failure(description: "\(text): the port is no number from 1 to 65535")
            }
            port = Int(number)
            authority = authority[..<colon]
        }
        host = authority.hasPrefix("[") ? String(authority.dropFirst().dropLast()) : String(authority)
        self.port = port
        guard !host.isEmpty, let address = Self.address(of: host) else {
            throw Failure(description: "\(text): there is no address for \(host)")
        }
        self.address = address
    }

    private static func address(of host: String) -> String? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &found) == 0 else { return nil }
        defer { unsafe freeaddrinfo(found) }
        var text = [CChar](repeating: 0, count: 64)
        // IPv4 first: media addresses are that more often.
        for family in [AF_INET, AF_INET6] {
            var entry = unsafe found
            while let one = unsafe entry {
                if unsafe one.pointee.ai_family == family,
                    unsafe getnameinfo(
                        one.pointee.ai_addr, one.pointee.ai_addrlen, &text, 64, nil, 0, NI_NUMERICHOST) == 0
                {
                    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
                unsafe entry = unsafe one.pointee.ai_next
            }
        }
        return nil
    }

    /// A socket whose connecting is under way; minus errno where it cannot be.
    /// - Parameter source: the numeric address of this machine that it goes out from; nil: the system's choice. Ports are counted for each
    ///   pair of addresses: from one to one there are some 28,000.
    func beginConnecting(from source: String? = nil) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = Int32(AI_NUMERICHOST | AI_NUMERICSERV)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, String(port), &hints, &found) == 0, let one = unsafe found else {
            return -EINVAL
        }
        defer { unsafe freeaddrinfo(found) }
        let descriptor = unsafe socket(
            one.pointee.ai_family,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return -errno }
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
        if let source {
            let code = Self.bind(descriptor, to: source)
            guard code == 0 else {
                close(descriptor)
                return -code
            }
        }
        let status = unsafe connect(descriptor, one.pointee.ai_addr, one.pointee.ai_addrlen)
        if status != 0, errno != EINPROGRESS {
            let code = errno
            close(descriptor)
            return -code
        }
        return descriptor
    }

    /// Binds a socket to an address, and leaves the port to `connect`, which looks for one that is free to this server alone.
    /// - Returns: 0 or errno.
    private static func bind(_ descriptor: Int32, to address: String) -> Int32 {
        var on: Int32 = 1
        // linux/in.h's IP_BIND_ADDRESS_NO_PORT, which Glibc's module does not have.
        unsafe setsockopt(descriptor, Int32(IPPROTO_IP), 24, &on, 4)
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = Int32(AI_NUMERICHOST)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, nil, &hints, &found) == 0, let one = unsafe found else { return EINVAL }
        defer { unsafe freeaddrinfo(found) }
        return unsafe Glibc.bind(descriptor, one.pointee.ai_addr, one.pointee.ai_addrlen) == 0 ? 0 : errno
    }
}
