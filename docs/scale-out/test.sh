#!/usr/bin/env bash
# Every recipe that one machine can run, run: the merged summary must be that of one unsharded run, byte for
# byte. The manifest for Kubernetes and the workflows for GitHub are held against their schemas.
#
#   docs/scale-out/test.sh PROGRAM FOLDER
#
# It installs what is missing with apt-get and pip. Where Slurm's daemons cannot be started at all, as in some
# containers, it says so, and everything else still counts.
set -euo pipefail
cd "$(dirname "$0")/../.."

squall="$(realpath "$1")"
export SQUALL="$squall"
rm -rf "$2"
mkdir -p "$2"
folder="$(realpath "$2")"
# Two bugs that are found, and lanes that hold.
what=(smoke/register smoke/bank planted/canary planted/lost-update --engine dinghy)

say() { printf '   %s\n' "$*"; }

need() {
    if ! command -v "$1" >/dev/null; then
        say "installing $2"
        (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $2) >"$folder/apt.log" 2>&1 ||
            { tail -n 5 "$folder/apt.log" >&2 && return 1; }
    fi
}

ended() {
    case "$2" in
        0 | 1) ;;
        *) echo "$1 ended with exit code $2" >&2 && exit 1 ;;
    esac
}

same() {
    cmp "$folder/whole/summary.json" "$2/summary.json"
    say "$1: the same summary, byte for byte"
}

code=0
"$squall" run "${what[@]}" --out "$folder/whole" >"$folder/whole.log" 2>&1 || code=$?
ended "the unsharded run" "$code"

need parallel parallel
code=0
docs/scale-out/parallel.sh "$folder/parallel" 5 "${what[@]}" >"$folder/parallel.log" 2>&1 || code=$?
ended "GNU parallel" "$code"
same "GNU parallel, 5 shards" "$folder/parallel/merged"

slurm() {
    need slurmctld "slurm-wlm munge" || return 1
    docs/scale-out/slurm-one-machine.sh start "$folder/slurm-daemons" >"$folder/slurm-start.log" 2>&1 || return 1
    export SLURM_CONF="$folder/slurm-daemons/slurm.conf"
}
if slurm; then
    trap 'docs/scale-out/slurm-one-machine.sh stop "$folder/slurm-daemons"' EXIT
    sbatch --wait --quiet --array=1-4 --output="$folder/slurm-%a.log" docs/scale-out/slurm-array.sh "$folder/slurm" "${what[@]}" ||
        { cat "$folder"/slurm-*.log >&2 && exit 1; }
    code=0
    "$squall" merge "$folder"/slurm/shard-*/ --out "$folder/slurm/merged" >"$folder/slurm.log" 2>&1 || code=$?
    ended "the merge of the Slurm array" "$code"
    same "a Slurm array, 4 shards" "$folder/slurm/merged"
else
    docs/scale-out/slurm-one-machine.sh stop "$folder/slurm-daemons" || true
    say "SKIPPED: Slurm's daemons cannot be started on this machine, so the recipe for arrays was not tried:"
    tail -n 20 "$folder/slurm-start.log" 2>/dev/null || true
fi

bin="$folder/venv/bin"
need python3 python3
python3 -m venv "$folder/venv" >/dev/null 2>&1 || { need ensurepip "python3-venv python3-pip" && python3 -m venv "$folder/venv"; }
"$bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.39.0 kubernetes-validate==1.37.0
"$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
say "the workflows fit GitHub's schema"
"$bin/kubernetes-validate" --strict docs/scale-out/kubernetes-job.yaml
say "the job fits Kubernetes' schema"
