//! The service: opened with its configuration, shared by the HTTP entry and the ports.

use std::{collections::HashSet, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;
use s3s::service::{S3Service, S3ServiceBuilder};
use vodline_core::{Account, Authorizer, Clock, Entropy, EventBus, Store};

use crate::{
    auth::{Authentication, Credentials, Permissions},
    bucket::{self, Bucket, BucketSpec, Versioning},
    conditions::WriteCondition,
    details::Details,
    event::{Cause, Change, event},
    failure::{Failure, OpenError},
    files::{Files, NewFile},
    host::Hosts,
    operations::Operations,
    schema::MIGRATION,
    uploads,
    versions::{self, VERSION_ID_DIGITS, Version},
};

/// How often [`S3::run`] looks for what has become too old.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);

/// How long the upload of a finished object still answers a repeated CompleteMultipartUpload.
const COMPLETED_UPLOAD_AGE: SignedDuration = SignedDuration::from_hours(24);

/// What the service is made of.
pub struct Config {
    /// The home's data directory; objects go to `objects` in it.
    pub directory: PathBuf,
    /// Whose buckets these are.
    pub account: Account,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Where file names, version ids and request ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// Where "Object Created" and "Object Deleted" go.
    pub bus: Arc<dyn EventBus>,
    /// Who may sign requests.
    pub credentials: Arc<dyn Credentials>,
    /// What they may do.
    pub authorizer: Arc<dyn Authorizer>,
}

/// S3. Also [`vodline_core::Objects`] and [`vodline_core::Origin`].
pub struct S3 {
    pub(crate) core: Arc<Core>,
    pub(crate) protocol: S3Service,
    pub(crate) hosts: Hosts,
}

impl S3 {
    /// Opens the store and the directory of objects, and removes the files that a crash left without a row.
    ///
    /// # Errors
    /// When the data directory cannot be used or the store refuses.
    pub fn open(config: Config) -> Result<Arc<Self>, OpenError> {
        let store = Store::open(&config.directory, MIGRATION)?;
        let root = config.directory.join("objects");
        let directory = |source| OpenError::Directory { path: root.clone(), source };
        let files = Files::open(root.clone(), config.entropy.clone()).map_err(directory)?;
        let known = store.read(known_files)?;
        let removed = files.sweep(&known).map_err(directory)?;
        if removed > 0 {
            tracing::info!(removed, "removed object files that a crash left behind");
        }
        let hosts = Hosts::new(&config.account.region);
        let core = Arc::new(Core {
            store,
            files,
            account: config.account,
            clock: config.clock,
            entropy: config.entropy,
            bus: config.bus,
            authorizer: config.authorizer,
        });
        let mut builder = S3ServiceBuilder::new(Operations(core.clone()));
        builder.set_auth(Authentication(config.credentials.clone()));
        builder.set_access(Permissions { credentials: config.credentials, core: core.clone() });
        builder.set_host(hosts.clone());
        Ok(Arc::new(Self { core, protocol: builder.build(), hosts }))
    }

    /// Makes a bucket, or brings one to what the template says of it. Repeating it changes nothing.
    ///
    /// # Errors
    /// `InvalidBucketName`, or when the store fails.
    pub fn define_bucket(&self, spec: &BucketSpec) -> Result<(), vodline_core::AwsError> {
        let core = &self.core;
        core.store.write(|transaction| bucket::define(transaction, spec, core.clock.now()))?;
        Ok(())
    }

    /// Aborts uploads past the age their bucket's lifecycle allows, and removes files nobody can reach any more. Never returns.
    pub async fn run(self: Arc<Self>) {
        let mut interval = tokio::time::interval(TIDY_INTERVAL);
        loop {
            interval.tick().await;
            let core = self.core.clone();
            // A failure is logged where it becomes an answer; here it only means that the next round tries again.
            if let Err(failure) = core.blocking(Core::tidy).await {
                tracing::error!(error = ?failure, "S3 could not tidy up");
            }
        }
    }
}

fn known_files(connection: &rusqlite::Connection) -> Result<HashSet<String>, vodline_core::StoreError> {
    let mut statement = connection
        .prepare("SELECT file FROM s3_versions WHERE file IS NOT NULL UNION ALL SELECT file FROM s3_parts")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The state and the ports that all operations work on.
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) files: Files,
    pub(crate) account: Account,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) bus: Arc<dyn EventBus>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
}

/// An object about to be stored: its bytes are on disk, its row is not.
pub(crate) struct NewObject {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) file: NewFile,
    pub(crate) size_bytes: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) details: Details,
    pub(crate) part_sizes: Vec<u64>,
    pub(crate) condition: WriteCondition,
    pub(crate) cause: Cause,
}

