// What a gateway keeps of one connection. It calls libwebsockets nowhere.
import CWebClient
import CWebSockets

/// Where a connection is in its life.
enum Stage {
    /// Nothing whole has come yet, or nothing since the last response: a deadline runs.
    case waiting
    /// A request's body is being read: a deadline runs.
    case reading
    /// The owner was told a request and has not answered: a deadline runs.
    case asked
    /// An answer waits for the connection to take it: a deadline runs.
    case answered
    /// A response is being written: a deadline runs.
    case responding
    /// The response is written, and the rest of an unwanted body is thrown away: a deadline runs.
    case discarding
    /// A WebSocket.
    case open
    /// A WebSocket that is being closed: a deadline runs.
    case closing
    /// Cut or ended: libwebsockets must not be called for it any more.
    case ended
}

/// A response on its way.
struct ResponseInProgress {
    let body: ResponseBody
    var offset = 0
    let closesAfter: Bool
}

/// The bytes of a response's body.
enum ResponseBody {
    case bytes([UInt8])
    /// A file compiled into the program: its place among the embedded files.
    case embedded(Int)

    /// How many bytes it has.
    var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .embedded(let index): unsafe WebFiles.entry(index).count
        }
    }
}

/// One connection's state. A class, so that a delegate called in the middle of a change can change it too.
@safe final class Connection {
    let id: ConnectionID
    let address: AddressKey
    let descriptor: Int32
    var wsi: OpaquePointer?
    var stage = Stage.waiting
    /// Nanoseconds of the monotonic clock; what it is for depends on the stage.
    var deadline: Int64
    var scheduleToken: UInt32 = 0
    /// What the client still had to fetch when the deadline was set, in bytes.
    var unfetched = 0

    // Receiving.
    var lastHeard: Int64
    var message: [UInt8] = []
    var fragments = 0
    /// When the message that is coming in began; nil between messages.
    var messageStarted: Int64?
    var maximumMessage: Int
    var frames: FrameBudget

    // Sending. Each buffer begins with libwebsockets' head room.
    var output: [[UInt8]] = []
    var outputHead = 0
    var outputBytes = 0
    var inFlightBytes = 0
    var lastPing: Int64
    var isPingDue = false

    // Closing.
    var isTold = false
    var closing: (code: UInt16, reason: String)?
    var closure: Closure?

    var response: ResponseInProgress?
    /// The request that is told to the owner, from its head to its answer.
    var request: RequestInProgress?
    /// Bytes of the request's body that have not come.
    var unreadBody = 0
    /// Whether the whole of it has come.
    var isBodyEnded = false

    init(id: ConnectionID, address: AddressKey, descriptor: Int32, now: Int64, configuration: GatewayConfiguration) {
        self.id = id
        self.address = address
        self.descriptor = descriptor
        deadline = now + nanoseconds(configuration.handshakeSeconds)
        lastHeard = now
        lastPing = now
        maximumMessage = configuration.maximumMessageBytes
        frames = FrameBudget(perSecond: configuration.maximumFramesPerSecond, now: now)
    }

    var hasOutput: Bool { outputHead < output.count }

    /// Takes the next buffer out of the queue.
    func takeOutput() -> [UInt8]? {
        guard outputHead < output.count else { return nil }
        var buffer: [UInt8] = []
        swap(&buffer, &output[outputHead])
        outputHead += 1
        outputBytes -= buffer.count
        if outputHead == output.count {
            output.removeAll(keepingCapacity: output.count <= 64)
            outputHead = 0
        } else if outputHead >= 1_024 {
            output.removeFirst(outputHead)
            outputHead = 0
        }
        return buffer
    }

    /// Lets go of everything that takes memory.
    func dropBuffers() {
        output = []
        outputHead = 0
        outputBytes = 0
        inFlightBytes = 0
        message = []
        response = nil
        request = nil
    }
}

/// A bucket of tokens: one for each data frame, filled at a fixed rate, four seconds deep.
struct FrameBudget {
    private let perSecond: Int64
    private var nanotokens: Int64
    private var refilled: Int64

    init(perSecond: Int, now: Int64) {
        self.perSecond = Int64(perSecond)
        nanotokens = self.perSecond * 4_000_000_000
        refilled = now
    }

    /// Takes a token; false when there is none.
    mutating func take(at now: Int64) -> Bool {
        let elapsed = min(max(now - refilled, 0), 4_000_000_000)
        refilled = now
        nanotokens = min(nanotokens + elapsed * perSecond, perSecond * 4_000_000_000)
        guard nanotokens >= 1_000_000_000 else { return false }
        nanotokens -= 1_000_000_000
        return true
    }
}

/// Seconds as whole nanoseconds, within a day.
func nanoseconds(_ seconds: Double) -> Int64 { Int64(min(max(seconds, 0), 86_400) * 1_000_000_000) }
