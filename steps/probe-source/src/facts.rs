//! What the file is, and whether it can be published.

use aws_sdk_mediaconvert::types::{
    AspectRatio, Container, Format, FrameRate, Track, TrackType, TransferCharacteristics, VideoProperties,
};
use vodline_contracts::source::{AudioTrack, Hdr, SourceFacts, VideoTrack};

/// The longest source: beyond it a transcode would not end within the state's timeout on any ladder.
const DURATION_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// The largest side. MediaConvert reads up to 8K.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/supported-input-formats.html>.
const SIDE_MAX: u32 = 8192;
/// The smallest side that H.264 outputs of MediaConvert may have.
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/apireference/jobs.html>, `VideoDescription.width`.
const SIDE_MIN: u32 = 32;
/// Frames per second; no camera is faster.
const FRAME_RATE_MAX: f64 = 1000.0;

/// Why a source cannot be published; the words are the uploader's to read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nought bytes.
    #[error("the file is empty")]
    Empty,
    /// Not a media file, or one that breaks off.
    #[error("the file is neither video nor sound that can be read; it may be damaged, or cut off")]
    Unreadable,
    /// A track without a size or a length.
    #[error("the file does not say how {0} it is")]
    Unknown(&'static str),
    /// Longer than a day.
    #[error("the video is {hours} hours long; at most {} can be published", DURATION_MS_MAX / 3_600_000)]
    TooLong {
        /// How long.
        hours: u64,
    },
    /// Larger than anything that shows it, smaller than anything that encodes it, or a mere line.
    #[error("the video is {width} by {height} pixels, which cannot be published")]
    Size {
        /// Displayed.
        width: u32,
        /// Displayed.
        height: u32,
    },
}

/// Formats that hold sound; a "video" track in one of them is its cover.
const AUDIO_FORMATS: &[Format] = &[Format::Aac, Format::Ac3, Format::Eac3, Format::Flac, Format::Mp3, Format::Wave];

/// The facts of a source that can be published: one with a picture, or with sound alone.
///
/// # Errors
/// [`Refusal`] of one that cannot.
pub fn of(container: Option<&Container>) -> Result<SourceFacts, Refusal> {
    let container = container.ok_or(Refusal::Unreadable)?;
    let tracks = container.tracks();
    let audio: Vec<AudioTrack> = tracks.iter().filter_map(audio_track).collect();
    let format = container.format();
    let holds_video = format.is_none_or(|format| !AUDIO_FORMATS.contains(format));
    let video = tracks.iter().find(|track| holds_video && is(track, &TrackType::Video));
    let main = video.or_else(|| tracks.iter().find(|track| is(track, &TrackType::Audio))).ok_or(Refusal::Unreadable)?;
    let duration_ms =
        container.duration().or(main.duration()).and_then(milliseconds).ok_or(Refusal::Unknown("long"))?;
    if duration_ms > DURATION_MS_MAX {
        return Err(Refusal::TooLong { hours: duration_ms / 3_600_000 });
    }
    Ok(SourceFacts {
        container: format.map_or_else(String::new, |format| format.as_str().to_owned()),
        duration_ms,
        video: video.map(video_track).transpose()?,
        audio,
    })
}

fn is(track: &Track, track_type: &TrackType) -> bool {
    track.track_type() == Some(track_type)
}

/// Nothing for a duration that is none: zero, negative, or not a number.
fn milliseconds(seconds: f64) -> Option<u64> {
    let milliseconds = (seconds * 1000.0).round();
    // `as` saturates.
    (milliseconds >= 1.0).then_some(milliseconds as u64)
}

fn audio_track(track: &Track) -> Option<AudioTrack> {
    if !is(track, &TrackType::Audio) {
        return None;
    }
    let properties = track.audio_properties();
    let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default();
    Some(AudioTrack {
        codec: track.codec().map_or_else(String::new, |codec| codec.as_str().to_owned()),
        channels: count(properties.and_then(|properties| properties.channels())),
        sample_rate_hz: count(properties.and_then(|properties| properties.sample_rate())),
        language: properties.and_then(|properties| properties.language_code()).map(str::to_owned),
    })
}

