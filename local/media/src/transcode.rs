//! The transcoding of one job: in one piece or in chunks, its stills beside it, and what was measured on the way.

use std::{num::NonZeroUsize, path::Path};

use tokio::{process::Command, sync::mpsc, task::JoinSet};

use crate::{
    chunk::Chunks,
    measure::{self, Quality, Quantisers},
    plan::{BLACK_FILE, Plan},
    record::BlackSegment,
    run::{self, ChildError, Progress, Watch},
    source::Tools,
};

/// The notes on quantisers of a transcode in one piece.
const QUALITY_FILE: &str = "quality.txt";

/// How many chunks are worked on at once: one for each core.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Why a transcode ended badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TranscodeError {
    /// One of its processes did.
    #[error("a process ended badly")]
    Child(#[from] ChildError),
    /// A chunk has other frames than it should: the source is not as its headers say.
    #[error("chunk {0} has not the frames it should have")]
    Uneven(usize),
    /// Files between the processes cannot be written.
    #[error("cannot write a file in scratch")]
    Scratch(#[from] std::io::Error),
}

/// A transcode that can be run.
pub(crate) struct Transcode<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) plan: &'a Plan,
    pub(crate) scratch: &'a Path,
    pub(crate) watch: Watch,
    /// How it is cut; in one piece when absent.
    pub(crate) chunks: Option<&'a Chunks>,
}

/// What was found out about pictures.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) black: Vec<BlackSegment>,
    /// By group and output.
    pub(crate) quality: Vec<Vec<Option<Quality>>>,
}

impl Transcode<'_> {
    /// Runs it to its end. `None` when there were only stills to make.
    pub(crate) async fn run(&self, on_progress: impl FnMut(Progress)) -> Result<Option<Progress>, TranscodeError> {
        let media = async {
            match (&self.plan.transcode, self.chunks) {
                (None, _) => Ok(None),
                (Some(arguments), None) => {
                    let mut command =
                        self.command(&["-vstats_version", "2", "-vstats_file", QUALITY_FILE].map(Into::into));
                    command.args(arguments);
                    Ok(Some(run::run(command, self.watch.clone(), on_progress).await?))
                }
                (Some(_), Some(chunks)) => self.in_chunks(chunks, on_progress).await.map(Some),
            }
        };
        let stills = async {
            for arguments in self.plan.capture.iter().chain(&self.plan.caption_runs) {
                run::run(self.command(arguments), self.watch.clone(), |_| {}).await?;
            }
            Ok::<_, TranscodeError>(())
        };
        // When one fails the other is dropped, and dropping kills.
        let (progress, ()) = tokio::try_join!(media, stills)?;
        for arguments in &self.plan.tile_runs {
            run::run(self.command(arguments), self.watch.clone(), |_| {}).await?;
        }
        Ok(progress)
    }

    /// All chunks, as many at once as there are cores, and then their joining.
    async fn in_chunks(
        &self,
        chunks: &Chunks,
        mut on_progress: impl FnMut(Progress),
    ) -> Result<Progress, TranscodeError> {
        let mut waiting = chunks.chunks.iter().enumerate();
        let mut tasks = JoinSet::new();
        let (sender, mut reports) = mpsc::unbounded_channel();
        let mut frames = vec![0; chunks.chunks.len()];
        loop {
            while tasks.len() < workers() {
                let Some((number, chunk)) = waiting.next() else { break };
                let (command, watch, sender) = (self.command(&chunk.arguments), self.watch.clone(), sender.clone());
                tasks.spawn(async move {
                    let tell = |progress: Progress| {
                        // Nobody listens any more when another chunk has failed.
                        let _ = sender.send((number, progress.frames));
                    };
                    (number, run::run(command, watch, tell).await)
                });
            }
            tokio::select! {
                Some((number, told)) = reports.recv() => {
                    frames[number] = told;
                    let frames = frames.iter().sum();
                    #[expect(clippy::cast_precision_loss, reason = "pictures of one job")]
                    let seconds = frames as f64 / chunks.frames_per_second;
                    on_progress(Progress { frames, seconds });
                }
                ended = tasks.join_next() => {
                    let Some(ended) = ended else { break };
                    let (number, outcome) = ended.map_err(|error| ChildError::Follow(std::io::Error::other(error)))?;
                    let made = outcome?.frames;
                    if chunks.chunks[number].frames().map_or(made == 0, |expected| made != expected) {
                        return Err(TranscodeError::Uneven(number));
                    }
                }
            }
        }
        for (name, list) in chunks.lists() {
            std::fs::write(self.scratch.join(name), list)?;
        }
        let progress = run::run(self.command(&chunks.join), self.watch.clone(), |_| {}).await?;
        for file in chunks.files() {
            std::fs::remove_file(self.scratch.join(file))?;
        }
        Ok(progress)
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = self.tools.command(&self.tools.ffmpeg, self.scratch);
        command.args(arguments);
        command
    }

    /// Reads the notes that were taken. Notes that are missing or unreadable leave figures out; the media are no worse for it.
    pub(crate) fn measured(&self, seconds: f64) -> Measured {
        let read = |name: &str| std::fs::read_to_string(self.scratch.join(name)).unwrap_or_default();
        let mut quantisers = Quantisers::new();
        let mut black = Vec::new();
        match self.chunks {
            None => {
                measure::read_quantisers(&read(QUALITY_FILE), &mut quantisers);
                black = measure::read_black(&read(BLACK_FILE), seconds);
            }
            Some(chunks) => {
                for chunk in &chunks.chunks {
                    measure::read_quantisers(&read(&chunk.quality_file), &mut quantisers);
                    black.extend(measure::read_black(&read(&chunk.black_file), chunk.end_seconds(seconds)));
                }
                black = measure::joined(black, 1.0 / chunks.frames_per_second);
            }
        }
        let encodes = self.plan.transcode.as_deref().map(measure::quality_encodes).unwrap_or_default();
        let quality = |output: &crate::plan::PlannedOutput| {
            let (encode, rate_factor) = encodes.get(output.directory.as_str())?;
            let rate = output.video?.frame_rate.value();
            measure::quality(quantisers.get(encode)?, *rate_factor, rate)
        };
        let quality = self.plan.groups.iter().map(|group| group.iter().map(quality).collect()).collect();
        Measured { black, quality }
    }
}
