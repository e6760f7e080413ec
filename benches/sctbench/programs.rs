//! Programs of public concurrency benchmarks, written anew as state machines from what they are known to do.
//!
//! Every access to shared memory and every lock and unlock is a step, as in the instrumented originals. All
//! threads are there from the beginning; the originals create them one after the other.

use crate::lab::{Cell, Go, Program, Regs, Step, lock, read, unlock, write};

/// What was published: mean schedules to the first bug under SURW, PCT-3, PCT-10, POS and the random walk,
/// and how many of 20 trials of 10,000 schedules found it, from the raw data of Zhao and others (ASPLOS
/// 2025, github.com/zhaohuanqdcn/SURW, stats/period).
pub(crate) type Published = [(u32, u32); 5];

type Act = fn(&mut Regs, &mut i64) -> Go;

fn program(name: &'static str, cells: usize, codes: Vec<Vec<Step>>, threads: &[(usize, usize)]) -> Program {
    let threads = threads.iter().flat_map(|&(code, count)| std::iter::repeat_n(code, count));
    let regs = |thread: usize| -> Regs { [0, 0, 0, 0, 0, 0, 0, thread as i64] };
    let threads = threads.enumerate().map(|(thread, code)| (code, regs(thread))).collect();
    Program { name, cells: vec![0; cells], codes, threads, check: |_| true }
}

fn set(cell: usize, act: Act) -> Step {
    write(Cell::At(cell), act)
}

fn get(cell: usize, act: Act) -> Step {
    read(Cell::At(cell), act)
}

const ONE: Act = |_, cell| {
    *cell = 1;
    Go::Next
};
const KEEP: Act = |regs, cell| {
    regs[0] = *cell;
    Go::Next
};
const STORE: Act = |regs, cell| {
    *cell = regs[0];
    Go::Next
};

/// `x += 1` as two steps.
fn add(cell: usize) -> Vec<Step> {
    vec![
        get(cell, |regs, value| {
            regs[0] = *value + 1;
            Go::Next
        }),
        set(cell, STORE),
    ]
}

/// A deposit, a withdrawal, and a check that the deposit was taken away too: wrong whenever both are done.
fn account() -> (Program, Published) {
    const M: usize = 0;
    const BALANCE: usize = 1;
    const DEPOSITED: usize = 2;
    const WITHDRAWN: usize = 3;
    let change = |by: Act, done| vec![lock(M), get(BALANCE, by), set(BALANCE, STORE), set(done, ONE), unlock(M)];
    let up: Act = |regs, value| {
        regs[0] = *value + 2;
        Go::Next
    };
    let down: Act = |regs, value| {
        regs[0] = *value - 4;
        Go::Next
    };
    let done: Act = |_, value| if *value == 0 { Go::To(4) } else { Go::Next };
    let check = vec![
        lock(M),
        get(DEPOSITED, done),
        get(WITHDRAWN, done),
        get(BALANCE, |_, value| if *value == -5 { Go::Next } else { Go::Bug }),
        unlock(M),
    ];
    let codes = vec![change(up, DEPOSITED), change(down, WITHDRAWN), check];
    (program("CS/account", 4, codes, &[(0, 1), (1, 1), (2, 1)]), [(6, 20), (4, 20), (4, 20), (4, 20), (18, 20)])
}

