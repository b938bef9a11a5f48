// The options of `majlis load`: what there is, what it means, what it may be.
import Glibc

/// The command was used wrongly.
package struct LoadUsageError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// What a run is to be.
package struct LoadOptions: Sendable {
    /// What people do who do not talk.
    package enum Others: String, Sendable, CaseIterable { case muted, silent, listening }

    package var servers = ["http://127.0.0.1:8480"]
    package var janus: String?
    package var secret: String?
    package var audience: String?
    package var tokenFile: String?
    package var room = "load"
    package var rooms = 1
    package var people = 10
    package var talkers = 2
    package var pattern = TalkPattern.turns
    package var seed: UInt64 = 1
    package var liveliness = Liveliness()
    package var others: Others?
    package var sendsLevels = true
    package var cameras = 0
    package var layers = 3
    package var audioSlots = 4
    package var videoSlots: Int?
    package var wantedHeight: UInt16?
    package var speech = SpeechSource.synthetic
    package var joinsPerSecond = 20.0
    package var seconds = 20
    /// Users who call each other instead of meeting in rooms; 0: none do.
    package var callers = 0
    package var callsPerSecond = 20.0
    /// The addresses that callers go out from, in turn; empty: the system's choice.
    package var sources: [String] = []
    package var holdMilliseconds = 2_000
    package var listeners: Int?
    package var isBench = false
    package var payloadBytes = 0
    package var serverProcess: Int32?
    package var core: Int?
    package var isJSON = false
    package var isQuiet = false
    package var wantsHelp = false

    package init() {}

    package static let usage = """
        usage: majlis load [options]

        Puts bots into rooms: they speak and film real Opus and VP8 over real ICE, DTLS and SRTP, and listen. Prints how it goes
        on standard error, and at the end a table of what was measured.

        where
          --server URL         the server, plain http:// or ws:// (http://127.0.0.1:8480 unless told); several times: rooms are
                               spread over them
          --secret SECRET      the server's secret for tokens; better given as MAJLIS_TOKENS_SECRET
          --audience NAME      the audience that tokens name
          --tokens FILE        ready tokens, one a line, one for each bot, in place of the secret
          --janus URL          a Janus videoroom, ws://host:8188, in place of Majlis
          --server-pid PID     measure the CPU time of this process of this machine

        who
          --rooms N            rooms (1)                       --room NAME        their names' beginning (load)
          --people N           people in each (10)             --talkers N        of them talk (2)
          --others WHAT        those who do not talk are muted, silent (a microphone that is on) or only listening (muted;
                               silent with --pattern schedule)
          --cameras N          of the people film, VP8 (0)     --layers 1..3      sizes of each camera (3: simulcast)
          --audio-slots N      of each person (4)              --video-slots N    (as many as others film, at most 9)
          --height N           the height in pixels wanted of each picture (all there is)
          --join-rate N        joins a second (20)             --seconds N        measured after all have joined (20)

        calls in place of rooms
          --callers N          so many users are connected and idle, and two and two call each other: signalling alone
          --call-rate N        calls placed a second (20; 0: all are idle)
          --hold N             milliseconds that a call lasts (2000)
          --from A,A,…         addresses of this machine that they go out from, in turn: from one to the server there are
                               some 28,000 ports

        what they say
          --pattern WHAT       turns: one after another; steady: all talkers all the time; all: everybody all the time;
                               schedule: a conversation with the following shares
          --seed N             the same seed gives the same turns (1)
          --overlaps SHARE     of turns that begin before the one before is over (0.2)
          --back-channels SHARE   of turns in which somebody else says "mm" (0.3)
          --coughs N           a minute (3)                    --noises N         stretches of noise a minute (1)
          --no-levels          packets of sound do not say how loud they are (RFC 6464)
          --speech WHAT        synthetic, espeak (espeak-ng is to be installed) or FILE.wav,FILE.wav,…

        how it is measured
          --listen N           so many bots of each room decode what they hear and see (all, at most 10)
          --bench              nobody decodes; of the packets one in 100 is decrypted, for its time; packets of sound have 120
                               bytes; with under 15 % idle on the bots' core the run is void
          --payload BYTES      the least length of a packet of sound
          --core N             bind the bots to this core
          --json               print one JSON document in place of the table
          --quiet              no progress

        Exit codes: 0 measured, 1 nobody could join or the run is void, 2 used wrongly.

        """

    /// Reads arguments.
    package init(_ arguments: [String]) throws(LoadUsageError) {
        var rest = arguments[...]
        var isServerGiven = false
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                if argument == "-h" {
                    wantsHelp = true
                    continue
                }
                throw LoadUsageError("\(argument) is no option; majlis load --help lists them")
            }
            var name = argument.dropFirst(2)
            var value: String?
            if let equals = name.firstIndex(of: "=") {
                value = String(name[name.index(after: equals)...])
                name = name[..<equals]
            }
            switch name {
            case "help": wantsHelp = true
            case "bench": isBench = true
            case "no-levels": sendsLevels = false
            case "json": isJSON = true
            case "quiet": isQuiet = true
            default:
                guard let value = value ?? rest.popFirst() else { throw LoadUsageError("--\(name) needs a value") }
                if name == "server", !isServerGiven {
                    servers = []
                    isServerGiven = true
                }
                try set(String(name), value)
            }
        }
        try check()
    }

    private mutating func set(_ name: String, _ value: String) throws(LoadUsageError) {
        func whole(_ range: ClosedRange<Int>) throws(LoadUsageError) -> Int {
            guard let number = Int(value), range.contains(number) else {
                throw LoadUsageError(
                    "--\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
            return number
        }
        func real(_ range: ClosedRange<Double>) throws(LoadUsageError) -> Double {
            guard let number = Double(value), range.contains(number) else {
                throw LoadUsageError(
                    "--\(name) takes a number from \(range.lowerBound) to \(range.upperBound), not \(value)")
            }
            return number
        }
        func word<Word: RawRepresentable & CaseIterable>(_: Word.Type) throws(LoadUsageError) -> Word
        where Word.RawValue == String {
            guard let word = Word(rawValue: value) else {
                throw LoadUsageError(
                    "--\(name) takes \(Word.allCases.map(\.rawValue).joined(separator: ", ")), not \(value)")
            }
            return word
        }
        switch name {
        case "server": servers.append(value)
        case "janus": janus = value
        case "secret": secret = value
        case "audience": audience = value
        case "tokens": tokenFile = value
        case "server-pid": serverProcess = Int32(try whole(1...4_194_304))
        case "room": room = value
        case "rooms": rooms = try whole(1...1_000)
        case "people": people = try whole(1...1_000)
        case "talkers": talkers = try whole(0...1_000)
        case "others": others = try word(Others.self)
        case "cameras": cameras = try whole(0...100)
        case "layers": layers = try whole(1...3)
        case "audio-slots": audioSlots = try whole(0...60)
        case "video-slots": videoSlots = try whole(0...60)
        case "height": wantedHeight = UInt16(try whole(0...4_320))
        case "join-rate": joinsPerSecond = try real(0.1...10_000)
        case "callers": callers = try whole(2...1_000_000)
        case "call-rate": callsPerSecond = try real(0...10_000)
        case "from":
            sources = value.split(separator: ",").map(String.init)
            guard !sources.isEmpty else { throw LoadUsageError("--from takes numeric addresses of this machine") }
        case "hold": holdMilliseconds = try whole(0...600_000)
        case "seconds": seconds = try whole(1...86_400)
        case "pattern": pattern = try word(TalkPattern.self)
        case "seed": seed = UInt64(try whole(0...Int.max))
        case "overlaps": liveliness.overlaps = try real(0...1)
        case "back-channels": liveliness.backChannels = try real(0...1)
        case "coughs": liveliness.coughs = try real(0...60)
        case "noises": liveliness.noises = try real(0...10)
        case "speech": speech = Self.speech(value)
        case "listen": listeners = try whole(0...1_000)
        case "payload": payloadBytes = try whole(0...250)
        case "core": core = try whole(0...1_023)
        default: throw LoadUsageError("there is no option --\(name); majlis load --help lists them")
        }
    }

    private static func speech(_ value: String) -> SpeechSource {
        switch value {
        case "synthetic": .synthetic
        case "espeak": .spoken
        default: .files(value.split(separator: ",").map(String.init))
        }
    }

    private mutating func check() throws(LoadUsageError) {
        talkers = min(talkers, people)
        guard cameras <= people else { throw LoadUsageError("--cameras is more than --people") }
        guard rooms * people <= 10_000 else {
            throw LoadUsageError("more than 10,000 bots are too many for one process")
        }
        if isBench, payloadBytes == 0 { payloadBytes = 120 }
    }

    // MARK: What follows from them

    /// Whether person `index` of a room speaks by the schedule.
    package func isTalker(_ index: Int) -> Bool { pattern == .all || index < talkers }

    /// What those do who do not talk.
    package var othersDo: Others { others ?? (pattern == .schedule ? .silent : .muted) }

    /// How closely person `index` of a room listens.
    package func attention(_ index: Int) -> Attention {
        var attention = Attention()
        attention.decodes = !isBench && index >= people - min(listeners ?? 10, people)
        // A prime near 100: the packets of several talkers come in rounds.
        attention.sampling = isBench ? 101 : 1
        attention.keepsBeginnings = attention.decodes && countsBeginnings
        return attention
    }

    /// Whether people take turns that begin with a first syllable.
    package var countsBeginnings: Bool { pattern == .turns || pattern == .schedule }

    /// The people of one room.
    package func profiles(room number: Int) -> [BotProfile] {
        (0..<people).map { index in
            let overall = number * people + index
            var profile = BotProfile(
                number: overall, user: "bot-\(overall)", room: rooms == 1 ? room : "\(room)-\(number)")
            let isListening = !isTalker(index) && othersDo == .listening
            profile.publishesSound = !isListening
            profile.sendsLevels = sendsLevels
            profile.isMuted = !isTalker(index) && othersDo == .muted
            profile.cameraLayers = index < cameras ? layers : 0
            profile.audioSlots = audioSlots
            let seen = cameras - (index < cameras ? 1 : 0)
            profile.videoSlots = videoSlots ?? min(seen, 9)
            profile.wantedHeight = wantedHeight
            profile.attention = attention(index)
            return profile
        }
    }
}
