//! Probe.
//!
//! A file that cannot be read as media is an answer, not an error: a result whose container has no `format` and no tracks
//! ("this will be blank if your media file has a format that the MediaConvert Probe operation does not recognize",
//! aws-sdk-mediaconvert 1.153, `types::Container::format`).

use http::StatusCode;
use serde::{Deserialize, Serialize};
use vodline_core::{AwsError, Request, Response};

use crate::{
    job::{ObjectLocation, Refusal, decode},
    service::MediaConvert,
    source::{self, AudioFacts, ProbeError, Ratio, SourceFacts, Track, TrackKind, VideoFacts},
};

use super::{answer, bad_request, body, not_found};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Probe {
    input_files: Vec<InputFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InputFile {
    file_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    probe_results: Vec<ProbeResult>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProbeResult {
    container: Container,
    metadata: Metadata,
    track_mappings: Vec<TrackMapping>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_rate: Option<u64>,
    tracks: Vec<TrackShape>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackShape {
    index: usize,
    track_type: &'static str,
    codec: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    video_properties: Option<VideoProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_properties: Option<AudioProperties>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_properties: Option<DataProperties>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoProperties {
    width: u32,
    height: u32,
    frame_rate: Fraction,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation: Option<u32>,
    sample_aspect_ratio: Fraction,
    display_aspect_ratio: Fraction,
    #[serde(skip_serializing_if = "Option::is_none")]
    color_primaries: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_characteristics: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix_coefficients: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec_metadata: Option<CodecMetadata>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CodecMetadata {
    width: u32,
    height: u32,
    coded_frame_rate: Fraction,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chroma_subsampling: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    scan_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    color_primaries: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_characteristics: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix_coefficients: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioProperties {
    channels: u32,
    sample_rate: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_layout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DataProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Fraction {
    numerator: u32,
    denominator: u32,
}

impl From<Ratio> for Fraction {
    fn from(ratio: Ratio) -> Self {
        Self { numerator: ratio.numerator, denominator: ratio.denominator }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    e_tag: String,
    file_size: u64,
    last_modified: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TrackMapping {
    audio_track_indexes: Vec<usize>,
    data_track_indexes: Vec<usize>,
    video_track_indexes: Vec<usize>,
}

impl MediaConvert {
    pub(super) async fn probe(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediaconvert:Probe", "*")?;
        let body = body(request)?;
        let probe: Probe = decode(&body)?;
        // Source: https://docs.aws.amazon.com/mediaconvert/latest/apireference/probe.html: one file a request.
        let [file] = probe.input_files.as_slice() else {
            return Err(Refusal::new("/inputFiles", "Should have exactly 1 item").into());
        };
        let Some(location) = ObjectLocation::parse(&file.file_url) else {
            return Err(Refusal::new("/inputFiles/0/fileUrl", "the local home supports only s3://bucket/key").into());
        };
        // Unlike a job, a probe reads with the caller's own permissions.
        request.authorize("s3:GetObject", &location.arn())?;
        let object = self
            .objects
            .get(&location.bucket, &location.key)
            .map_err(|error| not_found(format!("Unable to open input file [{location}]: {}", error.message)))?;
        let container = match source::probe(&self.tools, &object.path).await {
            Ok(facts) => container(facts),
            Err(ProbeError::Unreadable(reason)) => {
                tracing::info!(input = %location, reason, "probed a file that is not media");
                Container::default()
            }
            Err(error @ ProbeError::Timeout) => return Err(bad_request(error.to_string())),
            Err(ProbeError::Launch(source)) => {
                tracing::error!(error = %source, "cannot run ffprobe");
                return Err(AwsError::with_status(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalServerErrorException",
                    "the home cannot run ffprobe; its log says why",
                ));
            }
        };
        let of = |kind: &str| container.tracks.iter().filter(|t| t.track_type == kind).map(|t| t.index).collect();
        let mapping = TrackMapping {
            audio_track_indexes: of("audio"),
            data_track_indexes: of("data"),
            video_track_indexes: of("video"),
        };
        let metadata = Metadata {
            e_tag: object.info.etag,
            file_size: object.info.size_bytes,
            last_modified: object.info.last_modified.as_second(),
            mime_type: object.info.metadata.content_type,
        };
        let result = ProbeResult { container, metadata, track_mappings: vec![mapping] };
        answer(StatusCode::OK, &Answer { probe_results: vec![result] })
    }
}

fn container(facts: SourceFacts) -> Container {
    Container {
        format: facts.format,
        duration: (facts.duration_seconds > 0.0).then_some(facts.duration_seconds),
        bit_rate: facts.bit_rate,
        tracks: (1..).zip(facts.tracks).map(|(index, track)| track_shape(index, track)).collect(),
    }
}

fn track_shape(index: usize, track: Track) -> TrackShape {
    let mut shape = TrackShape {
        index,
        track_type: "data",
        codec: track.codec,
        duration: track.duration_seconds,
        video_properties: None,
        audio_properties: None,
        data_properties: None,
    };
    match track.kind {
        TrackKind::Video(video) => {
            shape.track_type = "video";
            shape.video_properties = Some(video_properties(track.codec, track.bit_rate, video));
        }
        TrackKind::Audio(audio) => {
            shape.track_type = "audio";
            shape.audio_properties = Some(audio_properties(track.bit_rate, track.language, audio));
        }
        TrackKind::Data => shape.data_properties = Some(DataProperties { language_code: track.language }),
    }
    shape
}

fn video_properties(codec: &str, bit_rate: Option<u64>, video: VideoFacts) -> VideoProperties {
    let display = u64::from(video.width) * u64::from(video.sample_aspect.numerator);
    let height = u64::from(video.height) * u64::from(video.sample_aspect.denominator);
    let display = u32::try_from(display).ok().zip(u32::try_from(height).ok()).and_then(|(w, h)| Ratio::new(w, h));
    // AWS reads these out of the stream's own headers, and only for these codecs.
    let codec_metadata = matches!(codec, "AVC" | "HEVC" | "MPEG2").then(|| CodecMetadata {
        width: video.width,
        height: video.height,
        coded_frame_rate: video.frame_rate.into(),
        bit_depth: video.bit_depth,
        chroma_subsampling: video.chroma,
        profile: video.profile,
        level: video.level,
        scan_type: if video.interlaced { "Interlaced" } else { "Progressive" },
        color_primaries: video.color_primaries,
        transfer_characteristics: video.transfer,
        matrix_coefficients: video.matrix,
    });
    VideoProperties {
        width: video.width,
        height: video.height,
        frame_rate: video.frame_rate.into(),
        bit_depth: video.bit_depth,
        bit_rate,
        rotation: (video.rotation_degrees != 0).then_some(video.rotation_degrees),
        sample_aspect_ratio: video.sample_aspect.reduced().into(),
        display_aspect_ratio: display.unwrap_or(Ratio::ONE).reduced().into(),
        color_primaries: video.color_primaries,
        transfer_characteristics: video.transfer,
        matrix_coefficients: video.matrix,
        codec_metadata,
    }
}

fn audio_properties(bit_rate: Option<u64>, language: Option<String>, audio: AudioFacts) -> AudioProperties {
    AudioProperties {
        channels: audio.channels,
        sample_rate: audio.sample_rate,
        bit_depth: audio.bit_depth,
        bit_rate,
        channel_layout: audio.channel_layout,
        language_code: language,
    }
}