/// A driver that is stopped between another's check of the flag and its count of pending requests.
fn bluetooth_driver() -> (Program, Published) {
    const STOPPING: usize = 0;
    const PENDING: usize = 1;
    const EVENT: usize = 2;
    const STOPPED: usize = 3;
    let leave: Act = |regs, value| {
        *value -= 1;
        regs[0] = *value;
        Go::Next
    };
    let add = vec![
        get(STOPPING, |_, value| if *value == 0 { Go::Next } else { Go::To(3) }),
        set(PENDING, |_, value| {
            *value += 1;
            Go::Next
        }),
        get(STOPPED, |_, value| if *value == 0 { Go::Next } else { Go::Bug }),
        set(PENDING, |regs, value| {
            *value -= 1;
            regs[0] = *value;
            if regs[0] == 0 { Go::Next } else { Go::End }
        }),
        set(EVENT, ONE),
    ];
    let stop = vec![
        set(STOPPING, ONE),
        set(PENDING, leave),
        // Only the last one out sets the event; the others look at it.
        write(Cell::At(EVENT), |regs, value| {
            if regs[0] == 0 {
                *value = 1;
            }
            Go::Next
        }),
        get(EVENT, |_, value| if *value == 1 { Go::Next } else { Go::End }),
        set(STOPPED, ONE),
    ];
    let (mut program, published) = (
        program("CS/bluetooth_driver", 4, vec![add, stop], &[(0, 1), (1, 1)]),
        [(70, 20), (112, 20), (83, 20), (36, 20), (215, 20)],
    );
    program.cells[PENDING] = 1;
    (program, published)
}

/// Two locks, taken in either order.
fn deadlock01() -> (Program, Published) {
    let take = |a, b| [vec![lock(a), lock(b)], add(2), vec![unlock(b), unlock(a)]].concat();
    let codes = vec![take(0, 1), take(1, 0)];
    (program("CS/deadlock01", 3, codes, &[(0, 1), (1, 1)]), [(2, 20), (13, 20), (7, 20), (4, 20), (3, 20)])
}

/// Two additions and a third thread that must not come after both.
fn lazy01() -> (Program, Published) {
    const M: usize = 0;
    const DATA: usize = 1;
    let grow = |by: Act| vec![lock(M), get(DATA, by), set(DATA, STORE), unlock(M)];
    let one: Act = |regs, value| {
        regs[0] = *value + 1;
        Go::Next
    };
    let two: Act = |regs, value| {
        regs[0] = *value + 2;
        Go::Next
    };
    let look = vec![lock(M), get(DATA, |_, value| if *value >= 3 { Go::Bug } else { Go::Next }), unlock(M)];
    let codes = vec![grow(one), grow(two), look];
    (program("CS/lazy01", 2, codes, &[(0, 1), (1, 1), (2, 1)]), [(2, 20), (5, 20), (5, 20), (5, 20), (21, 20)])
}

/// Some threads set a, then b; others must see both or none, and the first one to set has to be held.
fn reorder(name: &'static str, setters: usize, checkers: usize, published: Published) -> (Program, Published) {
    const A: usize = 0;
    const B: usize = 1;
    let minus: Act = |_, value| {
        *value = -1;
        Go::Next
    };
    let check = vec![
        get(A, |_, value| if *value == 0 { Go::Next } else { Go::To(2) }),
        get(B, |_, value| if *value == 0 { Go::End } else { Go::Next }),
        get(A, |_, value| if *value == 1 { Go::Next } else { Go::Bug }),
        get(B, |_, value| if *value == -1 { Go::End } else { Go::Bug }),
    ];
    (program(name, 2, vec![vec![set(A, ONE), set(B, minus)], check], &[(0, setters), (1, checkers)]), published)
}

/// A stack whose consumer looks at a flag that is never taken back.
fn stack() -> (Program, Published) {
    const M: usize = 0;
    const TOP: usize = 1;
    const FLAG: usize = 2;
    let again: Act = |regs, value| {
        *value = 0;
        regs[1] += 1;
        if regs[1] == 10 { Go::End } else { Go::To(0) }
    };
    let grow: Act = |regs, value| {
        regs[0] = *value + 1;
        Go::Next
    };
    let shrink: Act = |regs, value| {
        regs[0] = *value - 1;
        if *value == 0 { Go::Bug } else { Go::Next }
    };
    let push = vec![lock(M), get(TOP, grow), set(TOP, STORE), set(FLAG, ONE), set(M, again)];
    let flag: Act = |_, value| if *value == 0 { Go::To(4) } else { Go::Next };
    let pop = vec![lock(M), get(FLAG, flag), get(TOP, shrink), set(TOP, STORE), set(M, again)];
    (program("CS/stack", 3, vec![push, pop], &[(0, 1), (1, 1)]), [(5, 20), (3, 20), (3, 20), (2, 20), (176, 20)])
}

