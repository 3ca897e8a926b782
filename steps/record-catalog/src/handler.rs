//! The end of a run.

use std::future::Future;

use jiff::Timestamp;
use vodline_catalog::{Catalog, Published};
use vodline_contracts::{
    ErrorCode,
    packaging::PackagingFormat,
    playback::PlaybackPaths,
    source::Source,
    steps::{RecordCatalogInput, RecordCatalogOutput},
    video::VideoReady,
};
use vodline_step::{StepError, announce::Announce};

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The event bus.
    fn bus(&self) -> &impl Announce;
    /// Address of the site, without a slash at the end.
    fn site_url(&self) -> &str;
    /// Whether the source's key holds another object by now.
    fn is_overwritten(&self, source: &Source) -> impl Future<Output = Result<bool, StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Publishes the video in the catalogue, unless its source was overwritten. MediaConvert knows keys and no versions: what it
/// read while the key changed hands nobody can say. A key that still holds the admitted object did so all the time.
///
/// # Errors
/// [`ErrorCode::SourceUnavailable`], and what S3, DynamoDB and EventBridge answer.
pub async fn handle(input: RecordCatalogInput, ports: &impl Ports) -> Result<RecordCatalogOutput, StepError> {
    let video_id = input.video_id;
    if let Some(source) = &input.source
        && ports.is_overwritten(source).await?
    {
        return Err(StepError::new(
            ErrorCode::SourceUnavailable,
            "the uploaded object was overwritten before its video was made; what overwrote it is a video of its own",
        ));
    }
    let job = input.job;
    let endpoints = input.asset.map(|asset| asset.endpoints).unwrap_or_default();
    let hls = endpoints.into_iter().find(|endpoint| endpoint.format == PackagingFormat::Hls);
    let playback = PlaybackPaths {
        // What is not packaged just in time is served as the job made it.
        dash: input.playback.dash.or_else(|| job.dash_manifest_uri.as_deref().and_then(site_path)),
        mp4: job.mp4_uri.as_deref().and_then(site_path),
        ..input.playback
    };
    let published = Published {
        duration_ms: job.duration_ms,
        renditions: job.renditions,
        endpoint: hls.map(|endpoint| endpoint.url),
        domain_name: input.domain_name,
        playback,
        poster: job.poster_uri.as_deref().and_then(site_path),
        storyboard: input.storyboard.path,
        receipt: input.receipt,
    };
    let execution = &input.run.execution_arn;
    let video = ports
        .catalog()
        .record_ready(&video_id, execution, &published, ports.now())
        .await?
        .ok_or_else(|| StepError::internal(format!("the row of {video_id} is not this run's")))?;
    let watch_url = format!("{}/watch.html?v={video_id}", ports.site_url());
    let ready = VideoReady { video_id: video_id.clone(), title: video.title, watch_url: watch_url.clone() };
    ports.bus().announce("VideoReady", &ready).await?;
    Ok(RecordCatalogOutput { video_id, status: video.status, watch_url })
}

