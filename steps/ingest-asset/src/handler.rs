//! Make the asset, or find out what became of it.

use std::{collections::BTreeMap, future::Future};

use jiff::Timestamp;
use vodline_catalog::Catalog;
use vodline_contracts::{
    ErrorCode, VideoId,
    packaging::{AssetEndpoint, PackagingConfiguration, PlayableAsset},
    steps::IngestAssetInput,
};
use vodline_step::{StepError, callback::Callback};

/// Where one configuration of an asset stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// Queued, or being processed.
    Pending,
    /// Served at this egress URL.
    Playable(String),
    /// It never will be.
    Failed,
}

/// An asset, as MediaPackage tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its group.
    pub packaging_group_id: String,
    /// By configuration.
    pub endpoints: BTreeMap<String, EndpointStatus>,
}

/// What became of an attempt to create the asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    Yes(Asset),
    /// MediaPackage would not, in these words: there may be one of this id already.
    Refused(String),
}

/// What the step touches.
pub trait Ports {
    /// The catalogue.
    fn catalog(&self) -> &Catalog;
    /// The waiting task.
    fn callback(&self) -> &impl Callback;
    /// The asset of this id.
    fn asset(&self, id: &str) -> impl Future<Output = Result<Option<Asset>, StepError>>;
    /// Creates the asset of this id in a group from the HLS parent playlist at this `s3://` URI.
    fn create(
        &self,
        id: &str,
        packaging_group_id: &str,
        playlist_uri: &str,
    ) -> impl Future<Output = Result<Created, StepError>>;
    /// Deletes the asset.
    fn delete(&self, id: &str) -> impl Future<Output = Result<(), StepError>>;
    /// The time.
    fn now(&self) -> Timestamp;
}

/// Sees to it that the asset is being made for the waiting task, or tells the task that it is playable. MediaPackage's events
/// are best effort, so the task's heartbeat makes this run again and again until every configuration is playable.
///
/// # Errors
/// [`ErrorCode::PackagingFailed`], and what the services answer.
pub async fn handle(input: IngestAssetInput, ports: &impl Ports) -> Result<(), StepError> {
    let (catalog, id) = (ports.catalog(), &input.video_id);
    catalog.resume(id, &input.run.execution_arn, ports.now()).await?;
    // The token first: whatever is told from here on is told to this task.
    catalog.await_asset(id, &input.task_token, &input.configurations, ports.now()).await?;

    let asset = match ports.asset(id.as_str()).await? {
        Some(asset) if is_usable(&asset, &input.packaging_group_id) => asset,
        Some(asset) => {
            tracing::warn!(?asset, "the asset is of no use, it is made anew");
            ports.delete(id.as_str()).await?;
            catalog.forget_playable(id, ports.now()).await?;
            create(&input, ports).await?
        }
        None => {
            catalog.forget_playable(id, ports.now()).await?;
            create(&input, ports).await?
        }
    };
    match when_playable(id, &input.configurations, &asset) {
        Some(playable) => ports.callback().succeed(&input.task_token, &playable).await.map(drop),
        None => {
            tracing::info!("the asset is being made, the task waits on");
            Ok(())
        }
    }
}

/// An asset cannot be edited: one that failed, or is in another group, has to go.
fn is_usable(asset: &Asset, packaging_group_id: &str) -> bool {
    let failed = asset.endpoints.values().any(|status| *status == EndpointStatus::Failed);
    asset.packaging_group_id == packaging_group_id && !failed
}

async fn create(input: &IngestAssetInput, ports: &impl Ports) -> Result<Asset, StepError> {
    let id = input.video_id.as_str();
    match ports.create(id, &input.packaging_group_id, &input.playlist_uri).await? {
        Created::Yes(asset) => {
            tracing::info!("the asset is made");
            Ok(asset)
        }
        // There is no other sign of a conflict in this API: another call of this step may have been faster.
        Created::Refused(words) => ports.asset(id).await?.ok_or_else(|| {
            StepError::new(ErrorCode::PackagingFailed, format!("MediaPackage would not ingest the video: {words}"))
        }),
    }
}

