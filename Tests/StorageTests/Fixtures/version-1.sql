-- A file of version 1, as the first release with a database wrote it, with a row in every table. Never changed again.
PRAGMA journal_mode = WAL;
BEGIN;
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

INSERT INTO devices VALUES ('ada', 'phone', 'Ada''s phone', 1000, 2000);
INSERT INTO push_tokens VALUES ('apns', 'token-1', 'ada', 'phone', 'org.example.app', 0, 1500);
INSERT INTO blocked_users VALUES ('ada', 'mallory', 1000);
INSERT INTO active_calls VALUES ('call-1', 1000, 1000, x'7374617465');
INSERT INTO active_call_devices VALUES ('call-1', 'ada', 'phone', x'66aa1030f289bec48db355831a08f8f109136102140b1b0fdec6e1967be31808');
INSERT INTO missed_calls VALUES ('ada', 'call-2', 'bob', 'audio', 1000, NULL);
INSERT INTO missed_calls VALUES ('ada', 'call-0', 'bob', 'audio', 900, 950);
INSERT INTO call_records VALUES ('call-3', 1000, 9000, 'video', 'sfu', 'room-1', 'hangup', 100, 2000, 300);
INSERT INTO call_legs VALUES ('call-3', 0, 'caller', 'ada', 'phone', 1000, 3300, 9000, 31.5, 2.0, 0.01, 4.25);
INSERT INTO call_legs VALUES ('call-3', 1, 'callee', 'bob', NULL, 1000, NULL, NULL, NULL, NULL, NULL, NULL);
PRAGMA application_id = 1296714835;
PRAGMA user_version = 1;
COMMIT;
