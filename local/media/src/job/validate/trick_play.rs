//! What pictures for winding must hold together.
//! Source of the ranges: aws-sdk-mediaconvert 1.153, `HlsImageBasedTrickPlaySettings`.

use super::{does_not_apply, in_range};
use crate::job::{IntervalCadence, OutputGroup, OutputGroupKind, Refusal, TrickPlayMode};

/// Pixels of all rows of a tile.
const TILE_PIXELS_DOWN_MAX: u32 = 4096;

/// `path` is that of the group's own settings.
pub(super) fn validate(path: &str, group: &OutputGroup, kind: OutputGroupKind<'_>) -> Result<(), Refusal> {
    let trick_play = kind.trick_play();
    let mode = format!("{path}/imageBasedTrickPlay");
    if trick_play.mode != TrickPlayMode::None && group.outputs.iter().all(|output| output.video_description.is_none()) {
        return Err(Refusal::new(mode, "needs an output with a picture"));
    }
    let path = format!("{path}/imageBasedTrickPlaySettings");
    let settings = match (trick_play.mode, trick_play.settings) {
        (TrickPlayMode::Advanced, Some(settings)) => settings,
        (_, Some(_)) => return Err(does_not_apply(&path, "imageBasedTrickPlay")),
        (_, None) => return Ok(()),
    };
    for (name, value, range, step) in [
        ("thumbnailWidth", settings.thumbnail_width, 8..=4096, 8),
        ("thumbnailHeight", settings.thumbnail_height, 2..=4096, 2),
        ("tileWidth", settings.tile_width, 1..=512, 1),
        ("tileHeight", settings.tile_height, 1..=2048, 1),
    ] {
        let Some(value) = value else { continue };
        let path = format!("{path}/{name}");
        in_range(&path, value, &range)?;
        if value % step != 0 {
            return Err(Refusal::new(path, format!("Should be a multiple of {step}")));
        }
    }
    if let (Some(height), Some(rows)) = (settings.thumbnail_height, settings.tile_height)
        && height * rows > TILE_PIXELS_DOWN_MAX
    {
        return Err(Refusal::new(format!("{path}/tileHeight"), "a tile has at most 4096 pixels from top to bottom"));
    }
    match (settings.interval_cadence, settings.thumbnail_interval) {
        (IntervalCadence::FollowCustom, None) => Err(Refusal::new(path, "thumbnailInterval is a required property")),
        (IntervalCadence::FollowIframe, Some(_)) => {
            Err(Refusal::new(format!("{path}/thumbnailInterval"), "goes with FOLLOW_CUSTOM alone"))
        }
        // Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html> (`thumbnailInterval`).
        (IntervalCadence::FollowCustom, Some(seconds)) if !(seconds > 0.0 && seconds <= f64::from(i32::MAX)) => {
            Err(Refusal::new(format!("{path}/thumbnailInterval"), "Should be a positive number"))
        }
        _ => Ok(()),
    }
}
