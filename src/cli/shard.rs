//! Which part of a campaign this process runs: said by a flag, or read from what a scheduler says of itself.

use crate::campaign::Shard;

/// What was typed after `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShardArg {
    /// `k/n`.
    Given(Shard),
    /// `auto`.
    Auto,
}

/// The variables of a system that runs one program many times.
struct System {
    name: &'static str,
    index: &'static str,
    /// What the first index is.
    first: First,
    count: &'static str,
}

enum First {
    /// This.
    Is(u64),
    /// Said by a variable, and another says how far apart indices are.
    Said(&'static str, &'static str),
}

const SYSTEMS: [System; 5] = [
    System {
        name: "a Slurm array",
        index: "SLURM_ARRAY_TASK_ID",
        first: First::Said("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
        count: "SLURM_ARRAY_TASK_COUNT",
    },
    // Kubernetes does not tell a pod how many there are; the manifest has to.
    System {
        name: "a Kubernetes Indexed Job",
        index: "JOB_COMPLETION_INDEX",
        first: First::Is(0),
        count: "SQUALL_SHARDS",
    },
    System { name: "GitLab", index: "CI_NODE_INDEX", first: First::Is(1), count: "CI_NODE_TOTAL" },
    System {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        first: First::Is(0),
        count: "BUILDKITE_PARALLEL_JOB_COUNT",
    },
    System {
        name: "AWS Batch",
        index: "AWS_BATCH_JOB_ARRAY_INDEX",
        first: First::Is(0),
        count: "AWS_BATCH_JOB_ARRAY_SIZE",
    },
];

/// Reads the flag.
pub(super) fn shard(text: &str) -> Result<ShardArg, String> {
    if text == "auto" {
        return Ok(ShardArg::Auto);
    }
    text.parse().map(ShardArg::Given).map_err(|error: String| format!("{error}, or auto"))
}

impl ShardArg {
    /// The shard meant; `variable` reads the environment.
    pub(super) fn resolve(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
        match self {
            Self::Given(shard) => Ok(shard),
            Self::Auto => auto(variable),
        }
    }
}

fn auto(variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let present: Vec<&System> = SYSTEMS.iter().filter(|system| variable(system.index).is_some()).collect();
    match present[..] {
        [system] => system.shard(&variable).map_err(|problem| format!("--shard auto: {}: {problem}", system.name)),
        [] => {
            let names: Vec<String> =
                SYSTEMS.iter().map(|system| format!("{} ({})", system.name, system.index)).collect();
            let known = names.join(", ");
            Err(format!(
                "--shard auto: no scheduler has said which shard this is: expected one of {known}; GitHub has no such variable, so pass --shard k/n from the matrix"
            ))
        }
        _ => {
            let names: Vec<&str> = present.iter().map(|system| system.name).collect();
            Err(format!(
                "--shard auto: {} all say which shard this is: expected one of them, or --shard k/n",
                names.join(" and ")
            ))
        }
    }
}

impl System {
    fn shard(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
        let number = |name: &str| {
            let text = variable(name).ok_or_else(|| format!("{name} is not set: expected a number"))?;
            text.parse::<u64>().map_err(|_| format!("{name} is `{text}`: expected a number"))
        };
        let (first, step) = match self.first {
            First::Is(first) => (first, 1),
            First::Said(first, step) => (number(first)?, number(step).unwrap_or(1).max(1)),
        };
        let (index, count) = (number(self.index)?, number(self.count)?);
        let nth = index.checked_sub(first).filter(|ahead| ahead % step == 0).map(|ahead| ahead / step + 1);
        let shard = nth.and_then(|nth| Shard::new(u32::try_from(nth).ok()?, u32::try_from(count).ok()?));
        shard.ok_or_else(|| {
            format!(
                "{} is {index} and {} is {count}: expected {count} indices from {first} in steps of {step}",
                self.index, self.count
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], expected: Result<&str, &str>) {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.to_string());
        let shard = ShardArg::Auto.resolve(variable);
        match (shard, expected) {
            (Ok(shard), Ok(expected)) => assert_eq!(shard.to_string(), expected, "{variables:?}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (shard, _) => panic!("{variables:?}: {shard:?}"),
        }
    }

    #[test]
    fn each_scheduler_says_it_in_its_own_variables() {
        let slurm = |id, min, step, count| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ]
        };
        check(&slurm("3", "1", "1", "8"), Ok("3/8"));
        check(&slurm("0", "0", "1", "8"), Ok("1/8"));
        check(&slurm("14", "0", "2", "8"), Ok("8/8"));
        check(&[("JOB_COMPLETION_INDEX", "0"), ("SQUALL_SHARDS", "4")], Ok("1/4"));
        check(&[("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "4")], Ok("4/4"));
        check(&[("BUILDKITE_PARALLEL_JOB", "3"), ("BUILDKITE_PARALLEL_JOB_COUNT", "4")], Ok("4/4"));
        check(&[("AWS_BATCH_JOB_ARRAY_INDEX", "9"), ("AWS_BATCH_JOB_ARRAY_SIZE", "10")], Ok("10/10"));
    }

    #[test]
    fn what_they_do_not_say_is_asked_for() {
        check(&[], Err("GitHub has no such variable"));
        check(&[("JOB_COMPLETION_INDEX", "0")], Err("SQUALL_SHARDS is not set"));
        check(&[("CI_NODE_INDEX", "x"), ("CI_NODE_TOTAL", "4")], Err("CI_NODE_INDEX is `x`: expected a number"));
        check(&[("CI_NODE_INDEX", "5"), ("CI_NODE_TOTAL", "4")], Err("expected 4 indices from 1"));
        // An array of the indices 1, 3 and 7 has no steps to count by.
        let holes = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "3")];
        check(&holes, Err("expected 3 indices from 1"));
        let both = [("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2"), ("JOB_COMPLETION_INDEX", "0")];
        check(&both, Err("a Kubernetes Indexed Job and GitLab all say"));
    }

    #[test]
    fn a_flag_says_it_for_itself() {
        assert_eq!(shard("auto"), Ok(ShardArg::Auto));
        assert_eq!(shard("2/3"), Ok(ShardArg::Given(Shard::new(2, 3).unwrap())));
        assert!(shard("3/2").unwrap_err().contains("expected k/n"));
    }
}
