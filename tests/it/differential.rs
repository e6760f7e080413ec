//! The property `differential` end to end: engines that agree, one that is told to have a bug, and another that is
//! not the engine it says it is.

use squall::aio::IOResult;
use squall::engine::kv::{Kv, KvOp, KvValue};
use squall::engine::{Connection, Engine, EngineError, EngineInfo, Env, Options, Promises, Reply};
use squall::engines::dinghy::{Dinghy, DinghyConnection};
use squall::property::Finding;
use squall::scenario::{Registry, Scenario, parse};
use squall::tape::Tape;

/// dinghy under another name, which forgets each fifth write of a connection and says that it is done.
struct Forgetful(Dinghy);

struct Client {
    inner: DinghyConnection,
    writes: u32,
}

impl Engine<Kv> for Forgetful {
    type Connection = Client;

    fn info() -> EngineInfo {
        EngineInfo { name: "forgetful", ..Dinghy::info() }
    }

    fn promises(options: &Options) -> Promises {
        Dinghy::promises(options)
    }

    fn new(env: &Env) -> Result<Self, EngineError> {
        Dinghy::new(env).map(Self)
    }

    fn open(&mut self) -> Result<IOResult<()>, EngineError> {
        self.0.open()
    }

    fn connect(&mut self) -> Result<Client, EngineError> {
        Ok(Client { inner: self.0.connect()?, writes: 0 })
    }

    fn check(&mut self) -> Result<IOResult<Vec<String>>, EngineError> {
        self.0.check()
    }

    fn crash(self) {
        self.0.crash();
    }
}

impl Connection<Kv> for Client {
    fn start(&mut self, op: &KvOp) {
        self.writes += u32::from(matches!(op, KvOp::Put(..)));
        match op {
            // Under a key that nobody asks for: the commit has its place among the others all the same.
            KvOp::Put(_, value) if self.writes.is_multiple_of(5) => self.inner.start(&KvOp::Put("lost".into(), *value)),
            op => self.inner.start(op),
        }
    }

    fn step(&mut self) -> Result<IOResult<Reply<KvValue>>, EngineError> {
        self.inner.step()
    }

    fn abandon(&mut self) {
        self.inner.abandon();
    }

    fn crash(self) {
        self.inner.crash();
    }
}

/// What twelve seeds of a scenario on an engine find, and how much they compared.
fn run(registry: Registry, engine: &str, workload: &str, rest: &str) -> (Option<Finding>, u64) {
    let text = format!(
        "workload = \"{workload}\"\nproperties = \"differential\"\nconnections = 3\ntransactions = 20\n\
         [knobs]\nkeys = 4\nkey-choice = \"colliding\"\n{rest}"
    );
    let registry = registry.standard_workloads().standard_properties();
    let scenario = Scenario::new("test", vec![parse("test", &text).expect("TOML")]).expect("a scenario");
    let (pairings, skipped) = registry.pair(&scenario, &[engine.to_string()]).expect("it can be run");
    let [pairing] = &pairings[..] else { panic!("skipped: {skipped:?}") };
    let mut compared = 0;
    for seed in 0..12 {
        let configuration = pairing.configure(&registry, &scenario, seed).expect("it can be configured");
        let result = registry.run(&configuration, seed, None, Tape::seeded(seed)).expect("it can be run");
        compared += result.judged[0].1.compared;
        if let Some(finding) = result.findings.into_iter().next() {
            return (Some(finding), compared);
        }
    }
    (None, compared)
}

fn dinghy() -> Registry {
    Registry::new().engine::<Kv, Dinghy>()
}

#[test]
fn an_engine_agrees_with_itself_asked_one_after_the_other() {
    for workload in ["churn", "counter", "list-append", "register"] {
        let (finding, compared) = run(dinghy(), "dinghy", workload, "");
        assert_eq!(finding, None, "{workload}");
        assert!(compared > 20, "{workload}: {compared}");
    }
}

#[test]
fn a_lost_update_ends_in_other_content_than_the_same_commits_in_order() {
    let (finding, _) = run(dinghy(), "dinghy", "counter", "[engine]\nbugs = [\"lost-update\"]\n");
    let finding = finding.expect("it is found");
    assert_eq!((&*finding.property, &*finding.anomaly), ("differential", "other-content"));
    assert!(finding.sentence.contains("dinghy, asked the same commits one after the other, ends with "), "{finding:?}");
}

#[test]
fn an_engine_that_forgets_a_write_differs_from_one_that_does_not_whichever_of_them_was_run() {
    let both = || dinghy().engine::<Kv, Forgetful>();
    for (engine, sentence) in [("dinghy", "; forgetful, asked"), ("forgetful", "; dinghy, asked")] {
        let (finding, _) = run(both(), engine, "register", "");
        let finding = finding.expect("it is found");
        assert_eq!(finding.anomaly, "other-content");
        assert!(finding.sentence.contains(sentence), "{finding:?}");
    }
}

/// The commits of one engine, asked of another that shares nothing with it but the words.
#[cfg(feature = "sqlite")]
#[test]
fn sqlite_differs_from_an_engine_that_forgets_a_write_and_from_no_other() {
    use squall::engine::sql::OverSql;
    use squall::engines::sqlite::Sqlite;

    let sqlite = || dinghy().engine::<Kv, OverSql<Sqlite>>();
    for engine in ["dinghy", "sqlite"] {
        let (finding, compared) = run(sqlite(), engine, "register", "");
        assert_eq!(finding, None);
        assert!(compared > 50, "{compared}");
    }
    let (finding, _) = run(sqlite().engine::<Kv, Forgetful>(), "sqlite", "register", "");
    assert!(finding.expect("it is found").sentence.contains("; forgetful, asked"));
}
