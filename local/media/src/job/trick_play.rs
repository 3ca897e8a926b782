//! `imageBasedTrickPlay` of a group: pictures that players show while viewers wind.

use serde::Deserialize;

/// Columns and rows of a tile, where the job does not say. Our choice: AWS publishes none. With thumbnails of the usual width a
/// tile stays below the 1080 pixels that Roku asks for.
/// Source: <https://developer.roku.com/docs/developer-program/media-playback/trick-mode/hls-and-dash.md>.
const TILE: (u32, u32) = (3, 3);
/// Pixels. Source: aws-sdk-mediaconvert 1.153, `HlsImageBasedTrickPlaySettings::thumbnail_width`.
const THUMBNAIL_WIDTH: u32 = 312;

/// `imageBasedTrickPlay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TrickPlayMode {
    #[default]
    None,
    Thumbnail,
    ThumbnailAndFullframe,
    Advanced,
}

/// `imageBasedTrickPlaySettings`: goes with `ADVANCED` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TrickPlaySettings {
    #[serde(default)]
    pub(crate) interval_cadence: IntervalCadence,
    /// Pixels.
    pub(crate) thumbnail_height: Option<u32>,
    /// Seconds; with `FOLLOW_CUSTOM`.
    pub(crate) thumbnail_interval: Option<f64>,
    /// Pixels.
    pub(crate) thumbnail_width: Option<u32>,
    /// Rows.
    pub(crate) tile_height: Option<u32>,
    /// Columns.
    pub(crate) tile_width: Option<u32>,
}

/// `intervalCadence`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum IntervalCadence {
    #[default]
    FollowIframe,
    FollowCustom,
}

/// What a group says of trick play.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TrickPlay {
    pub(crate) mode: TrickPlayMode,
    pub(crate) settings: Option<TrickPlaySettings>,
}

/// One set of pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ImageSet {
    /// What its files are called by.
    pub(crate) name: &'static str,
    pub(crate) size: ImageSize,
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    /// Seconds from one picture to the next; every key frame when absent.
    pub(crate) interval_seconds: Option<f64>,
}

/// How large a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageSize {
    /// As large as the largest output.
    Full,
    /// Pixels; the height follows from the width when it is absent.
    Thumbnail { width: u32, height: Option<u32> },
}

impl TrickPlay {
    /// The sets that are wanted.
    pub(crate) fn sets(&self) -> Vec<ImageSet> {
        let settings = self.settings.unwrap_or_default();
        let interval_seconds = match settings.interval_cadence {
            IntervalCadence::FollowIframe => None,
            IntervalCadence::FollowCustom => settings.thumbnail_interval,
        };
        let thumbnail = ImageSet {
            name: "thumbnail",
            size: ImageSize::Thumbnail {
                width: settings.thumbnail_width.unwrap_or(THUMBNAIL_WIDTH),
                height: settings.thumbnail_height,
            },
            columns: settings.tile_width.unwrap_or(TILE.0),
            rows: settings.tile_height.unwrap_or(TILE.1),
            interval_seconds,
        };
        let full = ImageSet { name: "fullframe", size: ImageSize::Full, columns: 1, rows: 1, interval_seconds: None };
        match self.mode {
            TrickPlayMode::None => Vec::new(),
            TrickPlayMode::Thumbnail | TrickPlayMode::Advanced => vec![thumbnail],
            TrickPlayMode::ThumbnailAndFullframe => vec![thumbnail, full],
        }
    }
}
