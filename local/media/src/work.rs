//! One job, from probing to publication.

use std::{path::Path, path::PathBuf, time::Duration};

use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};
use vodline_core::{AwsError, Principal, StoreError};

use crate::{
    chunk::{self, Chunks},
    event::Happening,
    job::{JobSettings, ObjectLocation, decode_settings},
    plan::{self, Plan, PlanError, SOURCE_FILE, caption_file, image_file, source_file},
    publish::{self, GroupDetail, Publication, PublishError},
    record::{AccelerationMode, JobError, JobRecord, Phase, Status, code},
    run::{ChildError, Guard, Progress, Watch},
    service::MediaConvert,
    source::{self, ProbeError, SourceFacts},
    transcode::{self, Measured, Transcode, TranscodeError},
};

/// Where a finished job's publication is written down, below its scratch directory.
const PUBLICATION_FILE: &str = "publication.json";

/// A source whose pictures end this share before its headers say is taken to be cut off.
const MISSING_SHARE_MAX: f64 = 0.05;
/// And this many seconds at least, for very short sources.
const MISSING_SECONDS_MAX: f64 = 1.0;

/// Containers whose headers are right about the length unless the file was cut off.
const EXACT_FORMATS: [&str; 6] = ["mp4", "quicktime", "three_gp", "three_g2", "matroska", "webm"];

/// PNG's first bytes. Source: <https://www.w3.org/TR/png-3/#5PNG-file-signature>.
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

/// Why a job did not complete.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody cancelled it; its state says so already.
    Canceled,
    /// Something about it, in MediaConvert's codes.
    Job(JobError),
    /// The home's store failed; the job goes on at the next start.
    Store(StoreError),
}

impl Failure {
    fn job(code: u32, message: impl Into<String>) -> Self {
        Self::Job(JobError { code, message: message.into() })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A job being worked on.
pub(crate) struct Work<'a> {
    pub(crate) service: &'a MediaConvert,
    pub(crate) record: JobRecord,
    pub(crate) cancel: watch::Receiver<bool>,
}

impl Work<'_> {
    /// Does what is left to do.
    pub(crate) async fn run(&mut self) -> Result<Vec<GroupDetail>, Failure> {
        let scratch = self.service.scratch_of(&self.record.id);
        if self.record.phase == Phase::Uploading {
            if let Some(publication) = read_publication(&scratch) {
                return self.publish(publication, &scratch).await;
            }
            // Without its notes the media are of no use; begin again.
            self.phase(Phase::Probing)?;
        }
        let publication = self.make(&scratch).await?;
        self.phase(Phase::Uploading)?;
        self.publish(publication, &scratch).await
    }

    async fn make(&mut self, scratch: &Path) -> Result<Publication, Failure> {
        let settings = decode_settings(&self.record.settings)
            .map_err(|refusal| Failure::job(code::SETTINGS, format!("{}: {}", refusal.path, refusal.reason)))?;
        self.may_write(&settings)?;
        fresh_directory(scratch)?;
        let input = settings.inputs.first().map(|input| input.file_input.clone());
        let Some(input) = input else { return Err(Failure::job(code::SETTINGS, "the job has no input")) };
        let mut facts = Vec::new();
        for (number, input) in settings.inputs.iter().enumerate() {
            let file = scratch.join(source_file(number));
            self.fetch(&input.file_input, &file)?;
            facts.push(self.probe(&input.file_input, &file).await?);
        }
        self.service.change(&self.record.id, Some(&Happening::InputInformation(&facts)), |_| true)?;
        let plan = plan::plan(&settings, &facts).map_err(plan_failure)?;
        for (number, image) in plan.images.iter().enumerate() {
            let file = scratch.join(image_file(number));
            self.fetch(image, &file)?;
            is_png(image, &file)?;
        }
        for (number, captions) in plan.caption_files.iter().enumerate() {
            self.fetch(captions, &scratch.join(caption_file(number)))?;
        }
        fresh_outputs(&plan, scratch)?;
        self.phase(Phase::Transcoding)?;
        let measured = self.transcode(&plan, &facts[0], &input, scratch).await?;
        self.service.change(&self.record.id, None, |record| {
            record.black_segments = measured.black;
            record.quality = measured.quality;
            true
        })?;
        let started = self.record.started_ms.unwrap_or(self.record.created_ms);
        let started = Timestamp::from_millisecond(started).unwrap_or(Timestamp::UNIX_EPOCH);
        let publication = publish::prepare(&settings, &plan, scratch, started).map_err(publish_failure)?;
        let notes = serde_json::to_vec(&publication).map_err(|error| Failure::job(code::UNKNOWN, error.to_string()))?;
        std::fs::write(scratch.join(PUBLICATION_FILE), notes).map_err(scratch_failure)?;
        Ok(publication)
    }

