// The paths of the operators' HTTP interface, each with its methods: what a path means, and nothing of what is done. The
// whole of it is described in docs/openapi.json, which a test compares with this table.
import Gateway
import Signalling

/// What a path of the operators' interface names.
enum AdminRoute: Equatable {
    case rooms
    case room(String)
    case captures(String)
    case flight(String)
    case explain(String)
    case moderate(String)
    case events
    case user(String)
    case userCalls(String)

    /// The path's form and its methods, as the description has them.
    static let table: [(path: String, methods: [HTTPMethod])] = [
        ("/v1/rooms", [.get]), ("/v1/rooms/{room}", [.get]), ("/v1/rooms/{room}/captures", [.post, .delete]),
        ("/v1/rooms/{room}/flight", [.post]), ("/v1/rooms/{room}/explain", [.get]),
        ("/v1/rooms/{room}/moderate", [.post]), ("/v1/events", [.get]),
        ("/v1/users/{user}", [.get, .delete]), ("/v1/users/{user}/calls", [.get]),
    ]

    /// Every operation, as `GET /v1/rooms`.
    static var operations: [String] {
        table.flatMap { entry in entry.methods.map { "\($0.rawValue) \(entry.path)" } }
    }

    /// Reads a decoded path; nil where it is none of these. A room's name may have slashes in it (percent-encoded by its
    /// client); one that ends in the name of a part, such as `x/captures`, cannot be named here.
    init?(path: String) {
        if path == "/v1/rooms" {
            self = .rooms
            return
        }
        if path == "/v1/events" {
            self = .events
            return
        }
        if let user = AdminRoute(userPath: path) {
            self = user
            return
        }
        let prefix = "/v1/rooms/"
        guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count else { return nil }
        let rest = path.dropFirst(prefix.count)
        if let slash = rest.lastIndex(of: "/"), slash != rest.startIndex {
            let name = String(rest[..<slash])
            switch rest[rest.index(after: slash)...] {
            case "captures":
                self = .captures(name)
                return
            case "flight":
                self = .flight(name)
                return
            case "explain":
                self = .explain(name)
                return
            case "moderate":
                self = .moderate(name)
                return
            default: break
            }
        }
        self = .room(String(rest))
    }

    private init?(userPath path: String) {
        let (prefix, part) = ("/v1/users/", "/calls")
        guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count else { return nil }
        let name = String(path.dropFirst(prefix.count))
        self =
            name.hasSuffix(part) && name.utf8.count > part.utf8.count
            ? .userCalls(String(name.dropLast(part.count))) : .user(name)
    }

    /// The methods that it understands.
    var methods: [HTTPMethod] {
        let form =
            switch self {
            case .rooms: "/v1/rooms"
            case .room: "/v1/rooms/{room}"
            case .captures: "/v1/rooms/{room}/captures"
            case .flight: "/v1/rooms/{room}/flight"
            case .explain: "/v1/rooms/{room}/explain"
            case .moderate: "/v1/rooms/{room}/moderate"
            case .events: "/v1/events"
            case .user: "/v1/users/{user}"
            case .userCalls: "/v1/users/{user}/calls"
            }
        return Self.table.first { $0.path == form }?.methods ?? []
    }

    /// The user that it is about, where it is about one.
    var user: String? {
        switch self {
        case .user(let name), .userCalls(let name): name
        default: nil
        }
    }

    /// The room that it is about; nil where it is about all.
    var room: String? {
        switch self {
        case .rooms, .events, .user, .userCalls: nil
        case .room(let name), .captures(let name), .flight(let name), .explain(let name), .moderate(let name): name
        }
    }
}
