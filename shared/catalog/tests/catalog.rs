//! The promises of the catalogue, kept on a real DynamoDB engine: nothing moves backwards, whatever comes twice, late or from
//! elsewhere.
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::unwrap_used, reason = "a test")]

use vodline_catalog::{Admission, Catalog, Cursor, FailureRecord, InvalidCursor, JobFailure, Published};
use vodline_contracts::{
    ErrorCode, VideoId,
    packaging::{PackagingConfiguration, PackagingFormat},
    video::{Failure, Progress, Video, VideoStatus},
};
use vodline_testing::{
    catalog,
    samples::{self, EXECUTION, OTHER_EXECUTION, at, video_id},
};

async fn admitted() -> Catalog {
    let catalog = catalog();
    assert_eq!(catalog.admit(&samples::video()).await.unwrap(), Admission::Admitted);
    catalog
}

async fn row(catalog: &Catalog) -> Video {
    catalog.video(&video_id()).await.unwrap().unwrap()
}

fn failure() -> Failure {
    Failure { code: "Vod.TranscodeFailed".to_owned(), message: "no".to_owned(), state: Some("StartJob".to_owned()) }
}

fn published() -> Published {
    let outputs = samples::job_outputs("1-a");
    Published {
        duration_ms: outputs.duration_ms,
        renditions: outputs.renditions,
        endpoint: Some("https://h/out/v1/a/b/c/index.m3u8".to_owned()),
        domain_name: Some("h".to_owned()),
        playback: samples::playback(),
        poster: Some("/media/poster.jpg".to_owned()),
        storyboard: None,
        receipt: samples::receipt(),
    }
}

#[tokio::test]
async fn a_video_is_admitted_once() {
    let catalog = admitted().await;
    let other = Video { execution_arn: OTHER_EXECUTION.to_owned(), ..samples::video() };
    assert_eq!(catalog.admit(&other).await.unwrap(), Admission::Known(Box::new(samples::video())));
    assert_eq!(row(&catalog).await, samples::video());
}

#[tokio::test]
async fn a_failed_admission_is_made_good_by_its_own_execution() {
    let catalog = admitted().await;
    catalog.record_failure(&video_id(), EXECUTION, &failure(), at(1)).await.unwrap();
    let other = Video { execution_arn: OTHER_EXECUTION.to_owned(), ..samples::video() };
    assert!(matches!(catalog.admit(&other).await.unwrap(), Admission::Known(_)));
    let titled = Video { title: "With a title".to_owned(), ..samples::video() };
    assert_eq!(catalog.admit(&titled).await.unwrap(), Admission::Admitted);
    assert_eq!(row(&catalog).await, titled);
}

#[tokio::test]
async fn a_probe_is_kept_for_its_own_execution() {
    let catalog = admitted().await;
    let record = |execution| {
        let catalog = catalog.clone();
        async move {
            let (facts, cost) = (samples::facts(), samples::cost_estimate());
            catalog.record_probe(&video_id(), execution, &facts, &cost, at(1)).await.unwrap()
        }
    };
    assert!(!record(OTHER_EXECUTION).await);
    assert_eq!(row(&catalog).await.facts, None);
    assert!(record(EXECUTION).await);
    assert!(record(EXECUTION).await);
    let row = row(&catalog).await;
    assert_eq!((row.facts, row.duration_ms), (Some(samples::facts()), Some(20_000)));
    assert_eq!(row.cost_estimate, Some(samples::cost_estimate()));
}

#[tokio::test]
async fn progress_only_grows_within_an_attempt() {
    let catalog = admitted().await;
    let check = async |attempt, percent, expected: u32| {
        let progress = Progress { phase: "TRANSCODING".to_owned(), percent };
        let written = catalog.record_progress(&video_id(), attempt, &progress, at(1)).await.unwrap();
        let kept = row(&catalog).await.progress.unwrap().percent;
        assert_eq!(kept, expected, "attempt {attempt}, {percent} %, written: {written}");
    };
    check(1, 10, 10).await;
    check(1, 30, 30).await;
    check(1, 20, 30).await;
    check(1, 30, 30).await;
    check(2, 5, 5).await;
    check(1, 90, 5).await;
    check(2, 6, 6).await;
}

#[tokio::test]
async fn ready_is_final() {
    let catalog = admitted().await;
    let progress = Progress { phase: "UPLOADING".to_owned(), percent: 100 };
    assert!(catalog.record_progress(&video_id(), 1, &progress, at(1)).await.unwrap());
    assert_eq!(catalog.record_ready(&video_id(), OTHER_EXECUTION, &published(), at(2)).await.unwrap(), None);
    let ready = catalog.record_ready(&video_id(), EXECUTION, &published(), at(3)).await.unwrap().unwrap();
    assert_eq!((ready.status, ready.progress.as_ref()), (VideoStatus::Ready, None));

    assert!(!catalog.record_progress(&video_id(), 2, &progress, at(4)).await.unwrap());
    assert_eq!(
        catalog.record_failure(&video_id(), EXECUTION, &failure(), at(4)).await.unwrap(),
        FailureRecord::Superseded
    );
    catalog.resume(&video_id(), EXECUTION, at(4)).await.unwrap();
    assert_eq!(row(&catalog).await, ready);

    let again = catalog.record_ready(&video_id(), EXECUTION, &published(), at(5)).await.unwrap().unwrap();
    assert_eq!(again.ready_at, ready.ready_at);
}

