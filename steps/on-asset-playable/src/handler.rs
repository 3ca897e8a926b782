//! Keep what is playable; tell the task when everything is.

use vodline_catalog::waiting::Ports;
use vodline_contracts::{
    ErrorCode, VideoId,
    aws::{
        Envelope,
        mediapackage::{InputNotification, asset_id},
    },
};
use vodline_step::{StepError, callback::Callback};

/// Takes note of a notification. Order and repetition do not matter; notifications of assets that are none of ours change
/// nothing, because they cannot be told apart before they come here.
///
/// # Errors
/// What Step Functions and DynamoDB answer.
pub async fn handle(event: Envelope<InputNotification>, ports: &impl Ports) -> Result<(), StepError> {
    let Some(video_id) = asset_id(&event.resources).and_then(VideoId::parse) else { return Ok(()) };
    match event.detail.event.as_str() {
        "VodAssetPlayable" => playable(&video_id, &event.detail, ports).await,
        "IngestError" => failed(&video_id, &event.detail, ports).await,
        _ => Ok(()),
    }
}

async fn playable(video_id: &VideoId, detail: &InputNotification, ports: &impl Ports) -> Result<(), StepError> {
    let (Some(configuration_id), Some(url)) = (&detail.packaging_configuration_id, detail.manifest_urls.first()) else {
        // The task's heartbeat makes ingest-asset ask MediaPackage itself.
        tracing::warn!(%video_id, "the notification does not say what is playable where");
        return Ok(());
    };
    let Some(item) = ports.catalog().record_playable(video_id, configuration_id, url, ports.now()).await? else {
        return Ok(());
    };
    match item.when_playable(video_id) {
        Some(asset) => ports.callback().succeed(&item.task_token, &asset).await.map(drop),
        None => Ok(()),
    }
}

async fn failed(video_id: &VideoId, detail: &InputNotification, ports: &impl Ports) -> Result<(), StepError> {
    let Some(item) = ports.catalog().asset(video_id).await? else { return Ok(()) };
    if item.when_playable(video_id).is_some() {
        tracing::info!(%video_id, "an ingest error of an asset that is playable");
        return Ok(());
    }
    let words = detail.message.as_deref().unwrap_or("the ingest failed");
    let cause = format!("MediaPackage: {words}");
    ports.callback().fail(&item.task_token, ErrorCode::PackagingFailed, &cause).await.map(drop)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use jiff::Timestamp;
    use serde_json::json;
    use vodline_catalog::Catalog;
    use vodline_contracts::packaging::{PackagingConfiguration, PackagingFormat};
    use vodline_testing::{
        Callbacks, Sent,
        samples::{self, at},
    };

    use super::*;

    struct Fake {
        catalog: Catalog,
        callbacks: Callbacks,
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn callback(&self) -> &impl Callback {
            &self.callbacks
        }

        fn now(&self) -> Timestamp {
            at(9)
        }
    }

    /// A task with token `t1` that waits for HLS and DASH.
    async fn waiting() -> Fake {
        let catalog = vodline_testing::catalog();
        let expected = [("vod-1-hls", PackagingFormat::Hls), ("vod-1-dash", PackagingFormat::Dash)]
            .map(|(id, format)| PackagingConfiguration { id: id.to_owned(), format });
        catalog.await_asset(&samples::video_id(), "t1", &expected, at(0)).await.expect("written");
        Fake { catalog, callbacks: Callbacks::default() }
    }

    fn url(configuration: &str) -> String {
        format!("https://h.egress.mediapackage-vod.eu-north-1.amazonaws.com/out/v1/a/b/c/{configuration}")
    }

    fn event(asset: &str, detail: serde_json::Value) -> Envelope<InputNotification> {
        let envelope = json!({
            "version": "0", "id": "369552b1-49ec-9872-67be-c16bb4ffcd19",
            "detail-type": "MediaPackage Input Notification", "source": "aws.mediapackage",
            "account": "111122223333", "time": "2022-10-12T10:22:41Z", "region": "eu-north-1",
            "resources": [
                format!("arn:aws:mediapackage-vod:eu-north-1:111122223333:assets/{asset}"),
                "arn:aws:mediapackage-vod:eu-north-1:111122223333:packaging-configurations/x",
            ],
            "detail": detail,
        });
        serde_json::from_value(envelope).expect("an event")
    }

    fn playable(configuration: &str) -> Envelope<InputNotification> {
        let detail = json!({
            "event": "VodAssetPlayable", "message": "it is playable",
            "packaging_configuration_id": configuration, "manifest_urls": [url(configuration)],
        });
        event(samples::video_id().as_str(), detail)
    }

    fn success() -> Sent {
        let endpoint = |id: &str, format: &str| json!({ "configurationId": id, "format": format, "url": url(id) });
        let endpoints = [endpoint("vod-1-hls", "hls"), endpoint("vod-1-dash", "dash")];
        Sent::Success("t1".to_owned(), json!({ "assetId": samples::video_id(), "endpoints": endpoints }))
    }

    #[tokio::test]
    async fn the_task_ends_when_everything_is_playable_in_any_order_and_however_often() {
        let check = async |order: &[&str], told: usize| {
            let fake = waiting().await;
            for configuration in order {
                handle(playable(configuration), &fake).await.expect("noted");
            }
            assert_eq!(fake.callbacks.take(), vec![success(); told], "{order:?}");
        };
        check(&["vod-1-hls", "vod-1-dash"], 1).await;
        check(&["vod-1-dash", "vod-1-hls"], 1).await;
        check(&["vod-1-dash", "vod-1-dash", "vod-1-hls"], 1).await;
        // Repeated at the end it is told again, which Step Functions takes for an answer to no one.
        check(&["vod-1-dash", "vod-1-hls", "vod-1-dash"], 2).await;
        check(&["vod-1-hls", "vod-1-other", "vod-1-hls"], 0).await;
    }

    #[tokio::test]
    async fn an_ingest_error_fails_the_task_unless_the_asset_is_playable() {
        let error = || {
            let detail = json!({ "event": "IngestError", "message": "Ingest failed" });
            event(samples::video_id().as_str(), detail)
        };
        let fake = waiting().await;
        handle(error(), &fake).await.expect("told");
        let expected =
            Sent::Failure("t1".to_owned(), ErrorCode::PackagingFailed, "MediaPackage: Ingest failed".to_owned());
        assert_eq!(fake.callbacks.take(), [expected]);
        handle(playable("vod-1-hls"), &fake).await.expect("noted");
        handle(playable("vod-1-dash"), &fake).await.expect("told");
        assert_eq!(fake.callbacks.take(), [success()]);
        handle(error(), &fake).await.expect("ignored");
        assert_eq!(fake.callbacks.take(), []);
    }

    #[tokio::test]
    async fn other_notifications_change_nothing() {
        let fake = waiting().await;
        let id = samples::video_id();
        for event in [
            event("not-ours", json!({ "event": "IngestError" })),
            event("v00000000000000000000", json!({ "event": "IngestError" })),
            event(id.as_str(), json!({ "event": "IngestComplete", "message": "Ingest Completed" })),
            event(id.as_str(), json!({ "event": "VodAssetPlayable" })),
            event(id.as_str(), json!({ "event": "MaxIngestStreamsError" })),
        ] {
            handle(event, &fake).await.expect("ignored");
        }
        assert_eq!(fake.callbacks.take(), []);
    }
}