    async fn probe(&mut self, input: &ObjectLocation, file: &Path) -> Result<SourceFacts, Failure> {
        let facts = tokio::select! {
            facts = source::probe(&self.service.tools, file) => facts,
            _ = self.cancel.wait_for(|canceled| *canceled) => return Err(Failure::Canceled),
        };
        facts.map_err(|error| match error {
            ProbeError::Unreadable(reason) => Failure::job(
                code::INPUT,
                format!("Unable to open input file [{input}]: [Failed probe/open: [{reason}]]"),
            ),
            ProbeError::Timeout => Failure::job(
                code::INPUT,
                format!("Unable to open input file [{input}]: [Failed probe/open: [{error}]]"),
            ),
            ProbeError::Launch(source) => Failure::job(code::UNKNOWN, format!("cannot run ffprobe: {source}")),
        })
    }

    async fn transcode(
        &mut self,
        plan: &Plan,
        facts: &SourceFacts,
        input: &ObjectLocation,
        scratch: &Path,
    ) -> Result<Measured, Failure> {
        let chunks = self.chunks(plan, facts)?;
        let whole = Transcode {
            tools: &self.service.tools,
            plan,
            scratch,
            watch: Watch {
                stall: self.service.stall_timeout,
                cancel: self.cancel.clone(),
                guard: Guard::new(self.service.limits, scratch),
            },
            chunks: None,
        };
        let mut updates = Updates::new(self.service, &self.record, plan.duration_seconds);
        let mut transcode = Transcode { chunks: chunks.as_ref(), watch: whole.watch.clone(), ..whole };
        let mut outcome = transcode.run(|progress| updates.tell(progress)).await;
        if let Err(error @ TranscodeError::Uneven(_)) = outcome {
            self.not_accelerated(&error.to_string())?;
            fresh_outputs(plan, scratch)?;
            transcode.chunks = None;
            outcome = transcode.run(|progress| updates.tell(progress)).await;
        }
        let progress = outcome.map_err(|error| match error {
            TranscodeError::Child(error) => child_failure(error, input, facts),
            TranscodeError::Scratch(error) => scratch_failure(error),
            error @ TranscodeError::Uneven(_) => Failure::job(code::UNKNOWN, error.to_string()),
        })?;
        let Some(progress) = progress else { return Ok(Measured::default()) };
        complete_enough(progress, facts, plan.duration_seconds, input)?;
        Ok(transcode.measured(progress.seconds))
    }

    /// How the job is cut, if it is to be accelerated and can be.
    fn chunks(&self, plan: &Plan, facts: &SourceFacts) -> Result<Option<Chunks>, Failure> {
        if self.record.acceleration == AccelerationMode::Disabled {
            return Ok(None);
        }
        if !plan.whole {
            self.not_accelerated("its inputs are joined or clipped")?;
            return Ok(None);
        }
        let arguments = plan.transcode.as_deref().unwrap_or_default();
        match chunk::chunks(arguments, facts, transcode::workers()) {
            Ok(chunks) => {
                self.note_acceleration(true)?;
                Ok(Some(chunks))
            }
            Err(why) => {
                self.not_accelerated(why)?;
                Ok(None)
            }
        }
    }

    /// The job cannot be accelerated: it goes on without if that is only preferred, and fails otherwise.
    fn not_accelerated(&self, why: &str) -> Result<(), Failure> {
        self.note_acceleration(false)?;
        if self.record.acceleration == AccelerationMode::Enabled {
            return Err(Failure::job(code::SETTINGS, format!("the job cannot be accelerated: {why}")));
        }
        tracing::info!(job = %self.record.id, why, "job is not accelerated");
        Ok(())
    }

    fn note_acceleration(&self, accelerated: bool) -> Result<(), Failure> {
        self.service.change(&self.record.id, None, |record| {
            record.accelerated = Some(accelerated);
            true
        })?;
        Ok(())
    }

    async fn publish(&self, publication: Publication, scratch: &Path) -> Result<Vec<GroupDetail>, Failure> {
        let objects = self.service.objects.clone();
        let cancel = self.cancel.clone();
        let scratch: PathBuf = scratch.into();
        // Moving thousands of files blocks; it has a thread of its own.
        let moved = tokio::task::spawn_blocking(move || {
            publish::carry_out(&publication, &scratch, &*objects, || *cancel.borrow()).map(|()| publication.groups)
        })
        .await
        .map_err(|error| Failure::job(code::UNKNOWN, format!("publication was interrupted: {error}")))?;
        if *self.cancel.borrow() {
            return Err(Failure::Canceled);
        }
        moved.map_err(publish_failure)
    }

