//! Found by squall in the scenario `planted/dirty-read`, seed 1:
//! T2 read c2.1.2 in k0000, which T1 wrote, and T1 failed.

use squall::scenario::{Case, Registry};

/// Everything that this test can run. An engine of your own is added here, as your program does it:
/// `Registry::standard().engine::<squall::engine::kv::Kv, YourEngine>()`.
fn registry() -> Registry {
    Registry::standard()
}

/// Fails as long as the engine `dinghy` shows it.
#[test]
fn rw_register_g1a() {
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
build = "7da1a2b432928c6f"
scenario = "planted/dirty-read"
seed = "1"
bucket = "rw-register-g1a-ce583f62"
hash = "c295731c813081bc"
turns = 108

[finding]
property = "rw-register"
anomaly = "G1a"
sentence = "T2 read c2.1.2 in k0000, which T1 wrote, and T1 failed."
resources = ["k0000"]
turn = 47
ops = [3, 4, 5, 6, 7, 8, 9]
proof = ["Let T1 = operations 3 to 5 by p0 (w k0000 c2.1.2), T2 = operations 6 to 9 by p1 (r k0000 c2.1.2, w k0000 c3.3.2).", "T2 read c2.1.2 in k0000, which T1 wrote, and T1 failed."]

[original]
connections = 4
ops = 65
crashes = 0
faults = 0
switches = 34
bits = 47
segments = 140
turns = 237

[shrunk]
replays = 1572

[shrunk.size]
connections = 2
ops = 10
crashes = 0
faults = 0
switches = 2
bits = 0
segments = 75
turns = 108

[configuration]
workload = "rw-register"
properties = ["rw-register", "durability", "integrity", "garbage"]
connections = 4
transactions = 4

[configuration.knobs]
keys = 1
key-choice = "colliding"
transaction-ops = 3
value-bytes = 16
reads-percent = 40
rollbacks-percent = 1
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
close = "0/1"
spurious-wakeup = "0/1"

[configuration.world.policy]
name = "surw"
spots-max = 3

[configuration.world.policy.estimates]
turns = 156

[configuration.world.policy.estimates.connections]
c0 = 36
c1 = 35
c2 = 26
c3 = 37
engine = 22

[configuration.world.policy.estimates.spots."commit latch#0"]
c0 = 4
c1 = 4

[configuration.world.policy.estimates.spots."root#0"]
c0 = 7
c1 = 7

[configuration.world.policy.estimates.spots."file 2"]
c0 = 6
c1 = 4
engine = 10

[configuration.world.disk]
read-eio = "0/1"
write-eio = "0/1"
sync-eio = "0/1"
sync-lie = "0/1"
interrupted = "0/1"
no-space = "0/1"
no-memory = "0/1"
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
rules = []

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
kill-writes-back = false
in-recovery = "3/10"

[configuration.world.images]
rate = "0/1"
count = 2
points-max = 8
in-recovery = "3/10"

[configuration.world.limits]
turns-max = 500
livelock-turns = 20000
starvation-turns = 100000
fairness-turns = 10000
rest-turns = 20000

[plan]
setup = []
settle = [
    [],
]
probe = [
    ["begin", { get = "k0000" }, { put = ["k0000", { id = "c4.0.2", len = 0 }] }, { get = "k0000" }, { put = ["k0000", { id = "c4.0.4", len = 0 }] }, "commit"],
    ["begin", { put = ["k0000", { id = "c4.1.1", len = 0 }] }, "commit"],
]

[plan.connections]
c0 = [
    [],
    [],
    [],
    [],
]
c1 = [
    [],
    [],
    [],
    [],
]
c2 = [
    ["begin", { get = "k0000" }, "commit"],
    ["begin", { put = ["k0000", { id = "c2.1.2", len = 0 }] }, "commit"],
    [],
    [],
]
c3 = [
    [],
    [],
    [],
    ["begin", { get = "k0000" }, { put = ["k0000", { id = "c3.3.2", len = 0 }] }, "commit"],
]

# Whose turn it was, and every draw that was not calm. Whatever is absent is calm.

[decisions]
schedule = '''
engine engine/op1/io3 engine engine/op1/io4 engine/op1/io5 engine engine/op1/io6 engine engine/op1/io7 engine
engine/op1/io8 engine engine/op1/io9 engine engine/op1/io10 engine engine/op1/io11 engine engine/op1/io12
engine engine/op1/io13 engine c2*3 c2/op1/io0 c2*6 c3*7 c3/op303/io0 c3 c3/op303/io1 c3 c3/op303/io2 c3*2 c2
engine engine/op2/io0 engine*10 engine/op8/io0 engine engine/op8/io1 engine engine/op8/io2 engine*3
engine/op1000001/io0 engine engine/op1000001/io1 engine engine/op1000001/io2 engine/op1000001/io3 engine
engine/op1000001/io4 engine engine/op1000001/io5 engine engine/op1000001/io6 engine engine/op1000001/io7
engine engine/op1000001/io8 engine engine/op1000001/io9 engine engine/op1000001/io10 engine
engine/op1000001/io11 engine*2 engine/op1000002/io0 engine engine/op1000002/io1 engine*7 engine/op1000005/io0
engine engine/op1000005/io1 engine engine/op1000005/io2 engine*2'''
draws = '''
'''
timeline = "108/1:d9f59a47a81c5250d35e5f6194efe20d09509c6469f9ed7f49cd4ac1292415949170a8c63203f8e6bb971fb043852398c82a7d896894271d482656727d321146d8c32fe868fabbddc213a8f667cbe998de3adecf7b2fb21af499d2740b6ca0ba1243f41cba480c3d75f91d83dc2cedd73873f2fed003fceecc0f69a13f2495e9ec9ba80cbb55dfc29fa07633c802a60077dba9a066a58904f8bd4589f36bc767b9f547edf9616506d6cc6f816bdde3aba332cf80cfec8eac8b0c14f0b5e966a2b263fbbaeaad71b49485019d8e5e4a1247a7250718fcea2b"
"##;
