// A socket address of either family, as the kernel wants it. Names are not resolved here.
import Glibc

/// An address and a port.
struct SocketAddress {
    private(set) var storage = sockaddr_storage()
    let length: socklen_t

    init(_ address: IPAddress, port: UInt16) {
        var storage = sockaddr_storage()
        if address.isIPv4 {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &v4.sin_addr) { unsafe $0.copyBytes(from: address.bytes) }
            unsafe withUnsafeMutableBytes(of: &storage) { to in
                unsafe withUnsafeBytes(of: &v4) { unsafe to.copyMemory(from: $0) }
            }
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
        } else {
            var v6 = sockaddr_in6()
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &v6.sin6_addr) { unsafe $0.copyBytes(from: address.bytes) }
            unsafe withUnsafeMutableBytes(of: &storage) { to in
                unsafe withUnsafeBytes(of: &v6) { unsafe to.copyMemory(from: $0) }
            }
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
        self.storage = storage
    }

    /// What the kernel filled in; nil for another family.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET: length = socklen_t(MemoryLayout<sockaddr_in>.size)
        case AF_INET6: length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        default: return nil
        }
        self.storage = storage
    }

    var address: IPAddress? { unsafe withPointer { unsafe IPAddress($0) } }

    var port: UInt16 {
        // The port is at the same place in both families.
        unsafe withPointer {
            unsafe UInt16(bigEndian: UnsafeRawPointer($0).loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        unsafe withUnsafePointer(to: storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }
}

extension SocketAddress: Equatable {
    static func == (a: SocketAddress, b: SocketAddress) -> Bool { a.port == b.port && a.address == b.address }
}
