// Every example of docs/protocol.md, decoded and encoded again.
import TestSupport
import Testing

@testable import Signalling

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Any JSON, to compare without regard to the order of keys.
enum JSONValue: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else if let array = try? value.decode([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSONValue].self))
        }
    }

    static func parse(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }
}

@Suite("docs/protocol.md")
struct DocumentTests {
    struct Example {
        var isClient: Bool
        var line: Int
        var text: String
    }

    static func examples() throws -> [Example] {
        let bytes = try #require(FileBytes.read(ExternalCaptures.packageRoot + "/docs/protocol.md"))
        var examples: [Example] = []
        var open: Example?
        for (index, line) in String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        {
            if line.hasPrefix("```") {
                if let done = open {
                    examples.append(done)
                    open = nil
                } else {
                    #expect(line == "```json client" || line == "```json server", "line \(index + 1): \(line)")
                    open = Example(isClient: line == "```json client", line: index + 1, text: "")
                }
            } else {
                open?.text += line + "\n"
            }
        }
        #expect(open == nil)
        return examples
    }

    @Test("Every example decodes, and encodes to the same JSON")
    func roundTrip() throws {
        for example in try Self.examples() {
            let encoded: String
            if example.isClient {
                let frame = try ClientFrame(parsing: Array(example.text.utf8), allowsDescriptions: true)
                encoded = try #require(frame.text, "line \(example.line): \(frame.content)")
            } else {
                let frame = try ServerFrame(parsing: Array(example.text.utf8))
                encoded = frame.text
            }
            #expect(try JSONValue.parse(encoded) == JSONValue.parse(example.text), "line \(example.line)")
        }
    }

    @Test("The fuzzer of messages begins with one of each type that is on the page")
    func seeds() throws {
        let folder = ExternalCaptures.packageRoot + "/Tests/Fuzz/FuzzMessages/Seeds/"
        var client: Set<String> = []
        var server: Set<String> = []
        for name in FileBytes.list(folder) where name.hasSuffix(".json") {
            // The first byte says that the rest is a message.
            let bytes = try #require(FileBytes.read(folder + name))
            #expect(bytes.first.map { $0 & 1 } == 0, "\(name)")
            // Those that are no message any more are good seeds too.
            let text = Array(bytes.dropFirst())
            if name.hasPrefix("client") {
                let frame = try? ClientFrame(parsing: text, allowsDescriptions: true)
                if let type = try? frame?.content.get().type { client.insert(type) }
            } else if let frame = try? ServerFrame(parsing: text) {
                server.insert(frame.message.type)
            }
        }
        for example in try Self.examples() {
            let bytes = Array(example.text.utf8)
            if example.isClient {
                let type = try ClientFrame(parsing: bytes, allowsDescriptions: true).content.get().type
                #expect(client.contains(type), "\(type)")
            } else {
                let type = try ServerFrame(parsing: bytes).message.type
                #expect(server.contains(type), "\(type)")
            }
        }
    }

    @Test("Every type of message, every error code sent and every close code is on the page")
    func completeness() throws {
        var client: Set<String> = []
        var server: Set<String> = []
        for example in try Self.examples() {
            if example.isClient {
                let frame = try ClientFrame(parsing: Array(example.text.utf8), allowsDescriptions: true)
                client.insert(try frame.content.get().type)
            } else {
                let frame = try ServerFrame(parsing: Array(example.text.utf8))
                if case .unknown(let type) = frame.message { Issue.record("line \(example.line): \(type)") }
                server.insert(frame.message.type)
            }
        }
        #expect(
            client == [
                "ack", "hello", "resume", "join", "offer", "answer", "candidate", "iceRestart", "mute", "subscribe",
                "leave", "raiseHand", "lowerHand", "answerInvitation", "stepDown", "react", "message", "metadata",
                "moderate", "call.invite", "call.accept", "call.decline", "call.cancel", "call.hangup",
                "call.description", "call.candidate", "call.connected", "call.quality", "call.upgrade",
                "call.hold", "call.resume", "call.reattach", "call.seen", "call.presence", "account.push",
                "account.signOut", "account.block",
                "account.unblock",
                "account.blocked", "account.erase",
            ])
        #expect(
            server == [
                "welcome", "resumed", "joined", "answer", "ok", "left", "error", "candidate", "iceRestart", "slots",
                "layers", "participantJoined", "participantLeft", "participantUpdated", "trackPublished",
                "trackUnpublished",
                "trackMuted", "roomUpdated", "roomEnded", "lobby", "waiting", "message", "reaction", "unmuteRequested",
                "recording", "mediaState", "quality", "speakers", "serverShutdown", "call.invited", "call.incoming",
                "call.ringing", "call.accepted", "call.endedElsewhere", "call.description", "call.candidate",
                "call.connected", "call.quality", "call.upgraded", "call.returned", "call.presence", "call.held",
                "call.resumed", "call.onHold",
                "call.reattached", "call.ended", "call.missed", "account.blocked",
            ])
        let bytes = try #require(FileBytes.read(ExternalCaptures.packageRoot + "/docs/protocol.md"))
        let page = String(decoding: bytes, as: UTF8.self)
        let closing: Set<ProtocolError.Code> = [.tooLarge, .binaryMessage, .noHello, .tooManyMessages, .replaced]
        for code in ProtocolError.Code.allCases where !closing.contains(code) {
            #expect(page.contains("`\(code.rawValue)`"), "\(code)")
        }
        for code in CloseCode.allCases where code != .normal { #expect(page.contains("\(code.rawValue)"), "\(code)") }
    }
}
