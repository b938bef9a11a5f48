// Why a codec could not be made or could not encode. What it cannot decode is no error but nothing.

/// Why a codec refuses.
public enum CodecError: Error, Equatable, Sendable {
    /// A setting is outside of what the codec takes; the text names it.
    case unsupported(String)
    /// The library refused, with its own number.
    case library(step: String, code: Int32)
}
