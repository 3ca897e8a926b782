//! The list of videos, newest first, page by page.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use vodline_contracts::{VideoId, video::Video};
use vodline_step::{StepError, aws::service_error, time::rfc3339};

use crate::{Catalog, INDEX, Item, Kind, decode, key};

/// `listPk` of every row.
pub(crate) const LIST: &str = "VIDEOS";

pub(crate) fn list_sort_key(created_at: &str, video_id: &VideoId) -> String {
    format!("{created_at}#{video_id}")
}

/// One page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Its videos, newest first.
    pub videos: Vec<Video>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// A place in the list: after this video. Opaque to those who get it, checked when it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    created_at: String,
    video_id: VideoId,
}

/// The text is no cursor of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list gave")]
pub struct InvalidCursor;

impl Cursor {
    fn after(video: &Video) -> Self {
        Self { created_at: video.created_at.clone(), video_id: video.video_id.clone() }
    }

    /// As text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(list_sort_key(&self.created_at, &self.video_id))
    }

    /// Reads a cursor that came from outside.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        let (created_at, video_id) = text.split_once('#').ok_or(InvalidCursor)?;
        let time: Timestamp = created_at.parse().map_err(|_| InvalidCursor)?;
        let video_id = VideoId::parse(video_id).ok_or(InvalidCursor)?;
        // One form of a time only, so that nothing else reaches the key.
        if rfc3339(time) != created_at {
            return Err(InvalidCursor);
        }
        Ok(Self { created_at: created_at.to_owned(), video_id })
    }

    /// The key of the video after which to start, in the table and in the index.
    fn start_key(&self) -> Item {
        let mut item = key(&self.video_id, Kind::Video);
        item.insert("listPk".to_owned(), AttributeValue::S(LIST.to_owned()));
        item.insert("listSk".to_owned(), AttributeValue::S(list_sort_key(&self.created_at, &self.video_id)));
        item
    }
}

impl Catalog {
    /// A page of at most `limit` videos.
    ///
    /// # Errors
    /// When DynamoDB does not answer.
    pub async fn newest_first(&self, limit: u16, after: Option<&Cursor>) -> Result<Page, StepError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("listPk = :list")
            .expression_attribute_values(":list", AttributeValue::S(LIST.to_owned()))
            .scan_index_forward(false)
            .limit(i32::from(limit))
            .set_exclusive_start_key(after.map(Cursor::start_key))
            .send()
            .await
            .map_err(|error| service_error("dynamodb:Query", error))?;
        let more = answer.last_evaluated_key.is_some();
        let videos = answer.items.unwrap_or_default().into_iter().map(decode).collect::<Result<Vec<Video>, _>>()?;
        let next = videos.last().filter(|_| more).map(Cursor::after);
        Ok(Page { videos, next })
    }
}