/// Three threads hand a number around; a fourth finds that all have, and in the wrong order.
fn token_ring() -> (Program, Published) {
    const X: usize = 0;
    // One atomic block each: the three numbers and flags are kept in one cell, two bits each.
    let hand: [Act; 3] = [
        |_, all| {
            let x3 = (*all >> 4) & 3;
            *all = (*all & !3) | ((x3 + 1) % 4) | 1 << 6;
            Go::Next
        },
        |_, all| {
            *all = (*all & !(3 << 2)) | ((*all & 3) << 2) | 1 << 7;
            Go::Next
        },
        |_, all| {
            *all = (*all & !(3 << 4)) | (((*all >> 2) & 3) << 4) | 1 << 8;
            Go::Next
        },
    ];
    let check: Act = |_, all| {
        let (x1, x2, x3) = (*all & 3, (*all >> 2) & 3, (*all >> 4) & 3);
        if *all >> 6 == 7 && !(x1 == x2 && x2 == x3) { Go::Bug } else { Go::Next }
    };
    let codes = vec![vec![set(X, hand[0])], vec![set(X, hand[1])], vec![set(X, hand[2])], vec![get(X, check)]];
    let mut program = program("CS/token_ring", 1, codes, &[(0, 1), (1, 1), (2, 1), (3, 1)]);
    program.cells[X] = 1 | 2 << 2 | 1 << 4;
    (program, [(8, 20), (8, 20), (8, 20), (9, 20), (13, 20)])
}

/// Two stages under two locks; a reader comes between the stages of the first writer.
fn twostage(name: &'static str, writers: usize, published: Published) -> (Program, Published) {
    const L1: usize = 0;
    const L2: usize = 1;
    const D1: usize = 2;
    const D2: usize = 3;
    let next: Act = |regs, value| {
        regs[0] = *value + 1;
        Go::Next
    };
    let writer = vec![lock(L1), set(D1, ONE), unlock(L1), lock(L2), get(D1, next), set(D2, STORE), unlock(L2)];
    let reader = vec![
        lock(L1),
        get(D1, |_, value| if *value == 0 { Go::To(7) } else { Go::Next }),
        get(D1, KEEP),
        unlock(L1),
        lock(L2),
        get(D2, |regs, value| {
            regs[1] = *value;
            Go::Next
        }),
        set(L2, |regs, value| {
            *value = 0;
            if regs[1] == regs[0] + 1 { Go::End } else { Go::Bug }
        }),
        set(L1, |_, value| {
            *value = 0;
            Go::End
        }),
    ];
    (program(name, 4, vec![writer, reader], &[(0, writers), (1, 1)]), published)
}

/// One thread guards a counter with a lock, the others with another one.
fn wronglock(name: &'static str, others: usize, published: Published) -> (Program, Published) {
    const RIGHT: usize = 0;
    const WRONG: usize = 1;
    const DATA: usize = 2;
    let keep: Act = |regs, value| {
        regs[1] = *value;
        Go::Next
    };
    let check: Act = |regs, value| if *value == regs[1] + 1 { Go::Next } else { Go::Bug };
    let right = [vec![lock(RIGHT), get(DATA, keep)], add(DATA), vec![get(DATA, check), unlock(RIGHT)]].concat();
    let wrong = [vec![lock(WRONG)], add(DATA), vec![unlock(WRONG)]].concat();
    (program(name, 3, vec![right, wrong], &[(0, 1), (1, others)]), published)
}

