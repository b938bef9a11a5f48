#!/bin/sh
# Becomes coturn for tests on loopback: start-test-turn.sh PORT FIRST-RELAY-PORT LAST-RELAY-PORT FOLDER [SECONDS]
# FOLDER gets turn.pid (the process to send SIGTERM to) and turn.log. It ends by itself after SECONDS (default 300).
set -eu
port=$1 first=$2 last=$3 folder=$4 seconds=${5:-300}
here=$(cd "$(dirname "$0")" && pwd)
command -v turnserver >/dev/null || { echo "coturn is not installed (apt-get install coturn)" >&2; exit 127; }
mkdir -p "$folder"
echo "$$" >"$folder/turn.pid"
# `timeout` passes the signal on and leaves nothing behind.
exec timeout "$seconds" turnserver -c "$here/turnserver-test.conf" --listening-port "$port" --min-port "$first" \
    --max-port "$last" --pidfile "$folder/coturn.pid" --userdb "$folder/turn.db" >"$folder/turn.log" 2>&1
