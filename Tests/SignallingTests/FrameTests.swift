// What a client may write, and everything that it may not.
import Testing

@testable import Signalling

@Suite("Client messages")
struct FrameTests {
    static func parse(_ text: String, allowsDescriptions: Bool = true) throws(ProtocolError) -> ClientFrame {
        try ClientFrame(parsing: Array(text.utf8), allowsDescriptions: allowsDescriptions)
    }

    static func failure(_ text: String) throws -> ProtocolError? {
        if case .failure(let error) = try parse(text).content { error } else { nil }
    }

    @Test("Unknown fields are ignored and keys written twice do no harm")
    func unknownFields() throws {
        let frame = try Self.parse(
            #"{"id":"3","type":"mute","x":{"y":[1,{"z":null}]},"mid":"0","muted":true,"ack":4,"mid":"0","type":"mute"}"#
        )
        #expect(frame == ClientFrame(id: CommandID(3), ack: 4, .command(.mute(.init(mid: "0", muted: true)))))
        for text in [
            #"{"id":"1","id":"2","type":"leave","type":"join"}"#, #"{"id":"1","type":"leave","id":7}"#,
            #"{"type":"ack","ack":1,"ack":"x"}"#,
        ] {
            // Either of the two may count; nothing else may happen.
            _ = try Self.parse(text)
        }
    }

    @Test(
        "What has no envelope is fatal, and closes with 4400",
        arguments: [
            "", " ", "x", "null", "7", "\"hello\"", "[]", "[{\"type\":\"ack\"}]", "{", "}", "{}}", "{]",
            "{\"type\":\"ack\"",
            "{\"type\":\"ack\"}{}", "{\"type\":\"ack\"} x", "{}", "{\"type\":7}", "{\"type\":null}",
            "{\"type\":[\"ack\"]}",
            "{type:\"ack\"}", "{'type':'ack'}", "// x\n{\"type\":\"ack\"}", "{\"type\":\"ack}",
            "{\"type\":\"ack\\\"}", "{\"type\":\"\\ud800\"}", "{\"a\":tru,\"type\":\"ack\"}",
        ])
    func noEnvelope(text: String) throws {
        let error = #expect(throws: ProtocolError.self) { try Self.parse(text) }
        #expect(error?.code == .malformed)
        #expect(error.flatMap { CloseCode(closingFor: $0) } == .malformed)
    }

