// Who has the floor: what takes it and what must not. The levels are those of scripted rooms; who is shown is what the core decides.
import SimulatedNetwork
import Testing

@testable import MediaCore

/// A detector fed with a trace, frame by frame.
private struct Floor {
    private var windows: [AudioLevelWindow]
    private var evidence: [SpeakerEvidence]
    private var detector = SpeakerDetector()
    private var frame = 0
    private let mid = Mid("a") ?? .any
    /// Who had the floor in each frame.
    var shown: [Int?] = []
    /// What changed, with its frame.
    var changes: [(frame: Int, change: FloorChange)] = []

    init(_ trace: VoiceTrace) {
        let people = trace.schedule.shares.people
        windows = Array(repeating: AudioLevelWindow(), count: people)
        evidence = Array(repeating: SpeakerEvidence(), count: people)
        for frame in 0..<trace.schedule.frames { step(trace.frames.map { $0[frame] }) }
    }

    private mutating func step(_ frames: [VoiceFrame]) {
        let now = Timestamp(nanoseconds: Int64(frame) * 20_000_000)
        for (person, one) in frames.enumerated() where one.isSent {
            _ = windows[person].hear(
                AudioLevel(isVoice: one.isVoice, level: one.level), isMeasured: true,
                timestamp: UInt32(truncatingIfNeeded: frame &* 960 &- 100_000), clockRate: 48_000, at: now)
        }
        frame += 1
        if frame % 2 == 0 { decide(now) }
        shown.append(detector.holder.map { Int($0.peer.rawValue) })
    }

    private mutating func decide(_ now: Timestamp) {
        for person in windows.indices { windows[person].settle(at: now) }
        let holder = detector.holder.map { Int($0.peer.rawValue) }
        detector.begin(holder: holder.map { windows[$0] }, echoes: holder.map { evidence[$0].isEcho } ?? false)
        for person in windows.indices {
            detector.weigh(
                TrackID(peer: PeerID(UInt32(person)), mid: mid), &windows[person], &evidence[person], at: now)
        }
        if let change = detector.decide(at: now) { changes.append((frame, change)) }
    }
}

@Suite("Dominant speaker")
struct SpeakerDetectorTests {
    /// Rooms of one script and several seeds: the voices differ.
    private func floors(
        _ seeds: ClosedRange<UInt64> = 1...8, seconds: Int = 30, people: Int = 6, bitAlways: Double = 0,
        bitNever: Double = 0,
        dtx: Double = 0.3, _ script: (inout TalkSchedule) -> Void
    ) -> [Floor] {
        var shares = TalkShares()
        shares.bitAlways = bitAlways
        shares.bitNever = bitNever
        shares.dtx = dtx
        return seeds.map { seed in
            var schedule = TalkSchedule(people: people, seconds: seconds, shares: shares)
            script(&schedule)
            return Floor(VoiceTrace(schedule, seed: seed))
        }
    }

