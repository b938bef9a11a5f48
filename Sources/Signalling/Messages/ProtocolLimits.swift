// Every bound on what a client may send, in one place. Holds no rates and no times: those are `SessionConfiguration`'s.

/// The bounds of `majlis.v1` messages. What passes them is answered with an error or a close code, never cut.
public enum ProtocolLimits {
    /// The subprotocol's name in `Sec-WebSocket-Protocol` (RFC 6455 §4.2.2).
    public static let subprotocol = "majlis.v1"
    /// Bytes of one message before authentication, and of every message but `join` and `offer` after it.
    public static let messageBytes = 64 * 1024
    /// Bytes of one authenticated `join` or `offer`: a browser's description of 25 video sections passes 100 KiB.
    public static let descriptionMessageBytes = 512 * 1024
    /// Arrays and objects within each other, the message itself counted.
    public static let nestingDepth = 16
    /// UTF-8 bytes of a token (`hello`) and of a resume token.
    public static let tokenBytes = 8 * 1024
    /// UTF-8 bytes of a session's name in `resume`.
    public static let sessionBytes = 128
    /// UTF-8 bytes of a room's name; it may not be empty.
    public static let roomBytes = 128
    /// UTF-8 bytes of a person's display name.
    public static let nameBytes = 256
    /// UTF-8 bytes of a device's name and of a client's name and version.
    public static let deviceBytes = 128
    /// UTF-8 bytes of a media section's `mid`; it may not be empty.
    public static let midBytes = 16
    /// UTF-8 bytes of a track's identifier.
    public static let trackBytes = 64
    /// UTF-8 bytes of one candidate line (RFC 8839 §5.1), and of a username fragment (RFC 8445 §5.3).
    public static let candidateBytes = 1_024
    /// UTF-8 bytes of a `react`'s reaction; it may not be empty.
    public static let reactionBytes = 32
    /// UTF-8 bytes of a `message`'s text; it may not be empty.
    public static let roomMessageBytes = 16 * 1024
    /// UTF-8 bytes of a participant's text about itself.
    public static let metadataBytes = 1_024
    /// UTF-8 bytes of a host's text about the room.
    public static let roomMetadataBytes = 4_096
    /// UTF-8 bytes of a user (`sub`); it may not be empty.
    public static let userBytes = 256
    /// Entries of `tracks` in one `join` or `offer`.
    public static let tracks = 64
    /// Entries of `slots` in one `subscribe`.
    public static let slots = 256
    /// UTF-8 bytes of a call's name; it may not be empty.
    public static let callBytes = 64
    /// Users in one `call.presence`.
    public static let presenceUsers = 64
    /// UTF-8 bytes of the secret in `call.reattach`.
    public static let callTokenBytes = 128
    /// UTF-8 bytes of a session description in a call; it may not be empty. Two people's descriptions are small.
    public static let callDescriptionBytes = 48 * 1024
    /// UTF-8 bytes of a push token.
    public static let pushTokenBytes = 4_096
    /// UTF-8 bytes of a push token of Apple's, in hexadecimal.
    public static let applePushTokenBytes = 256
    /// Entries of `calls` in one `call.seen`.
    public static let seenCalls = 256
    /// UTF-8 bytes of a close reason (RFC 6455 §5.5: 125 for a control frame, less the code).
    public static let closeReasonBytes = 123
}
