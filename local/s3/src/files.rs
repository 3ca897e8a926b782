//! The bytes: plain files that never change, named by us and never by a key.

use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use vodline_core::Entropy;

use crate::failure::Failure;

/// How long the file of a deleted or replaced object can still be opened by those who were told its path.
pub const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// Hexadecimal digits of a file's name; 128 bits do not collide.
const NAME_DIGITS: usize = 32;

/// The directory of all objects' files, `ab/cdef...` by name.
pub(crate) struct Files {
    root: PathBuf,
    entropy: Arc<dyn Entropy>,
    /// Files that no row names any more, with the time they were discarded, oldest first. Lost by a crash, which is why
    /// [`Files::sweep`] exists.
    discarded: Mutex<VecDeque<(Timestamp, String)>>,
}

/// A file that no row names yet; it is removed again unless it is [kept](NewFile::keep).
pub(crate) struct NewFile {
    name: String,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A row names the file now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an abandoned file could not be removed");
        }
    }
}

impl Files {
    /// Makes the directories.
    pub(crate) fn open(root: PathBuf, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        for shard in 0..=255_u8 {
            fs::create_dir_all(root.join(hex::encode([shard])))?;
        }
        Ok(Self { root, entropy, discarded: Mutex::default() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let (shard, rest) = name.split_at(2);
        self.root.join(shard).join(rest)
    }

    fn fresh(&self) -> (String, PathBuf) {
        let name = self.entropy.hex(NAME_DIGITS);
        let path = self.path(&name);
        (name, path)
    }

    /// A new, empty file.
    pub(crate) fn create(&self) -> Result<(NewFile, File), Failure> {
        let (name, path) = self.fresh();
        let file = File::create_new(&path).map_err(Failure::disk("created"))?;
        Ok((NewFile { name, path, kept: false }, file))
    }

    /// Takes over a finished file of the same file system.
    pub(crate) fn adopt(&self, from: &Path) -> Result<NewFile, Failure> {
        let (name, path) = self.fresh();
        fs::rename(from, &path).map_err(Failure::disk("moved in"))?;
        Ok(NewFile { name, path, kept: false })
    }

    /// Another name for a file, which costs nothing and is safe because files never change.
    pub(crate) fn link(&self, name: &str) -> Result<NewFile, Failure> {
        let (new, path) = self.fresh();
        fs::hard_link(self.path(name), &path).map_err(Failure::disk("linked"))?;
        Ok(NewFile { name: new, path, kept: false })
    }

    pub(crate) fn read(&self, name: &str) -> Result<File, Failure> {
        File::open(self.path(name)).map_err(Failure::disk("opened"))
    }

    /// Forgets files whose rows are gone; [`Files::empty_trash`] removes them after [`GRACE`].
    pub(crate) fn discard(&self, names: impl IntoIterator<Item = String>, now: Timestamp) {
        let mut discarded = self.discarded.lock().unwrap_or_else(PoisonError::into_inner);
        discarded.extend(names.into_iter().map(|name| (now, name)));
    }

    /// Removes what was discarded at least [`GRACE`] ago.
    pub(crate) fn empty_trash(&self, now: Timestamp) {
        loop {
            let name = {
                let mut discarded = self.discarded.lock().unwrap_or_else(PoisonError::into_inner);
                let due = discarded.front().is_some_and(|(since, _)| now.duration_since(*since) >= GRACE);
                if !due {
                    return;
                }
                discarded.pop_front()
            };
            if let Some((_, name)) = name
                && let Err(error) = fs::remove_file(self.path(&name))
            {
                tracing::warn!(%error, file = name, "a discarded file could not be removed");
            }
        }
    }

    /// Removes every file that is not in `known`: what a crash left between the file and its row, or after its row.
    pub(crate) fn sweep(&self, known: &HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for shard in fs::read_dir(&self.root)? {
            let shard = shard?;
            for file in fs::read_dir(shard.path())? {
                let file = file?;
                let name = format!("{}{}", shard.file_name().to_string_lossy(), file.file_name().to_string_lossy());
                if !known.contains(&name) {
                    fs::remove_file(file.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}
