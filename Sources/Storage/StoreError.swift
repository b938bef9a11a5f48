// What can go wrong with the durable state. No case carries a user, a device or a token.

/// Why the store could not be opened, or did not do what it was asked for.
public enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file cannot be opened or made.
    case cannotOpen(path: String, reason: String)
    /// The file, or the folder that its log would be in, cannot be written.
    case notWritable(path: String)
    /// The file is no database, or a damaged one.
    case corrupt(detail: String)
    /// The file is a database of another program.
    case foreign(path: String)
    /// The file was written by a newer Majlis.
    case newerSchema(found: Int, known: Int)
    /// As many operations wait as may wait; this one was not taken.
    case queueFull(limit: Int)
    /// The store is closed or closing.
    case closed
    /// Another process held the file for longer than the configured time.
    case busy
    /// The disk, or the file's largest size, is full.
    case diskFull
    /// A field is longer than its limit; nothing was written.
    case tooLong(field: String, bytes: Int, limit: Int)
    /// A field is empty, holds a zero character, or a number that is none; nothing was written.
    case malformed(field: String)
    /// There are as many of these as there may be; nothing was written.
    case tooMany(what: String, limit: Int)
    /// What the operation refers to is not there.
    case missing(what: String)
    /// SQLite failed in another way; what was asked for did not happen.
    case failed(reason: String)

    /// A sentence for people.
    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason): "The database \(path) cannot be opened: \(reason)."
        case .notWritable(let path): "The database \(path) or its folder cannot be written."
        case .corrupt(let detail):
            "The database is damaged, or no database: \(detail). Restore a backup, or move it away."
        case .foreign(let path): "\(path) is the database of another program."
        case .newerSchema(let found, let known):
            "The database has version \(found); this Majlis knows versions up to \(known). Use the newer Majlis, or a "
                + "backup from before it."
        case .queueFull(let limit): "The database is behind: \(limit) operations wait, and no more may."
        case .closed: "The database is closed."
        case .busy: "Another process holds the database."
        case .diskFull: "There is no room left for the database."
        case .tooLong(let field, let bytes, let limit): "\(field) has \(bytes) bytes; at most \(limit) are kept."
        case .malformed(let field): "\(field) is empty or malformed."
        case .tooMany(let what, let limit): "There are \(limit) \(what) already, which is as many as there may be."
        case .missing(let what): "There is no such \(what)."
        case .failed(let reason): "The database failed: \(reason)."
        }
    }
}
