//! `vodline upload`: multipart, with a progress bar, then follows the run.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, Length},
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use vodline_contracts::{VideoId, video::VideoStatus};

use super::follow::follow;
use crate::{
    error::{CliError, doing},
    home::{HomeArgs, Stack},
    render,
};

/// S3's limit on the number of parts.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PARTS_MAX: u64 = 10_000;
/// Parts are at least this large (S3 allows 5 MiB).
const PART_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// Parts on their way at the same time.
const PARTS_IN_FLIGHT: usize = 4;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The video file.
    file: PathBuf,
    /// What to call it; by default its file name.
    #[arg(long)]
    title: Option<String>,
    /// Do not follow the run; print the video's id and go.
    #[arg(long)]
    no_wait: bool,
    /// The object's key; by default one that no other upload shares.
    #[arg(long)]
    key: Option<String>,
    /// Print the video's row as JSON at the end.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    let stack = home.stack().await?;
    let video_id = upload(&stack, arguments).await?;
    if arguments.no_wait {
        render::line(video_id.as_str());
        return Ok(ExitCode::SUCCESS);
    }
    render::note(format!("uploaded as {video_id}; the run's states:"));
    let video = follow(&stack, &video_id).await?;
    if arguments.json {
        render::line(serde_json::to_string_pretty(&video).unwrap_or_default());
    }
    match (&video.error, video.status) {
        (_, VideoStatus::Ready) => {
            render::note(format!("READY: {}/watch.html?v={video_id}", stack.output("SiteUrl")?));
            Ok(ExitCode::SUCCESS)
        }
        (Some(error), _) => {
            let state = error.state.as_deref().unwrap_or("the run");
            render::note(render::printable(&format!("FAILED in {state}: {}: {}", error.code, error.message)));
            render::note(format!("when its cause is mended: vodline redrive {video_id}"));
            Ok(ExitCode::FAILURE)
        }
        (None, _) => Err(CliError::Plain(format!("the run of {video_id} ended and its row is still PROCESSING"))),
    }
}

async fn upload(stack: &Stack, arguments: &Arguments) -> Result<VideoId, CliError> {
    let file = &arguments.file;
    let size = tokio::fs::metadata(file)
        .await
        .map_err(|source| CliError::Io { doing: format!("read {}", file.display()), source })?
        .len();
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let bucket = stack.output("UploadBucket")?;
    let key = arguments.key.clone().unwrap_or_else(|| format!("uploads/{}/{name}", uuid::Uuid::new_v4()));
    let target = Target {
        client: Client::new(&stack.config),
        bucket,
        key: &key,
        // S3's metadata is ASCII: percent-encoding carries any title.
        title: arguments.title.as_deref().map(|title| utf8_percent_encode(title, NON_ALPHANUMERIC).to_string()),
    };
    let bar = upload_bar(size);
    let uploaded =
        if size <= PART_BYTES_MIN { target.put(file, size, &bar).await } else { target.parts(file, size, &bar).await };
    bar.finish_and_clear();
    let (version_id, etag) = uploaded?;
    let version = version_id.unwrap_or_else(|| etag.trim_matches('"').to_owned());
    Ok(VideoId::of_object(bucket, &key, &version))
}

struct Target<'a> {
    client: Client,
    bucket: &'a str,
    key: &'a str,
    title: Option<String>,
}

/// Version id, where the bucket keeps versions, and ETag.
type Uploaded = (Option<String>, String);

impl Target<'_> {
    async fn put(&self, file: &Path, size: u64, bar: &ProgressBar) -> Result<Uploaded, CliError> {
        let body = stream(file, 0, size).await?;
        let answer = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(self.key)
            .set_metadata(self.metadata())
            .body(body)
            .send()
            .await
            .map_err(doing(format!("upload to {}", self.bucket)))?;
        bar.inc(size);
        Ok((answer.version_id, answer.e_tag.unwrap_or_default()))
    }

    async fn parts(&self, file: &Path, size: u64, bar: &ProgressBar) -> Result<Uploaded, CliError> {
        let what = || format!("upload to {}", self.bucket);
        let created = self
            .client
            .create_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .set_metadata(self.metadata())
            .send()
            .await
            .map_err(doing(what()))?;
        let upload_id = created.upload_id.unwrap_or_default();
        let part_size = PART_BYTES_MIN.max(size.div_ceil(PARTS_MAX));
        let sent: Result<Vec<CompletedPart>, CliError> = futures::stream::iter(0..size.div_ceil(part_size))
            .map(|index| self.part(&upload_id, file, index, part_size, size, bar))
            .buffered(PARTS_IN_FLIGHT)
            .try_collect()
            .await;
        let parts = match sent {
            Ok(parts) => parts,
            Err(error) => {
                // Parts of an upload that nobody completes are paid for until they expire.
                let _ = self
                    .client
                    .abort_multipart_upload()
                    .bucket(self.bucket)
                    .key(self.key)
                    .upload_id(&upload_id)
                    .send()
                    .await;
                return Err(error);
            }
        };
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(&upload_id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map_err(doing(what()))?;
        Ok((answer.version_id, answer.e_tag.unwrap_or_default()))
    }

    async fn part(
        &self,
        upload_id: &str,
        file: &Path,
        index: u64,
        part_size: u64,
        size: u64,
        bar: &ProgressBar,
    ) -> Result<CompletedPart, CliError> {
        let offset = index * part_size;
        let length = part_size.min(size - offset);
        // PARTS_MAX keeps this far below i32's bound.
        let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let answer = self
            .client
            .upload_part()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(upload_id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(stream(file, offset, length).await?)
            .send()
            .await
            .map_err(doing(format!("upload part {number} to {}", self.bucket)))?;
        bar.inc(length);
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(answer.e_tag)
            .set_checksum_crc32(answer.checksum_crc32)
            .build())
    }

    fn metadata(&self) -> Option<std::collections::HashMap<String, String>> {
        self.title.clone().map(|title| std::collections::HashMap::from([("title".to_owned(), title)]))
    }
}

async fn stream(file: &Path, offset: u64, length: u64) -> Result<ByteStream, CliError> {
    ByteStream::read_from()
        .path(file)
        .offset(offset)
        .length(Length::Exact(length))
        .build()
        .await
        .map_err(doing(format!("read {}", file.display())))
}

fn upload_bar(size: u64) -> ProgressBar {
    let bar = if render::interactive() { ProgressBar::new(size) } else { ProgressBar::hidden() };
    if let Ok(style) =
        ProgressStyle::with_template("  uploading [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
