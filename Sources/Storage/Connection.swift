// One connection with SQLite and its prepared statements. It belongs to the thread that opened it; it knows no table.

internal import CSQLite

/// A value in a statement.
enum SQLValue {
    case text(String)
    case integer(Int64)
    case real(Double)
    case blob([UInt8])
    case null

    static func optional(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
    static func optional(_ number: Int64?) -> SQLValue { number.map { .integer($0) } ?? .null }
    static func optional(_ number: Double?) -> SQLValue { number.map { .real($0) } ?? .null }
}

/// The row that a statement stands at. Good only until the statement's next step.
@safe struct Row {
    fileprivate let statement: OpaquePointer

    func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(statement, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(statement, column) }

    func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

    func optionalReal(_ column: Int32) -> Double? {
        unsafe isNull(column) ? nil : sqlite3_column_double(statement, column)
    }

    func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    func optionalText(_ column: Int32) -> String? {
        guard let bytes = unsafe sqlite3_column_text(statement, column) else { return nil }
        let count = unsafe Int(sqlite3_column_bytes(statement, column))
        return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func blob(_ column: Int32) -> [UInt8] {
        guard let bytes = unsafe sqlite3_column_blob(statement, column) else { return [] }
        let count = unsafe Int(sqlite3_column_bytes(statement, column))
        return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// A word that must be one of an enumeration's.
    func word<Word: RawRepresentable<String>>(_ column: Int32, _ kind: Word.Type) throws(StoreError) -> Word {
        guard let word = Word(rawValue: text(column)) else { throw .corrupt(detail: "a word that nobody wrote") }
        return word
    }
}

/// A statement that SQLite has compiled.
@safe private final class Prepared {
    let statement: OpaquePointer

    init(_ statement: OpaquePointer) { unsafe self.statement = statement }

    deinit { unsafe sqlite3_finalize(statement) }
}

/// A connection.
@safe final class Connection {
    /// Statements kept prepared; every text of a statement is a literal, so there are not many.
    private static let statementLimit = 128

    let path: String
    let database: OpaquePointer
    private var statements: [String: Prepared] = [:]

    /// Opens the file, makes it when it is not there, and reads its header. Writes nothing to a file that is there.
    init(path: String, busyMilliseconds: Int32) throws(StoreError) {
        self.path = path
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let status = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard status == SQLITE_OK, let opened = unsafe opened else {
            unsafe sqlite3_close_v2(opened)
            throw .cannotOpen(path: path, reason: unsafe String(cString: sqlite3_errstr(status)))
        }
        unsafe database = opened
        guard unsafe sqlite3_busy_timeout(opened, busyMilliseconds) == SQLITE_OK,
            unsafe majlis_sqlite_harden(opened) == SQLITE_OK
        else { throw .failed(reason: "the connection cannot be configured") }
        guard unsafe sqlite3_db_readonly(opened, "main") == 0 else { throw .notWritable(path: path) }
    }

    deinit {
        statements = [:]
        // Writes the log back into the file when this is the last connection.
        unsafe sqlite3_close_v2(database)
    }

    /// Whether a transaction is open. SQLite ends one by itself when the disk fails.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(database) == 0 }

    /// How many rows the last statement changed.
    var changes: Int { Int(unsafe sqlite3_changes64(database)) }

    /// Runs statements without values and results.
    func execute(_ sql: String) throws(StoreError) {
        let status = unsafe sqlite3_exec(database, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw error(status) }
    }

    /// Runs one statement that answers no rows; answers how many it changed.
    @discardableResult
    func run(_ sql: String, _ values: SQLValue...) throws(StoreError) -> Int {
        _ = try visit(sql, values, limit: .max) { _ in }
        return changes
    }

    /// The rows that a statement answers.
    func rows<Element>(
        _ sql: String, _ values: SQLValue..., read: (Row) throws(StoreError) -> Element
    ) throws(StoreError) -> [Element] {
        var elements: [Element] = []
        _ = try visit(sql, values, limit: .max) { (row) throws(StoreError) in elements.append(try read(row)) }
        return elements
    }

    /// The first row that a statement answers, or nil.
    func first<Element>(
        _ sql: String, _ values: SQLValue..., read: (Row) throws(StoreError) -> Element
    ) throws(StoreError) -> Element? {
        var element: Element?
        _ = try visit(sql, values, limit: 1) { (row) throws(StoreError) in element = try read(row) }
        return element
    }

    /// The number that a statement answers; 0 when it answers none.
    func number(_ sql: String, _ values: SQLValue...) throws(StoreError) -> Int64 {
        var number: Int64 = 0
        _ = try visit(sql, values, limit: 1) { number = $0.integer(0) }
        return number
    }

    private func visit(
        _ sql: String, _ values: [SQLValue], limit: Int, row: (Row) throws(StoreError) -> Void
    ) throws(StoreError) {
        let prepared = try prepare(sql)
        let statement = unsafe prepared.statement
        // What was bound does not stay in memory longer than it must, and no read stays open.
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() {
            let status = unsafe Self.bind(value, at: Int32(index + 1), of: statement)
            guard status == SQLITE_OK else { throw error(status) }
        }
        var left = limit
        while left > 0 {
            let status = unsafe sqlite3_step(statement)
            if status == SQLITE_DONE { return }
            guard status == SQLITE_ROW else { throw error(status) }
            unsafe try row(Row(statement: statement))
            left -= 1
        }
    }

    private func prepare(_ sql: String) throws(StoreError) -> Prepared {
        if let prepared = statements[sql] { return prepared }
        var compiled: OpaquePointer?
        let status = unsafe sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
        guard status == SQLITE_OK, let compiled = unsafe compiled else { throw error(status) }
        if statements.count >= Self.statementLimit { statements = [:] }
        let prepared = unsafe Prepared(compiled)
        statements[sql] = prepared
        return prepared
    }

    private static func bind(_ value: SQLValue, at index: Int32, of statement: OpaquePointer) -> Int32 {
        switch value {
        case .null: return unsafe sqlite3_bind_null(statement, index)
        case .integer(let number): return unsafe sqlite3_bind_int64(statement, index, number)
        case .real(let number): return unsafe sqlite3_bind_double(statement, index, number)
        case .blob(let bytes):
            return unsafe bytes.withUnsafeBytes {
                unsafe majlis_sqlite_bind_blob(statement, index, $0.baseAddress, UInt64($0.count))
            }
        case .text(var text):
            return text.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) {
                    unsafe majlis_sqlite_bind_text(statement, index, $0.baseAddress, UInt64($0.count))
                }
            }
        }
    }

    /// SQLite's failure in this module's words. SQLite's own sentence names tables and columns, never values.
    func error(_ status: Int32) -> StoreError {
        let message = unsafe String(cString: sqlite3_errmsg(database))
        switch status & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED: return .busy
        case SQLITE_FULL: return .diskFull
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(detail: message)
        case SQLITE_READONLY: return .notWritable(path: path)
        case SQLITE_CANTOPEN: return .cannotOpen(path: path, reason: message)
        default: return .failed(reason: "\(message) (SQLite's code \(status))")
        }
    }
}
