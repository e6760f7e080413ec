#!/usr/bin/env bash
# The page of a report in a real browser, and its Perfetto export in Perfetto's own parser.
# Usage: tests/browser/run.sh [PROGRAM]. Needs node and npm; installs chromium where the system is Debian's.
set -euo pipefail
cd "$(dirname "$0")/../.."
program="${1:-target/release/squall}"
room=target/browser
mkdir -p "$room"

chromium="$(command -v chromium || command -v chromium-browser || true)"
if [ -z "$chromium" ]; then
    apt-get update -qq && apt-get install -y -qq chromium
    chromium="$(command -v chromium)"
fi
if [ ! -d "$room/node_modules/axe-core" ]; then
    npm install --silent --no-audit --no-fund --prefix "$room" playwright-core@1 axe-core@4
fi

rm -rf "$room/out"
# Planted bugs are violated, so the exit code is 1.
"$program" run planted --jobs 2 --out "$room/out" >"$room/run.txt" || [ $? -eq 1 ]
NODE_PATH="$room/node_modules" node tests/browser/page.mjs "$chromium" "$room"

case="$(find "$room/out" -name '*.case' | sort | head -n 1)"
"$program" export "$case" --format perfetto -o "$room/a.pftrace"
if [ ! -d "$room/python" ]; then
    python3 -m venv "$room/python" && "$room/python/bin/pip" install --quiet perfetto protobuf
fi
"$room/python/bin/python" tests/browser/check_perfetto.py "$room/a.pftrace"
