#!/usr/bin/env bash
# A campaign cut into shards by GNU parallel, on this machine or, with PARALLEL="--sshlogin …", on several.
#
#   SQUALL=target/release/squall docs/scale-out/parallel.sh OUT SHARDS [arguments of `squall run`]
#
# A shard that was killed goes on from its journal when the script is started again. Whether the campaign held
# is for `merge` to say: one shard alone may have compared too little to know.
set -euo pipefail

squall="${SQUALL:-squall}"
out="$1"
shards="$2"
shift 2
mkdir -p "$out"

run_shard() {
    code=0
    "$squall" run "${@:4}" --shard "$1/$2" --jobs 1 --out "$3/shard-$1" >"$3/shard-$1.log" 2>&1 || code=$?
    case "$code" in
        0 | 1 | 5) ;;
        *) echo "shard $1 of $2 ended with exit code $code:" >&2 && tail -n 5 "$3/shard-$1.log" >&2 && return "$code" ;;
    esac
}
export -f run_shard
export squall

seq 1 "$shards" | parallel --will-cite --quote run_shard {} "$shards" "$out" "$@"
exec "$squall" merge "$out"/shard-*/ --out "$out/merged"