    private func stays(
        _ floors: [Floor], _ person: Int, from second: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (index, floor) in floors.enumerated() {
            let others = floor.shown.dropFirst(Int(second * 50)).filter { $0 != person }
            #expect(
                others.isEmpty, "seed \(index + 1): \(floor.changes.map { ($0.frame, $0.change.to.peer.rawValue) })",
                sourceLocation: sourceLocation)
        }
    }

    @Test("Nobody has the floor before anybody speaks; who speaks first has it soon, and keeps it while nobody speaks")
    func first() {
        for floor in floors(1...8, { $0.addTurn(2, from: 5, to: 8) }) {
            #expect(floor.shown.prefix(250).allSatisfy { $0 == nil })
            #expect(floor.shown[275] == 2)
            #expect(floor.shown.last == .some(2))
            #expect(floor.changes.count == 1)
        }
    }

    @Test("Turns are followed within 600 ms in the middle, and the decision says by which numbers")
    func turns() throws {
        var latencies: [Int] = []
        for floor in floors(
            seconds: 60,
            {
                for turn in 0..<9 { $0.addTurn(turn % 3, from: 2 + Double(turn) * 6, to: 2 + Double(turn) * 6 + 5.7) }
            })
        {
            for turn in 1..<9 {
                let start = 100 + turn * 300
                let shown = try #require((start..<start + 280).first { floor.shown[$0] == turn % 3 })
                latencies.append((shown - start) * 20)
            }
            for (_, change) in floor.changes {
                #expect(change.evidence >= change.needed)
                #expect(change.needed > .zero)
                #expect(change.from != change.to)
            }
        }
        #expect(latencies.sorted()[latencies.count / 2] <= 600)
        #expect(latencies.sorted()[latencies.count * 9 / 10] <= 900)
    }

    @Test("A machine beside somebody silent takes no floor, whether its voice bit is right or always set")
    func machine() {
        for always in [0.0, 1.0] {
            stays(
                floors(bitAlways: always) {
                    $0.addTurn(0, from: 2, to: 12)
                    $0.addMachine(3, from: 4, to: 27)
                }, 0, from: 3)
        }
    }

    @Test("A television behind somebody takes no floor while others speak and breathe")
    func television() {
        stays(
            floors {
                for phrase in 0..<8 { $0.addTurn(0, from: 2 + Double(phrase) * 3, to: 4.5 + Double(phrase) * 3) }
                $0.addTelevision(4, from: 3, to: 28)
            }, 0, from: 3)
    }

    @Test("Coughs take no floor, into a turn or into a pause")
    func cough() {
        stays(
            floors {
                $0.addTurn(0, from: 2, to: 8)
                $0.addTurn(0, from: 8.5, to: 14)
                $0.addTurn(0, from: 14.7, to: 20)
                for (person, at) in [(1, 4.0), (2, 8.1), (3, 11), (4, 14.2), (5, 20.2)] {
                    $0.addCough(person, from: at, to: at + 0.25)
                    $0.addCough(person, from: at + 0.4, to: at + 0.6)
                }
            }, 0, from: 3)
    }

    @Test("Keys take no floor, for however long")
    func keys() {
        for always in [0.0, 1.0] {
            stays(
                floors(bitAlways: always) {
                    $0.addTurn(0, from: 2, to: 10)
                    $0.addTyping(2, from: 1, to: 29)
                    $0.addTyping(3, from: 11, to: 25)
                }, 0, from: 3)
        }
    }

    @Test("Words of agreement take no floor, into a turn or into its pauses")
    func backChannels() {
        let floors = floors(1...20) {
            for phrase in 0..<8 {
                $0.addTurn(0, from: 2 + Double(phrase) * 3, to: 4.6 + Double(phrase) * 3)
                $0.addWord(1 + phrase % 4, from: 3 + Double(phrase) * 3, to: 3.35 + Double(phrase) * 3)
                $0.addWord(1 + phrase % 3, from: 4.6 + Double(phrase) * 3, to: 4.9 + Double(phrase) * 3)
            }
        }
        stays(floors, 0, from: 3)
    }

    @Test("Two people at once: the floor changes once at most in the three seconds, and whoever goes on has it")
    func twoAtOnce() {
        for floor in floors(
            1...12,
            {
                $0.addTurn(0, from: 2, to: 9)
                $0.addTurn(1, from: 6, to: 20)
            })
        {
            let both = floor.changes.filter { $0.frame >= 300 && $0.frame < 450 }
            #expect(both.count <= 1)
            #expect(floor.shown[500] == 1)
            #expect(floor.changes.count <= 3)
        }
    }

    @Test("Two people who both talk for twenty seconds do not toss the floor to and fro")
    func longTogether() {
        for floor in floors(
            1...12,
            {
                $0.addTurn(0, from: 2, to: 28)
                $0.addTurn(1, from: 6, to: 28)
            })
        { #expect(floor.changes.filter { $0.frame > 300 }.count <= 7) }
    }

    @Test("A microphone that hears the loudspeaker takes no floor, after the seconds that it takes to know it")
    func echo() {
        let floors = floors(1...12, seconds: 60) {
            $0.addEcho(3)
            for turn in 0..<18 { $0.addTurn(turn / 2 % 2, from: 2 + Double(turn) * 3, to: 4.6 + Double(turn) * 3) }
        }
        for floor in floors {
            #expect(floor.shown.dropFirst(500).allSatisfy { $0 == 0 || $0 == 1 })
            #expect(floor.changes.filter { $0.change.to.peer == PeerID(3) }.count <= 1)
        }
    }

    @Test("Who echoes others is heard when speaking, and gives the floor away again")
    func echoingSpeaker() throws {
        for floor in floors(
            1...12, seconds: 40,
            {
                $0.addEcho(1)
                $0.addTurn(0, from: 2, to: 10)
                $0.addTurn(1, from: 10.3, to: 18)
                $0.addTurn(0, from: 18.3, to: 26)
            })
        {
            let taken = try #require((515..<900).first { floor.shown[$0] == 1 })
            #expect(taken < 575)
            let back = try #require((915..<1_300).first { floor.shown[$0] == 0 })
            #expect(back < 1_000)
        }
    }

    @Test("A voice bit that is always set or never changes nothing of who has the floor")
    func wrongBits() {
        for (always, never) in [(1.0, 0.0), (0, 1)] {
            for floor in floors(
                bitAlways: always, bitNever: never,
                {
                    $0.addTurn(0, from: 2, to: 10)
                    $0.addTurn(1, from: 10.3, to: 18)
                })
            {
                #expect(floor.shown[Int(50 * 3)] == 0)
                #expect(floor.shown[Int(50 * 11.3)] == 1)
                #expect(floor.changes.count == 2)
            }
        }
    }

    @Test("DTX or not, and packets of 10, 20 and 60 ms: a window is as long as what was said")
    func packetTimes() {
        for (milliseconds, usesDTX) in [(10, false), (20, true), (60, false), (60, true)] {
            var window = AudioLevelWindow()
            var time = 0
            func send(_ level: UInt8) {
                _ = window.hear(
                    AudioLevel(isVoice: level < 60, level: level), isMeasured: true,
                    timestamp: UInt32(truncatingIfNeeded: time * 48), clockRate: 48_000,
                    at: Timestamp(nanoseconds: Int64(time) * 1_000_000))
                time += milliseconds
            }
            while time < 2_000 { if usesDTX { time += milliseconds } else { send(95) } }
            while time < 2_600 { send(time / 40 % 2 == 0 ? 30 : 36) }
            window.settle(at: Timestamp(nanoseconds: Int64(time) * 1_000_000))
            let units = window.speech(inLast: 63)
            #expect(units >= 26 && units <= 31, "\(milliseconds) ms: \(units)")
            window.settle(at: Timestamp(nanoseconds: Int64(time + 1_000) * 1_000_000))
            #expect(window.speech(inLast: 40) == 0)
        }
    }
}