fn video_track(track: &Track) -> Result<VideoTrack, Refusal> {
    let properties = track.video_properties().ok_or(Refusal::Unknown("large"))?;
    let (width, height) = stored_size(properties).ok_or(Refusal::Unknown("large"))?;
    let width = with_square_pixels(width, properties.sample_aspect_ratio());
    let rotation_degrees = quarter_turns(properties.rotation().unwrap_or_default());
    let (width, height) = if rotation_degrees.is_multiple_of(180) { (width, height) } else { (height, width) };
    if width.min(height) < SIDE_MIN || width.max(height) > SIDE_MAX {
        return Err(Refusal::Size { width, height });
    }
    Ok(VideoTrack {
        codec: track.codec().map_or_else(String::new, |codec| codec.as_str().to_owned()),
        display_width: width,
        display_height: height,
        rotation_degrees,
        frame_rate: properties.frame_rate().map(frames_per_second).unwrap_or_default(),
        hdr: hdr(properties),
    })
}

/// The container and the stream may each say how light is coded; of a transport stream only the stream is asked.
/// Source: aws-sdk-mediaconvert 1.153, `types::CodecMetadata`.
fn hdr(properties: &VideoProperties) -> Option<Hdr> {
    let stream = properties.codec_metadata().and_then(|stream| stream.transfer_characteristics());
    [properties.transfer_characteristics(), stream].into_iter().flatten().find_map(|transfer| match transfer {
        TransferCharacteristics::Smpte2084 => Some(Hdr::Pq),
        TransferCharacteristics::AribB67 => Some(Hdr::Hlg),
        _ => None,
    })
}

fn stored_size(properties: &VideoProperties) -> Option<(u32, u32)> {
    let side = |value: Option<i32>| u32::try_from(value?).ok().filter(|side| *side > 0);
    Some((side(properties.width())?, side(properties.height())?))
}

/// The width that shows `width` stored pixels of this shape.
fn with_square_pixels(width: u32, pixel: Option<&AspectRatio>) -> u32 {
    let part = |value: Option<i32>| u64::try_from(value?).ok().filter(|part| *part > 0);
    let shape = pixel.and_then(|pixel| Some((part(pixel.numerator())?, part(pixel.denominator())?)));
    let (numerator, denominator) = shape.unwrap_or((1, 1));
    u32::try_from((u64::from(width) * numerator + denominator / 2) / denominator).unwrap_or(u32::MAX)
}

/// Degrees as 0, 90, 180 or 270; what is none of them turns nothing.
fn quarter_turns(degrees: i32) -> u32 {
    match degrees.rem_euclid(360) {
        90 => 90,
        180 => 180,
        270 => 270,
        _ => 0,
    }
}

