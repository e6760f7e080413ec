//! An open file's methods as SQLite calls them: C's arguments into Rust's, and nothing else.
//!
//! What they do is in [`OpenFile`]. No panic leaves for C; see [`shielded`].
#![allow(unsafe_code)] // SQLite calls these functions with raw pointers, by the contract of `sqlite3_io_methods`.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::rc::Rc;

use libsqlite3_sys as ffi;

use super::locks::Level;
use super::open_file::{Code, OpenFile};
use super::vfs::shielded;

pub(super) static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The memory SQLite gives to an open file. The first field must be SQLite's own.
#[repr(C)]
pub(super) struct Handle {
    pub(super) base: ffi::sqlite3_file,
    pub(super) open: *mut OpenFile,
}

/// The open file behind SQLite's pointer.
///
/// # Safety
/// `file` was opened by our layer's `open` and has not been closed.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a OpenFile {
    // SAFETY: `open` wrote a leaked box there, which `close` takes back last of all.
    unsafe { &*(*file.cast::<Handle>()).open }
}

/// A method that answers with a result code and nothing else.
///
/// # Safety
/// As for [`opened`].
unsafe fn method(file: *mut ffi::sqlite3_file, body: impl FnOnce(&OpenFile) -> Code) -> c_int {
    // SAFETY: the caller's promise.
    let file = unsafe { opened(file) };
    shielded(&file.client, ffi::SQLITE_IOERR, || body(file))
}

/// A method that also stores its answer at `out`.
///
/// # Safety
/// As for [`opened`]; `out` can be written.
unsafe fn answer<T>(
    file: *mut ffi::sqlite3_file,
    out: *mut T,
    body: impl FnOnce(&OpenFile) -> Result<T, Code>,
) -> c_int {
    // SAFETY: the caller's promise.
    let file = unsafe { opened(file) };
    match shielded(&file.client, Err(ffi::SQLITE_IOERR), || body(file)) {
        Ok(value) => {
            // SAFETY: the caller's promise.
            unsafe { out.write(value) };
            ffi::SQLITE_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once and uses it no more; the box is the one `open` leaked.
    let opened = unsafe { Box::from_raw((*file.cast::<Handle>()).open) };
    shielded(&Rc::clone(&opened.client), (), || {
        opened.close();
        drop(opened);
    });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, out: *mut c_void, bytes: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite's buffer of this length, which nobody else uses during the call. It may be uninitialised, so
    // it is written before there is a reference to it.
    unsafe {
        ptr::write_bytes(out.cast::<u8>(), 0, bytes as usize);
        let out = std::slice::from_raw_parts_mut(out.cast::<u8>(), bytes as usize);
        method(file, |file| file.read(out, offset as u64))
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, bytes: c_int, offset: i64) -> c_int {
    // SAFETY: SQLite's bytes, unchanged during the call.
    unsafe {
        let from = std::slice::from_raw_parts(from.cast::<u8>(), bytes as usize);
        method(file, |file| file.write(from, offset as u64))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: an open file of ours.
    unsafe { method(file, |file| file.truncate(len as u64)) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file of ours.
    unsafe { method(file, OpenFile::sync) }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: an open file of ours, and SQLite's place for the answer.
    unsafe { answer(file, out, |file| file.size().map(|size| size as i64)) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of ours.
    unsafe { method(file, |file| Level::from_number(level).map_or(ffi::SQLITE_MISUSE, |level| file.lock(level))) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: an open file of ours.
    unsafe { method(file, |file| Level::from_number(level).map_or(ffi::SQLITE_MISUSE, |level| file.unlock(level))) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: an open file of ours, and SQLite's place for the answer.
    unsafe { answer(file, out, |file| file.is_reserved().map(c_int::from)) }
}

/// None of the optional messages is known here.
const unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

const unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    512
}

/// Nothing is promised: not even that a torn write leaves its neighbours alone.
const unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let region = |file: &OpenFile| file.map(region as usize, bytes as usize, extend != 0);
    // SAFETY: an open file of ours, and SQLite's place for the answer.
    unsafe { answer(file, out, |file| region(file).map(|memory| memory.map_or(ptr::null_mut(), |at| at.cast()))) }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    let (first, count) = (first as u32, count as u32);
    // SAFETY: an open file of ours.
    unsafe {
        method(file, |file| {
            if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
                file.give_slots_back(first, count)
            } else {
                file.take_slots(first, count, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0)
            }
        })
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: an open file of ours.
    let file = unsafe { opened(file) };
    shielded(&file.client, (), || file.barrier());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: an open file of ours.
    unsafe {
        method(file, |file| {
            file.unmap();
            ffi::SQLITE_OK
        })
    }
}
