//! The packaging of a video: who waits for the asset, and which of its configurations are playable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use vodline_contracts::{
    VideoId,
    packaging::{AssetEndpoint, PackagingConfiguration, PlayableAsset},
};
use vodline_step::{StepError, time::rfc3339};

use crate::{Catalog, Kind, decode, update::Update};

/// The item.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssetItem {
    /// The waiting task; the latest one when it was retried or redriven.
    pub task_token: String,
    /// What must become playable.
    pub expected: Vec<PackagingConfiguration>,
    /// The egress URL of each configuration that is playable, by its id.
    pub playable: BTreeMap<String, String>,
}

impl AssetItem {
    /// The asset, once every expected configuration is playable.
    #[must_use]
    pub fn when_playable(&self, video_id: &VideoId) -> Option<PlayableAsset> {
        let endpoint = |configuration: &PackagingConfiguration| {
            Some(AssetEndpoint {
                configuration_id: configuration.id.clone(),
                format: configuration.format,
                url: self.playable.get(&configuration.id)?.clone(),
            })
        };
        let endpoints = self.expected.iter().map(endpoint).collect::<Option<Vec<_>>>()?;
        Some(PlayableAsset { asset_id: video_id.as_str().to_owned(), endpoints })
    }
}

impl Catalog {
    /// The item.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn asset(&self, video_id: &VideoId) -> Result<Option<AssetItem>, StepError> {
        self.read(video_id, Kind::Asset).await
    }

    /// Says which task waits for the asset from now on, and for what.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn await_asset(
        &self,
        video_id: &VideoId,
        task_token: &str,
        expected: &[PackagingConfiguration],
        now: Timestamp,
    ) -> Result<AssetItem, StepError> {
        let item = Update::default()
            .set("taskToken", &task_token)
            .set("expected", &expected)
            .set_if_absent("playable", &BTreeMap::<String, String>::new())
            .set("updatedAt", &rfc3339(now))
            .send(self, video_id, Kind::Asset)
            .await?;
        decode(item.unwrap_or_default())
    }

    /// Forgets what was playable: the asset is about to be made anew.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn forget_playable(&self, video_id: &VideoId, now: Timestamp) -> Result<(), StepError> {
        Update::default()
            .set("playable", &BTreeMap::<String, String>::new())
            .set("updatedAt", &rfc3339(now))
            .require("attribute_exists(#taskToken)")
            .send(self, video_id, Kind::Asset)
            .await
            .map(drop)
    }

    /// Adds a configuration to those that are playable. The item, with the task that waits; `None` when nobody ever asked
    /// for this asset.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn record_playable(
        &self,
        video_id: &VideoId,
        configuration_id: &str,
        url: &str,
        now: Timestamp,
    ) -> Result<Option<AssetItem>, StepError> {
        let item = Update::default()
            .set_member("playable", configuration_id, &url)
            .set("updatedAt", &rfc3339(now))
            .require("attribute_exists(#playable)")
            .send(self, video_id, Kind::Asset)
            .await?;
        item.map(decode).transpose()
    }
}
