#!/usr/bin/env bash
# How much faster a campaign is with two workers than with one, on a machine with two idle processors.
#
#   docs/scale-out/speed-up.sh PROGRAM
set -euo pipefail

squall="$1"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
rate() {
    "$squall" run smoke --engine dinghy --seeds 0..2000 --jobs "$1" --out "$folder/$1" >/dev/null
    sed -nE 's/.*"elapsed_ms": ([0-9]+),/\1/p' "$folder/$1/timing.json"
}
one="$(rate 1)"
two="$(rate 2)"
cmp "$folder/1/summary.json" "$folder/2/summary.json"
awk -v one="$one" -v two="$two" 'BEGIN { printf "one worker %d ms, two workers %d ms: %.2f times as fast, the same summary\n", one, two, one / two }'
