#!/bin/sh
# Makes the Python environment of the browser tests in .build/venv, unless it is there and current. The browsers are
# Debian's own: Playwright downloads none.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
venv="$root/.build/venv"
wanted="$root/Tests/Browser/requirements.txt"
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
    mkdir -p "$root/.build"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$venv/requirements.txt"
fi
echo "$venv/bin/python"