fn frames_per_second(rate: &FrameRate) -> f64 {
    let (Some(numerator), Some(denominator)) = (rate.numerator(), rate.denominator()) else { return 0.0 };
    let rate = f64::from(numerator) / f64::from(denominator);
    if rate.is_finite() { rate.clamp(0.0, FRAME_RATE_MAX) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use aws_sdk_mediaconvert::types::{AudioProperties, Codec, CodecMetadata};

    use super::*;

    fn ratio(numerator: i32, denominator: i32) -> AspectRatio {
        AspectRatio::builder().numerator(numerator).denominator(denominator).build()
    }

    fn video(width: i32, height: i32, rotation: i32, pixel: AspectRatio) -> Track {
        let properties = VideoProperties::builder()
            .width(width)
            .height(height)
            .rotation(rotation)
            .sample_aspect_ratio(pixel)
            .frame_rate(FrameRate::builder().numerator(30_000).denominator(1001).build())
            .build();
        Track::builder().track_type(TrackType::Video).codec(Codec::Avc).video_properties(properties).build()
    }

    fn audio() -> Track {
        let properties = AudioProperties::builder().channels(2).sample_rate(44_100).language_code("eng").build();
        Track::builder().track_type(TrackType::Audio).codec(Codec::Aac).audio_properties(properties).build()
    }

    fn container(format: Format, duration: f64, tracks: Vec<Track>) -> Container {
        Container::builder().format(format).duration(duration).set_tracks(Some(tracks)).build()
    }

    #[test]
    fn the_size_is_the_displayed_one() {
        let check = |width, height, rotation, pixel, expected: (u32, u32, u32)| {
            let facts = of(Some(&container(Format::Mp4, 1.0, vec![video(width, height, rotation, pixel)])));
            let video = facts.expect("publishable").video.expect("a picture");
            assert_eq!((video.display_width, video.display_height, video.rotation_degrees), expected);
            assert!((video.frame_rate - 29.97).abs() < 0.001);
        };
        check(1920, 1080, 0, ratio(1, 1), (1920, 1080, 0));
        check(1920, 1080, 90, ratio(1, 1), (1080, 1920, 90));
        check(1920, 1080, -90, ratio(1, 1), (1080, 1920, 270));
        check(1920, 1080, 180, ratio(1, 1), (1920, 1080, 180));
        check(720, 576, 0, ratio(64, 45), (1024, 576, 0));
        check(1440, 1080, 0, ratio(4, 3), (1920, 1080, 0));
        check(1440, 1080, 90, ratio(4, 3), (1080, 1920, 90));
        check(640, 360, 0, ratio(0, 1), (640, 360, 0));
        check(640, 360, 45, ratio(1, 0), (640, 360, 0));
    }

    #[test]
    fn a_high_dynamic_range_is_told_by_the_container_or_the_stream() {
        use TransferCharacteristics::{AribB67, Itu709, Smpte2084, Unspecified};
        let check = |container_says: Option<TransferCharacteristics>, stream_says, expected: Option<Hdr>| {
            let stream = CodecMetadata::builder().set_transfer_characteristics(stream_says).build();
            let properties = VideoProperties::builder()
                .width(640)
                .height(360)
                .set_transfer_characteristics(container_says)
                .codec_metadata(stream)
                .build();
            let track = Track::builder().track_type(TrackType::Video).video_properties(properties).build();
            let facts = of(Some(&container(Format::Mp4, 1.0, vec![track]))).expect("publishable");
            assert_eq!(facts.video.expect("a picture").hdr, expected);
        };
        check(None, None, None);
        check(Some(Itu709), Some(Itu709), None);
        check(Some(Smpte2084), None, Some(Hdr::Pq));
        check(Some(AribB67), Some(AribB67), Some(Hdr::Hlg));
        check(None, Some(Smpte2084), Some(Hdr::Pq));
        check(Some(Unspecified), Some(AribB67), Some(Hdr::Hlg));
    }

    #[test]
    fn sound_is_told_of_and_not_needed() {
        let square = || video(640, 360, 0, ratio(1, 1));
        let facts = of(Some(&container(Format::Quicktime, 1.0, vec![audio(), square()]))).expect("publishable");
        assert_eq!((facts.container.as_str(), facts.audio.len()), ("quicktime", 1));
        let track = &facts.audio[0];
        assert_eq!((track.channels, track.sample_rate_hz, track.language.as_deref()), (2, 44_100, Some("eng")));
        assert!(of(Some(&container(Format::Webm, 1.0, vec![square()]))).expect("publishable").audio.is_empty());
    }

    #[test]
    fn sound_alone_is_enough_and_a_cover_is_no_picture() {
        let cover = || video(640, 640, 0, ratio(1, 1));
        for (format, tracks) in [(Format::Mp4, vec![audio()]), (Format::Mp3, vec![audio(), cover()])] {
            let facts = of(Some(&container(format, 3.5, tracks))).expect("publishable");
            assert_eq!((facts.video, facts.audio.len(), facts.duration_ms), (None, 1, 3_500));
        }
    }

    #[test]
    fn what_cannot_be_published_is_refused_in_words() {
        let check = |container: Option<Container>, expected: Refusal| {
            assert_eq!(of(container.as_ref()), Err(expected), "{container:?}");
        };
        let square = || video(640, 360, 0, ratio(1, 1));
        check(None, Refusal::Unreadable);
        check(Some(Container::builder().build()), Refusal::Unreadable);
        check(Some(container(Format::Mp4, 1.0, vec![])), Refusal::Unreadable);
        check(Some(container(Format::Mp3, 1.0, vec![square()])), Refusal::Unreadable);
        check(Some(container(Format::Mp3, 0.0, vec![audio()])), Refusal::Unknown("long"));
        check(Some(container(Format::Mp4, 0.0, vec![square()])), Refusal::Unknown("long"));
        check(Some(container(Format::Mp4, -1.0, vec![square()])), Refusal::Unknown("long"));
        check(Some(container(Format::Mp4, f64::NAN, vec![square()])), Refusal::Unknown("long"));
        check(Some(container(Format::Mp4, 90_000.0, vec![square()])), Refusal::TooLong { hours: 25 });
        let sized = |width, height| Some(container(Format::Mp4, 1.0, vec![video(width, height, 0, ratio(1, 1))]));
        check(sized(0, 360), Refusal::Unknown("large"));
        check(sized(-1, 360), Refusal::Unknown("large"));
        check(sized(640, 16), Refusal::Size { width: 640, height: 16 });
        check(sized(20_000, 1000), Refusal::Size { width: 20_000, height: 1000 });
    }
}
