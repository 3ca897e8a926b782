//! What depends on the video: where the job reads and writes, and how large and how often.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vodline_contracts::{
    VideoId,
    source::{AudioRung, Packaging, Rung},
    steps::StartJobInput,
    storyboard,
};
use vodline_step::StepError;

use crate::template::{self, Scope};

const TEMPLATE: &str = include_str!("job.json");

/// The MP4 is for saving and sharing: the largest rendition up to this short side.
const DOWNLOAD_UP_TO: u32 = 720;
/// The poster is the picture at this part of the video: past the black of a beginning, before what gives the end away.
const POSTER_AT: u64 = 10;
/// The sound of a video in CMAF, beside every rendition.
const SOUND: (&str, u32) = ("audio", 96_000);
/// How HLS tells of it: as the track that plays with the picture, or as a rendition of its own.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html>, `CmfcAudioTrackType`.
const SOUND_OF_PICTURE: &str = "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT";
const SOUND_ALONE: &str = "AUDIO_ONLY_VARIANT_STREAM";
/// Short side of a thumbnail.
const THUMBNAIL_SIDE: u32 = 180;
/// The watermark's part of the picture's width, and its distance from the edges.
const WATERMARK_WIDTH_PART: u32 = 6;
const WATERMARK_MARGIN_PART: u32 = 40;
/// The shape of `assets/watermark.png`, in pixels.
const WATERMARK_SHAPE: (u32, u32) = (288, 90);
/// MediaConvert takes tokens of up to 64 characters; this many of the settings' hash go into one.
const HASH_DIGITS: usize = 16;

/// Where the line's own objects are.
#[derive(Clone, Debug)]
pub struct Places {
    /// Everything made of videos.
    pub media_bucket: String,
    /// The picture on every MP4 (`s3://`).
    pub watermark_uri: String,
}

/// A job, ready to be ordered.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What MediaConvert takes.
    pub settings: Value,
    /// Where the outputs go.
    pub paths: Paths,
}

/// Where the outputs go, as `s3://` URIs: known beforehand, because they follow from the settings.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/output-file-names-and-paths.html>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The HLS parent playlist.
    pub hls_playlist: String,
    /// The DASH manifest.
    pub dash_manifest: String,
    /// What is made of a picture; sound alone has none.
    pub pictures: Option<PicturePaths>,
}

/// Where the outputs go that need a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturePaths {
    /// The MP4 with the watermark.
    pub mp4: String,
    /// The poster.
    pub poster: String,
    /// The last thumbnail.
    pub last_thumbnail: String,
}

/// Plans the job of a video.
///
/// # Errors
/// When both ladders are empty, or the template is wrong; all are defects.
pub fn plan(input: &StartJobInput, places: &Places) -> Result<Plan, StepError> {
    let facts = &input.facts;
    if input.ladder.is_empty() && (input.audio_ladder.is_empty() || input.packaging != Packaging::Direct) {
        return Err(StepError::internal("there is nothing to make: the ladder is empty"));
    }
    let media_uri = format!("s3://{}/media/{}", places.media_bucket, input.video_id);
    let scope = Scope::default()
        .value("source.uri", input.source.uri())
        .value("media.uri", media_uri.as_str())
        .list("rung", input.ladder.iter().map(rung_values).collect())
        .list("sound", sound(input))
        .condition("audio", !facts.audio.is_empty())
        .condition("picture", !input.ladder.is_empty())
        // Every picture that is made is an ordinary one of 8 bits, where the light of HDR would look washed out.
        .condition("hdr", facts.video.as_ref().is_some_and(|video| video.hdr.is_some()))
        .condition("mediapackage", input.packaging == Packaging::MediaPackage)
        .condition("direct", input.packaging == Packaging::Direct);
    let (scope, pictures) = match input.ladder.first() {
        Some(smallest) => with_pictures(scope, smallest, input, places, &media_uri),
        None => (scope, None),
    };
    let template: Value = serde_json::from_str(TEMPLATE)
        .map_err(|error| StepError::internal("the job template is not JSON").caused_by(error))?;
    let settings = template::render(&template, &scope)
        .map_err(|error| StepError::internal("the job template cannot be filled in").caused_by(error))?;
    let (hls_playlist, dash_manifest) = match input.packaging {
        Packaging::MediaPackage => ("hls/master.m3u8", "dash/manifest.mpd"),
        Packaging::Direct => ("cmaf/master.m3u8", "cmaf/master.mpd"),
    };
    let paths = Paths {
        hls_playlist: format!("{media_uri}/{hls_playlist}"),
        dash_manifest: format!("{media_uri}/{dash_manifest}"),
        pictures,
    };
    Ok(Plan { settings, paths })
}

