//! The disk tier: answers in files, bounded by bytes, found again after a restart.
//!
//! An answer is two files: `<id>.body`, its bytes as the origin gave them, and `<id>.head`, everything else, with a checksum of
//! each. The head comes last and by renaming, so an answer is there as a whole or not at all; nothing is synced, because what a
//! crash damages is noticed and dropped. A body that is already a file on this disk is linked, not copied. One thread writes; when
//! it cannot keep up, answers are not kept, and nobody waits.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    answer::blocking,
    entry::{Content, Entry},
    epoch::{Epoch, Epochs},
    freshness::Life,
    shelf::Shelf,
};

/// What the head takes on the disk, roughly.
const HEAD_BYTES: u64 = 4096;
/// Answers that may wait to be written.
const QUEUE: usize = 256;
/// A head that is longer was not written by this program: CloudFront allows 20 KB of headers.
const HEAD_BYTES_MAX: u64 = 256 << 10;
/// The form of the files; another one is dropped.
const VERSION: u32 = 1;

/// Everything of an answer but its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    version: u32,
    key: String,
    status: u16,
    headers: Vec<(String, String)>,
    stored_at: Timestamp,
    life: Life,
    body_bytes: u64,
    /// CRC-32 of the body. `None` for one that was linked: it is too large to be read twice, and its length is checked.
    body_crc32: Option<u32>,
}

impl Head {
    /// `None` for an answer whose headers are no text.
    fn new(key: &str, entry: &Entry, body_crc32: Option<u32>) -> Option<Self> {
        let headers =
            entry.headers.iter().map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        Some(Self {
            version: VERSION,
            key: key.to_owned(),
            status: entry.status.as_u16(),
            headers: headers.collect::<Option<_>>()?,
            stored_at: entry.stored_at,
            life: entry.life,
            body_bytes: entry.content.size_bytes(),
            body_crc32,
        })
    }

    fn entry(&self, content: Content) -> Option<Entry> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
        }
        let status = StatusCode::from_u16(self.status).ok()?;
        Some(Entry::new(status, headers, content, self.stored_at, self.life))
    }

    /// A line with the checksum of what follows.
    fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, format!("{:08x}\n{text}", crc32fast::hash(text.as_bytes())))?;
        fs::rename(unfinished, path)
    }

    /// `None` for what is damaged or of another version.
    fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(path).ok()?.take(HEAD_BYTES_MAX).read_to_string(&mut text).ok()?;
        let (checksum, text) = text.split_once('\n')?;
        if u32::from_str_radix(checksum, 16) != Ok(crc32fast::hash(text.as_bytes())) {
            return None;
        }
        serde_json::from_str(text).ok().filter(|head: &Self| head.version == VERSION)
    }
}

/// An answer on the disk.
#[derive(Clone, Debug)]
struct Kept {
    id: u64,
    head: Arc<Head>,
}

enum Job {
    Keep {
        key: Arc<str>,
        entry: Arc<Entry>,
        asked_in: Epoch,
    },
    /// Answered when everything before it is done.
    Flush(SyncSender<()>),
}

/// What the writer and the readers share.
struct Shared {
    directory: PathBuf,
    shelf: Mutex<Shelf<Kept>>,
    epochs: Arc<Epochs>,
    next_id: AtomicU64,
}

/// The disk tier.
pub(super) struct Disk {
    shared: Arc<Shared>,
    /// `None` only while it is being dropped.
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf<Kept>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head_path(&self, id: u64) -> PathBuf {
        self.directory.join(format!("{id:016x}.head"))
    }

    fn body_path(&self, id: u64) -> PathBuf {
        self.directory.join(format!("{id:016x}.body"))
    }

