//! Scenarios as a user meets them: what is read, what is refused and how that is said, what a seed draws.

use expect_test::{Expect as Golden, expect};

use super::*;
use crate::sched::{PolicyConfig, portfolio};
use crate::sim::WorldConfig;
use crate::workload::Knobs;

fn library() -> Library {
    let mut library = Library::default();
    library.add("profiles/tiny", "connections = 2\ntransactions = 4\n[knobs]\nkeys = 1\n");
    library.add("profiles/deep", "extends = \"tiny\"\n[disk]\nread-eio = \"1/50\"\n");
    library.add("profiles/loop", "extends = \"loop\"\n");
    library.add("smoke/register", "workload = \"register\"\n");
    library.add("smoke/bank", "workload = \"bank\"\n");
    library
}

fn build(text: &str, flags: &[&str]) -> Result<Scenario, ScenarioError> {
    let mut library = library();
    library.add("t", text.to_string());
    let flags: Result<Vec<_>, _> = flags.iter().map(|flag| parse_flag(flag)).collect();
    library.embedded("t", &flags?)
}

fn refused(text: &str, flags: &[&str], expected: Golden) {
    expected.assert_eq(&build(text, flags).unwrap_err().to_string());
}

#[test]
fn a_key_that_does_not_exist_is_named_with_its_place_and_the_nearest_that_does() {
    refused(
        "workload = \"bank\"\nconections = 4\n",
        &[],
        expect!["t.toml:2:1: there is no key `conections`; did you mean `connections`?"],
    );
    refused(
        "workload = \"bank\"\n[disk]\nread-eoi = \"1/9\"\n",
        &[],
        expect!["t.toml:3:1: there is no key `disk.read-eoi`; did you mean `disk.read-eio`?"],
    );
    refused(
        "workload = \"bank\"\n[dsk]\nwrite-eio = \"1/9\"\n",
        &[],
        expect!["t.toml:3:1: there is no key `dsk.write-eio`; did you mean `disk.write-eio`?"],
    );
    refused("workload = \"bank\"\nzebra = 1\n", &[], expect!["t.toml:2:1: there is no key `zebra`"]);
    refused(
        "workload = \"bank\"",
        &["keys=4"],
        expect!["--set keys=4: there is no key `keys`; did you mean `knobs.keys`?"],
    );
}

