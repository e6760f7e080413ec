#!/usr/bin/env bash
# Judges the same histories with squall and with Porcupine, and prints both tables. Needs Go; PORCUPINE may name a
# folder that holds Porcupine's source, else Go fetches it.
set -euo pipefail
cd "$(dirname "$0")/../.."
room="$PWD/target/porcupine"
rm -rf "$room"
mkdir -p "$room/histories" "$room/program"

cargo bench --bench judge -- --write "$room/histories"

cp benches/porcupine/main.go "$room/program"
cd "$room/program"
go mod init porcupine-compare
if [ -n "${PORCUPINE:-}" ]; then
    go mod edit -require github.com/anishathalye/porcupine@v0.0.0 -replace "github.com/anishathalye/porcupine=$PORCUPINE"
else
    go get github.com/anishathalye/porcupine@latest
fi
go build -o ../porcupine-compare .
cd ..
# One process each, so that the memory is that of one history.
for history in histories/*.jsonl; do
    ./porcupine-compare -seconds "${SECONDS_EACH:-60}" "$history" | if [ "${begun:-}" ]; then tail -n +3; else cat; fi
    begun=yes
done