/// A buffer is appended to another: its length is asked for, it is emptied, then its characters are.
fn stringbuffer() -> (Program, Published) {
    const SOURCE: usize = 0;
    const COUNT: usize = 1;
    const TARGET: usize = 2;
    let check: Act = |regs, value| if regs[0] > *value { Go::Bug } else { Go::Next };
    let append = vec![
        lock(TARGET),
        lock(SOURCE),
        get(COUNT, KEEP),
        unlock(SOURCE),
        lock(SOURCE),
        get(COUNT, check),
        unlock(SOURCE),
        unlock(TARGET),
    ];
    let change = |by: Act| vec![lock(SOURCE), get(COUNT, KEEP), set(COUNT, by), unlock(SOURCE)];
    let erase: Act = |regs, value| {
        *value = regs[0] - 3;
        Go::Next
    };
    let refill: Act = |regs, value| {
        *value = regs[0] + 3;
        Go::Next
    };
    let codes = vec![append, [change(erase), change(refill)].concat()];
    let mut program = program("CB/stringbuffer-jdk1.4", 3, codes, &[(0, 1), (1, 1)]);
    program.cells[COUNT] = 3;
    (program, [(8, 20), (281, 20), (26, 20), (23, 20), (2243, 19)])
}

/// A pipe is opened through its inode while the last one who had it open lets go of it: the pointer is
/// checked, taken away, and used.
fn cve_2009_3547() -> (Program, Published) {
    const PIPE: usize = 0;
    const MUTEX: usize = 1;
    const READERS: usize = 2;
    let open = vec![
        get(PIPE, |_, value| if *value == 0 { Go::End } else { Go::Next }),
        lock(MUTEX),
        get(PIPE, |_, value| if *value == 0 { Go::Bug } else { Go::Next }),
        set(READERS, |_, value| {
            *value += 1;
            Go::Next
        }),
        unlock(MUTEX),
    ];
    let release = vec![
        lock(MUTEX),
        set(READERS, |_, value| {
            *value -= 1;
            if *value == 0 { Go::Next } else { Go::To(3) }
        }),
        set(PIPE, |_, value| {
            *value = 0;
            Go::Next
        }),
        unlock(MUTEX),
    ];
    let mut program = program("ConVul/CVE-2009-3547", 3, vec![open, release], &[(0, 1), (1, 1)]);
    (program.cells[PIPE], program.cells[READERS]) = (1, 1);
    (program, [(4, 20), (4, 20), (3, 20), (3, 20), (5, 20)])
}

/// Two keyrings are installed one after the other under a lock; another thread looks at the first one without
/// it, takes both for there, and uses the second.
fn cve_2013_1792() -> (Program, Published) {
    const MUTEX: usize = 0;
    const USER: usize = 1;
    const SESSION: usize = 2;
    let install = |there: usize| {
        vec![
            get(USER, |_, value| if *value == 0 { Go::Next } else { Go::To(6) }),
            lock(MUTEX),
            get(USER, |_, value| if *value == 0 { Go::Next } else { Go::To(5) }),
            set(USER, ONE),
            set(SESSION, ONE),
            unlock(MUTEX),
            get(there, |_, value| if *value == 0 { Go::Bug } else { Go::Next }),
        ]
    };
    let codes = vec![install(SESSION)];
    (program("ConVul/CVE-2013-1792", 3, codes, &[(0, 2)]), [(15, 20), (95, 20), (50, 20), (39, 20), (364, 20)])
}

/// A task's I/O context is checked and then read, while the task exits and takes it away.
fn cve_2016_7911() -> (Program, Published) {
    const CONTEXT: usize = 0;
    const TASK: usize = 1;
    let ask = vec![
        get(TASK, KEEP),
        get(CONTEXT, |_, value| if *value == 0 { Go::End } else { Go::Next }),
        get(CONTEXT, |_, value| if *value == 0 { Go::Bug } else { Go::Next }),
    ];
    let exit = vec![
        lock(TASK),
        get(CONTEXT, KEEP),
        set(CONTEXT, |_, value| {
            *value = 0;
            Go::Next
        }),
        unlock(TASK),
    ];
    let mut program = program("ConVul/CVE-2016-7911", 2, vec![ask, exit], &[(0, 1), (1, 1)]);
    program.cells[CONTEXT] = 1;
    (program, [(8, 20), (20, 20), (15, 20), (11, 20), (3, 20)])
}