#[tokio::test]
async fn a_failure_is_recorded_by_its_own_execution_and_taken_back_by_a_redrive() {
    let catalog = admitted().await;
    let record = async |execution| catalog.record_failure(&video_id(), execution, &failure(), at(1)).await.unwrap();
    assert_eq!(record(OTHER_EXECUTION).await, FailureRecord::Superseded);
    let FailureRecord::Recorded(video) = record(EXECUTION).await else { panic!("not recorded") };
    assert_eq!((video.status, video.error), (VideoStatus::Failed, Some(failure())));

    catalog.resume(&video_id(), OTHER_EXECUTION, at(2)).await.unwrap();
    assert_eq!(row(&catalog).await.status, VideoStatus::Failed);
    catalog.resume(&video_id(), EXECUTION, at(2)).await.unwrap();
    let resumed = row(&catalog).await;
    assert_eq!((resumed.status, resumed.error), (VideoStatus::Processing, None));

    let unknown = VideoId::of_object("a", "b", "c");
    let outcome = catalog.record_failure(&unknown, EXECUTION, &failure(), at(1)).await.unwrap();
    assert_eq!(outcome, FailureRecord::NoSuchVideo);
}

#[tokio::test]
async fn a_job_is_that_of_the_latest_attempt() {
    let catalog = catalog();
    let id = video_id();
    assert_eq!(catalog.job(&id).await.unwrap(), None);
    let item = catalog.await_job(&id, "t1", at(0)).await.unwrap();
    assert_eq!((item.attempt, item.job_id), (0, None));

    assert!(catalog.begin_attempt(&id, 0, at(1)).await.unwrap());
    assert!(!catalog.begin_attempt(&id, 0, at(1)).await.unwrap(), "two begin the same attempt");
    assert!(catalog.record_job(&id, 1, "1-a", at(1)).await.unwrap());
    assert!(catalog.record_job(&id, 1, "1-a", at(1)).await.unwrap(), "twice is as once");
    assert!(!catalog.record_job(&id, 1, "1-b", at(1)).await.unwrap(), "the attempt has a job");

    let refused = JobFailure { code: ErrorCode::TranscodeFailed, message: "no".to_owned(), told: false };
    let item = catalog.record_job_failure(&id, 1, "1-a", &refused, at(2)).await.unwrap().unwrap();
    assert_eq!((item.failure.as_ref(), item.task_token.as_str()), (Some(&refused), "t1"));

    assert_eq!(catalog.await_job(&id, "t2", at(3)).await.unwrap().failure, Some(refused.clone()));
    assert!(catalog.begin_attempt(&id, 1, at(3)).await.unwrap());
    let late = catalog.record_outputs(&id, 1, &samples::job_outputs("1-a"), at(4)).await.unwrap();
    assert_eq!(late, None, "an event of the attempt before");
    // The event of a job comes before its id was recorded.
    let early = catalog.record_outputs(&id, 2, &samples::job_outputs("2-a"), at(4)).await.unwrap().unwrap();
    assert_eq!((early.job_id.as_deref(), early.failure), (Some("2-a"), None));
    assert_eq!(early.task_token, "t2");
    assert!(catalog.record_job(&id, 2, "2-a", at(5)).await.unwrap());
    assert_eq!(catalog.record_job_failure(&id, 2, "2-a", &refused, at(6)).await.unwrap(), None, "it is complete");
}

#[tokio::test]
async fn an_asset_is_playable_when_every_configuration_is_in_any_order() {
    let catalog = catalog();
    let id = video_id();
    assert_eq!(catalog.record_playable(&id, "g-hls", "https://h/1", at(0)).await.unwrap(), None, "nobody asked");
    let expected = [PackagingFormat::Hls, PackagingFormat::Dash]
        .map(|format| PackagingConfiguration { id: format!("g.{}", format.as_str()), format });
    catalog.await_asset(&id, "t1", &expected, at(1)).await.unwrap();
    let item = catalog.record_playable(&id, "g.dash", "https://h/2", at(2)).await.unwrap().unwrap();
    assert_eq!(item.when_playable(&id), None);
    assert_eq!(catalog.await_asset(&id, "t2", &expected, at(3)).await.unwrap().playable, item.playable);
    let item = catalog.record_playable(&id, "g.dash", "https://h/2", at(4)).await.unwrap().unwrap();
    assert_eq!(item.when_playable(&id), None, "the same again");
    let item = catalog.record_playable(&id, "g.hls", "https://h/1", at(5)).await.unwrap().unwrap();
    let asset = item.when_playable(&id).unwrap();
    assert_eq!(asset.endpoints.iter().map(|e| e.url.as_str()).collect::<Vec<_>>(), ["https://h/1", "https://h/2"]);
    assert_eq!(item.task_token, "t2");
    catalog.forget_playable(&id, at(6)).await.unwrap();
    assert!(catalog.asset(&id).await.unwrap().unwrap().playable.is_empty());
}

#[tokio::test]
async fn a_list_is_newest_first_and_paged() {
    let catalog = catalog();
    for second in 0..5 {
        let created = vodline_step::time::rfc3339(at(second));
        let video_id = VideoId::of_object("b", &second.to_string(), "1");
        let video = Video { video_id, created_at: created, title: second.to_string(), ..samples::video() };
        catalog.admit(&video).await.unwrap();
    }
    let mut titles = Vec::new();
    let mut cursor = None;
    loop {
        let page = catalog.newest_first(2, cursor.as_ref()).await.unwrap();
        titles.push(page.videos.iter().map(|video| video.title.clone()).collect::<String>());
        let Some(next) = page.next else { break };
        cursor = Some(Cursor::decode(&next.encode()).unwrap());
    }
    assert_eq!(titles, ["43", "21", "0"]);
}

#[test]
fn foreign_cursors_are_refused() {
    for text in ["", "x", "!!", "Zm9v", "MjAyNi0xMS0yMlQyMDo0MjozNC4xMjNaI3YwMTIz", "_-8"] {
        assert_eq!(Cursor::decode(text), Err(InvalidCursor), "{text}");
    }
}