    /// Without its head an answer is none, whatever becomes of the body.
    fn delete(&self, id: u64) {
        for path in [self.head_path(id), self.body_path(id)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(error = %error, "a file of the edge's cache cannot be removed");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Puts an answer whose files are there on the shelf. Those that have to leave for it lose their files.
    fn shelve(&self, key: &Arc<str>, kept: Kept, asked_in: Epoch) -> bool {
        let id = kept.id;
        let weight = kept.head.body_bytes + HEAD_BYTES;
        let mut shelf = self.shelf();
        let (gone, shelved) = if self.epochs.now() == asked_in {
            let gone = shelf.put(key, kept, weight);
            (gone, shelf.get(key).is_some_and(|kept| kept.id == id))
        } else {
            (vec![kept], false)
        };
        drop(shelf);
        // An answer that was only given a new head is its own predecessor.
        gone.iter().filter(|kept| !(shelved && kept.id == id)).for_each(|kept| self.delete(kept.id));
        shelved
    }

    /// Writes an answer's files.
    fn keep(&self, key: &Arc<str>, entry: &Entry, asked_in: Epoch) -> io::Result<()> {
        let crc32 = match &entry.content {
            Content::Memory(bytes) => Some(crc32fast::hash(bytes)),
            Content::File { .. } => None,
            Content::Growing(_) => return Ok(()),
        };
        let Some(head) = Head::new(key, entry, crc32) else { return Ok(()) };
        let before = self.shelf().get(key).cloned();
        let same_body =
            |kept: &Kept| (kept.head.body_bytes, kept.head.body_crc32) == (head.body_bytes, head.body_crc32);
        let id = match (before.filter(same_body), &entry.content) {
            (Some(kept), _) => kept.id,
            (None, Content::Memory(bytes)) => {
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                fs::write(self.body_path(id), bytes)?;
                id
            }
            // Its body has left the disk meanwhile.
            (None, _) => return Ok(()),
        };
        head.write(&self.head_path(id))?;
        self.shelve(key, Kept { id, head: Arc::new(head) }, asked_in);
        Ok(())
    }

    fn write(&self, jobs: &Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Keep { key, entry, asked_in } => {
                    if let Err(error) = self.keep(&key, &entry, asked_in) {
                        tracing::warn!(error = %error, "an answer cannot be kept on the disk");
                    }
                }
                Job::Flush(done) => {
                    // Who asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Reads an answer, its bytes too where they fit into memory.
    fn read(&self, kept: &Kept) -> Option<Entry> {
        let mut file = File::open(self.body_path(kept.id)).ok()?;
        let size_bytes = kept.head.body_bytes;
        if file.metadata().ok()?.len() != size_bytes {
            return None;
        }
        let content = match kept.head.body_crc32 {
            Some(crc32) => {
                let mut bytes = Vec::with_capacity(size_bytes as usize);
                file.read_to_end(&mut bytes).ok()?;
                if crc32fast::hash(&bytes) != crc32 {
                    return None;
                }
                Content::Memory(bytes.into())
            }
            None => Content::File { file: Arc::new(file), size_bytes },
        };
        kept.head.entry(content)
    }
}

impl Disk {
    /// Opens the tier, with what an earlier process left in this directory; files that make no answer are removed.
    ///
    /// # Errors
    /// When the directory cannot be made or read, or the writer cannot be started.
    pub(super) fn open(directory: PathBuf, capacity_bytes: u64, epochs: Arc<Epochs>) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let (mut found, next_id) = scan(&directory)?;
        let shelf = Mutex::new(Shelf::new(capacity_bytes));
        let shared = Arc::new(Shared { directory, shelf, epochs, next_id: AtomicU64::new(next_id) });
        // The oldest first, so that they are the first to go.
        found.sort_by_key(|kept| kept.id);
        for kept in found {
            shared.shelve(&kept.head.key.as_str().into(), kept, shared.epochs.now());
        }
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let writer = thread::Builder::new().name("edge-disk".into()).spawn({
            let shared = shared.clone();
            move || shared.write(&queue)
        })?;
        Ok(Self { shared, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Keeps an answer, soon, unless there is an invalidation first or the writer has too much to do.
    pub(super) fn put(&self, key: &Arc<str>, entry: &Arc<Entry>, asked_in: Epoch) {
        let job = Job::Keep { key: key.clone(), entry: entry.clone(), asked_in };
        if self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_err()) {
            tracing::debug!("the disk cannot keep up with the edge's cache");
        }
    }

    /// Keeps an answer whose body is a file on this disk that never changes, by linking it. Gives the answer, with the file open;
    /// `None` when it cannot be kept.
    pub(super) async fn link(&self, key: &Arc<str>, entry: &Entry, body: PathBuf, asked_in: Epoch) -> Option<Entry> {
        let head = Head::new(key, entry, None)?;
        let (shared, key) = (self.shared.clone(), key.clone());
        let linked = blocking(move || {
            let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
            fs::hard_link(body, shared.body_path(id))?;
            let kept = Kept { id, head: Arc::new(head) };
            let entry = shared.read(&kept);
            if entry.is_none() || kept.head.write(&shared.head_path(id)).is_err() {
                shared.delete(id);
                return Ok(None);
            }
            shared.shelve(&key, kept, asked_in);
            Ok(entry)
        });
        match linked.await {
            Ok(entry) => entry,
            Err(error) => {
                tracing::debug!(error = %error, "a file cannot be linked into the edge's cache");
                None
            }
        }
    }

    /// An answer, fresh or not.
    pub(super) async fn get(&self, key: &Arc<str>) -> Option<Entry> {
        let kept = self.shared.shelf().get(key).cloned()?;
        let (shared, key) = (self.shared.clone(), key.clone());
        let read = blocking(move || {
            let entry = shared.read(&kept);
            if entry.is_none() {
                let damaged = {
                    let mut shelf = shared.shelf();
                    let same = shelf.get(&key).is_some_and(|now| now.id == kept.id);
                    if same { shelf.remove(&key) } else { None }
                };
                if let Some(kept) = damaged {
                    tracing::warn!("a damaged answer was dropped from the edge's cache");
                    shared.delete(kept.id);
                }
            }
            Ok(entry)
        });
        read.await.ok().flatten()
    }

    /// Drops the answers whose key matches. The epoch has begun before.
    pub(super) fn remove_matching(&self, matches: impl Fn(&str) -> bool) {
        let gone = self.shared.shelf().remove_matching(matches);
        gone.iter().for_each(|kept| self.shared.delete(kept.id));
    }

    /// Waits until everything that was to be kept is kept.
    pub(super) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job::Flush(done)).is_ok()) {
            let _ = wait.recv();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Without senders the writer ends, when it has written what there is.
        self.jobs = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of the edge's cache panicked");
        }
    }
}

/// The answers in a directory, and the first id that is free. Other files of the cache's are removed.
fn scan(directory: &Path) -> io::Result<(Vec<Kept>, u64)> {
    let mut bodies: HashMap<u64, u64> = HashMap::new();
    let mut heads = Vec::new();
    let mut next_id = 0;
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else { continue };
        let Some(id) = stem.to_str().and_then(|stem| u64::from_str_radix(stem, 16).ok()) else { continue };
        next_id = next_id.max(id.saturating_add(1));
        match extension.to_str() {
            Some("head") => heads.push((id, path)),
            Some("body") => {
                bodies.insert(id, fs::metadata(&path)?.len());
            }
            Some("new") => fs::remove_file(path)?,
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (id, path) in heads {
        match Head::read(&path).filter(|head| bodies.get(&id) == Some(&head.body_bytes)) {
            Some(head) => {
                bodies.remove(&id);
                found.push(Kept { id, head: Arc::new(head) });
            }
            None => fs::remove_file(path)?,
        }
    }
    for id in bodies.into_keys() {
        fs::remove_file(directory.join(format!("{id:016x}.body")))?;
    }
    Ok((found, next_id))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::plane::testing;

    struct Home {
        directory: tempfile::TempDir,
        epochs: Arc<Epochs>,
    }

    impl Home {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap(), epochs: Arc::default() }
        }

        fn open(&self, capacity_bytes: u64) -> Disk {
            Disk::open(self.directory.path().to_owned(), capacity_bytes, self.epochs.clone()).unwrap()
        }

        fn put(&self, disk: &Disk, key: &str, body: &[u8]) {
            disk.put(&key.into(), &testing::entry(body), self.epochs.now());
        }

        /// Files by extension.
        fn files(&self, extension: &str) -> Vec<PathBuf> {
            let files = fs::read_dir(self.directory.path()).unwrap().map(|file| file.unwrap().path());
            let mut files: Vec<_> = files.filter(|path| path.extension().unwrap() == extension).collect();
            files.sort();
            files
        }
    }

    async fn body(disk: &Disk, key: &str) -> Option<Vec<u8>> {
        match disk.get(&key.into()).await?.content {
            Content::Memory(bytes) => Some(bytes.to_vec()),
            Content::File { file, size_bytes } => {
                let mut bytes = vec![0; size_bytes as usize];
                file.read_exact_at(&mut bytes, 0).unwrap();
                Some(bytes)
            }
            Content::Growing(_) => None,
        }
    }

    #[tokio::test]
    async fn answers_are_found_again_after_a_restart() {
        let home = Home::new();
        let disk = home.open(1 << 20);
        home.put(&disk, "E1 /a", b"alpha");
        home.put(&disk, "E1 /b", b"beta");
        drop(disk);
        let disk = home.open(1 << 20);
        assert_eq!(body(&disk, "E1 /a").await.unwrap(), b"alpha");
        let entry = disk.get(&"E1 /b".into()).await.unwrap();
        let expected = testing::entry(b"beta");
        assert_eq!((entry.status, entry.life, &entry.headers), (expected.status, expected.life, &expected.headers));
    }

    #[tokio::test]
    async fn what_is_damaged_is_dropped() {
        let home = Home::new();
        let disk = home.open(1 << 20);
        for key in ["E1 /head", "E1 /short", "E1 /bits", "E1 /lost", "E1 /good"] {
            home.put(&disk, key, b"0123456789");
        }
        drop(disk);
        let (heads, bodies) = (home.files("head"), home.files("body"));
        fs::write(&heads[0], "00000000\n{}").unwrap();
        fs::write(&bodies[1], b"01234").unwrap();
        fs::write(&bodies[2], b"012345678X").unwrap();
        fs::remove_file(&bodies[3]).unwrap();
        fs::write(home.directory.path().join("00000000000000ff.new"), b"half").unwrap();
        let disk = home.open(1 << 20);
        for key in ["E1 /head", "E1 /short", "E1 /bits", "E1 /lost"] {
            assert_eq!(body(&disk, key).await, None, "{key}");
        }
        assert_eq!(body(&disk, "E1 /good").await.unwrap(), b"0123456789");
        assert_eq!((home.files("head").len(), home.files("body").len(), home.files("new").len()), (1, 1, 0));
        // Ids are not given twice.
        home.put(&disk, "E1 /next", b"next");
        disk.flush();
        assert!(home.files("body").last().unwrap().ends_with("0000000000000100.body"));
    }

    #[tokio::test]
    async fn the_disk_is_bounded() {
        let home = Home::new();
        let disk = home.open(4 * (HEAD_BYTES + 1000));
        for name in 0..20 {
            home.put(&disk, &format!("E1 /{name}"), &[name; 1000]);
        }
        disk.flush();
        assert_eq!((home.files("head").len(), home.files("body").len()), (4, 4));
        assert!(body(&disk, "E1 /19").await.is_some() && body(&disk, "E1 /0").await.is_none());
        drop(disk);
        drop(home.open(HEAD_BYTES + 1000));
        assert_eq!((home.files("head").len(), home.files("body").len()), (1, 1));
    }

    #[tokio::test]
    async fn an_invalidation_is_immediate_and_outlasts_a_restart() {
        let home = Home::new();
        let disk = home.open(1 << 20);
        let before = home.epochs.now();
        home.put(&disk, "E1 /v/a", b"a");
        home.put(&disk, "E1 /w/b", b"b");
        disk.flush();
        home.epochs.begin();
        disk.remove_matching(|key| key.starts_with("E1 /v/"));
        assert_eq!(body(&disk, "E1 /v/a").await, None);
        disk.put(&"E1 /v/late".into(), &testing::entry(b"late"), before);
        drop(disk);
        let disk = home.open(1 << 20);
        assert_eq!((body(&disk, "E1 /v/a").await, body(&disk, "E1 /v/late").await), (None, None));
        assert_eq!(body(&disk, "E1 /w/b").await.unwrap(), b"b");
    }

    #[tokio::test]
    async fn a_file_is_linked_and_a_refreshed_head_keeps_its_body() {
        let home = Home::new();
        let origin = tempfile::Builder::new().tempfile_in(home.directory.path()).unwrap();
        fs::write(origin.path(), b"large").unwrap();
        let disk = home.open(1 << 20);
        let file = Content::File { file: Arc::new(File::open(origin.path()).unwrap()), size_bytes: 5 };
        let entry = testing::entry(b"").with(file);
        let linked = disk.link(&"E1 /a".into(), &entry, origin.path().to_owned(), home.epochs.now()).await.unwrap();
        drop(origin);
        let mut refreshed = linked.clone();
        refreshed.stored_at = Timestamp::from_second(50).unwrap();
        disk.put(&"E1 /a".into(), &Arc::new(refreshed), home.epochs.now());
        home.put(&disk, "E1 /b", b"same");
        home.put(&disk, "E1 /b", b"same");
        home.put(&disk, "E1 /b", b"other");
        drop(disk);
        assert_eq!((home.files("head").len(), home.files("body").len()), (2, 2));
        let disk = home.open(1 << 20);
        assert_eq!(disk.get(&"E1 /a".into()).await.unwrap().stored_at.as_second(), 50);
        assert_eq!(body(&disk, "E1 /a").await.unwrap(), b"large");
        assert_eq!(body(&disk, "E1 /b").await.unwrap(), b"other");
    }
}