/// What the MP4, the poster and the thumbnails are like, and where they go.
fn with_pictures(
    scope: Scope,
    smallest: &Rung,
    input: &StartJobInput,
    places: &Places,
    media_uri: &str,
) -> (Scope, Option<PicturePaths>) {
    let duration_ms = input.facts.duration_ms;
    let download = input.ladder.iter().rfind(|rung| short_side(rung) <= DOWNLOAD_UP_TO).unwrap_or(smallest);
    let poster_interval = (duration_ms / 1000 / POSTER_AT).max(1);
    let (thumbnail_width, thumbnail_height) = thumbnail_size(smallest);
    let watermark_width = even(download.width / WATERMARK_WIDTH_PART);
    let scope = scope
        .value("download.name", download.name.as_str())
        .value("download.width", download.width)
        .value("download.height", download.height)
        .value("download.maxBitrateBps", download.max_bitrate_bps)
        .value("watermark.uri", places.watermark_uri.as_str())
        .value("watermark.x", even(download.width / WATERMARK_MARGIN_PART))
        .value("watermark.y", even(download.width / WATERMARK_MARGIN_PART))
        .value("watermark.width", watermark_width)
        .value("watermark.height", even(watermark_width * WATERMARK_SHAPE.1 / WATERMARK_SHAPE.0))
        .value("poster.intervalSeconds", poster_interval)
        .value("thumbnail.intervalSeconds", storyboard::interval_seconds(duration_ms))
        .value("thumbnail.countMax", storyboard::THUMBNAILS_MAX)
        .value("thumbnail.width", thumbnail_width)
        .value("thumbnail.height", thumbnail_height);
    // The first picture is captured at nought, the second after the interval, if the video is that long.
    let poster = u8::from(duration_ms > poster_interval * 1000);
    let last_thumbnail = storyboard::thumbnail_count(duration_ms) - 1;
    let paths = PicturePaths {
        mp4: format!("{media_uri}/mp4/video_{}.mp4", download.name),
        poster: format!("{media_uri}/images/video_poster.{poster:07}.jpg"),
        last_thumbnail: format!("{media_uri}/images/video_thumbnail.{last_thumbnail:07}.jpg"),
    };
    (scope, Some(paths))
}

impl Plan {
    /// The token by which MediaConvert knows a repeated order: the same for the same attempt of the same video with the same
    /// settings.
    #[must_use]
    pub fn request_token(&self, video_id: &VideoId, attempt: u32) -> String {
        let hash = hex::encode(Sha256::digest(self.settings.to_string()));
        format!("{video_id}-{attempt}-{}", &hash[..HASH_DIGITS])
    }
}

