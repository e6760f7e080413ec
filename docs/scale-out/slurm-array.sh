#!/usr/bin/env bash
# A campaign as a Slurm array, one task for each shard:
#
#   sbatch --wait --array=1-8 docs/scale-out/slurm-array.sh OUT [arguments of `squall run`]
#   squall merge OUT/shard-*/ --out OUT/merged
#
# OUT is a folder that all nodes see. A task that is put back into the queue goes on from its journal.
#SBATCH --job-name=squall
#SBATCH --cpus-per-task=1
#SBATCH --requeue
set -euo pipefail

out="$1"
shift
shard="$out/shard-$SLURM_ARRAY_TASK_ID"
mkdir -p "$out"
code=0
"${SQUALL:-squall}" run "$@" --shard auto --jobs "${SLURM_CPUS_PER_TASK:-1}" --out "$shard" >"$shard.log" 2>&1 || code=$?
# A finding, or too little compared in this part alone, is no failure of the task; `merge` has the last word.
case "$code" in
    0 | 1 | 5) exit 0 ;;
    *) exit "$code" ;;
esac