/// What became of a deletion.
#[derive(Default)]
pub(crate) struct Deletion {
    /// The version removed, or the marker made.
    pub(crate) version_id: Option<String>,
    /// Whether a marker was made or removed.
    pub(crate) delete_marker: bool,
}

impl Core {
    /// Runs work that touches disk or store off the runtime's own threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let core = self.clone();
        tokio::task::spawn_blocking(move || work(&core)).await?
    }

    pub(crate) fn request_id(&self) -> String {
        self.entropy.hex(16).to_uppercase()
    }

    /// The cause of what the home's own services do.
    pub(crate) fn internal_cause(&self, reason: &'static str) -> Cause {
        Cause { request_id: self.request_id(), source: IpAddr::from([127, 0, 0, 1]), reason }
    }

    /// Stores an object: its row, its event and whatever `also` adds, in one transaction.
    pub(crate) fn put(
        &self,
        object: NewObject,
        also: impl FnOnce(&Transaction<'_>, &Version) -> Result<Vec<String>, Failure>,
    ) -> Result<(Bucket, Version), Failure> {
        let NewObject { bucket, key, file, size_bytes, etag, details, part_sizes, condition, cause } = object;
        let mut version = Version {
            key,
            size_bytes,
            etag,
            modified: self.clock.now(),
            file: file.name().to_owned(),
            details,
            part_sizes,
            ..Version::default()
        };
        let (bucket, replaced) = self.store.write(|transaction| {
            let bucket = bucket::find(transaction, &bucket)?;
            condition.check(versions::current(transaction, &bucket.name, &version.key)?.as_ref())?;
            let mut replaced =
                versions::insert(transaction, &bucket, &mut version, self.entropy.hex(VERSION_ID_DIGITS))?;
            self.tell(transaction, &bucket, &Change::Created(&version), &cause)?;
            replaced.extend(also(transaction, &version)?);
            Ok::<_, Failure>((bucket, replaced))
        })?;
        file.keep();
        self.bus.wake();
        self.files.discard(replaced, self.clock.now());
        Ok((bucket, version))
    }

    /// Deletes a key, or one version of it, by the bucket's versioning. `check` sees what is there before it goes.
    pub(crate) fn delete(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        check: impl FnOnce(Option<&Version>) -> Result<(), Failure>,
        cause: &Cause,
    ) -> Result<Deletion, Failure> {
        let (deletion, discarded) = self.store.write(|transaction| {
            let bucket = bucket::find(transaction, bucket)?;
            if let Some(id) = version_id {
                let version = versions::by_id(transaction, &bucket.name, key, id)?;
                check(version.as_ref().filter(|version| !version.delete_marker))?;
                return self.delete_version(transaction, &bucket, id, version, cause);
            }
            check(versions::current(transaction, &bucket.name, key)?.as_ref())?;
            if bucket.versioning == Versioning::Off {
                let version = versions::latest(transaction, &bucket.name, key)?;
                let (_, discarded) =
                    self.delete_version(transaction, &bucket, versions::NULL_VERSION, version, cause)?;
                return Ok((Deletion::default(), discarded));
            }
            let mut marker =
                Version { key: key.into(), delete_marker: true, modified: self.clock.now(), ..Version::default() };
            let discarded = versions::insert(transaction, &bucket, &mut marker, self.entropy.hex(VERSION_ID_DIGITS))?;
            self.tell(transaction, &bucket, &Change::MarkedDeleted(&marker), cause)?;
            Ok::<_, Failure>((Deletion { version_id: Some(marker.version_id), delete_marker: true }, discarded))
        })?;
        self.bus.wake();
        self.files.discard(discarded, self.clock.now());
        Ok(deletion)
    }

    fn delete_version(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        id: &str,
        version: Option<Version>,
        cause: &Cause,
    ) -> Result<(Deletion, Vec<String>), Failure> {
        let version_id = Some(id.to_owned());
        // S3 answers the deletion of what is not there like any other.
        let Some(version) = version else { return Ok((Deletion { version_id, delete_marker: false }, Vec::new())) };
        let file = versions::remove(transaction, &bucket.name, &version)?;
        let sequence = versions::next_sequence(transaction)?;
        self.tell(transaction, bucket, &Change::Deleted(&version, sequence), cause)?;
        Ok((Deletion { version_id, delete_marker: version.delete_marker }, file.into_iter().collect()))
    }

    fn tell(
        &self,
        transaction: &Transaction<'_>,
        bucket: &Bucket,
        change: &Change<'_>,
        cause: &Cause,
    ) -> Result<(), Failure> {
        if bucket.event_bridge {
            self.bus.enqueue(transaction, &event(self, &bucket.name, change, cause)?)?;
        }
        Ok(())
    }

    /// One round of [`S3::run`].
    pub(crate) fn tidy(&self) -> Result<(), Failure> {
        let now = self.clock.now();
        let discarded = self.store.write(|transaction| {
            let mut discarded = uploads::abort_aged(transaction, now)?;
            discarded.extend(uploads::forget_completed(transaction, age_limit(now, COMPLETED_UPLOAD_AGE))?);
            Ok::<_, Failure>(discarded)
        })?;
        self.files.discard(discarded, now);
        self.files.empty_trash(now);
        Ok(())
    }
}

