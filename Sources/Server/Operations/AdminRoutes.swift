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

    /// The path's form and its methods, as the description has them.
    static let table: [(path: String, methods: [HTTPMethod])] = [
        ("/v1/rooms", [.get]), ("/v1/rooms/{room}", [.get]), ("/v1/rooms/{room}/captures", [.post, .delete]),
        ("/v1/rooms/{room}/flight", [.post]), ("/v1/rooms/{room}/explain", [.get]),
        ("/v1/rooms/{room}/moderate", [.post]), ("/v1/events", [.get]),
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
            }
        return Self.table.first { $0.path == form }?.methods ?? []
    }

    /// The room that it is about; nil where it is about all.
    var room: String? {
        switch self {
        case .rooms, .events: nil
        case .room(let name), .captures(let name), .flight(let name), .explain(let name), .moderate(let name): name
        }
    }
}