    fn phase(&mut self, phase: Phase) -> Result<(), Failure> {
        let changed = self.service.change(&self.record.id, None, |record| {
            if record.status != Status::Progressing {
                return false;
            }
            record.phase = phase;
            true
        })?;
        self.record = changed.ok_or(Failure::Canceled)?;
        Ok(())
    }

    /// Puts an object's bytes at `file`, without copying where the file system allows.
    fn fetch(&self, location: &ObjectLocation, file: &Path) -> Result<(), Failure> {
        self.may("s3:GetObject", &location.arn())?;
        let object = self.service.objects.get(&location.bucket, &location.key).map_err(|error| {
            Failure::job(code::NOT_FOUND, format!("Unable to open input file [{location}]: [{}]", error.message))
        })?;
        // A second name keeps the bytes there should the object be deleted meanwhile.
        std::fs::hard_link(&object.path, file).or_else(|_| std::fs::copy(&object.path, file).map(|_| ())).map_err(
            |error| Failure::job(code::INPUT, format!("Unable to open input file [{location}]: [{}]", error.kind())),
        )
    }

    fn may_write(&self, settings: &JobSettings) -> Result<(), Failure> {
        let input = settings.inputs.first();
        for kind in settings.output_groups.iter().filter_map(|group| group.kind()) {
            let destination = kind.destination();
            let base = input.map_or("", |input| destination.base_name(&input.file_input));
            self.may("s3:PutObject", &format!("arn:aws:s3:::{}/{}", destination.bucket, destination.key(base)))?;
        }
        Ok(())
    }

    fn may(&self, action: &str, resource: &str) -> Result<(), Failure> {
        let role = Principal::Role(self.record.role.clone());
        self.service.authorizer.authorize(&role, action, resource).map_err(|error: AwsError| {
            Failure::job(code::DENIED, format!("S3 access denied for the job's role: {}", error.message))
        })
    }
}

/// Writes progress down and tells of it, at the job's interval.
struct Updates<'a> {
    service: &'a MediaConvert,
    id: String,
    interval: Duration,
    duration_seconds: f64,
    last: Instant,
}

impl<'a> Updates<'a> {
    fn new(service: &'a MediaConvert, record: &JobRecord, duration_seconds: f64) -> Self {
        let asked = Duration::from_secs(record.status_update_seconds.into());
        let interval = asked.min(service.status_update_interval_max);
        Self { service, id: record.id.clone(), interval, duration_seconds, last: Instant::now() }
    }

    fn tell(&mut self, progress: Progress) {
        if self.last.elapsed() < self.interval {
            return;
        }
        self.last = Instant::now();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100")]
        let percent = (progress.seconds * 100.0 / self.duration_seconds.max(0.001)).clamp(0.0, 100.0) as u8;
        let told = self.service.change(&self.id, Some(&Happening::StatusUpdate), |record| {
            if record.status != Status::Progressing {
                return false;
            }
            record.transcoding_percent = percent.max(record.transcoding_percent);
            record.frames_decoded = progress.frames;
            true
        });
        if let Err(error) = told {
            // The next update tries again.
            tracing::warn!(job = %self.id, error = ?error, "cannot record progress");
        }
    }
}

fn read_publication(scratch: &Path) -> Option<Publication> {
    let notes = std::fs::read(scratch.join(PUBLICATION_FILE)).ok()?;
    serde_json::from_slice(&notes).ok()
}

fn fresh_directory(scratch: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(scratch_failure(error)),
        _ => {}
    }
    std::fs::create_dir_all(scratch).map_err(scratch_failure)
}

/// Empty directories for the outputs.
fn fresh_outputs(plan: &Plan, scratch: &Path) -> Result<(), Failure> {
    plan.directories().try_for_each(|directory| fresh_directory(&scratch.join(directory)))
}

fn is_png(image: &ObjectLocation, file: &Path) -> Result<(), Failure> {
    let mut head = [0; PNG.len()];
    let read = std::fs::File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    if read.is_ok() && head == PNG {
        return Ok(());
    }
    Err(Failure::job(
        code::SETTINGS,
        format!("the image to insert [{image}] is not a PNG, the only kind the local home takes"),
    ))
}

