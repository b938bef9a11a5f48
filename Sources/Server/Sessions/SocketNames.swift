// Gateway and Signalling each have a ConnectionID and a CloseCode: here are the gateway's, by other names.
import Gateway

/// A WebSocket as the gateway numbers it.
typealias SocketID = ConnectionID
/// How a WebSocket ended.
typealias SocketClosure = Closure
/// The gateway itself; the module has the same name.
typealias HTTPGateway = Gateway