/// The outputs of sound in CMAF: one beside a picture, if the source has any; the audio ladder where there is none.
fn sound(input: &StartJobInput) -> Vec<BTreeMap<String, Value>> {
    let values = |name: &str, bitrate_bps: u32, track_type: &str| {
        [("name", json!(name)), ("bitrateBps", json!(bitrate_bps)), ("trackType", json!(track_type))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    };
    if input.ladder.is_empty() {
        let alone = |rung: &AudioRung| values(&rung.name, rung.bitrate_bps, SOUND_ALONE);
        return input.audio_ladder.iter().map(alone).collect();
    }
    let tracks = if input.facts.audio.is_empty() { vec![] } else { vec![SOUND] };
    tracks.into_iter().map(|(name, bitrate_bps)| values(name, bitrate_bps, SOUND_OF_PICTURE)).collect()
}

fn rung_values(rung: &Rung) -> BTreeMap<String, Value> {
    [
        ("name", json!(rung.name)),
        ("width", json!(rung.width)),
        ("height", json!(rung.height)),
        ("maxBitrateBps", json!(rung.max_bitrate_bps)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn short_side(rung: &Rung) -> u32 {
    rung.width.min(rung.height)
}

/// A rung's size brought down to that of a thumbnail.
fn thumbnail_size(rung: &Rung) -> (u32, u32) {
    let short = short_side(rung);
    let side = |side: u32| even(side * THUMBNAIL_SIDE.min(short) / short);
    (side(rung.width), side(rung.height))
}

/// The even number below, at least 2.
fn even(number: u32) -> u32 {
    (number & !1).max(2)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use proptest::prelude::*;
    use vodline_contracts::source::{Hdr, SourceFacts};
    use vodline_testing::samples;

    use super::*;

    fn places() -> Places {
        Places { media_bucket: "media".to_owned(), watermark_uri: "s3://media/assets/watermark.png".to_owned() }
    }

    fn planned(facts: &SourceFacts, ladder: &[Rung]) -> Plan {
        let input = StartJobInput { facts: facts.clone(), ladder: ladder.to_vec(), ..samples::start_job("t1") };
        plan(&input, &places()).expect("a plan")
    }

    fn names(outputs: &[&Value]) -> Vec<String> {
        outputs.iter().map(|output| output["nameModifier"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The output groups, by name.
    fn groups(settings: &Value) -> Vec<&str> {
        settings["outputGroups"].as_array().expect("groups").iter().filter_map(|group| group["name"].as_str()).collect()
    }

    fn outputs(settings: &Value, group: usize) -> Vec<&Value> {
        settings["outputGroups"][group]["outputs"].as_array().expect("outputs").iter().collect()
    }

    #[test]
    fn every_rung_is_an_output_of_hls_and_of_dash_encoded_alike() {
        let plan = planned(&samples::facts(), &samples::ladder());
        let (hls, dash) = (outputs(&plan.settings, 0), outputs(&plan.settings, 3));
        let names: Vec<_> = hls.iter().map(|output| output["nameModifier"].as_str()).collect();
        assert_eq!(names, [Some("_360p"), Some("_540p"), Some("_720p")]);
        assert_eq!(hls[1]["videoDescription"]["width"], 960);
        assert_eq!(hls[2]["videoDescription"]["codecSettings"]["h264Settings"]["maxBitrate"], 3_000_000);
        assert_eq!(dash.len(), hls.len() + 1, "sound is an output of its own");
        for (hls, dash) in hls.iter().zip(&dash) {
            assert_eq!(hls["videoDescription"], dash["videoDescription"]);
        }
        assert_eq!(hls[0]["audioDescriptions"], dash[3]["audioDescriptions"]);
        assert_eq!(plan.settings["inputs"][0]["fileInput"], "s3://uploads/uploads/7f/A cat & a dog.mp4");
    }

    #[test]
    fn a_silent_source_makes_silent_outputs() {
        let mut facts = samples::facts();
        facts.audio.clear();
        let settings = planned(&facts, &samples::ladder()).settings;
        assert_eq!(settings["inputs"][0]["audioSelectors"], json!({}));
        assert_eq!(outputs(&settings, 0)[0]["audioDescriptions"], json!([]));
        assert_eq!(outputs(&settings, 3).len(), 3);
        assert!(!settings.to_string().contains("Audio Selector"));
    }

    #[test]
    fn direct_packaging_makes_the_same_renditions_once_in_cmaf() {
        let input = StartJobInput { packaging: Packaging::Direct, ..samples::start_job("t1") };
        let plan = plan(&input, &places()).expect("a plan");
        assert_eq!(groups(&plan.settings), ["MP4", "Images", "CMAF"]);
        let cmaf = outputs(&plan.settings, 2);
        assert_eq!(names(&cmaf), ["_360p", "_540p", "_720p", "_audio"]);
        let for_mediapackage = planned(&samples::facts(), &samples::ladder());
        assert_eq!(groups(&for_mediapackage.settings), ["HLS", "MP4", "Images", "DASH"]);
        for (dash, cmaf) in outputs(&for_mediapackage.settings, 3).iter().zip(&cmaf) {
            assert_eq!(dash["videoDescription"], cmaf["videoDescription"]);
            assert_eq!(dash["audioDescriptions"], cmaf["audioDescriptions"]);
        }
        let prefix = format!("s3://media/{}cmaf/master", samples::video_id().media_prefix());
        assert_eq!(plan.paths.hls_playlist, format!("{prefix}.m3u8"));
        assert_eq!(plan.paths.dash_manifest, format!("{prefix}.mpd"));
    }

    #[test]
    fn a_high_dynamic_range_is_brought_down_in_every_picture() {
        let check = |hdr: Option<Hdr>, packaging: Packaging| {
            let mut input = StartJobInput { packaging, ..samples::start_job("t1") };
            input.facts.video.as_mut().expect("a picture").hdr = hdr;
            let settings = plan(&input, &places()).expect("a plan").settings;
            let expected = hdr.map_or(Value::Null, |_| json!({ "colorSpaceConversion": "FORCE_709" }));
            let pictures = (0..groups(&settings).len())
                .flat_map(|group| outputs(&settings, group))
                .filter_map(|output| output.get("videoDescription"));
            for picture in pictures {
                let preprocessors = &picture["videoPreprocessors"];
                assert_eq!(preprocessors["colorCorrector"], expected, "{picture}");
                assert_ne!(preprocessors, &json!({}), "{picture}");
            }
            assert!(settings.to_string().contains("imageInserter"), "the watermark stays");
        };
        for packaging in [Packaging::MediaPackage, Packaging::Direct] {
            check(None, packaging);
            check(Some(Hdr::Pq), packaging);
            check(Some(Hdr::Hlg), packaging);
        }
    }

    #[test]
    fn sound_alone_is_a_ladder_of_sound() {
        let input = samples::start_job_of_sound("t1");
        let plan = plan(&input, &places()).expect("a plan");
        assert_eq!(groups(&plan.settings), ["CMAF"]);
        let cmaf = outputs(&plan.settings, 0);
        assert_eq!(names(&cmaf), ["_64k", "_128k"]);
        for (output, bitrate) in cmaf.iter().zip([64_000, 128_000]) {
            assert_eq!(output["videoDescription"], Value::Null);
            assert_eq!(output["containerSettings"]["cmfcSettings"]["audioTrackType"], SOUND_ALONE);
            assert_eq!(output["audioDescriptions"][0]["codecSettings"]["aacSettings"]["bitrate"], bitrate);
        }
        assert_eq!(plan.settings["inputs"][0]["videoSelector"], Value::Null);
        assert_eq!(plan.paths.pictures, None);
    }

    #[test]
    fn a_job_without_outputs_is_not_ordered() {
        let nothing = StartJobInput { ladder: vec![], ..samples::start_job("t1") };
        assert!(plan(&nothing, &places()).is_err());
        let for_mediapackage =
            StartJobInput { packaging: Packaging::MediaPackage, ..samples::start_job_of_sound("t1") };
        assert!(plan(&for_mediapackage, &places()).is_err());
    }

    #[test]
    fn pictures_and_paths_follow_the_length() {
        let check = |duration_ms: u64, poster: u64, thumbnail: u64, last: &str, thumbnails: u64| {
            let plan = planned(&SourceFacts { duration_ms, ..samples::facts() }, &samples::ladder());
            let interval = |output: usize| {
                outputs(&plan.settings, 2)[output]["videoDescription"]["codecSettings"]["frameCaptureSettings"]["framerateDenominator"].as_u64()
            };
            assert_eq!((interval(0), interval(1)), (Some(poster), Some(thumbnail)), "{duration_ms}");
            let prefix = samples::video_id().media_prefix();
            let expected = PicturePaths {
                mp4: format!("s3://media/{prefix}mp4/video_720p.mp4"),
                poster: format!("s3://media/{prefix}images/video_poster.{last}.jpg"),
                last_thumbnail: format!("s3://media/{prefix}images/video_thumbnail.{:07}.jpg", thumbnails - 1),
            };
            assert_eq!(plan.paths.pictures, Some(expected), "{duration_ms}");
        };
        check(500, 1, 1, "0000000", 1);
        check(1_000, 1, 1, "0000000", 1);
        check(1_040, 1, 1, "0000001", 2);
        check(20_000, 2, 1, "0000001", 20);
        check(100_500, 10, 1, "0000001", 100);
        check(101_000, 10, 2, "0000001", 51);
        check(86_400_000, 8640, 864, "0000001", 100);
    }

    #[test]
    fn a_token_is_short_and_as_stable_as_the_settings() {
        let plan = planned(&samples::facts(), &samples::ladder());
        let token = plan.request_token(&samples::video_id(), u32::MAX);
        assert!(token.len() <= 64, "{token}");
        assert_eq!(token, planned(&samples::facts(), &samples::ladder()).request_token(&samples::video_id(), u32::MAX));
        assert_ne!(plan.request_token(&samples::video_id(), 1), plan.request_token(&samples::video_id(), 2));
        let other = planned(&samples::facts(), &samples::ladder()[..1]);
        assert_ne!(plan.request_token(&samples::video_id(), 1), other.request_token(&samples::video_id(), 1));
    }

    proptest! {
        #[test]
        fn any_ladder_can_be_planned(width in 16u32..=2048, height in 16u32..=2048, duration_ms in 1u64..=86_400_000) {
            let rung = Rung { name: "x".to_owned(), width: width * 2, height: height * 2, max_bitrate_bps: 1_000_000 };
            let plan = planned(&SourceFacts { duration_ms, ..samples::facts() }, &[rung]);
            let sizes = |value: &Value| (value["width"].as_u64(), value["height"].as_u64());
            for output in outputs(&plan.settings, 2) {
                let (Some(width), Some(height)) = sizes(&output["videoDescription"]) else { panic!("sizes are numbers") };
                prop_assert_eq!((width % 2, height % 2), (0, 0));
                prop_assert!(width > 0 && height > 0);
            }
        }
    }
}
