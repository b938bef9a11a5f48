// Whether the kernel takes several datagrams in one call and cuts them apart itself (UDP_SEGMENT, Linux 4.18), as a test with
// real sockets shows. Sends nothing to anybody else.
import CSupport
import Glibc

/// UDP generic segmentation on this machine.
public enum SegmentationOffload {
    /// Whether a send of two segments came out as two datagrams, looked at once.
    public static let isAvailable: Bool = probe()

    /// Sends two segments over loopback and looks at what arrives.
    private static func probe() -> Bool {
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let parts: [UInt8] = [1, 2, 3, 4, 5]
        return unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe bind(descriptor, address, length) == 0,
                    unsafe getsockname(descriptor, address, &length) == 0
                else { return false }
                let sent = unsafe parts.withUnsafeBytes { bytes in
                    var vector = unsafe iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                    return unsafe majlis_send_segments(descriptor, address, length, &vector, 1, 3)
                }
                guard sent == parts.count else { return false }
                var buffer = [UInt8](repeating: 0, count: 16)
                let first = unsafe recv(descriptor, &buffer, buffer.count, 0)
                let second = unsafe recv(descriptor, &buffer, buffer.count, 0)
                return first == 3 && second == 2
            }
        }
    }
}
