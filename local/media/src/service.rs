//! The service: what it is opened with, its jobs' changes of state, and the loop that runs them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use vodline_core::{Account, Authorizer, AwsError, Clock, Entropy, EventBus, Objects, Store, StoreError};

use crate::{
    event::{Happening, event},
    queue,
    record::{JobError, JobRecord, Phase, Status, code},
    run::Limits,
    source::Tools,
    store,
    work::{Failure, Work},
};

/// How often a job is begun again after the home died under it, before it is given up as the cause of the deaths.
const RETRIES_MAX: u32 = 3;

/// The longest sleep between two looks at the jobs that may hop; the clock may be set meanwhile.
const HOP_PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long the loop waits before it looks again after its store failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What [`MediaConvert::open`] needs.
pub struct Config {
    /// The data directory of the home. Scratch is kept in `media/` below it, so that finished files can be moved into buckets.
    pub directory: PathBuf,
    /// Whose jobs these are.
    pub account: Account,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub entropy: Arc<dyn Entropy>,
    /// Where job events go.
    pub bus: Arc<dyn EventBus>,
    /// Where sources are read and outputs written.
    pub objects: Arc<dyn Objects>,
    /// Decides what a job's role may read and write.
    pub authorizer: Arc<dyn Authorizer>,
    /// The ffmpeg program (5.1 or later, with libx264): a name on the path, or an absolute path.
    pub ffmpeg: PathBuf,
    /// The ffprobe program; likewise.
    pub ffprobe: PathBuf,
    /// A program and its first arguments that sets limits (memory, file size, death with its parent) and then executes the rest
    /// of its command line in its own place, so that killing it kills ffmpeg.
    pub launcher: Option<(PathBuf, Vec<String>)>,
    /// How many jobs run at once; ffmpeg fills all cores by itself, so one is right for most machines.
    pub concurrent_jobs_max: usize,
    /// The longest time between STATUS_UPDATE events. AWS's shortest is ten seconds, in which a short video is done at home; so
    /// the home sends them at the interval asked for or at this one, whichever is shorter.
    pub status_update_interval_max: Duration,
    /// A process whose output does not grow for this long is killed and its job fails.
    pub stall_timeout: Duration,
    /// What one job may use up.
    pub limits: Limits,
}

impl Config {
    /// What [`Config::status_update_interval_max`] should be unless there is a reason.
    pub const STATUS_UPDATE_INTERVAL_MAX: Duration = Duration::from_secs(2);
    /// What [`Config::stall_timeout`] should be unless there is a reason.
    pub const STALL_TIMEOUT: Duration = Duration::from_secs(120);
}

/// The service cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its tables.
    #[error("cannot open the store of MediaConvert")]
    Store(#[from] StoreError),
    /// Its scratch directory.
    #[error("cannot use the scratch directory {path}")]
    Scratch {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// MediaConvert on ffmpeg: the API ([`vodline_core::Service`]) and the jobs ([`MediaConvert::run`]).
pub struct MediaConvert {
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) tools: Tools,
    pub(crate) store: Store,
    pub(crate) concurrent_jobs_max: usize,
    pub(crate) status_update_interval_max: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) limits: Limits,
    bus: Arc<dyn EventBus>,
    scratch: PathBuf,
    pub(crate) queues_changed: Notify,
    running: Mutex<HashMap<String, watch::Sender<bool>>>,
}

