//! The folder of results. Everything lands under it, each file whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A result that could not be written.
#[derive(Debug, Error)]
#[error("{}: cannot be written: {reason}; what was written before is still there", path.display())]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    pub reason: std::io::Error,
}

/// The folder of a campaign's results.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store in `folder`, which is made when the first file is.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a name within the folder is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file whole: to a neighbour first, which then takes its place.
    ///
    /// # Errors
    /// When it cannot, as on a full disk; the file that was there before is then still there.
    ///
    /// # Panics
    /// When the name would lead out of the folder: our own mistake, for names are made of buckets and seeds.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        self.write_bytes(name, text.as_bytes())
    }

    /// As [`write`](Self::write), for what is no text.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Panics
    /// As [`write`](Self::write).
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        assert!(
            !name.split('/').any(|part| part.is_empty() || part.starts_with('.')),
            "`{name}` leads out of the folder"
        );
        let path = self.path(name);
        let error = |reason| StoreError { path: path.clone(), reason };
        let parent = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(error)?;
        let draft = parent.join(format!(".{}.draft", path.file_name().unwrap_or_default().to_string_lossy()));
        let written = std::fs::File::create(&draft).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let result = written.and_then(|()| std::fs::rename(&draft, &path));
        if result.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        result.map_err(error)?;
        Ok(path)
    }

    /// Removes the cases of a bucket that the one of `seed` has replaced. Whatever else lies there stays.
    pub fn keep_case(&self, bucket: &str, seed: u64) {
        let kept = format!("{seed}.case");
        for entry in std::fs::read_dir(self.path(bucket)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".case")).unwrap_or_default();
            let is_ours = !stem.is_empty() && stem.bytes().all(|letter| letter.is_ascii_digit());
            if is_ours && name.to_str() != Some(&kept) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.path(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("out"));
        let path = store.write("bucket/1.case", "one").unwrap();
        store.write("bucket/1.case", "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("out"), "a file").unwrap();
        let error = Store::new(&folder.path().join("out")).write("summary.json", "{}").unwrap_err().to_string();
        assert!(error.contains("out/summary.json: cannot be written: "), "{error}");
    }

    #[test]
    #[should_panic(expected = "leads out of the folder")]
    fn a_name_never_leads_out_of_the_folder() {
        let _ = Store::new(Path::new("out")).write("../x", "");
    }
}
