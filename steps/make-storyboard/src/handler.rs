//! Read the thumbnails, put them together, write what a player needs.

use std::future::Future;

use futures::{StreamExt, stream};
use vodline_contracts::{
    ErrorCode,
    steps::{MakeStoryboardInput, MakeStoryboardOutput},
    storyboard,
};
use vodline_step::StepError;

use crate::{
    cues::{self, Cue},
    sheet::{Picture, Sheet, TILES_MAX},
    thumbnails::Thumbnails,
};

/// Thumbnails that are read at the same time; the rest waits, so that memory is bounded by these and one sheet.
const READS: usize = 8;

/// What the step touches.
pub trait Ports {
    /// A thumbnail. Fails with [`ErrorCode::StoryboardFailed`] when it is not there.
    fn read(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Vec<u8>, StepError>>;
    /// Puts an object, in place of the one that may be there.
    fn write(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<(), StepError>>;
}

/// Makes the storyboard: the sheets first, then the WebVTT that names them. Running twice leaves the same as running once.
///
/// # Errors
/// [`ErrorCode::StoryboardFailed`], and what S3 answers.
pub async fn handle(input: MakeStoryboardInput, ports: &impl Ports) -> Result<MakeStoryboardOutput, StepError> {
    let Some(last) = &input.job.last_thumbnail_uri else {
        tracing::info!("the job made no thumbnails, there is nothing to put together");
        return Ok(MakeStoryboardOutput::default());
    };
    let thumbnails = Thumbnails::up_to(last).map_err(|error| failed(last, error))?;
    let folder = format!("{}storyboard", input.video_id.media_prefix());
    let interval_ms = storyboard::interval_seconds(input.duration_ms) * 1000;

    let read = |number| {
        let key = thumbnails.key(number);
        async { ports.read(&thumbnails.bucket, &key).await.map(|jpeg| (key, jpeg)) }
    };
    let mut pictures = std::pin::pin!(stream::iter(0..thumbnails.count).map(read).buffered(READS));
    let mut cues = Vec::new();
    for first in (0..thumbnails.count).step_by(TILES_MAX as usize) {
        let tiles = TILES_MAX.min(thumbnails.count - first);
        let name = format!("sheet-{}.jpg", first / TILES_MAX);
        let mut sheet = None;
        for number in first..first + tiles {
            let Some(thumbnail) = pictures.next().await else { break };
            let (key, jpeg) = thumbnail?;
            let picture = Picture::decode(&jpeg).map_err(|error| failed(&key, error))?;
            let sheet = sheet.get_or_insert_with(|| Sheet::like(&picture, tiles));
            let place = sheet.place(&picture).map_err(|error| failed(&key, error))?;
            cues.push(Cue { start_ms: number * interval_ms, sheet: name.clone(), place });
        }
        if let Some(sheet) = sheet {
            let jpeg = sheet.encode().map_err(|error| failed(&name, error))?;
            ports.write(&thumbnails.bucket, &format!("{folder}/{name}"), "image/jpeg", jpeg).await?;
        }
    }
    let text = cues::render(&cues, input.duration_ms).into_bytes();
    let key = format!("{folder}/storyboard.vtt");
    ports.write(&thumbnails.bucket, &key, "text/vtt; charset=utf-8", text).await?;
    tracing::info!(pictures = cues.len(), "the storyboard is made");
    Ok(MakeStoryboardOutput { path: Some(format!("/{key}")) })
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> StepError {
    StepError::new(ErrorCode::StoryboardFailed, format!("{what}: {error}")).caused_by(error)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::{cell::RefCell, collections::BTreeMap};

    use vodline_contracts::job::JobOutputs;
    use vodline_testing::samples;

    use super::*;
    use crate::sheet::tests::{brightness, grey};

    /// A bucket.
    #[derive(Default)]
    struct Fake(RefCell<BTreeMap<String, Vec<u8>>>);

    impl Ports for Fake {
        async fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, StepError> {
            assert_eq!(bucket, "media");
            let object = self.0.borrow().get(key).cloned();
            object.ok_or_else(|| StepError::new(ErrorCode::StoryboardFailed, format!("{key} is missing")))
        }

        async fn write(&self, bucket: &str, key: &str, _: &str, body: Vec<u8>) -> Result<(), StepError> {
            assert_eq!(bucket, "media");
            self.0.borrow_mut().insert(key.to_owned(), body);
            Ok(())
        }
    }

    fn key(number: u64) -> String {
        format!("{}images/video_thumbnail.{number:07}.jpg", samples::video_id().media_prefix())
    }

    /// A bucket with this many thumbnails, each brighter than the one before.
    fn bucket(thumbnails: u64) -> Fake {
        let fake = Fake::default();
        for number in 0..thumbnails {
            let brightness = u8::try_from(number * 2).expect("bright");
            fake.0.borrow_mut().insert(key(number), grey(32, 18, brightness));
        }
        fake
    }

    async fn call(fake: &Fake, thumbnails: u64, duration_ms: u64) -> Result<MakeStoryboardOutput, StepError> {
        let last = thumbnails.checked_sub(1).map(|last| format!("s3://media/{}", key(last)));
        let job = JobOutputs { last_thumbnail_uri: last, ..samples::job_outputs("job-1") };
        let run = samples::run("MakeStoryboard");
        handle(MakeStoryboardInput { run, video_id: samples::video_id(), duration_ms, job }, fake).await
    }

    #[tokio::test]
    async fn every_cue_shows_its_moment_on_as_many_sheets_as_it_takes() {
        let check = async |thumbnails: u64, duration_ms: u64, interval_ms: u64, sheets: usize| {
            let fake = bucket(thumbnails);
            let output = call(&fake, thumbnails, duration_ms).await.expect("made");
            let folder = format!("{}storyboard", samples::video_id().media_prefix());
            assert_eq!(output.path, Some(format!("/{folder}/storyboard.vtt")));
            let objects = fake.0.borrow().clone();
            assert_eq!(objects.keys().filter(|key| key.contains("/sheet-")).count(), sheets);
            let text = String::from_utf8(objects[&format!("{folder}/storyboard.vtt")].clone()).expect("text");
            let cues: Vec<_> = text.lines().filter(|line| line.contains("#xywh=")).collect();
            assert_eq!(cues.len() as u64, thumbnails, "{text}");
            for (number, cue) in cues.iter().enumerate() {
                let (sheet, place) = cue.split_once("#xywh=").expect("a place");
                let numbers: Vec<u32> = place.split(',').map(|number| number.parse().expect("a number")).collect();
                let place = (numbers[0], numbers[1], numbers[2], numbers[3]);
                let shown = brightness(&objects[&format!("{folder}/{sheet}")], place);
                assert!(usize::from(shown).abs_diff(number * 2) <= 2, "{cue} shows {shown}");
            }
            let second = format!("\n00:00:{:02}.000 --> ", interval_ms / 1000);
            assert_eq!(text.contains(&second), thumbnails > 1, "{text}");
            call(&fake, thumbnails, duration_ms).await.expect("made again");
            assert_eq!(*fake.0.borrow(), objects, "twice is as once");
        };
        check(1, 700, 1_000, 1).await;
        check(20, 20_000, 1_000, 1).await;
        check(26, 25_500, 1_000, 2).await;
        check(100, 3_600_000, 36_000, 4).await;
    }

    #[tokio::test]
    async fn sound_alone_has_no_storyboard() {
        let fake = Fake::default();
        assert_eq!(call(&fake, 0, 20_000).await.expect("nothing to do"), MakeStoryboardOutput::default());
        assert!(fake.0.borrow().is_empty());
    }

    #[tokio::test]
    async fn what_cannot_be_put_together_is_named() {
        type Objects = BTreeMap<String, Vec<u8>>;
        let check = async |change: &dyn Fn(&mut Objects), words: &str| {
            let fake = bucket(3);
            change(&mut fake.0.borrow_mut());
            let error = call(&fake, 3, 3_000).await.expect_err("refused");
            assert_eq!(error.code(), ErrorCode::StoryboardFailed);
            assert!(error.to_string().ends_with(words), "{error}");
            assert!(!fake.0.borrow().keys().any(|key| key.ends_with(".vtt")), "no WebVTT without its sheets");
        };
        check(&|objects| drop(objects.remove(&key(1))), "video_thumbnail.0000001.jpg is missing").await;
        let garbage = |objects: &mut Objects| drop(objects.insert(key(2), b"<html>".to_vec()));
        check(&garbage, "video_thumbnail.0000002.jpg: it is no JPEG that can be read").await;
        let other = |objects: &mut Objects| drop(objects.insert(key(2), grey(18, 32, 0)));
        check(&other, "it is 18 by 32 pixels large, unlike those before it").await;
    }
}
