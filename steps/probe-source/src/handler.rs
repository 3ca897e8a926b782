//! Probe, judge, plan, price.

use std::future::Future;

use aws_sdk_mediaconvert::types::Container;
use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_contracts::{
    ErrorCode,
    source::Packaging,
    steps::{ProbeSourceInput, ProbeSourceOutput},
};
use vodline_step::StepError;

use crate::{cost, facts, ladder};

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// Who packages videos that MediaPackage can package.
    fn packaging(&self) -> Packaging;
    /// What MediaConvert sees in the file; nothing when it cannot read it.
    fn probe(&self, uri: &str) -> impl Future<Output = Result<Option<Container>, StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Probes the source.
///
/// # Errors
/// [`ErrorCode::UnsupportedSource`], [`ErrorCode::SourceUnavailable`], and what MediaConvert and DynamoDB answer.
pub async fn handle(input: ProbeSourceInput, ports: &impl Ports) -> Result<ProbeSourceOutput, StepError> {
    let refused = |refusal: facts::Refusal| StepError::new(ErrorCode::UnsupportedSource, refusal.to_string());
    if input.source.size_bytes == 0 {
        return Err(refused(facts::Refusal::Empty));
    }
    let container = ports.probe(&input.source.uri()).await?;
    let facts = facts::of(container.as_ref()).map_err(refused)?;
    let (ladder, audio_ladder, packaging) = match &facts.video {
        Some(video) => (ladder::plan(video).map_err(refused)?, Vec::new(), ports.packaging()),
        // MediaPackage VOD takes nothing without a picture.
        // Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/supported-inputs-vod.html>.
        None => (Vec::new(), ladder::audio(), Packaging::Direct),
    };
    let cost_estimate = cost::estimate(&facts, &ladder, packaging);
    tracing::info!(
        duration_ms = facts.duration_ms,
        width = facts.video.as_ref().map(|video| video.display_width),
        height = facts.video.as_ref().map(|video| video.display_height),
        renditions = ladder.len() + audio_ladder.len(),
        ?packaging,
        usd = cost_estimate.usd,
        "the source can be published"
    );
    let execution = &input.run.execution_arn;
    let own = ports.catalog().record_probe(&input.video_id, execution, &facts, &cost_estimate, ports.now()).await?;
    if !own {
        return Err(StepError::internal(format!("the row of {} is not this run's", input.video_id)));
    }
    Ok(ProbeSourceOutput { facts, ladder, audio_ladder, packaging, cost_estimate })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_mediaconvert::types::{Codec, Format, FrameRate, Track, TrackType, VideoProperties};
    use vodline_contracts::{source::Source, video::VideoStatus};
    use vodline_testing::samples::{self, at};

    use super::*;

    struct Fake {
        catalog: Catalog,
        container: Option<Container>,
        packaging: Packaging,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn packaging(&self) -> Packaging {
            self.packaging
        }

        async fn probe(&self, uri: &str) -> Result<Option<Container>, StepError> {
            assert_eq!(uri, "s3://uploads/uploads/7f/A cat & a dog.mp4");
            Ok(self.container.clone())
        }

        fn now(&self) -> Timestamp {
            at(1)
        }
    }

    fn container() -> Container {
        let video = VideoProperties::builder()
            .width(1280)
            .height(720)
            .frame_rate(FrameRate::builder().numerator(30).denominator(1).build())
            .build();
        let track = Track::builder().track_type(TrackType::Video).codec(Codec::Avc).video_properties(video).build();
        Container::builder().format(Format::Mp4).duration(20.02).tracks(track).build()
    }

    fn input(size_bytes: u64) -> ProbeSourceInput {
        ProbeSourceInput {
            run: samples::run("ProbeSource"),
            video_id: samples::video_id(),
            source: Source { size_bytes, ..samples::source() },
        }
    }

    async fn fake(container: Option<Container>) -> Fake {
        let catalog = vodline_testing::catalog();
        catalog.admit(&samples::video()).await.expect("admitted");
        Fake { catalog, container, packaging: Packaging::default() }
    }

    #[tokio::test]
    async fn what_was_found_is_on_the_row_however_often_it_is_looked_at() {
        let fake = fake(Some(container())).await;
        let output = handle(input(1), &fake).await.expect("publishable");
        assert_eq!(handle(input(1), &fake).await.expect("publishable"), output);
        assert_eq!(output.ladder.iter().map(|rung| rung.name.as_str()).collect::<Vec<_>>(), ["360p", "540p", "720p"]);
        let row = fake.catalog.video(&samples::video_id()).await.expect("an answer").expect("a row");
        assert_eq!((row.status, row.duration_ms), (VideoStatus::Processing, Some(20_020)));
        assert_eq!((row.facts, row.cost_estimate), (Some(output.facts), Some(output.cost_estimate)));
    }

    #[tokio::test]
    async fn sound_alone_is_always_packaged_directly() {
        let check = async |container: Container, packaging, expected, renditions: &[&str]| {
            let fake = Fake { packaging, ..fake(Some(container)).await };
            let output = handle(input(1), &fake).await.expect("publishable");
            assert_eq!(output.packaging, expected);
            let names = output.ladder.iter().map(|rung| rung.name.as_str());
            let names: Vec<_> = names.chain(output.audio_ladder.iter().map(|rung| rung.name.as_str())).collect();
            assert_eq!(names, renditions);
        };
        let sound = Track::builder().track_type(TrackType::Audio).codec(Codec::Aac).build();
        let sound = Container::builder().format(Format::Mp4).duration(3.0).tracks(sound).build();
        for packaging in [Packaging::MediaPackage, Packaging::Direct] {
            check(container(), packaging, packaging, &["360p", "540p", "720p"]).await;
            check(sound.clone(), packaging, Packaging::Direct, &["64k", "128k", "192k"]).await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_published_is_refused() {
        let check = async |size_bytes, container: Option<Container>| {
            let error = handle(input(size_bytes), &fake(container).await).await.expect_err("refused");
            assert_eq!(error.code(), ErrorCode::UnsupportedSource);
            error.to_string()
        };
        assert_eq!(check(0, None).await, "the file is empty");
        assert_eq!(
            check(1, None).await,
            "the file is neither video nor sound that can be read; it may be damaged, or cut off"
        );
    }
}
