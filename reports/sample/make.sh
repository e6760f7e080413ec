#!/usr/bin/env bash
# Makes the samples anew: six planted bugs, found and shown. Usage: reports/sample/make.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/../.."
program="${1:-target/release/squall}"
room=target/sample
rm -rf "$room"
for bug in lost-update dirty-read acknowledge-before-sync torn-frame-accepted lost-wakeup flag-before-yield; do
    "$program" run "planted/$bug" --jobs 1 --out "$room/$bug" >/dev/null || [ $? -eq 1 ]
    found="$(find "$room/$bug" -name '*.case' ! -name '*.small.case' | sort | head -n 1)"
    cp "$found" "$room/$bug.case"
    (cd "$room" && "$OLDPWD/$program" show "$bug.case" --md >"$OLDPWD/reports/sample/$bug.md")
    (cd "$room" && "$OLDPWD/$program" show "$bug.case" --json >"$OLDPWD/reports/sample/$bug.json")
done
(cd "$room" && "$OLDPWD/$program" show lost-update.case --html "$OLDPWD/reports/sample/lost-update.html")
