//! SQLite's file layer, as far as it is not about an open file: registration, the directory, time, random numbers.
//!
//! One is registered per process, as the default, so that SQLite's random generator is seeded through it. Which
//! run a call belongs to is found through the door's current task; a call from outside of any run (the rest of
//! the program may use SQLite too) goes to the layer that was the default before.
//!
//! Nothing is decided here: each function turns C's arguments into Rust's, and lets no panic out into C.
#![allow(unsafe_code)] // SQLite calls these functions with raw pointers, by the contract of `sqlite3_vfs`.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libsqlite3_sys as ffi;

use super::methods::{Handle, METHODS};
use super::open_file::{Code, OpenFile, directory, pause, perform, private};
use super::world::Client;
use crate::aio::{Completion, ErrorKind, Resource};
use crate::disk::OpenMode;
use crate::engine::door::{local, wait};

/// 1 January 2000 in SQLite's milliseconds since the beginning of the Julian calendar.
const EPOCH_MILLIS: i64 = 211_813_444_800_000;

/// What the layer before us is asked for calls from outside of any run.
struct Before(*mut ffi::sqlite3_vfs);

// SAFETY: the layer is registered for the life of the process and is never changed after it was found.
unsafe impl Send for Before {}
// SAFETY: as above; SQLite itself calls its functions from several threads.
unsafe impl Sync for Before {}

static BEFORE: OnceLock<Before> = OnceLock::new();

/// Whether the process's generator holds numbers.
static SEEDED: AtomicBool = AtomicBool::new(true);

/// Registers the layer as the process's default, once.
pub(super) fn register() {
    BEFORE.get_or_init(|| {
        // SAFETY: finding and registering are allowed at any time; the structure is never freed. The size of an
        // open file is the larger of both, because the layer before us may have to open in the same memory.
        unsafe {
            let before = ffi::sqlite3_vfs_find(ptr::null());
            let bytes = (*before).szOsFile.max(size_of::<Handle>() as c_int);
            ffi::sqlite3_vfs_register(Box::into_raw(Box::new(layer(bytes))), 1);
            Before(before)
        }
    });
}

/// Throws away what the process's generator holds, so that the next number is seeded by whoever asks for it.
pub(super) fn empty_generator() {
    if SEEDED.swap(false, Ordering::Relaxed) {
        // SAFETY: a length of 0 only resets the generator.
        unsafe { ffi::sqlite3_randomness(0, ptr::null_mut()) };
    }
}

const fn layer(bytes: c_int) -> ffi::sqlite3_vfs {
    ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: bytes,
        mxPathname: 512,
        pNext: ptr::null_mut(),
        zName: c"squall".as_ptr(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_millis),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// Runs `body`, keeping a panic away from C; it goes on when SQLite has returned to us.
pub(super) fn shielded<T>(client: &Client, on_panic: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        client.keep_panic(panic);
        on_panic
    })
}

fn before() -> *mut ffi::sqlite3_vfs {
    BEFORE.get().expect("registered before SQLite can call").0
}

/// SQLite's text as Rust's. Paths of a run are ours, and are UTF-8.
///
/// # Safety
/// `text` ends with a zero byte and outlives the answer.
unsafe fn text<'a>(text: *const c_char) -> &'a str {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or_default()
}

// --- The directory -------------------------------------------------------------------------------------------

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments, in memory that is large enough for either layer.
        return unsafe { ((*before()).xOpen.expect("every layer opens"))(before(), name, file, flags, flags_out) };
    };
    // SAFETY: SQLite hands in memory of the size we asked for; a null method table says that nothing is open.
    let path = unsafe {
        (*file).pMethods = ptr::null();
        (!name.is_null()).then(|| text(name))
    };
    match shielded(&client, Err(ffi::SQLITE_IOERR), || open_path(&client, path, flags)) {
        Err(code) => code,
        Ok(opened) => {
            // SAFETY: as above; the flags' address may be null.
            unsafe {
                file.cast::<Handle>().write(Handle {
                    base: ffi::sqlite3_file { pMethods: &raw const METHODS },
                    open: Box::into_raw(Box::new(opened)),
                });
                if !flags_out.is_null() {
                    *flags_out = flags;
                }
            }
            ffi::SQLITE_OK
        }
    }
}

