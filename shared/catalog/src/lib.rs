//! The catalogue: typed reads and conditional writes of the one table.
//!
//! | item | `pk` | `sk` | more |
//! |---|---|---|---|
//! | a video's row | `VIDEO#<id>` | `VIDEO` | every field of [`Video`] as an attribute; `listPk`, `listSk` for the index |
//! | its transcode | `VIDEO#<id>` | `JOB` | [`JobItem`] |
//! | its packaging | `VIDEO#<id>` | `ASSET` | [`AssetItem`] |
//!
//! The index `newest-first` has `listPk` = `VIDEOS` and `listSk` = `<createdAt>#<id>`, so a list is a query.
//!
//! **Invariants.** Every write is conditional: an older, repeated or reordered event never moves an item backwards. Nothing
//! scans, nothing counts.
//!
//! [`Video`]: vodline_contracts::video::Video

mod asset;
mod job;
mod page;
mod update;
mod video;
#[cfg(feature = "callback")]
pub mod waiting;

pub use asset::AssetItem;
pub use job::{JobFailure, JobItem};
pub use page::{Cursor, InvalidCursor, Page};
pub use video::{Admission, FailureRecord, Published};

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde::de::DeserializeOwned;
use vodline_contracts::VideoId;
use vodline_step::{StepError, aws::service_error};

/// The index that lists videos.
pub const INDEX: &str = "newest-first";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The table.
#[derive(Clone, Debug)]
pub struct Catalog {
    client: Client,
    table: String,
}

/// Which of a video's items.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Video,
    Job,
    Asset,
}

impl Kind {
    const fn sort_key(self) -> &'static str {
        match self {
            Self::Video => "VIDEO",
            Self::Job => "JOB",
            Self::Asset => "ASSET",
        }
    }
}

impl Catalog {
    /// The table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads an item, as of now.
    async fn read<T: DeserializeOwned>(&self, video_id: &VideoId, kind: Kind) -> Result<Option<T>, StepError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(video_id, kind)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| service_error("dynamodb:GetItem", error))?;
        answer.item.map(decode).transpose()
    }
}

fn partition(video_id: &VideoId) -> String {
    format!("VIDEO#{video_id}")
}

fn key(video_id: &VideoId, kind: Kind) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition(video_id))),
        ("sk".to_owned(), AttributeValue::S(kind.sort_key().to_owned())),
    ])
}

fn decode<T: DeserializeOwned>(item: Item) -> Result<T, StepError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item)
        .map_err(|error| StepError::internal("an item of the table is not what it should be").caused_by(error))
}
