// The JSON coder as this protocol uses it: sorted keys, so that equal messages are equal text.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

enum JSONText {
    /// The text of a message, or nil when it holds what JSON cannot say.
    static func encode(_ value: some Encodable) -> String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }

    /// The value in the bytes, which `JSONGuard` has passed.
    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(ProtocolError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw error.asProtocolError
        } catch {
            throw ProtocolError(.malformed, "The message is not JSON.")
        }
    }
}

extension KeyedDecodingContainer {
    /// A whole number. The decoder's own error for a number out of the type's range does not say which field it was.
    func decodeNumber<Number: FixedWidthInteger & Decodable>(_ type: Number.Type, forKey key: Key) throws -> Number {
        do {
            return try decode(type, forKey: key)
        } catch let error as DecodingError {
            throw error
        } catch {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "out of range")
        }
    }

    /// A whole number, or nil where the field is absent or null.
    func decodeNumberIfPresent<Number: FixedWidthInteger & Decodable>(
        _ type: Number.Type, forKey key: Key
    ) throws -> Number? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        return try decodeNumber(type, forKey: key)
    }
}

extension DecodingError {
    /// The same error as the client is told it: with the field's path, never with a value.
    var asProtocolError: ProtocolError {
        switch self {
        case .keyNotFound(let key, let context):
            return ProtocolError(.missingField, "The field \(Self.path(context.codingPath, key)) is missing.")
        case .valueNotFound(_, let context):
            return ProtocolError(.missingField, "The field \(Self.path(context.codingPath)) must not be null.")
        case .typeMismatch(_, let context):
            guard !context.codingPath.isEmpty else { return ProtocolError(.malformed, "The message is not an object.") }
            return ProtocolError(.malformed, "The field \(Self.path(context.codingPath)) has the wrong type.")
        case .dataCorrupted(let context):
            guard !context.codingPath.isEmpty else { return ProtocolError(.malformed, "The message is not JSON.") }
            return ProtocolError(.malformed, "The field \(Self.path(context.codingPath)) has no valid value.")
        @unknown default:
            return ProtocolError(.malformed, "The message is not JSON.")
        }
    }

    private static func path(_ keys: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
        var path = ""
        for key in keys + (last.map { [$0] } ?? []) {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return path
    }
}
