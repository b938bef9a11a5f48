// A hop between two ends of a UDP path on loopback that can be cut, as a cable or a tunnel does: what is sent into it
// meanwhile is lost, not late.
import Glibc
import Synchronization
import TestSupport

/// Forwards between whoever writes to `port` first and one port of loopback, on a thread of its own.
final class CutRelay: Sendable {
    private let near = Doorway()
    private let far = Doorway()
    private let state = Mutex((target: UInt16(0), client: UInt16(0), isCut: false, isOver: false))
    private let thread = Mutex<pthread_t?>(nil)

    /// A socket for one side.
    private final class Doorway: @unchecked Sendable {
        let socket = ForeignSocket()
        let port: UInt16
        init() {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = socket.descriptor
            _ = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            port = UInt16(bigEndian: address.sin_port)
        }
    }

    /// Where the client's packets go to.
    var port: UInt16 { near.port }

    init(toPort target: UInt16) {
        state.withLock { $0.target = target }
        let own = Unmanaged.passRetained(self)
        var made = pthread_t()
        pthread_create(
            &made, nil,
            { relay in
                let relay = Unmanaged<CutRelay>.fromOpaque(relay!).takeRetainedValue()
                relay.run()
                return nil
            }, own.toOpaque())
        thread.withLock { [made] in $0 = made }
    }

    /// Loses everything from now on, or nothing.
    func cut(_ isCut: Bool) { state.withLock { $0.isCut = isCut } }

    /// Ends the thread.
    func stop() {
        state.withLock { $0.isOver = true }
        guard let made = thread.withLock({ thread in thread.take() }) else { return }
        pthread_join(made, nil)
    }

    private func run() {
        var watched = [near, far].map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
        while !state.withLock({ $0.isOver }) {
            guard poll(&watched, 2, 20) > 0 else { continue }
            forward(from: near, isFromClient: true)
            forward(from: far, isFromClient: false)
        }
    }

    private func forward(from doorway: Doorway, isFromClient: Bool) {
        var buffer = [UInt8](repeating: 0, count: 2048)
        while true {
            var source = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &source) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(doorway.socket.descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            guard count >= 0 else { return }
            let from = UInt16(bigEndian: source.sin_port)
            let (target, isCut) = state.withLock { state in
                if isFromClient, state.client == 0 { state.client = from }
                return (isFromClient ? state.target : state.client, state.isCut)
            }
            guard !isCut, target != 0 else { continue }
            _ = (isFromClient ? far : near).socket.send(Array(buffer[..<count]), toPort: target)
        }
    }
}
