// The loads that servers are measured under: who is in the room, who talks or films, and what should arrive.
import Bots

/// Who sends what.
struct Load {
    var name: String
    var people = 50
    /// How many of them send.
    var senders: Int
    /// What those do who do not.
    var others = LoadOptions.Others.muted
    var isVideo = false
    /// Whether packets of sound say how loud they are.
    var sendsLevels = true
    /// Receive slots of sound; of video there are as many as cameras.
    var audioSlots: Int
    /// A packet as it is on the way out, before protection: what the floor sends.
    var packetBytes: Int
    var packetsPerPeriod: Int
    var period: Int64
    /// Whether everything that is sent goes to everybody else.
    var isAllForwarded = true

    /// The payload of a packet of sound, and what is before it on the way out: header, one source, extensions.
    static let payloadBytes = 120, headerBytes = 28

    /// Talkers with an Opus packet of 120 bytes each 20 ms.
    static func audio(
        talkers: Int, others: LoadOptions.Others = .muted, audioSlots: Int, _ remark: String = ""
    ) -> Load {
        Load(
            name: "audio, \(talkers) talking in a room of 50" + remark, senders: talkers, others: others,
            audioSlots: audioSlots, packetBytes: payloadBytes + headerBytes, packetsPerPeriod: 1, period: 20_000_000,
            isAllForwarded: others != .silent)
    }

    /// One camera of 1.5 Mb/s: 30 frames a second of six packets each, on average.
    static let video = Load(
        name: "video, 1 camera to 100", people: 101, senders: 1, others: .listening, isVideo: true, audioSlots: 0,
        packetBytes: 1_080 + headerBytes, packetsPerPeriod: 6, period: 33_333_333)

    /// All of them by the names that the command line knows.
    static let all: [(name: String, load: Load)] = [
        ("audio3", .audio(talkers: 3, audioSlots: 4, ", 47 muted")),
        ("audio3silent", .audio(talkers: 3, others: .silent, audioSlots: 4, ", 47 silent")),
        ("audio20", .audio(talkers: 20, audioSlots: 49)),
        ("audio30", .audio(talkers: 30, audioSlots: 49)),
        ("audio50", .audio(talkers: 50, audioSlots: 49)),
        ("video", .video),
    ]

    /// The people, in order: those who send first.
    var profiles: [BotProfile] {
        (0..<people).map { index in
            var profile = BotProfile(number: index, user: "user\(index)", room: "test")
            let sends = index < senders
            profile.publishesSound = !isVideo && (sends || others != .listening)
            profile.isMuted = !sends && others == .muted
            profile.sendsLevels = sendsLevels
            profile.cameraLayers = isVideo && sends ? 1 : 0
            profile.audioSlots = audioSlots
            profile.videoSlots = isVideo && !sends ? 1 : 0
            profile.attention.decodes = false
            profile.attention.sampling = isVideo ? 7 : 101
            return profile
        }
    }
}

/// What one round of a load showed.
struct LoadRound {
    var serverNanoseconds: Int64
    var wallNanoseconds: Int64
    /// The share of the bots' core that was idle, and what the bots' process used of one.
    var idle: Double
    var botShare: Double
    var tally: Tally

    /// Time on a core for each packet that a bot received.
    var nanosecondsPerPacket: Double { Double(serverNanoseconds) / Double(max(1, tally.received)) }
    var coreShare: Double { Double(serverNanoseconds) / Double(wallNanoseconds) }
    /// With less the bots are what is measured.
    var isVoid: Bool { idle < 0.15 }
}
