//! Found by squall in the scenario `planted/dirty-read`, seed 2:
//! T1 read c2.1.1 in k0000, where its own steps before left nothing.

use squall::scenario::{Case, Registry};

/// Everything that this test can run. An engine of your own is added here, as your program does it:
/// `Registry::standard().engine::<squall::engine::kv::Kv, YourEngine>()`.
fn registry() -> Registry {
    Registry::standard()
}

/// Fails as long as the engine `dinghy` shows it.
#[test]
fn rw_register_internal() {
    let case = Case::parse("the case in this test", CASE).unwrap();
    let rerun = registry().rerun(&case).unwrap();
    assert!(!rerun.shows_it, "{}", rerun.sentence);
}

const CASE: &str = r##"# A failure found by squall. It says all that is needed to replay it:
# squall replay THIS_FILE

[case]
format = 1
squall = "0.1.0"
program = "squall"
scenario = "planted/dirty-read"
seed = "2"
bucket = "rw-register-internal-967e6952"
hash = "27529e8e1faae73d"
turns = 62

[finding]
property = "rw-register"
anomaly = "internal"
sentence = "T1 read c2.1.1 in k0000, where its own steps before left nothing."
resources = ["k0000"]
turn = 29
ops = [0, 1, 5, 6]
proof = ["Let T1 = operations 0 to 6 by p0 (r k0000 null, r k0000 c2.1.1).", "T1 read c2.1.1 in k0000, where its own steps before left nothing."]

[original]
connections = 3
ops = 130
crashes = 0
faults = 0
switches = 40
bits = 104
segments = 180
turns = 387

[shrunk]
replays = 1567

[shrunk.size]
connections = 2
ops = 7
crashes = 0
faults = 0
switches = 3
bits = 0
segments = 50
turns = 62

[configuration]
workload = "rw-register"
properties = ["rw-register", "durability", "integrity", "garbage"]
connections = 3
transactions = 10

[configuration.knobs]
keys = 1
key-choice = "colliding"
transaction-ops = 3
value-bytes = 16
reads-percent = 40
rollbacks-percent = 0
checkpoints-permille = 30
vacuums-permille = 0

[configuration.engine]
name = "dinghy"
version = "1"
family = "kv"
bugs = []

[configuration.engine.options]
cache_pages = 64
checkpoint_frames = 64
isolation = "serializable"
page_size = 512
retries = 8
sync = "commit"

[configuration.world]
abandon = "0/1"

[configuration.world.policy]
name = "surw"
spots-max = 3

[configuration.world.policy.estimates]
turns = 410

[configuration.world.policy.estimates.connections]
c0 = 119
c1 = 119
c2 = 120
engine = 52

[configuration.world.policy.estimates.spots."commit latch#0"]
c0 = 16
c1 = 13

[configuration.world.policy.estimates.spots."root#0"]
c0 = 23
c1 = 23
engine = 2

[configuration.world.policy.estimates.spots."file 2"]
c0 = 17
c1 = 19
engine = 9

[configuration.world.disk]
read-eio = "0/1"
write-eio = "0/1"
sync-eio = "0/1"
sync-lie = "0/1"
interrupted = "0/1"
no-space = "0/1"
media = []
media-rate = "0/1"
clock-jump = "0/1"
clock-jump-ticks-max = 1000
read-short = "0/1"
write-short = "0/1"
slow = "0/1"
slow-ticks = 100
split = "0/1"
powersafe-overwrite = true
size-first = "1/4"
unsynced-writes-max = 1024

[configuration.world.disk.survivors]
lose-all = 15
keep-all = 10
prefix = 20
sectors = 35
operations = 10
garbage = 10

[configuration.world.crash]
rate = "0/1"
crashes-max = 3
kill = 2
os = 3
power = 3
in-recovery = "3/10"

[configuration.world.limits]
turns-max = 1000000
livelock-turns = 20000
starvation-turns = 100000
fairness-turns = 10000

[plan]
setup = []
settle = [
    [],
]

[plan.connections]
c0 = [
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
]
c1 = [
    ["begin", { get = "k0000" }, { get = "k0000" }, "commit"],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
]
c2 = [
    [],
    ["begin", { put = ["k0000", { id = "c2.1.1", len = 0 }] }, "commit"],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
    [],
]

# Whose turn it was, and every draw that was not calm. Whatever is absent is calm.

[decisions]
schedule = '''
engine engine/op1/io3 engine engine/op1/io4 engine/op1/io5 engine engine/op1/io6 engine engine/op1/io7 engine
engine/op1/io8 engine engine/op1/io9 engine engine/op1/io10 engine c1*3 c1/op1/io0 c2*6 c1*3 c2/op102/io0 c2
c2/op102/io1 c2 c2/op102/io2 c2*2 engine engine/op2/io0 engine*2 engine/op1000001/io0 engine
engine/op1000001/io1 engine engine/op1000001/io2 engine/op1000001/io3 engine engine/op1000001/io4 engine
engine/op1000001/io5 engine engine/op1000001/io6 engine engine/op1000001/io7 engine engine/op1000001/io8
engine*2 engine/op1000002/io0 engine engine/op1000002/io1 engine'''
draws = '''
'''
timeline = "62/1:d9f59a47a81c5250d35e5f6194efe20d09509c6469f9ed7f49cd4ac129241594598cdb5c8c9c7d1a9ccc0f973f3466937f637a0909bfc9728922e870e25a73001efeae1b04645f3b42af8d7c55329020473679bf68b84524a5f18626dfd5b4a2cf1e05d467ec3c3761c96aa01ddccf1d671e8fe3bade11d835a2a1ed"
"##;