impl MediaConvert {
    /// Opens the service on its part of the home's store.
    ///
    /// # Errors
    /// When the store or the scratch directory cannot be used.
    pub fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let store = Store::open(&config.directory, store::TABLES)?;
        let scratch = std::path::absolute(config.directory.join("media"))
            .and_then(|path| std::fs::create_dir_all(&path).map(|()| path))
            .map_err(|source| OpenError::Scratch { path: config.directory.join("media"), source })?;
        Ok(Arc::new(Self {
            account: config.account,
            clock: config.clock,
            entropy: config.entropy,
            objects: config.objects,
            authorizer: config.authorizer,
            tools: Tools { ffmpeg: config.ffmpeg, ffprobe: config.ffprobe, launcher: config.launcher },
            store,
            concurrent_jobs_max: config.concurrent_jobs_max.max(1),
            status_update_interval_max: config.status_update_interval_max,
            stall_timeout: config.stall_timeout,
            limits: config.limits,
            bus: config.bus,
            scratch,
            queues_changed: Notify::new(),
            running: Mutex::default(),
        }))
    }

    /// Runs jobs until the future is dropped. First come the jobs that were running when the home last ended: those whose media
    /// are finished are published, the others are begun again.
    pub async fn run(self: Arc<Self>) {
        let mut jobs = JoinSet::new();
        let mut resumed = match self.interrupted() {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(error = ?error, "cannot resume interrupted jobs");
                Vec::new()
            }
        };
        self.clean_scratch(&resumed);
        loop {
            let next_hop = self.hop().unwrap_or_else(|error| {
                tracing::error!(error = ?error, "cannot let jobs hop");
                Some(STORE_PAUSE)
            });
            while jobs.len() < self.concurrent_jobs_max {
                let next = match resumed.pop() {
                    Some(record) => Ok(Some(record)),
                    None => self.claim(),
                };
                match next {
                    Ok(Some(record)) => {
                        let service = self.clone();
                        jobs.spawn(async move { service.execute(record).await });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(error = ?error, "cannot claim a job");
                        tokio::time::sleep(STORE_PAUSE).await;
                    }
                }
            }
            tokio::select! {
                () = self.queues_changed.notified() => {}
                () = tokio::time::sleep(next_hop.unwrap_or(HOP_PAUSE_MAX).min(HOP_PAUSE_MAX)) => {}
                Some(ended) = jobs.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(error = ?error, "a job's task ended badly");
                    }
                }
            }
        }
    }

    /// Tells a running job's task to stop.
    pub(crate) fn stop(&self, id: &str) {
        if let Some(sender) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            sender.send_replace(true);
        }
    }

    /// Changes a job and tells the bus of it, in one transaction. `change` returns `false` to leave the job as it is.
    /// The job after the change, or `None` when it was left alone or does not exist.
    pub(crate) fn change(
        &self,
        id: &str,
        happening: Option<&Happening<'_>>,
        change: impl FnOnce(&mut JobRecord) -> bool,
    ) -> Result<Option<JobRecord>, StoreError> {
        let changed = self.store.write(|transaction| {
            let Some(mut record) = store::get(transaction, id)? else { return Ok::<_, StoreError>(None) };
            if !change(&mut record) {
                return Ok(None);
            }
            store::update(transaction, &record)?;
            if let Some(happening) = happening {
                let event = event(&self.account, self.entropy.uuid(), self.clock.now(), &record, happening);
                self.bus.enqueue(transaction, &event)?;
            }
            Ok(Some(record))
        })?;
        if changed.is_some() && happening.is_some() {
            self.bus.wake();
        }
        Ok(changed)
    }

    /// The directory where a job's files are made.
    pub(crate) fn scratch_of(&self, id: &str) -> PathBuf {
        self.scratch.join(id)
    }

    fn claim(&self) -> Result<Option<JobRecord>, StoreError> {
        loop {
            let next = self.store.read(|connection| queue::next(connection, &self.account))?;
            let Some(next) = next else { return Ok(None) };
            let now = self.clock.now().as_millisecond();
            let claimed = self.change(&next.id, Some(&Happening::Progressing), |record| {
                if record.status != Status::Submitted {
                    return false;
                }
                record.status = Status::Progressing;
                record.phase = Phase::Probing;
                record.started_ms = Some(now);
                true
            })?;
            // Cancelled in between: look for another.
            if claimed.is_some() {
                return Ok(claimed);
            }
        }
    }

    /// Jobs that were running when the home ended, newest first (they are taken from the end). One that has ended the home too
    /// often fails here.
    fn interrupted(&self) -> Result<Vec<JobRecord>, StoreError> {
        let records = self.store.read(|connection| store::with_status(connection, Status::Progressing))?;
        let mut jobs = Vec::new();
        for record in records.into_iter().rev() {
            if record.phase == Phase::Uploading {
                jobs.push(record);
                continue;
            }
            if record.retry_count >= RETRIES_MAX {
                let message = format!("the home ended {} times while this job was running", RETRIES_MAX + 1);
                self.fail(&record.id, JobError { code: code::UNKNOWN, message })?;
                continue;
            }
            let again = self.change(&record.id, None, |record| {
                record.retry_count += 1;
                record.phase = Phase::Probing;
                record.transcoding_percent = 0;
                record.frames_decoded = 0;
                true
            })?;
            jobs.extend(again);
        }
        Ok(jobs)
    }

    /// Removes what interrupted runs left, except finished media that wait to be published.
    fn clean_scratch(&self, resumed: &[JobRecord]) {
        let kept = |name: &std::ffi::OsStr| {
            resumed.iter().any(|record| record.phase == Phase::Uploading && name.to_str() == Some(&record.id))
        };
        let Ok(entries) = std::fs::read_dir(&self.scratch) else { return };
        for entry in entries.flatten().filter(|entry| !kept(&entry.file_name())) {
            remove(&entry.path());
        }
    }

    async fn execute(&self, record: JobRecord) {
        let (sender, cancel) = watch::channel(false);
        let id = record.id.clone();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), sender);
        // A cancellation that came before the line above found nobody to tell.
        let alive = self.store.read(|connection| store::get(connection, &id));
        if !matches!(&alive, Ok(Some(record)) if record.status == Status::Progressing) {
            self.stop(&id);
        }
        let started = std::time::Instant::now();
        let outcome = Work { service: self, record, cancel }.run().await;
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let seconds = started.elapsed().as_secs_f64();
        let finished = match outcome {
            Ok(details) => {
                tracing::info!(job = %id, seconds, "job complete");
                let now = self.clock.now().as_millisecond();
                self.change(&id, Some(&Happening::Complete), |record| {
                    if record.status != Status::Progressing {
                        return false;
                    }
                    record.status = Status::Complete;
                    record.finished_ms = Some(now);
                    record.output_group_details = details;
                    true
                })
                .map(|_| ())
            }
            Err(Failure::Canceled) => {
                tracing::info!(job = %id, seconds, "job canceled");
                Ok(())
            }
            Err(Failure::Job(error)) => {
                tracing::warn!(job = %id, seconds, code = error.code, message = %error.message, "job failed");
                self.fail(&id, error)
            }
            Err(Failure::Store(error)) => Err(error),
        };
        match finished {
            // Its state could not be written: what it made is kept for the next start.
            Err(error) => tracing::error!(job = %id, error = ?error, "cannot record a job's end"),
            Ok(()) => remove(&self.scratch_of(&id)),
        }
    }

    fn fail(&self, id: &str, error: JobError) -> Result<(), StoreError> {
        let now = self.clock.now().as_millisecond();
        self.change(id, Some(&Happening::Error), |record| {
            if record.status != Status::Progressing {
                return false;
            }
            record.status = Status::Error;
            record.finished_ms = Some(now);
            record.error = Some(error);
            true
        })
        .map(|_| ())
    }

    /// Puts a job into the store with nothing said to the bus: AWS sends no event for SUBMITTED.
    /// A job made with the same token within the last minute is returned instead.
    pub(crate) fn submit(&self, record: JobRecord) -> Result<JobRecord, AwsError> {
        /// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/idempotency.html>.
        const TOKEN_MILLISECONDS: i64 = 60_000;
        let stored = self.store.write(|transaction| {
            if let Some(token) = &record.client_request_token
                && let Some(earlier) = store::by_token(transaction, token, record.created_ms - TOKEN_MILLISECONDS)?
            {
                return Ok::<_, StoreError>(earlier);
            }
            store::insert(transaction, &record)?;
            Ok(record)
        })?;
        self.queues_changed.notify_one();
        Ok(stored)
    }
}

fn remove(path: &Path) {
    let outcome = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    if let Err(error) = outcome
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), error = %error, "cannot remove scratch");
    }
}
