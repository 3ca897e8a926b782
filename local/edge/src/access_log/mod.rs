//! Standard logging (legacy): what viewers asked, as files in the distribution's log bucket. Source:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html>.
//!
//! A request costs its record and one `try_send`; lines, compression and files are the business of [`AccessLogs::run`]. As at
//! AWS, logs are kept as well as can be and not for certain: when records come faster than they are written down, some are
//! dropped and counted, and a killed process loses what it had not written, at most [`FLUSH_AFTER`] of it. An orderly end
//! loses nothing.

mod line;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, mpsc};
use vodline_core::{AwsError, Clock, Entropy, ObjectMetadata, Objects};

pub(crate) use self::line::Record;
use crate::plane::LogRoute;

/// Records that wait to be written down.
const QUEUE_RECORDS: usize = 65_536;
/// How often they are.
const TURN: Duration = Duration::from_millis(250);
/// A file is written when its first record is this old,
const FLUSH_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// or when its lines have this many bytes.
const FLUSH_BYTES: usize = 4 << 20;
/// What is kept of files that cannot be written, in bytes; beyond, the oldest go.
const UNWRITTEN_BYTES_MAX: usize = 32 << 20;

/// Takes records, and makes files of them.
pub(crate) struct AccessLogs {
    sender: mpsc::Sender<(Arc<LogRoute>, Record)>,
    dropped: AtomicU64,
    desk: Mutex<Desk>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    objects: Arc<dyn Objects>,
    /// Where files are made; on the file system of the objects.
    scratch: PathBuf,
    edge_location: &'static str,
}

struct Desk {
    receiver: mpsc::Receiver<(Arc<LogRoute>, Record)>,
    batches: Batches,
}

impl AccessLogs {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        objects: Arc<dyn Objects>,
        scratch: PathBuf,
        edge_location: &'static str,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_RECORDS);
        let desk = Mutex::new(Desk { receiver, batches: Batches::default() });
        Self { sender, dropped: AtomicU64::new(0), desk, clock, entropy, objects, scratch, edge_location }
    }

    /// Takes a record; never waits.
    pub(crate) fn record(&self, route: Arc<LogRoute>, record: Record) {
        if self.sender.try_send((route, record)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes files, for ever.
    pub(crate) async fn run(&self) {
        loop {
            tokio::time::sleep(TURN).await;
            self.turn(false).await;
        }
    }

    /// Writes all that was recorded.
    pub(crate) async fn flush(&self) {
        self.turn(true).await;
    }

    async fn turn(&self, all: bool) {
        let mut desk = self.desk.lock().await;
        while let Ok((route, record)) = desk.receiver.try_recv() {
            desk.batches.add(&route, &record, self.edge_location);
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "requests came faster than they can be logged");
        }
        let due = desk.batches.take_due(self.clock.now(), all);
        for (place, batch) in due {
            let text = batch.text.clone();
            if let Err(error) = self.write(&place, text).await {
                tracing::warn!(bucket = place.bucket, error = %error, "a log file cannot be written");
                desk.batches.put_back(place, batch);
            }
        }
    }

    async fn write(&self, place: &Place, text: String) -> Result<(), AwsError> {
        let unique = self.entropy.hex(8);
        let key = format!("{}{}.{}.{unique}.gz", place.prefix, place.distribution, place.hour);
        let path = self.scratch.join(format!("{}.{unique}.gz", place.distribution));
        let (objects, bucket) = (self.objects.clone(), place.bucket.clone());
        let written = tokio::task::spawn_blocking(move || {
            compress(&path, &text).map_err(|error| AwsError::internal(error.to_string()))?;
            let metadata =
                ObjectMetadata { content_type: Some("application/gzip".into()), ..ObjectMetadata::default() };
            let put = objects.put_file(&bucket, &key, &path, metadata);
            if put.is_err() {
                // It would only lie about; the text is still there to try again.
                let _ = std::fs::remove_file(&path);
            }
            put.map(drop)
        });
        written.await.map_err(|error| AwsError::internal(error.to_string()))?
    }
}

fn compress(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut encoder = GzEncoder::new(std::fs::File::create(path)?, Compression::default());
    encoder.write_all(line::HEAD.as_bytes())?;
    encoder.write_all(text.as_bytes())?;
    encoder.finish()?.sync_all()
}

/// Whose requests of which hour; a file has one of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    bucket: String,
    prefix: String,
    distribution: String,
    /// `2026-11-22-23`.
    hour: String,
}

/// Lines that will be a file.
#[derive(Debug)]
struct Batch {
    begun_at: Timestamp,
    text: String,
}

/// Lines on their way into files.
#[derive(Debug, Default)]
struct Batches(BTreeMap<Place, Batch>);

impl Batches {
    fn add(&mut self, route: &LogRoute, record: &Record, edge_location: &str) {
        let place = Place {
            bucket: route.bucket.clone(),
            prefix: route.prefix.clone(),
            distribution: route.distribution.to_string(),
            hour: record.ended_at.strftime("%Y-%m-%d-%H").to_string(),
        };
        let begun_at = record.ended_at;
        let batch = self.0.entry(place).or_insert_with(|| Batch { begun_at, text: String::new() });
        line::write(record, edge_location, route.cookies, &mut batch.text);
    }

    /// The files that are to be written now.
    fn take_due(&mut self, now: Timestamp, all: bool) -> Vec<(Place, Batch)> {
        let due =
            |batch: &Batch| all || batch.text.len() >= FLUSH_BYTES || now.duration_since(batch.begun_at) >= FLUSH_AFTER;
        let places: Vec<Place> =
            self.0.iter().filter(|(_, batch)| due(batch)).map(|(place, _)| place.clone()).collect();
        places.into_iter().filter_map(|place| self.0.remove_entry(&place)).collect()
    }

    /// Keeps a file that could not be written for the next time, as long as there is room.
    fn put_back(&mut self, place: Place, batch: Batch) {
        let held: usize = self.0.values().map(|batch| batch.text.len()).sum();
        if held + batch.text.len() > UNWRITTEN_BYTES_MAX {
            tracing::warn!(bucket = place.bucket, bytes = batch.text.len(), "log lines are given up");
            return;
        }
        // Retried after as long again as a file waits anyway.
        let begun_at = batch.begun_at.checked_add(FLUSH_AFTER).unwrap_or(batch.begun_at);
        self.0.insert(place, Batch { begun_at, ..batch });
    }
}
