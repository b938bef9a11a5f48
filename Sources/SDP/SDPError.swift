// Why a text is not a session description, and the bounds on one. Says nothing about what a description means.

/// The line at which a text stopped being a session description (RFC 8866), and why.
public struct SDPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The number of the line, the first being 1; 0 where the fault is the whole text's.
    public let line: Int
    /// A sentence a person understands. Quotes nothing from the text: it may hold keys.
    public let reason: String

    /// A fault at a line.
    public init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }

    /// The line and the sentence.
    public var description: String { line == 0 ? reason : "Line \(line): \(reason)" }
}

/// The bounds on a session description; a text beyond one of them is refused before more work is spent on it.
public enum SDPLimits {
    /// Bytes in the whole text.
    public static let maximumBytes = 512 * 1_024
    /// Bytes in one line, its end not counted.
    public static let maximumLineBytes = 16 * 1_024
    /// Lines in the whole text.
    public static let maximumLines = 10_000
    /// Media sections (`m=`).
    public static let maximumMediaSections = 128
    /// Formats (payload types) in one `m=` line.
    public static let maximumFormats = 1_024
    /// Characters in an ICE user name fragment or password (RFC 8839 §5.4).
    public static let maximumICECredentialBytes = 256
    /// Name and value pairs at the end of one candidate.
    public static let maximumCandidateExtensions = 32
    /// Bytes in one candidate, given alone.
    public static let maximumCandidateBytes = 2_048
}
