// Gateway and Signalling each have a ConnectionID and a CloseCode: here are Signalling's, by other names.
import Signalling

/// A WebSocket as the session machines number it.
typealias SessionSocket = ConnectionID
/// Why a session's socket is closed.
typealias SessionCloseCode = CloseCode
