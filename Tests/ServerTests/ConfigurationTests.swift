// The settings: file, environment, flags, what each refusal says, and the printed default file.
import Testing

@testable import Server

@Suite("Configuration")
struct ConfigurationTests {
    private func apply(_ text: String) -> (Configuration, String?) {
        var configuration = Configuration()
        do throws(ConfigurationError) {
            try configuration.apply(file: Array(text.utf8), name: "majlis.json5")
            return (configuration, nil)
        } catch {
            return (configuration, error.description)
        }
    }

    @Test("a file with comments, trailing commas and single quotes is read")
    func file() {
        let (configuration, error) = apply(
            """
            // ours
            { listen: { port: 9000, host: '::', allowedOrigins: ["https://a.example",], },
              media: { allowPrivateCandidates: true }, logLevel: 'debug', /* done */ }
            """)
        #expect(error == nil)
        #expect(configuration.listen.port == 9_000)
        #expect(configuration.listen.host == "::")
        #expect(configuration.listen.allowedOrigins == ["https://a.example"])
        #expect(configuration.media.allowPrivateCandidates)
        #expect(configuration.logLevel == "debug")
    }

    @Test(
        "each mistake is one line that names the file, the key and what is wanted",
        arguments: [
            (#"{ listen: { prot: 1 } }"#, "majlis.json5: unknown key listen.prot; did you mean listen.port?"),
            (#"{ colour: 1 }"#, "majlis.json5: unknown key colour"),
            (#"{ listen: { port: "x" } }"#, "majlis.json5: listen.port takes a whole number from 0 to 65535"),
            (#"{ listen: { port: 70000 } }"#, "majlis.json5: listen.port takes a whole number from 0 to 65535"),
            (#"{ listen: { port: 1.5 } }"#, "majlis.json5: listen.port takes a whole number from 0 to 65535"),
            (#"{ turn: { urls: [1] } }"#, "majlis.json5: turn.urls takes a list of texts"),
            (#"{ listen: 7 }"#, "majlis.json5: unknown key listen"),
            (#"[]"#, "majlis.json5: it must be one JSON5 object"),
        ])
    func mistakes(text: String, sentence: String) {
        let (_, error) = apply(text)
        #expect(error?.hasPrefix(sentence) == true, "\(error ?? "accepted")")
        #expect(error?.contains("\n") != true)
    }

    @Test("a file that is no JSON5 is named, with what to look for")
    func notJSON() {
        let (_, error) = apply("{ listen: { port: 9000 ")
        #expect(error?.hasPrefix("majlis.json5: it is not valid JSON5: look for") == true, "\(error ?? "accepted")")
    }

    @Test("the printed default file is read back to the same settings, and names every key with its meaning")
    func documentedFile() throws {
        var configuration = Configuration()
        configuration.listen.port = 1_234
        configuration.rooms.codecs = ["opus", "VP8", "H264"]
        configuration.tokens.secret = "never printed, however long it is"
        let text = configuration.documentedFile()
        #expect(!text.contains("never printed"))
        let (read, error) = apply(text)
        #expect(error == nil)
        configuration.tokens.secret = ""
        #expect(read == configuration)
        for setting in Setting.all { #expect(text.contains("// \(setting.text)")) }
    }

    @Test("environment variables have the key's name in capitals, and go over the file")
    func environment() throws {
        var configuration = Configuration()
        configuration.listen.port = 1
        try configuration.apply(environment: [
            "MAJLIS_LISTEN_PORT": "9001", "MAJLIS_ROOMS_CODECS": "opus, H264",
            "MAJLIS_MEDIA_ALLOW_PRIVATE_CANDIDATES": "yes",
            "MAJLIS_TURN_STUN_URLS": "stun:stun.example", "MAJLIS_UNRELATED": "x", "HOME": "/",
            "MAJLIS_CALLS_RETURNS_TO_DIRECT": "no",
        ])
        #expect(!configuration.calls.returnsToDirect && Configuration().calls.returnsToDirect)
        #expect(configuration.listen.port == 9_001)
        #expect(configuration.rooms.codecs == ["opus", "H264"])
        #expect(configuration.media.allowPrivateCandidates)
        #expect(configuration.turn.stunURLs == ["stun:stun.example"])
        #expect(throws: ConfigurationError.self) {
            try configuration.apply(environment: ["MAJLIS_LISTEN_PORT": "many"])
        }
    }

    @Test("no two settings share a key or a variable")
    func keysAreUnique() {
        #expect(Set(Setting.all.map(\.key)).count == Setting.all.count)
        #expect(Set(Setting.all.map(\.environmentName)).count == Setting.all.count)
    }

    @Test("settings that contradict each other are refused before anything starts")
    func validation() {
        func refusal(_ change: (inout Configuration) -> Void) -> String {
            var configuration = Configuration()
            configuration.tokens.secret = String(repeating: "s", count: 32)
            change(&configuration)
            do throws(ConfigurationError) {
                try configuration.validate()
                return ""
            } catch {
                return error.description
            }
        }
        #expect(refusal { _ in } == "")
        #expect(refusal { $0.tokens.secret = "short" }.contains("has 5 bytes and must have at least 32"))
        #expect(refusal { $0.tokens.secret = "" }.contains("nobody could sign in"))
        #expect(refusal { $0.listen.tlsKey = "key.pem" }.contains("go together"))
        #expect(refusal { $0.media.minimumPort = 50_000 }.contains("is above media.maximumPort"))
        #expect(refusal { $0.turn.urls = ["turn:t"] }.contains("turn.secret is not"))
        #expect(refusal { $0.sessions.silenceSeconds = 10 }.contains("must be longer"))
        #expect(refusal { $0.rooms.codecs = ["opus", "VP7"] }.contains("names VP7"))
    }
}
