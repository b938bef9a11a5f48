// The tables, as steps from one version of them to the next. A step that was released is never changed: a new one follows.

/// A step from the version before to `version`.
package struct Migration: Sendable {
    /// The version that it leads to.
    package let version: Int
    /// The statements.
    package let statements: String

    /// A step.
    package init(version: Int, statements: String) {
        self.version = version
        self.statements = statements
    }
}

/// The versions of the tables, and how a file comes to the newest.
package enum Schema {
    /// "MJLS": what the file says it is, so that no other program's database is taken for it.
    package static let applicationID: Int64 = 0x4d4a_4c53

    /// Every step, from version 1 on.
    package static let migrations: [Migration] = [
        Migration(version: 1, statements: version1), Migration(version: 2, statements: version2),
    ]

    // Times are Unix milliseconds. A user that is NULL was erased.
    private static let version1 = """
        CREATE TABLE devices (
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          label TEXT,
          registered_at INTEGER NOT NULL,
          seen_at INTEGER NOT NULL,
          PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE push_tokens (
          provider TEXT NOT NULL CHECK (provider IN ('apns', 'fcm')),
          token TEXT NOT NULL,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          application TEXT NOT NULL,
          is_sandbox INTEGER NOT NULL CHECK (is_sandbox IN (0, 1)),
          registered_at INTEGER NOT NULL,
          PRIMARY KEY (provider, token),
          FOREIGN KEY (user, device) REFERENCES devices (user, device) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX push_tokens_of_device ON push_tokens (user, device);

        CREATE TABLE blocked_users (
          user TEXT NOT NULL,
          blocked TEXT NOT NULL,
          blocked_at INTEGER NOT NULL,
          PRIMARY KEY (user, blocked)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blocked_users_by_blocked ON blocked_users (blocked);

        CREATE TABLE active_calls (
          call TEXT NOT NULL PRIMARY KEY,
          started_at INTEGER NOT NULL,
          changed_at INTEGER NOT NULL,
          state BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE active_call_devices (
          call TEXT NOT NULL REFERENCES active_calls (call) ON DELETE CASCADE,
          user TEXT NOT NULL,
          device TEXT NOT NULL,
          token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
          PRIMARY KEY (call, user, device)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX active_call_devices_of_user ON active_call_devices (user);

        CREATE TABLE missed_calls (
          user TEXT NOT NULL,
          call TEXT NOT NULL,
          caller TEXT,
          media TEXT NOT NULL,
          missed_at INTEGER NOT NULL,
          acknowledged_at INTEGER,
          PRIMARY KEY (user, call)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX missed_calls_by_caller ON missed_calls (caller);
        CREATE INDEX missed_calls_waiting ON missed_calls (user, missed_at) WHERE acknowledged_at IS NULL;
        CREATE INDEX missed_calls_by_time ON missed_calls (missed_at);

        CREATE TABLE call_records (
          call TEXT NOT NULL PRIMARY KEY,
          started_at INTEGER NOT NULL,
          ended_at INTEGER NOT NULL,
          media TEXT NOT NULL,
          path TEXT CHECK (path IN ('direct', 'relayed', 'sfu')),
          room TEXT,
          end_reason TEXT NOT NULL,
          ringing_ms INTEGER,
          answered_ms INTEGER,
          connected_ms INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX call_records_by_time ON call_records (ended_at);

        CREATE TABLE call_legs (
          call TEXT NOT NULL REFERENCES call_records (call) ON DELETE CASCADE,
          leg INTEGER NOT NULL,
          role TEXT NOT NULL CHECK (role IN ('caller', 'callee', 'added')),
          user TEXT,
          device TEXT,
          started_at INTEGER NOT NULL,
          joined_at INTEGER,
          left_at INTEGER,
          rtt_ms REAL,
          jitter_ms REAL,
          loss REAL,
          mos REAL,
          PRIMARY KEY (call, leg)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX call_legs_of_user ON call_legs (user, started_at);
        """

    // A missed call is told with the caller's name, and with when it was placed.
    private static let version2 = """
        ALTER TABLE missed_calls ADD COLUMN caller_name TEXT;
        ALTER TABLE missed_calls ADD COLUMN placed_at INTEGER;
        """

    /// Brings the file to the newest version, each step in a transaction of its own.
    /// - Throws: `foreign`, `newerSchema`, `corrupt`, `notWritable`, or what SQLite fails with.
    static func prepare(_ connection: Connection, migrations: [Migration]) throws(StoreError) {
        // Read before anything is written: a file that is not ours stays as it is.
        let application = try connection.number("PRAGMA application_id")
        let found = try Int(connection.number("PRAGMA user_version"))
        let tables = try connection.number("SELECT count(*) FROM sqlite_schema")
        let isNew = application == 0 && found == 0 && tables == 0
        guard isNew || (application == applicationID && found > 0) else { throw .foreign(path: connection.path) }
        let known = migrations.last?.version ?? 0
        guard found <= known else { throw .newerSchema(found: found, known: known) }
        try configure(connection)
        if !isNew {
            let verdict = try connection.first("PRAGMA quick_check(1)") { $0.text(0) }
            guard verdict == "ok" else { throw .corrupt(detail: verdict ?? "no verdict") }
        }
        for migration in migrations where migration.version > found { try apply(migration, to: connection) }
    }

    private static func configure(_ connection: Connection) throws(StoreError) {
        let mode = try connection.first("PRAGMA journal_mode = WAL") { $0.text(0) }
        guard mode == "wal" else { throw .notWritable(path: connection.path) }
        // FULL: the log is on the disk before a commit returns. secure_delete: what is deleted is overwritten.
        try connection.execute(
            """
            PRAGMA synchronous = FULL;
            PRAGMA foreign_keys = ON;
            PRAGMA secure_delete = ON;
            PRAGMA cell_size_check = ON;
            PRAGMA temp_store = MEMORY;
            PRAGMA journal_size_limit = 16777216;
            """)
    }

    private static func apply(_ migration: Migration, to connection: Connection) throws(StoreError) {
        try connection.execute("BEGIN IMMEDIATE")
        do throws(StoreError) {
            // Another process may have been there first.
            if try connection.number("PRAGMA user_version") < migration.version {
                try connection.execute(migration.statements)
                let violation = try connection.first("PRAGMA foreign_key_check") { $0.text(0) }
                if let violation { throw StoreError.corrupt(detail: "a row of \(violation) refers to nothing") }
                try connection.execute(
                    "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(migration.version)")
            }
            try connection.execute("COMMIT")
        } catch {
            if connection.isInTransaction { try? connection.execute("ROLLBACK") }
            throw error
        }
    }
}
