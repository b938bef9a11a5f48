// The listening sockets: opened, accepted from, closed. What becomes of an accepted connection is the gateway's.
import CWebSockets
import EventLoop
import Glibc

/// Listens on one port of one or more addresses.
final class Listener {
    /// How many connections one turn accepts from one socket.
    static let acceptsPerTurn = 64
    /// How long accepting rests when the process has no descriptor left, in milliseconds.
    static let restMilliseconds: Int64 = 250
    static let backlog: Int32 = 4_096

    private(set) var port: UInt16 = 0
    private var descriptors: [Int32] = []
    private var watches: [DescriptorWatch] = []
    private var rest: LoopTimer?

    /// Opens the sockets. `accepted` gets each connection's descriptor, non-blocking, which is then its to close.
    init(
        on loop: LoopThread, addresses: [String], port wanted: UInt16, accepted: @escaping (Int32, AddressKey) -> Void
    ) throws(GatewayError) {
        (descriptors, port) = try Listener.open(addresses, port: wanted)
        do {
            for descriptor in descriptors {
                let watch = try DescriptorWatch(on: loop, descriptor: descriptor) { [unowned self] _ in
                    acceptSome(from: descriptor, accepted)
                }
                watch.wait(for: .readable)
                watches.append(watch)
            }
        } catch {
            close()
            throw .loopStopped
        }
        rest = LoopTimer(on: loop) { [unowned self] in for watch in watches { watch.wait(for: .readable) } }
    }

    /// Stops listening. Nothing is accepted afterwards.
    func close() {
        rest?.close()
        for watch in watches { watch.close() }
        for descriptor in descriptors { Glibc.close(descriptor) }
        (rest, watches, descriptors) = (nil, [], [])
    }

    private func acceptSome(from listener: Int32, _ accepted: (Int32, AddressKey) -> Void) {
        for _ in 0..<Self.acceptsPerTurn {
            var address = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = unsafe majlis_accept(listener, &address, &size)
            if descriptor >= 0 {
                accepted(descriptor, AddressKey(address))
                continue
            }
            if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                // The connection stays in the backlog: without a rest the loop would spin on it.
                for watch in watches { watch.wait(for: []) }
                rest?.start(after: Self.restMilliseconds)
            }
            // Any other failure is the one connection's, or says that there is none left.
            if errno != ECONNABORTED && errno != EINTR { return }
        }
    }

    private static func open(_ addresses: [String], port: UInt16) throws(GatewayError) -> ([Int32], UInt16) {
        // With port 0 the first address' socket chooses; another program may have that port on a later address.
        for attempt in 1... {
            var opened: [Int32] = []
            var chosen = port
            do throws(GatewayError) {
                for address in addresses {
                    let (descriptor, bound) = try openOne(address, port: chosen)
                    opened.append(descriptor)
                    chosen = bound
                }
                guard !opened.isEmpty else { throw .invalidLimit("addresses") }
                return (opened, chosen)
            } catch {
                for descriptor in opened { Glibc.close(descriptor) }
                guard port == 0, attempt < 16, case .portInUse = error else { throw error }
            }
        }
        preconditionFailure("the attempts end in a return or a throw")
    }

    private static func openOne(_ address: String, port: UInt16) throws(GatewayError) -> (Int32, UInt16) {
        var four = sockaddr_in()
        var six = sockaddr_in6()
        let isFour = unsafe inet_pton(AF_INET, address, &four.sin_addr) == 1
        let isSix = unsafe !isFour && inet_pton(AF_INET6, address, &six.sin6_addr) == 1
        guard isFour || isSix else { throw .addressUnusable(address) }
        (four.sin_family, four.sin_port) = (sa_family_t(AF_INET), port.bigEndian)
        (six.sin6_family, six.sin6_port) = (sa_family_t(AF_INET6), port.bigEndian)

        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(isFour ? AF_INET : AF_INET6, type, 0)
        guard descriptor >= 0 else { throw .cannotListen(address: address, port: port, code: errno) }
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
        if isSix { unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
        var status = isFour ? bindTo(descriptor, &four) : bindTo(descriptor, &six)
        if status == 0 { status = listen(descriptor, backlog) }
        guard status == 0 else {
            let code = errno
            Glibc.close(descriptor)
            switch code {
            case EADDRINUSE: throw .portInUse(port)
            case EACCES, EPERM: throw .portForbidden(port)
            case EADDRNOTAVAIL: throw .addressUnusable(address)
            default: throw .cannotListen(address: address, port: port, code: code)
            }
        }
        return (descriptor, boundPort(descriptor))
    }

    private static func bindTo<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
        unsafe withUnsafeBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return unsafe bind(descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16 {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress,
                unsafe getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &size) == 0
            else { return 0 }
            // The port lies at the same place in both families.
            return unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }
}

extension AddressKey {
    /// The key of an accepted connection's address.
    init(_ storage: sockaddr_storage) {
        var storage = storage
        let isSix = storage.ss_family == sa_family_t(AF_INET6)
        (high, low) = unsafe withUnsafeBytes(of: &storage) { bytes in
            if !isSix {
                return unsafe (
                    0,
                    0xFFFF_0000_0000
                        | UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
                )
            }
            let upper = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            let lower = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            // An IPv4 address in IPv6 clothes is the IPv4 address; else the /64, which is one subscriber's.
            return upper == 0 && lower >> 32 == 0xFFFF ? (0, lower) : (upper, 0)
        }
    }
}

/// The kernel's words for an errno value.
func errorText(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    return unsafe text.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress, unsafe majlis_error_text(code, base, buffer.count) == 0 else {
            return "error \(code)"
        }
        return unsafe String(cString: base)
    }
}
