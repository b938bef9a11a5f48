// A folder of a test's own, gone with it, and a look into files past the store.
import CSQLite
import Glibc
import TestSupport

/// A folder.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/majlis-storage-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? ""
        }
        precondition(!path.isEmpty, "a temporary folder can be made")
        // Somebody else may come in, so that what keeps them from a file is the file.
        chmod(path, 0o755)
    }

    deinit {
        for name in FileBytes.list(path) { unlink(path + "/" + name) }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Whether the text is anywhere in the files of a database.
    func contains(_ text: String, inFilesOf name: String) -> Bool {
        FileBytes.list(path).filter { $0.hasPrefix(name) }.contains { file in
            guard let bytes = FileBytes.read(path + "/" + file) else { return false }
            let wanted = Array(text.utf8)
            return bytes.indices.dropLast(wanted.count - 1).contains { at in
                bytes[at] == wanted[0] && bytes[at..<at + wanted.count].elementsEqual(wanted)
            }
        }
    }

    static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "wb") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}

/// SQLite itself, as an operator's command line would use it.
final class PlainSQLite {
    private var database: OpaquePointer?

    init(_ path: String) { sqlite3_open(path, &database) }

    deinit { sqlite3_close_v2(database) }

    /// Runs statements; whether they succeed.
    @discardableResult
    func execute(_ sql: String) -> Bool { sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK }

    /// The first column of every row, as text.
    func column(_ sql: String) -> [String] {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK else { return ["no such statement"] }
        defer { sqlite3_finalize(statement) }
        var values: [String] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            values.append(sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? "NULL")
        }
        return values
    }
}