#[test]
fn a_value_that_is_not_accepted_is_shown_with_what_is() {
    refused(
        "workload = \"bank\"\n[disk]\nread-eio = \"3/2\"\n",
        &[],
        expect![[
            r#"t.toml:3:12: `disk.read-eio` does not accept "3/2": expected a probability from 0/1 to 1/1 such as "1/1000", a range such as "1/10000..1/100", a list of probabilities, or "swarm""#
        ]],
    );
    refused(
        "workload = \"bank\"\n[disk]\nread-eio = 0.1\n",
        &[],
        expect![[
            r#"t.toml:3:12: `disk.read-eio` does not accept 0.1: expected a probability from 0/1 to 1/1 such as "1/1000", a range such as "1/10000..1/100", a list of probabilities, or "swarm""#
        ]],
    );
    refused(
        "workload = \"bank\"\nconnections = 65\n",
        &[],
        expect![[
            r#"t.toml:2:15: `connections` does not accept 65: expected a whole number from 1 to 64, a range such as "1..9", a list of numbers, or "swarm""#
        ]],
    );
    refused(
        "workload = \"bank\"\nconnections = \"8..4\"\n",
        &[],
        expect![[
            r#"t.toml:2:15: `connections` does not accept "8..4": expected a whole number from 1 to 64, a range such as "1..9", a list of numbers, or "swarm""#
        ]],
    );
    refused(
        "workload = \"bank\"\n[knobs]\nkey-choice = \"hott\"\n",
        &[],
        expect![[
            r#"t.toml:3:14: `knobs.key-choice` does not accept "hott": expected one of "hot", "cold", "colliding", "ascending", a list of those, or "swarm"; did you mean `hot`?"#
        ]],
    );
    refused(
        "workload = \"bank\"\n[limits]\nturns-max = \"swarm\"\n",
        &[],
        expect![[
            r#"t.toml:3:13: `limits.turns-max` does not accept "swarm": expected a whole number from 1 to 1000000000, a range such as "1..9", a list of numbers"#
        ]],
    );
    refused("workload = 4\n", &[], expect!["t.toml:1:12: `workload` does not accept 4: expected a text"]);
    refused(
        "workload = \"bank\"\nexpect = \"violatd\"\n",
        &[],
        expect![[
            r#"t.toml:2:10: `expect` does not accept "violatd": expected one of "holds", "violated"; did you mean `violated`?"#
        ]],
    );
    refused(
        "workload = \"bank\"\nseeds = \"9..3\"\n",
        &[],
        expect![[
            r#"t.toml:2:9: `seeds` does not accept "9..3": expected seeds such as "0..200", the second number excluded"#
        ]],
    );
    refused(
        "workload = \"bank\"\nfound_within = 0\n",
        &[],
        expect!["t.toml:2:16: `found_within` does not accept 0: expected a whole number, at least 1"],
    );
    refused(
        "workload = \"bank\"\ncompared_min = -1\n",
        &[],
        expect!["t.toml:2:16: `compared_min` does not accept -1: expected a whole number, at least 0"],
    );
    refused(
        "workload = \"bank\"\nengines = 7\n",
        &[],
        expect!["t.toml:2:11: `engines` does not accept 7: expected a name or a list of names"],
    );
    refused(
        "workload = \"bank\"\n[disk]\npowersafe-overwrite = \"no\"\n",
        &[],
        expect![[r#"t.toml:3:23: `disk.powersafe-overwrite` does not accept "no": expected true, false, or "swarm""#]],
    );
    refused(
        "workload = \"bank\"",
        &["crash.rate=2/1"],
        expect![[
            r#"--set crash.rate=2/1: `crash.rate` does not accept "2/1": expected a probability from 0/1 to 1/1 such as "1/1000", a range such as "1/10000..1/100", a list of probabilities, or "swarm""#
        ]],
    );
}

#[test]
fn what_cannot_be_together_is_refused() {
    refused(
        "workload = \"bank\"\n[crash]\nrate = \"1/9\"\nkill = 0\nos = 0\npower = 0\n",
        &[],
        expect![
            "t.toml:3:8: `crash.rate` asks for crashes and every kind has the weight 0: expected `crash.kill`, `crash.os` or `crash.power` above 0"
        ],
    );
    refused(
        "workload = \"bank\"\n[crash]\nrate = \"1/9\"\ncrashes-max = 0\n",
        &[],
        expect!["t.toml:4:15: `crash.rate` asks for crashes and `crash.crashes-max` is 0: expected at least 1"],
    );
    refused(
        "workload = \"bank\"\n[policy]\nname = \"round-robin\"\nsticky = \"1/2\"\n",
        &[],
        expect![[
            r#"t.toml:4:10: `policy.sticky` belongs to the policy `random` alone: expected `policy.name = "random"`"#
        ]],
    );
    refused(
        "workload = \"bank\"\nexpect = \"violated\"\n",
        &[],
        expect![[
            r#"t.toml:2:10: `expect = "violated"` says nothing of how soon: expected `found_within = N`, the seeds within which it must be found"#
        ]],
    );
    refused(
        "about = \"no workload\"\n",
        &[],
        expect![[r#"t.toml:1:1: no `workload` is named: expected `workload = "register"` or another"#]],
    );
    refused(
        "workload = \"bank\"\nfound_within = 3\nfound-within = 4\n",
        &[],
        expect!["t.toml:3:1: `found-within` is given twice, first at t.toml:2:1"],
    );
    refused(
        "workload = \"bank\"\n[disk]\nno-space = \"1/9\"\n",
        &[],
        expect![
            "t.toml:3:12: `disk.no-space` asks for a full disk and the disk has no bound: expected `disk.capacity-bytes`, a whole number from 4096 to 1099511627776"
        ],
    );
    refused(
        "workload = \"bank\"\n[disk]\nfailed-sync = \"late\"\n",
        &[],
        expect![
            "t.toml:3:15: `disk.failed-sync` says how a sync fails and `disk.sync-eio` is 0: expected `disk.sync-eio` above 0/1"
        ],
    );
    refused(
        "workload = \"bank\"\n[disk]\nmedia = [\"bit-flip\"]\n",
        &[],
        expect![
            "t.toml:3:9: `disk.media` names kinds of faults and `disk.media-rate` is 0: expected `disk.media-rate` above 0/1"
        ],
    );
    refused(
        "workload = \"bank\"\n[disk]\nmedia = []\nmedia-rate = \"1/9\"\n",
        &[],
        expect![
            "t.toml:3:9: `disk.media-rate` asks for faults and `disk.media` names none: expected at least one kind"
        ],
    );
    refused(
        "workload = \"bank\"\n[disk]\nmedia = [\"bitflip\"]\n",
        &[],
        expect![[
            r#"t.toml:3:9: `disk.media` does not accept "bitflip": expected a list of any of "bit-flip", "flip-on-read", "latent-sector", "misdirected-write", "misdirected-read", "lost-write", "stale-read", "zeroed-page", or "swarm" for all; did you mean `bit-flip`?"#
        ]],
    );
}

#[test]
fn a_profile_that_does_not_exist_or_never_ends_is_refused() {
    refused(
        "workload = \"bank\"\nextends = \"tinny\"\n",
        &[],
        expect!["t.toml:2:11: there is no profile `tinny`: expected one of deep, loop, tiny; did you mean `tiny`?"],
    );
    refused(
        "workload = \"bank\"\nextends = \"loop\"\n",
        &[],
        expect!["profiles/loop.toml:1:11: `extends` goes on for more than 8 files"],
    );
}

#[test]
fn an_argument_that_names_nothing_says_what_is_near() {
    let check = |argument: &str, expected: Golden| {
        expected.assert_eq(&library().find(argument, &[]).map(|_| ()).unwrap_err().to_string());
    };
    check(
        "smoke/bnak",
        expect![
            "smoke/bnak: neither a path nor the name of an embedded scenario or folder; did you mean `smoke/bank`?"
        ],
    );
    check(
        "smok",
        expect!["smok: neither a path nor the name of an embedded scenario or folder; did you mean `smoke`?"],
    );
    check(
        "nothing/of/the/kind",
        expect!["nothing/of/the/kind: neither a path nor the name of an embedded scenario or folder"],
    );
}

#[test]
fn images_want_crashes_to_choose_from() {
    refused(
        "workload = \"bank\"\n[images]\nrate = \"1/9\"\n[crash]\nkill = 0\nos = 0\npower = 0\n",
        &[],
        expect![
            "t.toml:3:8: `images.rate` asks for crashes and every kind has the weight 0: expected `crash.kill`, `crash.os` or `crash.power` above 0"
        ],
    );
}

#[test]
fn a_fault_rule_that_the_program_does_not_bring_is_refused_where_it_is_asked_for() {
    let scenario = build("workload = \"bank\"\n[disk]\nrules = [\"worn-uot\"]\n", &[]).unwrap();
    let problem = |registry: Registry| registry.pair(&scenario, &[]).unwrap_err().to_string();
    expect!["t.toml:3:9: there is no fault rule `worn-uot`: expected none: the program brings no rule of its own"]
        .assert_eq(&problem(Registry::standard()));
    expect!["t.toml:3:9: there is no fault rule `worn-uot`: expected one of worn-out; did you mean `worn-out`?"]
        .assert_eq(&problem(Registry::standard().fault_rule(std::sync::Arc::new(WornOut))));
}

struct WornOut;

impl crate::disk::sim::FaultRule for WornOut {
    fn name(&self) -> &'static str {
        "worn-out"
    }
    fn strike(
        &self,
        _: &crate::disk::sim::IoFacts<'_>,
        _: &mut crate::disk::sim::Dice<'_>,
    ) -> Option<crate::disk::sim::Strike> {
        None
    }
}

#[test]
fn a_name_a_folder_and_the_path_in_the_repository_find_the_same_scenarios() {
    let check = |argument: &str, expected: &[&str]| {
        let found: Vec<_> = library().find(argument, &[]).unwrap().into_iter().map(|found| found.name).collect();
        assert_eq!(found, expected, "{argument}");
    };
    check("smoke/bank", &["smoke/bank"]);
    check("smoke/bank.toml", &["smoke/bank"]);
    check("smoke", &["smoke/bank", "smoke/register"]);
    check("smoke/", &["smoke/bank", "smoke/register"]);
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("workloads/smoke");
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(folder.path().join("workloads/profiles")).unwrap();
    std::fs::write(inside.join("bank.toml"), "workload = \"bank\"").unwrap();
    std::fs::write(folder.path().join("workloads/profiles/own.toml"), "connections = 2").unwrap();
    check(inside.to_str().unwrap(), &["smoke/bank"]);
    check(inside.join("bank.toml").to_str().unwrap(), &["smoke/bank"]);
    check(folder.path().join("workloads").to_str().unwrap(), &["smoke/bank"]);
}

#[test]
fn later_layers_win_over_earlier_ones() {
    let scenario = build("extends = \"deep\"\nworkload = \"bank\"\nconnections = 5\n", &["transactions=9"]).unwrap();
    let drawn = scenario.draw(0);
    assert_eq!((drawn.connections, drawn.transactions, drawn.knobs.keys), (5, 9, 1));
    assert_eq!(drawn.world.disk.read_eio.to_string(), "1/50");
}

#[test]
fn a_profile_is_found_beside_the_file_that_extends_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.toml"), "connections = 7\n").unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, "extends = [\"tiny\", \"base.toml\"]\nworkload = \"bank\"\n").unwrap();
    let found = library().find(file.to_str().unwrap(), &[]).unwrap();
    assert_eq!(found[0].name, "own");
    assert_eq!((found[0].draw(0).connections, found[0].draw(0).transactions), (7, 4));
}

#[test]
fn a_profile_in_the_checkout_wins_over_the_embedded_one() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["profiles", "smoke"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("profiles/tiny.toml"), "connections = 9\n").unwrap();
    std::fs::write(folder.path().join("profiles/new.toml"), "extends = \"tiny\"\n").unwrap();
    let file = folder.path().join("smoke/own.toml");
    std::fs::write(&file, "extends = \"new\"\nworkload = \"bank\"\n").unwrap();
    assert_eq!(library().find(file.to_str().unwrap(), &[]).unwrap()[0].draw(0).connections, 9);
}

#[test]
fn what_a_seed_draws_is_the_same_for_ever_and_one_key_disturbs_no_other() {
    let text = "workload = \"bank\"\nconnections = \"swarm\"\ntransactions = \"4..64\"\n[disk]\nread-eio = \"swarm\"\n";
    let shown = |scenario: &Scenario, seed| {
        let drawn = scenario.draw(seed);
        format!("{} {} {}", drawn.connections, drawn.transactions, drawn.world.disk.read_eio)
    };
    let scenario = build(text, &[]).unwrap();
    let drawn: Vec<_> = (0..6).map(|seed| shown(&scenario, seed)).collect();
    expect![[r#"
        2 25 0/1
        7 17 1/284
        4 64 1/7022
        2 42 0/1
        4 12 0/1
        5 64 0/1"#]]
    .assert_eq(&drawn.join("\n"));
    let more = build(&format!("{text}write-eio = \"swarm\"\n"), &["knobs.keys=swarm"]).unwrap();
    assert_eq!((0..6).map(|seed| shown(&more, seed)).collect::<Vec<_>>(), drawn);
}

/// Flags that bring out every field that is otherwise absent.
const ALL: [&str; 4] =
    ["disk.sync-eio=1/9", "disk.failed-sync=late", "disk.capacity-bytes=8192", "disk.media-rate=1/9"];

#[test]
fn the_table_of_keys_and_the_structures_they_end_up_in_are_the_same() {
    let drawn = build("workload = \"bank\"\n", &ALL).unwrap().draw(0);
    let mut fields = vec!["connections".to_string(), "transactions".to_string()];
    let mut collect = |prefix: &str, value: toml::Value| walk(prefix, &value, &mut fields);
    collect("knobs.", toml::Value::try_from(&drawn.knobs).unwrap());
    collect("", toml::Value::try_from(&drawn.world).unwrap());
    fields.retain(|field| !field.starts_with("policy."));
    fields.sort();
    let is_drawn = |key: &&keys::Key| matches!(key.kind, keys::Kind::Drawn(_)) && !key.name.starts_with("policy.");
    let mut table: Vec<_> = keys::KEYS.iter().filter(is_drawn).map(|key| key.name.to_string()).collect();
    table.sort();
    assert_eq!(table, fields);
}

#[test]
fn every_policy_can_be_named_with_each_of_its_parameters() {
    for name in PolicyConfig::NAMES {
        let flags: Vec<_> = keys::POLICY_PARAMETERS
            .iter()
            .filter(|(_, owner)| *owner == name)
            .map(|(parameter, _)| format!("policy.{parameter}=swarm"))
            .chain([format!("policy.name={name}")])
            .collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let drawn = build("workload = \"bank\"\n", &flags).unwrap().draw(7);
        assert!(drawn.world.policy.name().starts_with(name), "{name}");
    }
    let swarm = build("workload = \"bank\"\n", &[]).unwrap();
    assert!((0..20).all(|seed| swarm.draw(seed).world.policy == portfolio(seed)));
}

#[test]
fn defaults_in_the_table_of_keys_are_those_of_the_structures() {
    let mut drawn = build("workload = \"bank\"\n", &[]).unwrap().draw(0);
    drawn.world.policy = WorldConfig::default().policy;
    assert_eq!(drawn.world, WorldConfig::default());
    let Knobs { keys, transaction_ops, .. } = drawn.knobs;
    assert_eq!((keys, transaction_ops), (8, 4));
}

fn walk(prefix: &str, value: &toml::Value, into: &mut Vec<String>) {
    let Some(table) = value.as_table() else { return into.push(prefix.trim_end_matches('.').to_string()) };
    table.iter().for_each(|(key, value)| walk(&format!("{prefix}{key}."), value, into));
}