/// Vyukov's lock-free stack of three, by three threads that pop and push twice each. Two threads can come to
/// hold the same item, after at least five context switches at the right places. Of a million schedules.
pub(crate) fn safestack() -> (Program, Published) {
    const COUNT: usize = 0;
    const HEAD: usize = 1;
    const NEXT: Cell = Cell::By(|regs| 2 + regs[0] as usize);
    const VALUE: Cell = Cell::By(|regs| 5 + regs[0] as usize);
    let code = vec![
        get(COUNT, |_, count| if *count > 1 { Go::Next } else { Go::Spin(0) }),
        get(HEAD, KEEP),
        write(NEXT, |regs, next| {
            regs[1] = std::mem::replace(next, -1);
            if regs[1] >= 0 { Go::Next } else { Go::Spin(0) }
        }),
        set(HEAD, |regs, head| {
            if *head != regs[0] {
                return Go::Next;
            }
            *head = regs[1];
            Go::To(5)
        }),
        write(NEXT, |regs, next| {
            *next = regs[1];
            Go::To(0)
        }),
        set(COUNT, |_, count| {
            *count -= 1;
            Go::Next
        }),
        write(VALUE, |regs, value| {
            *value = regs[7];
            Go::Next
        }),
        read(VALUE, |regs, value| if *value == regs[7] { Go::Next } else { Go::Bug }),
        get(HEAD, |regs, head| {
            regs[1] = *head;
            Go::Next
        }),
        write(NEXT, |regs, next| {
            *next = regs[1];
            Go::Next
        }),
        set(HEAD, |regs, head| {
            if *head == regs[1] {
                *head = regs[0];
                return Go::Next;
            }
            regs[1] = *head;
            Go::To(9)
        }),
        set(COUNT, |regs, count| {
            *count += 1;
            regs[2] += 1;
            if regs[2] == 2 { Go::End } else { Go::To(0) }
        }),
    ];
    let mut program = program("SafeStack", 8, vec![code], &[(0, 3)]);
    program.cells[..5].copy_from_slice(&[3, 0, 1, 2, -1]);
    (program, [(368_921, 19), (0, 0), (0, 0), (0, 0), (0, 0)])
}

/// All but SafeStack.
pub(crate) fn programs() -> Vec<(Program, Published)> {
    vec![
        account(),
        bluetooth_driver(),
        deadlock01(),
        lazy01(),
        reorder("CS/reorder_3", 2, 1, [(7, 20), (185, 20), (148, 20), (86, 20), (0, 0)]),
        reorder("CS/reorder_5", 4, 1, [(10, 20), (647, 20), (1094, 20), (2169, 20), (0, 0)]),
        reorder("CS/reorder_10", 9, 1, [(17, 20), (3225, 16), (4462, 12), (0, 0), (0, 0)]),
        reorder("CS/reorder_20", 10, 10, [(6, 20), (3005, 20), (3297, 17), (0, 0), (0, 0)]),
        stack(),
        token_ring(),
        twostage("CS/twostage", 1, [(8, 20), (13, 20), (9, 20), (15, 20), (464, 20)]),
        twostage("CS/twostage_20", 19, [(6, 20), (159, 20), (101, 20), (156, 20), (0, 0)]),
        wronglock("CS/wronglock", 7, [(7, 20), (51, 20), (20, 20), (10, 20), (36, 20)]),
        wronglock("CS/wronglock_3", 3, [(9, 20), (58, 20), (14, 20), (11, 20), (36, 20)]),
        stringbuffer(),
        cve_2009_3547(),
        cve_2013_1792(),
        cve_2016_7911(),
        twostage("CS/twostage_100", 99, [(454, 20), (7466, 3), (5726, 9), (6674, 3), (0, 0)]),
    ]
}
