// Why a gateway could not be opened, in words an operator understands.

/// Why a gateway could not be opened.
public enum GatewayError: Error, Equatable, CustomStringConvertible {
    /// Somebody else listens on the port.
    case portInUse(UInt16)
    /// The process may not listen on the port.
    case portForbidden(UInt16)
    /// Not a numeric address, or none of this machine's.
    case addressUnusable(String)
    /// Another failure to listen; the code is an errno value.
    case cannotListen(address: String, port: UInt16, code: Int32)
    /// A certificate without its key, or the other way round.
    case tlsIncomplete
    /// The file cannot be read; the code is an errno value.
    case unreadableFile(path: String, code: Int32)
    /// The files can be read, but are no certificate and its key.
    case certificateRejected(certificatePath: String, keyPath: String)
    /// The web root is not a folder that can be read.
    case unreadableWebRoot(String)
    /// A limit that makes no sense; the name is the configuration's field.
    case invalidLimit(String)
    /// libwebsockets could not start. Its libuv part is a package of its own, opened at run time.
    case libraryFailed(String)
    /// The loop has stopped.
    case loopStopped

    /// One sentence for the operator.
    public var description: String {
        switch self {
        case .portInUse(let port): "port \(port) is already in use by another program"
        case .portForbidden(let port): "this user may not listen on port \(port)"
        case .addressUnusable(let address): "\(address) is not an address of this machine to listen on"
        case .cannotListen(let address, let port, let code):
            "cannot listen on \(address) port \(port): \(errorText(code))"
        case .tlsIncomplete: "TLS needs both a certificate and its key"
        case .unreadableFile(let path, let code): "\(path) cannot be read: \(errorText(code))"
        case .certificateRejected(let certificate, let key):
            "\(certificate) and \(key) are not a certificate and its private key in PEM"
        case .unreadableWebRoot(let path): "the web root \(path) is not a folder that can be read"
        case .invalidLimit(let name): "\(name) is out of range"
        case .libraryFailed(let what):
            "libwebsockets could not start (\(what)); is the package libwebsockets-evlib-uv installed?"
        case .loopStopped: "the event loop has stopped"
        }
    }
}
