// Room for the datagrams of one look at a socket: many sockets of one thread share it.
import CSupport
import Glibc

/// A buffer of datagrams, taken in with one system call. One thread at a time.
@safe package final class DatagramBatch {
    /// How many datagrams one call takes in.
    static let capacity = 64
    /// The largest datagram, in bytes; longer ones are cut.
    static let stride = 2_048

    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity * stride, alignment: 64)
    private let sources = UnsafeMutablePointer<sockaddr_storage>.allocate(capacity: capacity)
    private var lengths = [Int32](repeating: 0, count: capacity)
    private var arrivals = [Int64](repeating: 0, count: capacity)

    package init() { unsafe sources.initialize(repeating: sockaddr_storage(), count: Self.capacity) }

    deinit {
        unsafe buffer.deallocate()
        unsafe sources.deallocate()
    }

    /// Takes in what is there; answers how many.
    func receive(_ descriptor: Int32, withSources: Bool) -> Int {
        guard let base = unsafe buffer.baseAddress else { return 0 }
        return unsafe Int(
            max(
                0,
                majlis_receive_many(
                    descriptor, base.assumingMemoryBound(to: UInt8.self), Int32(Self.stride), Int32(Self.capacity),
                    &lengths, &arrivals, withSources ? UnsafeMutableRawPointer(sources) : nil)))
    }

    /// Datagram number `index` of the last look.
    func datagram(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let start = index * Self.stride
        return unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[start..<(start + min(Int(lengths[index]), Self.stride))])
    }

    /// When it arrived, in nanoseconds since 1970; 0 where the kernel did not say.
    func arrival(_ index: Int) -> Int64 { arrivals[index] }

    /// Who sent it, where that was wanted.
    func source(_ index: Int) -> sockaddr_storage { unsafe sources[index] }
}

/// Arrival times by the kernel.
enum DatagramTimes {
    /// Asks for them; whether the kernel gives them.
    static func want(_ descriptor: Int32) -> Bool { majlis_want_arrival_times(descriptor) == 0 }
}