/// The path of the site at which an object of the media bucket is served: its key.
fn site_path(uri: &str) -> Option<String> {
    let (_bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    Some(format!("/{key}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::json;
    use vodline_contracts::{
        packaging::{AssetEndpoint, PlayableAsset},
        steps::{MakeStoryboardOutput, Run},
        video::VideoStatus,
    };
    use vodline_testing::{
        Announcements,
        samples::{self, OTHER_EXECUTION, at},
    };

    use super::*;

    struct Fake {
        catalog: Catalog,
        bus: Announcements,
        overwritten: bool,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn bus(&self) -> &impl Announce {
            &self.bus
        }

        fn site_url(&self) -> &str {
            "https://site.example"
        }

        async fn is_overwritten(&self, source: &Source) -> Result<bool, StepError> {
            assert_eq!(*source, samples::source());
            Ok(self.overwritten)
        }

        fn now(&self) -> Timestamp {
            at(60)
        }
    }

    fn input(run: Run) -> RecordCatalogInput {
        let endpoint = AssetEndpoint {
            configuration_id: "vod-1-hls".to_owned(),
            format: PackagingFormat::Hls,
            url: "https://h.egress.example/out/v1/a/b/c/index.m3u8".to_owned(),
        };
        RecordCatalogInput {
            run,
            video_id: samples::video_id(),
            source: Some(samples::source()),
            job: samples::job_outputs("job-1"),
            asset: Some(PlayableAsset { asset_id: samples::video_id().to_string(), endpoints: vec![endpoint] }),
            domain_name: Some("h.egress.example".to_owned()),
            storyboard: MakeStoryboardOutput { path: Some("/media/v/storyboard/storyboard.vtt".to_owned()) },
            playback: samples::playback(),
            receipt: samples::receipt(),
        }
    }

    async fn fake() -> Fake {
        let catalog = vodline_testing::catalog();
        catalog.admit(&samples::video()).await.expect("admitted");
        Fake { catalog, bus: Announcements::default(), overwritten: false }
    }

    #[tokio::test]
    async fn the_row_has_everything_and_the_bus_hears_of_it() {
        let fake = fake().await;
        let output = handle(input(samples::run("RecordCatalog")), &fake).await.expect("recorded");
        let id = samples::video_id();
        let watch_url = format!("https://site.example/watch.html?v={id}");
        assert_eq!((output.status, output.watch_url.as_str()), (VideoStatus::Ready, watch_url.as_str()));
        let ready = json!({ "videoId": id, "title": "A cat & a dog", "watchUrl": watch_url });
        assert_eq!(fake.bus.take(), [("VideoReady".to_owned(), ready)]);

        let row = fake.catalog.video(&id).await.expect("an answer").expect("a row");
        let playback = row.playback.clone().expect("paths");
        let media = id.media_prefix();
        assert_eq!(playback.hls, samples::playback().hls);
        assert_eq!(playback.dash, Some(format!("/{media}dash/manifest.mpd")));
        assert_eq!(playback.mp4, Some(format!("/{media}mp4/video_720p.mp4")));
        assert_eq!(row.poster, Some(format!("/{media}images/video_poster.0000001.jpg")));
        assert_eq!(row.storyboard.as_deref(), Some("/media/v/storyboard/storyboard.vtt"));
        assert_eq!(row.endpoint.as_deref(), Some("https://h.egress.example/out/v1/a/b/c/index.m3u8"));
        assert_eq!((row.renditions.len(), row.receipt.is_some(), row.error.is_some()), (3, true, false));

        handle(input(samples::run("RecordCatalog")), &fake).await.expect("twice is as once");
        assert_eq!(fake.catalog.video(&id).await.expect("an answer"), Some(row));
    }

    #[tokio::test]
    async fn what_is_packaged_directly_has_no_egress() {
        let fake = fake().await;
        let playback = PlaybackPaths { cmaf: Some("/media/v/cmaf/master.m3u8".to_owned()), ..PlaybackPaths::default() };
        let input = RecordCatalogInput {
            asset: None,
            domain_name: None,
            storyboard: MakeStoryboardOutput::default(),
            playback: playback.clone(),
            ..input(samples::run("RecordCatalog"))
        };
        handle(input, &fake).await.expect("recorded");
        let row = fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row");
        assert_eq!((row.endpoint, row.domain_name, row.storyboard), (None, None, None));
        assert_eq!(row.playback.and_then(|paths| paths.cmaf), playback.cmaf);
    }

    #[tokio::test]
    async fn a_source_that_was_overwritten_is_not_published() {
        let fake = Fake { overwritten: true, ..fake().await };
        let error = handle(input(samples::run("RecordCatalog")), &fake).await.expect_err("not published");
        assert_eq!(error.code(), ErrorCode::SourceUnavailable);
        let row = fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row");
        assert_eq!(row.status, VideoStatus::Processing);
        assert_eq!(fake.bus.take(), []);
        // Runs that began before this was looked at do not say what their source is.
        let older = RecordCatalogInput { source: None, ..input(samples::run("RecordCatalog")) };
        handle(older, &fake).await.expect("published");
    }

    #[tokio::test]
    async fn another_runs_row_is_left_alone() {
        let fake = fake().await;
        let run = Run { execution_arn: OTHER_EXECUTION.to_owned(), ..samples::run("RecordCatalog") };
        handle(input(run), &fake).await.expect_err("not its row");
        assert_eq!(fake.bus.take(), []);
    }
}
