// What can go wrong at the loop's edge.
import CUV

/// A failure that libuv or the kernel reported.
public enum EventLoopError: Error, Equatable, CustomStringConvertible {
    /// The descriptor cannot be watched: it is closed, a plain file, or watched already. The code is an errno value.
    case cannotWatchDescriptor(descriptor: Int32, code: Int32)
    /// The signal cannot be watched. The code is an errno value.
    case cannotWatchSignal(signal: Int32, code: Int32)
    /// The loop is stopping or has stopped, so nothing new can be opened on it.
    case loopStopped

    /// One sentence for a log line.
    public var description: String {
        switch self {
        case .cannotWatchDescriptor(let descriptor, let code):
            "descriptor \(descriptor) cannot be watched: \(reason(code))"
        case .cannotWatchSignal(let signal, let code): "signal \(signal) cannot be watched: \(reason(code))"
        case .loopStopped: "the event loop has stopped"
        }
    }

    private func reason(_ code: Int32) -> String { unsafe String(cString: uv_strerror(-code)) }
}
