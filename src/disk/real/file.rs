//! An open file of the real file system.
//!
//! One call of the operating system for each operation, and one for each part of a vectored write; nothing
//! is tried again, because a short transfer is an answer an engine has to expect.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::queue::Queue;
use super::request::{Outcome, Request};
use crate::aio::{Buffer, Completion, CompletionError, ErrorKind, FileId, IoKind};
use crate::disk::File;

pub(super) struct RealFile {
    /// What is queued holds the file, never the queue, so a disk that is dropped takes its queue along.
    file: Arc<fs::File>,
    id: FileId,
    path: Arc<str>,
    queue: Arc<Queue>,
}

impl RealFile {
    pub(super) fn new(file: fs::File, id: FileId, path: &str, queue: Arc<Queue>) -> Self {
        Self { file: Arc::new(file), id, path: path.into(), queue }
    }

    fn submit(
        &self,
        request: Request,
        completion: Completion,
        work: impl FnOnce(&fs::File) -> Result<usize, (u64, io::Error)> + Send + 'static,
    ) -> Completion {
        let file = Arc::clone(&self.file);
        self.queue.submit(completion, move || -> Outcome {
            work(&file).map_err(|(done, error)| request.failed(done, &error))
        })
    }

    fn request(&self, operation: IoKind, offset: u64, len: usize) -> Request {
        Request { operation, path: Arc::clone(&self.path), offset, len: len as u64 }
    }
}

impl File for RealFile {
    fn id(&self) -> FileId {
        self.id
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> Result<u64, CompletionError> {
        let metadata = self.file.metadata();
        metadata.map(|known| known.len()).map_err(|error| self.request(IoKind::Read, 0, 0).failed(0, &error))
    }

    fn pread(&self, offset: u64, completion: Completion) -> Completion {
        let Some(buffer) = completion.buffer().cloned() else {
            // A read into nothing: there is no length to ask for.
            completion.error(self.request(IoKind::Read, offset, 0).refused(ErrorKind::Other));
            return completion;
        };
        let request = self.request(IoKind::Read, offset, buffer.len());
        self.submit(request, completion, move |file| {
            file.read_at(&mut buffer.lock(), offset).map_err(|error| (0, error))
        })
    }

    fn pwrite(&self, offset: u64, buffer: Buffer, completion: Completion) -> Completion {
        self.pwritev(offset, vec![buffer], completion)
    }

    fn pwritev(&self, offset: u64, buffers: Vec<Buffer>, completion: Completion) -> Completion {
        let request = self.request(IoKind::Write, offset, buffers.iter().map(Buffer::len).sum());
        self.submit(request, completion, move |file| {
            write_parts(&buffers, offset, |bytes, offset| file.write_at(bytes, offset))
        })
    }

    fn sync(&self, completion: Completion) -> Completion {
        self.submit(self.request(IoKind::Sync, 0, 0), completion, |file| {
            file.sync_all().map(|()| 0).map_err(|error| (0, error))
        })
    }

    fn truncate(&self, len: u64, completion: Completion) -> Completion {
        self.submit(self.request(IoKind::Truncate, len, 0), completion, move |file| {
            file.set_len(len).map(|()| 0).map_err(|error| (0, error))
        })
    }
}

/// Writes one part after the other. A part that is written short ends the operation, and so does an
/// interruption when there is something to show for; an error says how many bytes had been written before.
fn write_parts(
    parts: &[Buffer],
    offset: u64,
    mut write_at: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> Result<usize, (u64, io::Error)> {
    let (mut asked, mut done) = (0, 0);
    for part in parts.iter().filter(|part| !part.is_empty()) {
        asked += part.len();
        match write_at(&part.lock(), offset.saturating_add(done as u64)) {
            // At least one byte is written, or it is an error: whoever goes on after a short write must not hang.
            Ok(0) => return Err((done as u64, io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted && done > 0 => return Ok(done),
            Err(error) => return Err((done as u64, error)),
        }
        if done < asked {
            break;
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `ab`, an empty part, `cde` and `f` at byte 10; `answers` are the operating system's.
    fn check(answers: &[Result<usize, i32>], expected: Result<usize, (u64, i32)>, calls: &str) {
        let parts = ["ab", "", "cde", "f"].map(|text| Buffer::from(text.as_bytes()));
        let (mut answers, mut made) = (answers.iter(), Vec::new());
        let outcome = write_parts(&parts, 10, |bytes, offset| {
            made.push(format!("{}@{offset}", String::from_utf8_lossy(bytes)));
            answers.next().expect("no call too many").map_err(io::Error::from_raw_os_error)
        });
        let outcome = outcome.map_err(|(done, error)| (done, error.raw_os_error().unwrap_or(0)));
        assert_eq!((outcome, made.join(" ").as_str()), (expected, calls));
        assert_eq!(answers.next(), None, "every answer is used");
    }

    #[test]
    fn a_vectored_write_writes_its_parts_one_after_the_other() {
        check(&[Ok(2), Ok(3), Ok(1)], Ok(6), "ab@10 cde@12 f@15");
    }

    // Case 15 of the table of corner cases.
    #[test]
    fn a_vectored_write_whose_third_part_fails_fails_and_says_how_many_bytes_were_written_before() {
        check(&[Ok(2), Ok(3), Err(EIO)], Err((5, EIO)), "ab@10 cde@12 f@15");
    }

    #[test]
    fn a_short_write_ends_the_operation_and_is_no_error() {
        check(&[Ok(2), Ok(1)], Ok(3), "ab@10 cde@12");
        check(&[Ok(1)], Ok(1), "ab@10");
    }

    #[test]
    fn an_interruption_is_an_error_only_when_nothing_was_written() {
        check(&[Err(EINTR)], Err((0, EINTR)), "ab@10");
        check(&[Ok(2), Err(EINTR)], Ok(2), "ab@10 cde@12");
    }

    #[test]
    fn a_write_of_nothing_at_all_is_an_error_so_that_nobody_tries_again_for_ever() {
        check(&[Ok(2), Ok(0)], Err((2, 0)), "ab@10 cde@12");
    }

    const EINTR: i32 = 4;
    const EIO: i32 = 5;
}