/// A file that was cut off decodes well up to its end; publishing half of it would be a silent loss.
fn complete_enough(
    progress: Progress,
    facts: &SourceFacts,
    expected_seconds: f64,
    input: &ObjectLocation,
) -> Result<(), Failure> {
    let missing = expected_seconds - progress.seconds;
    let exact = facts.format.is_some_and(|format| EXACT_FORMATS.contains(&format));
    if exact && missing > MISSING_SECONDS_MAX.max(expected_seconds * MISSING_SHARE_MAX) {
        let message = format!(
            "Unexpected end of input file [{input}]: {:.1} s of {:.1} s could be read",
            progress.seconds, expected_seconds
        );
        return Err(Failure::job(code::SOURCE_READ, message));
    }
    Ok(())
}

fn plan_failure(error: PlanError) -> Failure {
    let code = match error {
        PlanError::Video { .. } => code::NO_VIDEO,
        PlanError::Audio { .. } | PlanError::Track { .. } => code::NO_AUDIO,
        PlanError::Clipping { .. } | PlanError::Tile { .. } => code::SETTINGS,
    };
    Failure::job(code, error.to_string())
}

fn publish_failure(error: PublishError) -> Failure {
    match error {
        PublishError::Put { bucket, key, source } => {
            let code = match source.code.as_str() {
                "NoSuchBucket" => code::NOT_FOUND,
                "AccessDenied" => code::DENIED,
                _ => code::UNKNOWN,
            };
            Failure::job(code, format!("cannot write s3://{bucket}/{key}: {}", source.message))
        }
        PublishError::Scratch { source, .. } => scratch_failure(source),
        PublishError::SameName { .. } => Failure::job(code::SETTINGS, error.to_string()),
        PublishError::Unexpected { .. } | PublishError::Gone(_) => Failure::job(code::UNKNOWN, error.to_string()),
    }
}

fn scratch_failure(error: std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { code::DISK_FULL } else { code::UNKNOWN };
    Failure::job(code, format!("cannot use scratch space: {error}"))
}

fn child_failure(error: ChildError, input: &ObjectLocation, facts: &SourceFacts) -> Failure {
    match error {
        ChildError::Canceled => Failure::Canceled,
        ChildError::Failed(words) => {
            let unknown = facts.tracks.iter().any(|track| track.codec == "UNKNOWN");
            let code = if words.contains("No space left on device") {
                code::DISK_FULL
            } else if words.contains("Decoder not found") || (unknown && words.contains("Decoder (codec")) {
                code::CODEC
            } else if words.contains("Invalid data found") {
                code::DEMUX
            } else {
                code::UNKNOWN
            };
            Failure::job(code, format!("Unable to transcode input file [{input}]: [{}]", complaint(&words, input)))
        }
        ChildError::Disk(_) | ChildError::DiskFull => {
            Failure::job(code::DISK_FULL, format!("transcoding was stopped: {error}"))
        }
        ChildError::Stalled(_) | ChildError::Time(_) | ChildError::Memory(_) => {
            Failure::job(code::UNKNOWN, format!("transcoding was stopped: {error}"))
        }
        ChildError::Launch(source) => Failure::job(code::UNKNOWN, format!("cannot start ffmpeg: {source}")),
        ChildError::Follow(source) => Failure::job(code::UNKNOWN, format!("cannot follow ffmpeg: {source}")),
    }
}

/// ffmpeg's last words without what only it knows: addresses of its parts, repetitions, and the source's scratch name. Other
/// paths do not occur, since everything on the command line is relative.
fn complaint(words: &str, input: &ObjectLocation) -> String {
    const LINES_MAX: usize = 3;
    let mut lines: Vec<String> = Vec::new();
    for line in words.lines() {
        let mut line = line.trim();
        while let Some((part, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] "))
            && part.contains(" @ 0x")
        {
            line = rest;
        }
        let line = line.replace(&format!("file:{SOURCE_FILE}"), &input.to_string());
        if !line.is_empty() && !line.starts_with("Last message repeated") && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.drain(..surplus);
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn complaints_are_short_and_name_the_input() {
        let input = ObjectLocation::parse("s3://b/clip.avi").unwrap();
        let check = |words: &str, expected: &str| assert_eq!(complaint(words, &input), expected);
        check(
            "[mjpeg @ 0x5573b] [IMGUTILS @ 0x7fff2] Picture size 65500x65500 is invalid\n    Last message repeated 4 times\n\
             [mjpeg @ 0x99] [IMGUTILS @ 0x7ff] Picture size 65500x65500 is invalid\nConversion failed!",
            "Picture size 65500x65500 is invalid; Conversion failed!",
        );
        check("file:source: Invalid data found", "s3://b/clip.avi: Invalid data found");
        check("a\nb\nc\nd\n", "b; c; d");
        check("", "");
    }
}