fn open_path(client: &Rc<Client>, name: Option<&str>, flags: c_int) -> Result<OpenFile, Code> {
    let has = |flag| flags & flag != 0;
    let mode = match (has(ffi::SQLITE_OPEN_CREATE), has(ffi::SQLITE_OPEN_EXCLUSIVE)) {
        (true, true) => OpenMode::CreateNew,
        (true, false) => OpenMode::Create,
        (false, _) => OpenMode::Existing,
    };
    let world = &client.world;
    pause(client, Resource::Unknown).map_err(|_| ffi::SQLITE_IOERR)?;
    let path = name.map_or_else(|| world.temporary_path(), str::to_string);
    let file = world.io.open(&path, mode).map_err(|_| ffi::SQLITE_CANTOPEN)?;
    let holder = world.next_holder();
    let node = has(ffi::SQLITE_OPEN_MAIN_DB).then(|| world.node(&path));
    if let Some(node) = &node {
        client.opened(holder, node);
    }
    // Whoever writes the log goes on to change its index.
    let database = path.strip_suffix("-wal").filter(|_| has(ffi::SQLITE_OPEN_WAL));
    let after = database.map_or(private(holder), |database| world.node(database).memory_resource());
    let journals = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
    Ok(OpenFile {
        client: Rc::clone(client),
        file,
        holder,
        node,
        // SQLite's own rule: of the files it creates, those that a recovery must find.
        sync_directory: Cell::new(has(ffi::SQLITE_OPEN_CREATE) && has(journals)),
        remove_on_close: has(ffi::SQLITE_OPEN_DELETEONCLOSE),
        after: Cell::new(after),
        path,
    })
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments.
        return unsafe { ((*before()).xDelete.expect("every layer deletes"))(before(), name, sync_directory) };
    };
    // SAFETY: SQLite's path, for the time of the call.
    let path = unsafe { text(name) };
    shielded(&client, ffi::SQLITE_IOERR, || {
        let io = &client.world.io;
        match perform(&client, Resource::Unknown, || io.remove(path, Completion::truncate())) {
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => return ffi::SQLITE_IOERR_DELETE_NOENT,
            Err(_) => return ffi::SQLITE_IOERR_DELETE,
            Ok(_) => {}
        }
        let sync = || io.sync_directory(directory(path), Completion::sync());
        if sync_directory & 1 != 0 && perform(&client, Resource::Unknown, sync).is_err() {
            return ffi::SQLITE_IOERR_DIR_FSYNC;
        }
        ffi::SQLITE_OK
    })
}

unsafe extern "C" fn access(_: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments.
        return unsafe { ((*before()).xAccess.expect("every layer has access"))(before(), name, flags, answer) };
    };
    // SAFETY: SQLite's path and its place for the answer, for the time of the call.
    let (path, answer) = unsafe { (text(name), &mut *answer) };
    shielded(&client, ffi::SQLITE_IOERR, || {
        let io = &client.world.io;
        // Like SQLite's own layer: an empty file does not count as there.
        let is_there = || match io.exists(path) {
            Ok(true) => io.open(path, OpenMode::Existing).and_then(|file| file.size()).map(|size| size > 0),
            other => other,
        };
        match pause(&client, Resource::Unknown).and_then(|()| is_there()) {
            Ok(there) => {
                *answer = c_int::from(there);
                ffi::SQLITE_OK
            }
            Err(_) => ffi::SQLITE_IOERR_ACCESS,
        }
    })
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    bytes: c_int,
    out: *mut c_char,
) -> c_int {
    if local::<Client>().is_none() {
        // SAFETY: the same arguments.
        return unsafe { ((*before()).xFullPathname.expect("every layer has paths"))(before(), name, bytes, out) };
    }
    // SAFETY: `out` has room for `bytes` bytes, and the name ends with a zero byte.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > bytes as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name.as_ptr(), out.cast(), name.len());
    }
    ffi::SQLITE_OK
}

// --- The rest of the world -----------------------------------------------------------------------------------

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    SEEDED.store(true, Ordering::Relaxed);
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments.
        return unsafe { ((*before()).xRandomness.expect("every layer has numbers"))(before(), bytes, out) };
    };
    // SAFETY: SQLite asks for this many bytes to be filled; they may be uninitialised, so they are written first.
    let out = unsafe {
        ptr::write_bytes(out, 0, bytes as usize);
        std::slice::from_raw_parts_mut(out.cast::<u8>(), bytes as usize)
    };
    shielded(&client, 0, || {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&client.world.io.random().to_le_bytes()[..chunk.len()]);
        }
        bytes
    })
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments.
        return unsafe { ((*before()).xSleep.expect("every layer sleeps"))(before(), micros) };
    };
    shielded(&client, 0, || {
        if !client.is_dead() {
            let ticks = u64::from(micros.max(1).unsigned_abs());
            let _ = wait(client.world.io.timer(ticks).touching(Resource::Unknown));
        }
        micros
    })
}

unsafe extern "C" fn current_time_millis(_: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    let Some(client) = local::<Client>() else {
        // SAFETY: the same arguments; a layer of version 2 or later has this function, and the default has one.
        return unsafe { (*before()).xCurrentTimeInt64.map_or(ffi::SQLITE_ERROR, |time| time(before(), out)) };
    };
    let millis = shielded(&client, 0, || (client.world.io.now() / 1_000) as i64);
    // SAFETY: SQLite's place for the answer.
    unsafe { *out = EPOCH_MILLIS + millis };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time(layer: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut millis = 0;
    // SAFETY: the place for the answer is a local variable, then SQLite's own.
    unsafe {
        let code = current_time_millis(layer, &raw mut millis);
        *out = millis as f64 / 86_400_000.0;
        code
    }
}

const unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_program_keeps_its_own_files() {
        register();
        let _alone = super::super::world::alone();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.db");
        let name = std::ffi::CString::new(path.to_str().expect("UTF-8")).expect("no zero byte");
        let mut database = ptr::null_mut();
        // SAFETY: texts end with zero bytes; the database is closed once and not used after that.
        unsafe {
            assert_eq!(ffi::sqlite3_open(name.as_ptr(), &raw mut database), ffi::SQLITE_OK);
            let sql = c"CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(9)); SELECT datetime('now')";
            let none = ptr::null_mut();
            assert_eq!(ffi::sqlite3_exec(database, sql.as_ptr(), None, none, none.cast()), ffi::SQLITE_OK);
            assert_eq!(ffi::sqlite3_close(database), ffi::SQLITE_OK);
        }
        assert!(std::fs::metadata(path).expect("a file of the host").len() > 0);
    }
}
