//! What the connections of one database share, and what belongs to each: the disk, the lock tables, and whether
//! the client is still alive.
//!
//! No C and no pointers here. SQLite's process-wide random generator is the one global there is: it is guarded by
//! [`Client::enter`], which holds the process's lock around every step and empties the generator before it, so
//! that runs in one process, nested or beside one another, do not see each other.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;

use parking_lot::{ReentrantMutex, ReentrantMutexGuard};

use super::db::Interrupter;
use super::locks::{FileLocks, Holder};
use super::shm::{Image, SharedMemory};
use super::vfs;
use crate::aio::Resource;
use crate::disk::Io;
use crate::engine::door::Shared;

static PROCESS: ReentrantMutex<()> = ReentrantMutex::new(());

/// While it lives, nobody else in the process uses SQLite through us.
#[cfg(test)]
pub(super) fn alone() -> ReentrantMutexGuard<'static, ()> {
    PROCESS.lock()
}

/// What all connections share.
pub(super) struct World {
    pub(super) io: Arc<dyn Io>,
    nodes: RefCell<BTreeMap<String, Rc<Node>>>,
    holders: Cell<Holder>,
    temporary_files: Cell<u32>,
    commits: Cell<u64>,
}

/// A database file's locks and shared memory.
pub(super) struct Node {
    index: u64,
    pub(super) locks: RefCell<FileLocks>,
    pub(super) memory: RefCell<SharedMemory>,
}

impl World {
    pub(super) fn new(io: Arc<dyn Io>) -> Rc<Self> {
        Rc::new(Self {
            io,
            nodes: RefCell::default(),
            holders: Cell::new(0),
            temporary_files: Cell::new(0),
            commits: Cell::new(0),
        })
    }

    /// The locks of the database at `path`.
    pub(super) fn node(&self, path: &str) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        let index = nodes.len() as u64;
        let fresh = || Rc::new(Node { index, locks: RefCell::default(), memory: RefCell::default() });
        Rc::clone(nodes.entry(path.to_string()).or_insert_with(fresh))
    }

    /// A number for a file that is being opened.
    pub(super) fn next_holder(&self) -> Holder {
        self.holders.set(self.holders.get() + 1);
        self.holders.get()
    }

    /// A path for a file without a name.
    pub(super) fn temporary_path(&self) -> String {
        self.temporary_files.set(self.temporary_files.get() + 1);
        format!("sqlite-temporary-{}", self.temporary_files.get())
    }
}

impl Node {
    /// Code that is about to take or give back a lock.
    pub(super) const fn lock_resource(&self) -> Resource {
        Resource::write("sqlite-lock", self.index)
    }

    /// Code that may read or write the shared memory.
    pub(super) const fn memory_resource(&self) -> Resource {
        Resource::write("sqlite-shared-memory", self.index)
    }
}

/// One connection's side of the world, alive or dead.
pub struct Client {
    pub(super) world: Rc<World>,
    pub(super) busy_retries: u32,
    dead: Cell<bool>,
    interrupted: Cell<bool>,
    interrupter: RefCell<Option<Interrupter>>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
    order: Cell<Option<u64>>,
    files: RefCell<BTreeMap<Holder, Rc<Node>>>,
    memory_at_death: RefCell<Vec<(Rc<Node>, Image)>>,
    process: Cell<Option<ReentrantMutexGuard<'static, ()>>>,
}

impl Client {
    pub(super) fn new(world: &Rc<World>, busy_retries: u32) -> Rc<Self> {
        Rc::new(Self {
            world: Rc::clone(world),
            busy_retries,
            dead: Cell::new(false),
            interrupted: Cell::new(false),
            interrupter: RefCell::default(),
            panic: RefCell::default(),
            order: Cell::new(None),
            files: RefCell::default(),
            memory_at_death: RefCell::default(),
            process: Cell::new(None),
        })
    }

    /// Whether nothing the client does may have an effect any more.
    pub(super) const fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Whether the pending call is to return soon.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    pub(super) fn forget_interrupt(&self) {
        self.interrupted.set(false);
    }

    /// SQLite is about to commit and holds the lock that only one writer has: this is the commit's place among all.
    pub(super) fn commits_now(&self) {
        self.world.commits.set(self.world.commits.get() + 1);
        self.order.set(Some(self.world.commits.get()));
    }

    /// The place of the commit made since the last call.
    pub(super) const fn take_order(&self) -> Option<u64> {
        self.order.replace(None)
    }

    /// How the open database is interrupted; `None` once it is closed.
    pub(super) fn set_interrupter(&self, interrupter: Option<Interrupter>) {
        *self.interrupter.borrow_mut() = interrupter;
    }

    pub(super) fn opened(&self, holder: Holder, node: &Rc<Node>) {
        self.files.borrow_mut().insert(holder, Rc::clone(node));
    }

    pub(super) fn closed(&self, holder: Holder) {
        self.files.borrow_mut().remove(&holder);
    }

    /// Keeps a panic that must not cross C code. The client is dead from here on.
    pub(super) fn keep_panic(&self, panic: Box<dyn Any + Send>) {
        self.dead.set(true);
        self.panic.borrow_mut().get_or_insert(panic);
    }

    /// Lets a kept panic go on, outside of C code.
    pub(super) fn resume_panic(&self) {
        let panic = self.panic.borrow_mut().take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// The last of the dead process: what its code did to the shared memory after its death is undone, and
    /// another process may take its place.
    pub(super) fn bury(&self) {
        for (node, image) in self.memory_at_death.take() {
            node.memory.borrow().put_back(&image);
        }
        self.interrupted.set(false);
        self.dead.set(false);
    }
}

impl Shared for Client {
    fn enter(&self) {
        self.process.set(Some(PROCESS.lock()));
        vfs::empty_generator();
    }

    fn leave(&self) {
        self.process.set(None);
    }

    fn interrupt(&self) {
        self.interrupted.set(true);
        if let Some(interrupter) = &*self.interrupter.borrow() {
            interrupter.interrupt();
        }
    }

    fn kill(&self) {
        if self.dead.replace(true) {
            return;
        }
        let mut holders: BTreeMap<u64, (Rc<Node>, BTreeSet<Holder>)> = BTreeMap::new();
        for (holder, node) in &*self.files.borrow() {
            holders.entry(node.index).or_insert_with(|| (Rc::clone(node), BTreeSet::new())).1.insert(*holder);
        }
        let mut images = self.memory_at_death.borrow_mut();
        for (node, own) in holders.into_values() {
            let memory = node.memory.borrow();
            if memory.is_shared_beyond(&own) {
                images.push((Rc::clone(&node), memory.image()));
            }
        }
    }
}