fn when_playable(id: &VideoId, expected: &[PackagingConfiguration], asset: &Asset) -> Option<PlayableAsset> {
    let endpoint = |configuration: &PackagingConfiguration| match asset.endpoints.get(&configuration.id) {
        Some(EndpointStatus::Playable(url)) => Some(AssetEndpoint {
            configuration_id: configuration.id.clone(),
            format: configuration.format,
            url: url.clone(),
        }),
        _ => None,
    };
    let endpoints = expected.iter().map(endpoint).collect::<Option<Vec<_>>>()?;
    Some(PlayableAsset { asset_id: id.as_str().to_owned(), endpoints })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use std::cell::RefCell;

    use serde_json::json;
    use vodline_contracts::packaging::PackagingFormat;
    use vodline_testing::{
        Callbacks, Sent,
        samples::{self, at},
    };

    use super::*;

    const GROUP: &str = "vod-1";
    const URL: &str = "https://h.egress.example/out/v1/a/b/c/index.m3u8";

    struct Fake {
        catalog: Catalog,
        callbacks: Callbacks,
        asset: RefCell<Option<Asset>>,
        /// What a new asset is like.
        fresh: EndpointStatus,
        refuses: bool,
        done: RefCell<Vec<&'static str>>,
    }

    fn asset(group: &str, status: EndpointStatus) -> Asset {
        Asset { packaging_group_id: group.to_owned(), endpoints: [("vod-1-hls".to_owned(), status)].into() }
    }

    fn playable() -> EndpointStatus {
        EndpointStatus::Playable(URL.to_owned())
    }

    impl Ports for Fake {
        fn catalog(&self) -> &Catalog {
            &self.catalog
        }

        fn callback(&self) -> &impl Callback {
            &self.callbacks
        }

        async fn asset(&self, _: &str) -> Result<Option<Asset>, StepError> {
            Ok(self.asset.borrow().clone())
        }

        async fn create(&self, id: &str, group: &str, playlist_uri: &str) -> Result<Created, StepError> {
            assert_eq!((id, playlist_uri), (samples::video_id().as_str(), "s3://media/hls/master.m3u8"));
            self.done.borrow_mut().push("create");
            if self.refuses {
                return Ok(Created::Refused("no such playlist".to_owned()));
            }
            let new = asset(group, self.fresh.clone());
            *self.asset.borrow_mut() = Some(new.clone());
            Ok(Created::Yes(new))
        }

        async fn delete(&self, _: &str) -> Result<(), StepError> {
            self.done.borrow_mut().push("delete");
            *self.asset.borrow_mut() = None;
            Ok(())
        }

        fn now(&self) -> Timestamp {
            at(7)
        }
    }

    fn fake(asset: Option<Asset>) -> Fake {
        Fake {
            catalog: vodline_testing::catalog(),
            callbacks: Callbacks::default(),
            asset: RefCell::new(asset),
            fresh: EndpointStatus::Pending,
            refuses: false,
            done: RefCell::default(),
        }
    }

    async fn call(fake: &Fake, token: &str) -> Result<(), StepError> {
        let input = IngestAssetInput {
            run: samples::run("IngestAsset"),
            video_id: samples::video_id(),
            packaging_group_id: GROUP.to_owned(),
            configurations: vec![PackagingConfiguration { id: "vod-1-hls".to_owned(), format: PackagingFormat::Hls }],
            playlist_uri: "s3://media/hls/master.m3u8".to_owned(),
            task_token: token.to_owned(),
        };
        handle(input, fake).await
    }

    async fn check(fake: Fake, done: &[&str], told: bool) {
        call(&fake, "t1").await.expect("no error");
        assert_eq!(*fake.done.borrow(), done);
        let endpoint = json!({ "configurationId": "vod-1-hls", "format": "hls", "url": URL });
        let success =
            Sent::Success("t1".to_owned(), json!({ "assetId": samples::video_id(), "endpoints": [endpoint] }));
        assert_eq!(fake.callbacks.take(), if told { vec![success] } else { vec![] });
        let item = fake.catalog.asset(&samples::video_id()).await.expect("an answer").expect("an item");
        assert_eq!(item.task_token, "t1");
    }

    #[tokio::test]
    async fn an_asset_is_made_once_and_made_anew_only_when_it_is_of_no_use() {
        check(fake(None), &["create"], false).await;
        check(Fake { fresh: playable(), ..fake(None) }, &["create"], true).await;
        check(fake(Some(asset(GROUP, EndpointStatus::Pending))), &[], false).await;
        check(fake(Some(asset(GROUP, playable()))), &[], true).await;
        check(fake(Some(asset(GROUP, EndpointStatus::Failed))), &["delete", "create"], false).await;
        check(fake(Some(asset("vod-2", playable()))), &["delete", "create"], false).await;
    }

    #[tokio::test]
    async fn a_lost_event_is_made_good_by_asking_again() {
        let fake = fake(None);
        call(&fake, "t1").await.expect("made");
        *fake.asset.borrow_mut() = Some(asset(GROUP, playable()));
        call(&fake, "t2").await.expect("told");
        assert_eq!(*fake.done.borrow(), ["create"]);
        assert!(matches!(fake.callbacks.take().as_slice(), [Sent::Success(token, _)] if token == "t2"));
    }

    #[tokio::test]
    async fn what_was_playable_of_a_deleted_asset_is_forgotten() {
        let fake = fake(None);
        call(&fake, "t1").await.expect("made");
        let id = samples::video_id();
        fake.catalog.record_playable(&id, "vod-1-hls", URL, at(8)).await.expect("written");
        *fake.asset.borrow_mut() = Some(asset(GROUP, EndpointStatus::Failed));
        call(&fake, "t2").await.expect("made anew");
        assert!(fake.catalog.asset(&id).await.expect("an answer").expect("an item").playable.is_empty());
    }

    #[tokio::test]
    async fn what_mediapackage_refuses_is_said() {
        let fake = Fake { refuses: true, ..fake(None) };
        let error = call(&fake, "t1").await.expect_err("refused");
        assert_eq!(error.code(), ErrorCode::PackagingFailed);
        assert!(error.to_string().ends_with("no such playlist"), "{error}");
    }
}
