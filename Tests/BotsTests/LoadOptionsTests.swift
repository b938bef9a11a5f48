// The options of `majlis load`, and the figures that come out.
import Bots
import Testing

@Suite("Options and figures of load")
struct LoadOptionsTests {
    @Test("options are read, with a space or an equals sign; the last one counts")
    func reading() throws {
        let options = try LoadOptions([
            "--people", "50", "--talkers=3", "--pattern", "schedule", "--seed", "7", "--server", "ws://a:1",
            "--server=b:2",
            "--bench", "--json", "--cameras", "2", "--layers", "1", "--people", "40", "--speech", "a.wav,b.wav",
        ])
        #expect(options.people == 40 && options.talkers == 3 && options.seed == 7 && options.pattern == .schedule)
        #expect(options.servers == ["ws://a:1", "b:2"])
        #expect(options.isBench && options.isJSON && options.payloadBytes == 120)
        #expect(options.speech == .files(["a.wav", "b.wav"]))
        #expect(options.othersDo == .silent)
        let callers = try LoadOptions(["--callers", "40000", "--from", "127.0.0.2,127.0.0.3", "--call-rate", "0"])
        #expect(callers.callers == 40_000 && callers.sources == ["127.0.0.2", "127.0.0.3"])
        #expect(callers.callsPerSecond == 0)
        #expect(try LoadOptions([]).othersDo == .muted)
        #expect(try LoadOptions(["--help"]).wantsHelp && LoadOptions(["-h"]).wantsHelp)
    }

    @Test(
        "what cannot be meant is refused with a sentence that names it",
        arguments: [
            ["--people"], ["--people", "0"], ["--people", "many"], ["--pattern", "loud"], ["--nonsense", "1"], ["word"],
            ["--cameras", "3", "--people", "2"], ["--rooms", "1000", "--people", "1000"], ["--join-rate", "nan"],
            ["--overlaps", "1.5"], ["--layers", "4"], ["--from", ","],
        ])
    func refusing(arguments: [String]) {
        #expect(throws: LoadUsageError.self) { try LoadOptions(arguments) }
    }

    @Test("people are what the options say")
    func profiles() throws {
        let options = try LoadOptions([
            "--rooms", "2", "--people", "4", "--talkers", "2", "--others", "listening", "--cameras", "3", "--listen",
            "1",
        ])
        let people = options.profiles(room: 1)
        #expect(people.map(\.number) == [4, 5, 6, 7])
        #expect(people.map(\.room) == ["load-1", "load-1", "load-1", "load-1"])
        #expect(people.map(\.publishesSound) == [true, true, false, false])
        #expect(people.map(\.cameraLayers) == [3, 3, 3, 0])
        #expect(people.map(\.videoSlots) == [2, 2, 2, 3])
        #expect(people.map(\.attention.decodes) == [false, false, false, true])
        let bench = try LoadOptions(["--bench"]).profiles(room: 0)
        #expect(bench.allSatisfy { !$0.attention.decodes && $0.attention.sampling == 101 })
    }

    @Test("places of servers are read; TLS and nonsense are refused")
    func places() throws {
        let place = try ServerPlace("http://127.0.0.1:8480")
        #expect(place.address == "127.0.0.1" && place.port == 8_480 && place.path == "/v1/ws")
        #expect(try ServerPlace("ws://127.0.0.1/other").path == "/other")
        #expect(try ServerPlace("127.0.0.1:9").port == 9)
        #expect(try ServerPlace("http://[::1]:9").address == "::1")
        #expect(try ServerPlace("ws://127.0.0.1:8188", defaultPath: "/").path == "/")
        for wrong in [
            "https://127.0.0.1", "wss://a", "ftp://a", "", "http://", "http://127.0.0.1:0", "http://127.0.0.1:x",
        ] {
            #expect(throws: ServerPlace.Failure.self) { try ServerPlace(wrong) }
        }
    }

    @Test("percentiles of a histogram are those of its values")
    func histogram() {
        var histogram = LatencyHistogram()
        #expect(histogram.milliseconds(0.5) == nil)
        for microseconds in 1...1_000 { histogram.note(Int64(microseconds) * 1_000) }
        #expect(abs((histogram.milliseconds(0.5) ?? 0) - 0.5) < 0.03)
        #expect(abs((histogram.milliseconds(0.99) ?? 0) - 0.99) < 0.03)
        histogram.note(-5)
        histogram.note(5_000_000_000)
        #expect(histogram.milliseconds(1) == 5_000)
        #expect(histogram.total == 1_002 && histogram.longest == 5_000_000_000)
        #expect(LoadResult.percentile([3, 1, 2], 0.5) == 2)
        #expect(LoadResult.percentile([], 0.5) == nil)
    }

    @Test("the table and the JSON say the same")
    func output() {
        var result = LoadResult()
        result.wanted = 2
        result.joined = 1
        result.seconds = 2
        result.tally.received = 1_000
        result.failures = ["no \"way\"\n": 1]
        result.isVoid = true
        #expect(result.table.contains("VOID"))
        #expect(result.table.contains("of 2"))
        #expect(result.json.contains("\"joined\": 1.0000"))
        #expect(result.json.contains("\"receivedPerSecond\": 500.0000"))
        #expect(result.json.contains("\"no \\\"way\\\" \": 1"))
    }
}