    @Test("Other encodings and broken UTF-8 are refused")
    func encodings() throws {
        let ack = "{\"type\":\"ack\",\"ack\":1}"
        let utf16: [UInt8] = ack.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        let swapped: [UInt8] = ack.utf16.flatMap {
            [UInt8(truncatingIfNeeded: $0 >> 8), UInt8(truncatingIfNeeded: $0)]
        }
        let wide: [UInt8] = ack.utf8.flatMap { [$0, 0, 0, 0] }
        for bytes in [
            utf16, swapped, wide, [0xFF, 0xFE] + utf16, [0xFE, 0xFF] + swapped, [0xEF, 0xBB, 0xBF] + Array(ack.utf8),
            Array("{\"type\":\"a".utf8) + [0xC3, 0x28] + Array("\"}".utf8),
            Array("{\"type\":\"".utf8) + [0xFF, 0xFF] + Array("\"}".utf8), Array(ack.utf8) + [0],
        ] {
            let error = #expect(throws: ProtocolError.self) {
                try ClientFrame(parsing: bytes, allowsDescriptions: true)
            }
            #expect(error?.isFatal == true)
        }
    }

    @Test("Deep nesting is refused before the decoder sees it", arguments: ["[", "{\"a\":", "[{\"a\":"])
    func nesting(opening: String) throws {
        for count in [17, 1_000, 60_000 / opening.utf8.count] {
            let text = "{\"type\":\"ack\",\"x\":" + String(repeating: opening, count: count)
            let error = #expect(throws: ProtocolError.self) { try Self.parse(text) }
            #expect(error?.message == "The message is nested too deeply.")
        }
        let text =
            "{\"type\":\"ack\",\"x\":" + String(repeating: "[", count: 15) + String(repeating: "]", count: 15) + "}"
        #expect(try Self.parse(text).content == .success(.ack))
        let brackets = "{\"type\":\"ack\",\"x\":\"" + String(repeating: "[{\\\"", count: 1_000) + "\"}"
        #expect(try Self.parse(brackets).content == .success(.ack))
    }

    @Test("A message may have 64 KiB, join and offer 512 KiB once authenticated")
    func sizes() throws {
        func message(_ type: String, bytes: Int) -> String {
            let start = "{\"id\":\"1\",\"type\":\"\(type)\",\"sdp\":\""
            let end = "\",\"tracks\":[]}"
            return start + String(repeating: "x", count: bytes - start.utf8.count - end.utf8.count) + end
        }
        let small = ProtocolLimits.messageBytes
        let large = ProtocolLimits.descriptionMessageBytes
        #expect(throws: Never.self) { try Self.parse(message("offer", bytes: small), allowsDescriptions: false) }
        #expect(throws: Never.self) { try Self.parse(message("leave", bytes: small)) }
        #expect(throws: Never.self) { try Self.parse(message("offer", bytes: large)) }
        for (type, bytes, allowed) in [
            ("offer", small + 1, false), ("leave", small + 1, true), ("offer", large + 1, true),
            ("hello", small + 1, true),
        ] {
            let error = #expect(throws: ProtocolError.self) {
                try Self.parse(message(type, bytes: bytes), allowsDescriptions: allowed)
            }
            #expect(error.flatMap { CloseCode(closingFor: $0) } == .tooLarge)
        }
    }

    @Test(
        "A field that is missing or wrong is named, and the envelope survives",
        arguments: [
            (#"{"id":"5","type":"hello"}"#, ProtocolError.Code.missingField, "token"),
            (#"{"id":"5","type":"hello","token":7}"#, .malformed, "token"),
            (#"{"id":"5","type":"hello","token":""}"#, .malformed, "token"),
            (#"{"id":"5","type":"resume","session":"s","resumeToken":"t"}"#, .missingField, "lastSeq"),
            (#"{"id":"5","type":"resume","session":"s","resumeToken":"t","lastSeq":-1}"#, .malformed, "lastSeq"),
            (#"{"id":"5","type":"resume","session":"s","resumeToken":"t","lastSeq":1.5}"#, .malformed, "lastSeq"),
            (#"{"id":"5","type":"resume","session":"s","resumeToken":"t","lastSeq":1e99}"#, .malformed, "lastSeq"),
            (#"{"id":"5","type":"join","room":"r","offer":{"type":"offer"},"tracks":[]}"#, .missingField, "offer.sdp"),
            (
                #"{"id":"5","type":"join","room":"r","offer":{"type":"answer","sdp":""},"tracks":[]}"#, .malformed,
                "offer.type"
            ),
            (#"{"id":"5","type":"join","room":"r","offer":"v=0","tracks":[]}"#, .malformed, "offer"),
            (#"{"id":"5","type":"join","room":"","offer":{"type":"offer","sdp":""},"tracks":[]}"#, .malformed, "room"),
            (#"{"id":"5","type":"offer","sdp":"","tracks":{}}"#, .malformed, "tracks"),
            (
                #"{"id":"5","type":"offer","sdp":"","tracks":[{"mid":"0","source":"camera"},{"mid":"1","source":"x"}]}"#,
                .malformed, "tracks[1].source"
            ),
            (
                #"{"id":"5","type":"offer","sdp":"","tracks":[{"mid":"12345678901234567","source":"camera"}]}"#,
                .malformed, "tracks.mid"
            ),
            (#"{"id":"5","type":"candidate"}"#, .missingField, "candidate"),
            (#"{"id":"5","type":"candidate","candidate":null}"#, .missingField, "candidate"),
            (#"{"id":"5","type":"mute","mid":"0","muted":1}"#, .malformed, "muted"),
            (#"{"id":"5","type":"mute","mid":"","muted":true}"#, .malformed, "mid"),
            (
                #"{"id":"5","type":"subscribe","slots":[{"mid":"0","wantedHeight":-1}]}"#, .malformed,
                "slots[0].wantedHeight"
            ),
            (
                #"{"id":"5","type":"subscribe","slots":[{"mid":"0","priority":256}]}"#, .malformed, "slots[0].priority"
            ),
            (
                #"{"id":"5","type":"subscribe","slots":[{"mid":"0","priority":"high"}]}"#, .malformed,
                "slots[0].priority"
            ),
            (
                #"{"id":"5","type":"join","room":"r","encrypted":1,"offer":{"type":"offer","sdp":""},"tracks":[]}"#,
                .malformed, "encrypted"
            ),
            (#"{"id":"5","type":"subscribe","slots":[{"mid":"0","pin":3}]}"#, .malformed, "slots[0].pin"),
            (
                #"{"id":"5","type":"subscribe","slots":[{"mid":"0"},{"mid":"1","wantedHeight":65536}]}"#, .malformed,
                "slots[1].wantedHeight"
            ),
            (#"{"id":"5","type":"leave","ack":"7"}"#, .malformed, "ack"),
            (#"{"id":"5","type":"leave","ack":1e400}"#, .malformed, "ack"),
            (#"{"id":"5","type":"leave","ack":18446744073709551616}"#, .malformed, "ack"),
            (#"{"id":"5","type":"dance"}"#, .unknownType, "dance"),
        ])
    func fields(text: String, code: ProtocolError.Code, field: String) throws {
        let frame = try Self.parse(text)
        let error = try #require(try Self.failure(text))
        #expect(frame.id == CommandID(5))
        #expect(error.code == code)
        #expect(error.message.contains(code == .unknownType ? field : " \(field) "), "\(error.message)")
        #expect(!error.isFatal)
    }

    @Test("Lists longer than their limit are refused")
    func lists() throws {
        func tracks(_ count: Int) -> String {
            let all = (0..<count).map { "{\"mid\":\"\($0)\",\"source\":\"camera\"}" }.joined(separator: ",")
            return "{\"id\":\"1\",\"type\":\"offer\",\"sdp\":\"\",\"tracks\":[\(all)]}"
        }
        func slots(_ count: Int) -> String {
            let all = (0..<count).map { "{\"mid\":\"\($0)\"}" }.joined(separator: ",")
            return "{\"id\":\"1\",\"type\":\"subscribe\",\"slots\":[\(all)]}"
        }
        #expect(try Self.failure(tracks(ProtocolLimits.tracks)) == nil)
        #expect(try Self.failure(tracks(ProtocolLimits.tracks + 1))?.code == .malformed)
        #expect(try Self.failure(slots(ProtocolLimits.slots)) == nil)
        #expect(try Self.failure(slots(ProtocolLimits.slots + 1))?.code == .malformed)
    }

    @Test("A command's number is decimal digits with one writing only")
    func numbers() throws {
        for (text, number) in [("0", UInt64(0)), ("17", 17), ("18446744073709551615", UInt64.max)] {
            #expect(CommandID(text)?.number == number)
            #expect(CommandID(number).description == text)
        }
        for text in ["", "-1", "+1", "01", "00", "1.0", "1e3", " 1", "1 ", "١", "18446744073709551616", "x", "0x1"] {
            #expect(CommandID(text) == nil, "\(text)")
            #expect(try Self.failure("{\"id\":\"\(text)\",\"type\":\"leave\"}")?.code == .malformed)
        }
        #expect(try Self.failure(#"{"id":5,"type":"leave"}"#)?.message.contains(" id ") == true)
        #expect(try Self.failure(#"{"type":"leave"}"#)?.code == .missingField)
        #expect(try Self.failure(#"{"type":"ack"}"#) == nil)
    }

    @Test("Every error has a close code when it is fatal, and none when it is not")
    func closeCodes() {
        for code in ProtocolError.Code.allCases {
            #expect(CloseCode(closingFor: ProtocolError(code, "x")) == nil)
            #expect(CloseCode(closingFor: ProtocolError(code, "x").fatal) != nil)
        }
        #expect(CloseCode(closingFor: ProtocolError(.notAuthenticated, "x").fatal) == .unauthorised)
        #expect(CloseCode(closingFor: ProtocolError(.internal, "x").fatal) == .internalError)
        let long = CloseCode.fitting(String(repeating: "é", count: 100))
        #expect(long == String(repeating: "é", count: 61))
    }

    @Test("A client reads messages and codes of a newer server without failing")
    func newerServer() throws {
        let unknown = try ServerFrame(parsing: Array(#"{"seq":4,"type":"fireworks","x":1}"#.utf8))
        #expect(unknown == ServerFrame(seq: 4, .unknown(type: "fireworks")))
        let error = try ServerFrame(
            parsing: Array(#"{"seq":5,"re":"2","type":"error","code":"new","message":"M"}"#.utf8))
        #expect(error == ServerFrame(seq: 5, re: CommandID(2), .error(ProtocolError(.internal, "M"))))
        #expect(throws: ProtocolError.self) { try ServerFrame(parsing: Array(#"{"seq":5,"re":"x","type":"ok"}"#.utf8)) }
    }
}
