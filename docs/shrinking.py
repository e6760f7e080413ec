#!/usr/bin/env python3
"""How small planted bugs become: prints the table of docs/shrinking.md.

Usage: docs/shrinking.py [PROGRAM]   (target/release/squall when not given)
Finds every planted bug from its first seed, one worker, 60 s of shrinking each, and reads what was stored.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tomllib


def lines(failure):
    """The rows that people see."""
    return sum(not row["folded"] for row in failure["table"]["rows"])


program = sys.argv[1] if len(sys.argv) > 1 else "target/release/squall"
out = pathlib.Path("target/shrinking")
shutil.rmtree(out, ignore_errors=True)
run = [program, "run", "planted", "--shrink-budget", "60s", "--jobs", "1", "--out", str(out)]
done = subprocess.run(run, stdout=subprocess.DEVNULL)
if done.returncode != 1:  # Planted bugs are violated.
    sys.exit(f"{' '.join(run)}: exit code {done.returncode}, expected 1")
bugs = json.loads(subprocess.check_output([program, "list", "bugs", "--format", "json"]))
depths = {bug["name"]: bug.get("depth") for bug in bugs}

found = []
for path in out.glob("*/failure.json"):
    failure = json.loads(path.read_text())
    # The report is that of the bucket's first case.
    case = tomllib.loads(sorted(path.parent.glob("*.case"))[0].read_text())
    name = failure["scenario"].removeprefix("planted/")
    bug = failure["engine"].partition("+")[2]
    found.append((name, depths.get(bug), failure, case["shrunk"]))
found.sort(key=lambda one: one[0])

head = ["scenario", "depth", "found: connections, operations, switches, turns", "connections", "operations", "switches",
        "faults and crashes", "rows", "runs made"]
print(f"| {' | '.join(head)} |")
print("|---|--:|--:|" + "--:|" * (len(head) - 3))
for name, depth, failure, facts in found:
    was, now = failure["original"], failure["shrunk"] or failure["original"]
    cells = [f"`{name}`", str(depth), ", ".join(str(was[key]) for key in ["connections", "operations", "switches", "turns"])]
    cells += [str(now["connections"]), str(now["operations"]), str(now["switches"]), str(now["faults"] + now["crashes"])]
    cells += [str(lines(failure)), f"{facts['replays']:,}" + (" (cut)" if facts.get("cut") else "")]
    print(f"| {' | '.join(cells)} |")

small = [failure["shrunk"] or failure["original"] for _, _, failure, _ in found]
rows = [lines(failure) for _, _, failure, _ in found]
wide = [name for (name, depth, *_), now in zip(found, small) if now["switches"] > (depth or 0) + 2]
cut = [name for name, _, _, facts in found if facts.get("cut")]
print()
print(f"{len(found)} failures; median of connections {statistics.median(now['connections'] for now in small):g}, "
      f"of rows {statistics.median(rows):g}; more switches than depth + 2: {', '.join(wide) or 'none'}; "
      f"cut by a bound: {', '.join(cut) or 'none'}.")