fn age_limit(now: Timestamp, age: SignedDuration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::io::Write;

    use vodline_core::{AwsError, Event, ManualClock, Objects, Principal, SeededEntropy, StoreError};

    use super::*;
    use crate::{GRACE, auth::Credential};

    struct Nobody;

    impl Credentials for Nobody {
        fn find(&self, _access_key: &str) -> Option<Credential> {
            None
        }
    }

    impl Authorizer for Nobody {
        fn authorize(&self, _principal: &Principal, _action: &str, _resource: &str) -> Result<(), AwsError> {
            Ok(())
        }
    }

    impl EventBus for Nobody {
        fn enqueue(&self, _transaction: &Transaction<'_>, _event: &Event) -> Result<(), StoreError> {
            Ok(())
        }

        fn wake(&self) {}
    }

    fn open(directory: &std::path::Path, clock: Arc<ManualClock>) -> Arc<S3> {
        S3::open(Config {
            directory: directory.into(),
            account: Account::default(),
            clock,
            // The seed differs between openings as real entropy would.
            entropy: Arc::new(SeededEntropy::new(std::fs::read_dir(directory).unwrap().count() as u64)),
            bus: Arc::new(Nobody),
            credentials: Arc::new(Nobody),
            authorizer: Arc::new(Nobody),
        })
        .unwrap()
    }

    fn put(s3: &S3, directory: &std::path::Path, text: &str) -> PathBuf {
        let from = directory.join("finished");
        std::fs::File::create(&from).unwrap().write_all(text.as_bytes()).unwrap();
        s3.put_file("films", "a", &from, vodline_core::ObjectMetadata::default()).unwrap();
        s3.get("films", "a").unwrap().path
    }

    #[test]
    fn a_replaced_file_outlives_its_row_by_the_grace() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let s3 = open(directory.path(), clock.clone());
        s3.define_bucket(&BucketSpec { name: "films".into(), ..BucketSpec::default() }).unwrap();
        let old = put(&s3, directory.path(), "old");
        let new = put(&s3, directory.path(), "new");
        clock.advance(GRACE - SignedDuration::from_secs(1));
        s3.core.tidy().unwrap();
        assert!(old.exists());
        clock.advance(SignedDuration::from_secs(1));
        s3.core.tidy().unwrap();
        assert!(!old.exists());
        assert_eq!(std::fs::read_to_string(new).unwrap(), "new");
    }

    #[test]
    fn incomplete_uploads_are_aborted_at_their_buckets_age() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let s3 = open(directory.path(), clock.clone());
        for (name, abort_uploads_after_days) in [("films", Some(2)), ("other", None)] {
            let spec = BucketSpec { name: name.into(), abort_uploads_after_days, ..BucketSpec::default() };
            s3.define_bucket(&spec).unwrap();
            let upload = uploads::Upload {
                id: format!("upload to {name}"),
                key: "a".into(),
                initiated: clock.now(),
                details: Details::default(),
                named: None,
                checksum_type: crate::checksum::ChecksumType::FullObject,
                completed: None,
            };
            s3.core.store.write(|transaction| uploads::insert(transaction, name, &upload)).unwrap();
        }
        let open = || {
            let found = s3.core.store.read::<Vec<String>, vodline_core::StoreError>(|connection| {
                let mut statement = connection.prepare("SELECT upload_id FROM s3_uploads ORDER BY bucket")?;
                Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            });
            found.unwrap()
        };
        clock.advance(SignedDuration::from_hours(47));
        s3.core.tidy().unwrap();
        assert_eq!(open(), ["upload to films", "upload to other"]);
        clock.advance(SignedDuration::from_hours(1));
        s3.core.tidy().unwrap();
        assert_eq!(open(), ["upload to other"]);
    }

    #[test]
    fn opening_sweeps_files_without_a_row() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let s3 = open(directory.path(), clock.clone());
        s3.define_bucket(&BucketSpec { name: "films".into(), ..BucketSpec::default() }).unwrap();
        let kept = put(&s3, directory.path(), "kept");
        let orphan = directory.path().join("objects/ab/left-by-a-crash");
        std::fs::write(&orphan, "half").unwrap();
        drop(s3);
        let s3 = open(directory.path(), clock);
        assert!(!orphan.exists());
        assert_eq!(s3.get("films", "a").unwrap().path, kept);
        assert!(kept.exists());
    }
}
