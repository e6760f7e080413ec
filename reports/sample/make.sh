#!/usr/bin/env bash
# Makes the samples anew: six planted bugs, found and shown, and a picture of one page.
# Usage: reports/sample/make.sh [PROGRAM]   (target/release/squall when not given)
# The picture takes chromium and pngquant.
# With `--shown` the stored cases are shown again and nothing is searched: after a change of reports alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
search=true
if [ "${1:-}" = --shown ]; then
    search=false
    shift
fi
program="$(realpath "${1:-target/release/squall}")"
room=target/sample
samples=reports/sample
mkdir -p "$room"
for bug in lost-update dirty-read acknowledge-before-sync torn-frame-accepted write-skew flag-before-yield; do
    if $search; then
        rm -rf "${room:?}/$bug"
        "$program" run "planted/$bug" --jobs 1 --out "$room/$bug" >/dev/null || [ $? -eq 1 ]
        found="$(find "$room/$bug" -name '*.case' | sort | head -n 1)"
        cp "$found" "$samples/$bug.case"
    fi
    # Time must not cut what is found out: the samples are the same on every machine.
    show=("$program" show "$bug.case" --explain-budget 20m --hang-after 60m)
    (cd "$samples" && "${show[@]}" --md >"$bug.md" && "${show[@]}" --json >"$bug.json")
done

page="$PWD/$room/lost-update.html"
"$program" show "$samples/lost-update.case" --html "$page"
chromium="$(command -v chromium || command -v chromium-browser || true)"
if [ -n "$chromium" ] && command -v pngquant >/dev/null; then
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1440,2280 --disable-lcd-text \
        --virtual-time-budget=5000 --screenshot="$room/lost-update.png" "file://$page" >/dev/null 2>&1
    # Few colours are enough, and a third of the bytes.
    pngquant --force --strip --output "$samples/lost-update.png" 128 "$room/lost-update.png"
fi
