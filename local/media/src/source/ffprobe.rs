//! ffprobe: how it is called and how its words become [`SourceFacts`].

use std::{collections::BTreeMap, io::Read, path::Path, time::Duration};

use serde::Deserialize;

use super::{AudioFacts, Hdr10, INPUT_FORMATS, PROTOCOLS, Ratio, SourceFacts, Tools, Track, TrackKind, VideoFacts};

/// ffprobe reads headers and a few frames; what takes longer is hostile.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A frame rate beyond this is a time base in disguise. Source: MediaConvert's H.264 limit is 120
/// (<https://docs.aws.amazon.com/mediaconvert/latest/ug/reference-codecs-containers.html>).
const FRAME_RATE_MAX: f64 = 120.0;

/// Pixels a side; a header that claims more is not decoded. Source: MediaConvert takes inputs up to 8K.
const SIDE_MAX: u32 = 16_384;

/// Why a file's facts are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// No demuxer of the list recognises it, or its headers are broken.
    #[error("not a media file that can be read: {0}")]
    Unreadable(String),
    /// ffprobe could not be run.
    #[error("cannot run ffprobe")]
    Launch(#[source] std::io::Error),
    /// It took too long.
    #[error("reading the file's headers took more than {} s", TIMEOUT.as_secs())]
    Timeout,
}

/// Finds the facts of the file at `path`.
pub(crate) async fn probe(tools: &Tools, path: &Path) -> Result<SourceFacts, ProbeError> {
    let report = ask(tools, path, &["-show_format", "-show_streams"]).await?;
    let mut head = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // Only Matroska's document type is looked for in it; a short read is as good as none.
        let _ = file.take(64).read_to_end(&mut head);
    }
    let mut facts = facts_from_json(&report, &head)?;
    // Most encoders write HDR10's metadata into the pictures alone.
    if facts.video().is_some_and(|(_, video)| video.transfer == Some("SMPTE_2084") && video.hdr10.is_none()) {
        let first = ["-select_streams", "v:0", "-show_frames", "-read_intervals", "%+#1"];
        let frames: Frames = serde_json::from_slice(&ask(tools, path, &first).await?).unwrap_or_default();
        facts.set_hdr10(frames.frames.first().and_then(|frame| hdr10(&frame.side_data_list)));
    }
    Ok(facts)
}

/// What ffprobe says of the file, as JSON.
async fn ask(tools: &Tools, path: &Path, what: &[&str]) -> Result<Vec<u8>, ProbeError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut command = tools.command(&tools.ffprobe, directory);
    command.args(["-v", "error", "-hide_banner", "-protocol_whitelist", PROTOCOLS, "-format_whitelist", INPUT_FORMATS]);
    command.args(what).args(["-of", "json", "-i"]);
    // The prefix makes any name a file's name, whatever protocol it looks like.
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    command.arg(url);
    let output = tokio::time::timeout(TIMEOUT, command.output())
        .await
        .map_err(|_| ProbeError::Timeout)?
        .map_err(ProbeError::Launch)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(ProbeError::Unreadable(complaint(&String::from_utf8_lossy(&output.stderr), path)))
}

#[derive(Default, Deserialize)]
struct Frames {
    #[serde(default)]
    frames: Vec<Frame>,
}

#[derive(Default, Deserialize)]
struct Frame {
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

fn hdr10(side_data: &[SideData]) -> Option<Hdr10> {
    let (primaries, luminance) = side_data.iter().find_map(SideData::mastering)?;
    let light_level = side_data.iter().find_map(|side| side.max_content.zip(side.max_average));
    Some(Hdr10 { primaries, luminance, light_level })
}

/// The first thing ffprobe says, which is the most exact, without addresses and local names:
/// `[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] moov atom not found` is `moov atom not found`.
fn complaint(words: &str, path: &Path) -> String {
    let first = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    let first = match first.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((module, rest)) if module.contains(" @ 0x") => rest,
        _ => first,
    };
    first.replace(&format!("file:{}: ", path.display()), "")
}

/// Reads ffprobe's JSON. `head` is the beginning of the file.
pub(crate) fn facts_from_json(json: &[u8], head: &[u8]) -> Result<SourceFacts, ProbeError> {
    let report: Report = serde_json::from_slice(json).map_err(|error| ProbeError::Unreadable(error.to_string()))?;
    let container = report.format.seconds();
    let tracks: Vec<_> = report.streams.iter().filter_map(|stream| stream.track(container)).collect();
    if tracks.is_empty() {
        return Err(ProbeError::Unreadable("no track was found".into()));
    }
    let longest = tracks.iter().filter_map(|track| track.duration_seconds).fold(0.0, f64::max);
    Ok(SourceFacts {
        format: format_name(&report.format, head),
        demuxer: report.format.format_name.split(',').next().unwrap_or_default().to_owned(),
        timecode: report
            .streams
            .iter()
            .map(|stream| &stream.tags)
            .chain([&report.format.tags])
            .find_map(|tags| tags.get("timecode").cloned()),
        duration_seconds: container.unwrap_or(longest),
        bit_rate: report.format.bit_rate.as_deref().and_then(|rate| rate.parse().ok()),
        tracks,
    })
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize)]
struct Format {
    format_name: String,
    duration: Option<String>,
    bit_rate: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Format {
    fn seconds(&self) -> Option<f64> {
        seconds(self.duration.as_deref())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: usize,
    id: Option<String>,
    codec_type: String,
    codec_name: Option<String>,
    profile: Option<String>,
    level: Option<i32>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    pix_fmt: Option<String>,
    field_order: Option<String>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    bits_per_raw_sample: Option<String>,
    bits_per_sample: Option<u32>,
    color_primaries: Option<String>,
    color_transfer: Option<String>,
    color_space: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    channel_layout: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
    disposition: Disposition,
    tags: BTreeMap<String, String>,
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

/// Members of several kinds of side data, together.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
    red_x: Option<String>,
    red_y: Option<String>,
    green_x: Option<String>,
    green_y: Option<String>,
    blue_x: Option<String>,
    blue_y: Option<String>,
    white_point_x: Option<String>,
    white_point_y: Option<String>,
    min_luminance: Option<String>,
    max_luminance: Option<String>,
    max_content: Option<u32>,
    max_average: Option<u32>,
}

impl SideData {
    fn mastering(&self) -> Option<Mastering> {
        let point = |x: &Option<String>, y: &Option<String>| {
            Some((scaled(x.as_deref()?, 50_000.0)?, scaled(y.as_deref()?, 50_000.0)?))
        };
        let luminance = |value: &Option<String>| scaled(value.as_deref()?, 10_000.0);
        Some((
            [
                point(&self.green_x, &self.green_y)?,
                point(&self.blue_x, &self.blue_y)?,
                point(&self.red_x, &self.red_y)?,
                point(&self.white_point_x, &self.white_point_y)?,
            ],
            (luminance(&self.max_luminance)?, luminance(&self.min_luminance)?),
        ))
    }
}

/// The points of green, blue, red and white, and the highest and lowest luminance, as [`Hdr10`] has them.
type Mastering = ([(u32, u32); 4], (u32, u32));

/// A fraction such as `34000/50000` in units of one `scale`th.
fn scaled(text: &str, scale: f64) -> Option<u32> {
    let (numerator, denominator) = text.split_once('/')?;
    let value = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()? * scale;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    let units = (0.0..=4e9).contains(&value).then(|| value.round() as u32);
    units
}

impl Stream {
    fn track(&self, container: Option<f64>) -> Option<Track> {
        let kind = match self.codec_type.as_str() {
            // A cover picture is a still that players show beside the sound.
            "video" if self.disposition.attached_pic == 1 => return None,
            "video" => TrackKind::Video(self.video()?),
            "audio" => TrackKind::Audio(self.audio()?),
            "subtitle" | "data" => TrackKind::Data,
            _ => return None,
        };
        Some(Track {
            stream: self.index,
            pid: self.id.as_deref().and_then(|id| u32::from_str_radix(id.strip_prefix("0x")?, 16).ok()),
            codec: codec_name(self.codec_name.as_deref().unwrap_or_default()),
            duration_seconds: seconds(self.duration.as_deref()).or_else(|| self.tag_seconds()).or(container),
            bit_rate: self.bit_rate.as_deref().and_then(|rate| rate.parse().ok()),
            language: self.tags.get("language").filter(|l| l.len() == 3 && *l != "und").cloned(),
            kind,
        })
    }

    /// Matroska keeps a track's length in a tag, as `00:01:02.500000000`.
    fn tag_seconds(&self) -> Option<f64> {
        let text = self.tags.get("DURATION").or_else(|| self.tags.get("DURATION-eng"))?;
        text.split(':').try_fold(0.0, |total, part| Some(total * 60.0 + part.parse::<f64>().ok()?))
    }

    fn video(&self) -> Option<VideoFacts> {
        let (width, height) = (self.width?, self.height?);
        if !(1..=SIDE_MAX).contains(&width) || !(1..=SIDE_MAX).contains(&height) {
            return None;
        }
        let pixel = self.pix_fmt.as_deref().unwrap_or_default();
        Some(VideoFacts {
            width,
            height,
            sample_aspect: self.sample_aspect_ratio.as_deref().and_then(|r| ratio(r, ':')).unwrap_or(Ratio::ONE),
            rotation_degrees: self.rotation(),
            frame_rate: self.frame_rate(),
            interlaced: matches!(self.field_order.as_deref(), Some("tt" | "bb" | "tb" | "bt")),
            bit_depth: self.bits_per_raw_sample.as_deref().and_then(|b| b.parse().ok()).filter(|b| *b > 0).or_else(
                || {
                    let depth = ["9", "10", "12", "14", "16"]
                        .into_iter()
                        .find(|d| pixel.ends_with(&format!("p{d}le")) || pixel.ends_with(&format!("p{d}be")));
                    (!pixel.is_empty()).then(|| depth.and_then(|d| d.parse().ok()).unwrap_or(8))
                },
            ),
            chroma: ["420", "422", "444"]
                .into_iter()
                .zip(["4:2:0", "4:2:2", "4:4:4"])
                .find_map(|(digits, name)| pixel.contains(digits).then_some(name)),
            profile: self.profile.clone(),
            level: self.level.filter(|level| *level > 0).map(|level| self.level_name(level)),
            color_primaries: self.color_primaries.as_deref().and_then(primaries_name),
            transfer: self.color_transfer.as_deref().and_then(transfer_name),
            matrix: self.color_space.as_deref().and_then(matrix_name),
            hdr10: hdr10(&self.side_data_list),
        })
    }

    fn audio(&self) -> Option<AudioFacts> {
        let depth = self.bits_per_raw_sample.as_deref().and_then(|b| b.parse().ok()).or(self.bits_per_sample);
        Some(AudioFacts {
            channels: self.channels.filter(|channels| *channels > 0)?,
            channel_layout: self.channel_layout.clone(),
            sample_rate: self.sample_rate.as_deref().and_then(|rate| rate.parse().ok())?,
            bit_depth: depth.filter(|bits| *bits > 0),
        })
    }

    /// ffprobe counts counterclockwise; MediaConvert clockwise.
    fn rotation(&self) -> u32 {
        let counterclockwise = self.side_data_list.iter().find_map(|side| side.rotation).unwrap_or_default();
        let quarters = (-counterclockwise / 90.0).round();
        // Odd angles cannot be shown without corners; AWS reports none for them.
        if (quarters * 90.0 + counterclockwise).abs() > 1.0 {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..4 after the remainder")]
        let quarters = quarters.rem_euclid(4.0) as u32;
        quarters * 90
    }

    /// The nominal rate, unless it is a time base: then the average.
    fn frame_rate(&self) -> Ratio {
        let rates = [self.r_frame_rate.as_deref(), self.avg_frame_rate.as_deref()];
        let plausible = |rate: &Ratio| (1.0..=FRAME_RATE_MAX).contains(&rate.value());
        let [nominal, average] = rates.map(|rate| rate.and_then(|r| ratio(r, '/')).filter(plausible));
        match (nominal, average) {
            // Sources whose frames come much more slowly than they could (screen recordings).
            (Some(nominal), Some(average)) if nominal.value() > 2.0 * average.value() => round_rate(average),
            (Some(nominal), _) => nominal.reduced(),
            (None, Some(average)) => round_rate(average),
            (None, None) => Ratio { numerator: 25, denominator: 1 },
        }
    }

    /// Level numbers are ten times the level in H.264, thirty times in HEVC.
    fn level_name(&self, level: i32) -> String {
        match self.codec_name.as_deref() {
            Some("h264") => format!("{}.{}", level / 10, level % 10),
            Some("hevc") => format!("{}.{}", level / 30, level % 30 / 3),
            _ => level.to_string(),
        }
    }
}

/// An average is a crooked fraction; a rate of whole thousandths keeps time bases small.
fn round_rate(average: Ratio) -> Ratio {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1,000 and 120,000")]
    let thousandths = (average.value() * 1000.0).round() as u32;
    Ratio { numerator: thousandths, denominator: 1000 }.reduced()
}

fn ratio(text: &str, separator: char) -> Option<Ratio> {
    let (numerator, denominator) = text.split_once(separator)?;
    Ratio::new(numerator.parse().ok()?, denominator.parse().ok()?)
}

fn seconds(text: Option<&str>) -> Option<f64> {
    text?.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

/// Probe's `Format`. Source: aws-sdk-mediaconvert 1.153, `types::Format`.
fn format_name(format: &Format, head: &[u8]) -> Option<&'static str> {
    let brand = format.tags.get("major_brand").map_or("", |brand| brand.trim());
    Some(match format.format_name.as_str() {
        names if names.starts_with("mov,") => match brand {
            "qt" | "" => "quicktime",
            brand if brand.starts_with("3gp") => "three_gp",
            brand if brand.starts_with("3g2") => "three_g2",
            _ => "mp4",
        },
        names if names.starts_with("matroska") => {
            if head.windows(4).any(|bytes| bytes == b"webm") {
                "webm"
            } else {
                "matroska"
            }
        }
        "mpegts" => "mpegts",
        "mpeg" => "mpegps",
        "avi" => "avi",
        "asf" => "asf",
        "mxf" => "mxf",
        "ogg" => "ogg",
        "wav" => "wave",
        "mp3" => "mp3",
        "aac" => "aac",
        "flac" => "flac",
        "ac3" => "ac3",
        "eac3" => "eac3",
        _ => return None,
    })
}

/// Probe's `Codec`. Source: aws-sdk-mediaconvert 1.153, `types::Codec`.
fn codec_name(name: &str) -> &'static str {
    match name {
        "h264" => "AVC",
        "hevc" => "HEVC",
        "av1" => "AV1",
        "vp8" => "VP8",
        "vp9" => "VP9",
        "mpeg1video" => "MPEG1",
        "mpeg2video" => "MPEG2",
        "mpeg4" => "MP4V",
        "h263" => "H263",
        "prores" => "PRORES",
        "dnxhd" => "VC3",
        "vc1" => "VC1",
        "mjpeg" => "MJPEG",
        "jpeg2000" => "JPEG2000",
        "dvvideo" => "DV",
        "qtrle" => "QTRLE",
        "theora" => "THEORA",
        "rawvideo" | "v210" => "UNCOMPRESSED",
        "aac" => "AAC",
        "ac3" => "AC3",
        "eac3" => "EAC3",
        "mp2" => "MP2",
        "mp3" => "MP3",
        "opus" => "OPUS",
        "vorbis" => "VORBIS",
        "flac" => "FLAC",
        "amr_nb" | "amr_wb" => "AMR",
        "wmav1" => "WMA",
        "wmav2" => "WMA2",
        "wmapro" => "WMAPRO",
        "webvtt" => "WEBVTT",
        "eia_608" => "C608",
        pcm if pcm.starts_with("pcm_") => "PCM",
        _ => "UNKNOWN",
    }
}

/// Probe's `ColorPrimaries`.
fn primaries_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "bt709" => "ITU_709",
        "bt470m" => "ITU_470M",
        "bt470bg" => "ITU_470BG",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "film" => "GENERIC_FILM",
        "bt2020" => "ITU_2020",
        "smpte428" => "SMPTE_428_1",
        "smpte431" => "SMPTE_431_2",
        "smpte432" => "SMPTE_EG_432_1",
        "ebu3213" => "EBU_3213_E",
        _ => return None,
    })
}

/// Probe's `TransferCharacteristics`.
fn transfer_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "bt709" => "ITU_709",
        "gamma22" | "bt470m" => "ITU_470M",
        "gamma28" | "bt470bg" => "ITU_470BG",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "linear" => "LINEAR",
        "log100" => "LOG10_2",
        "log316" => "LOC10_2_5",
        "iec61966-2-4" => "IEC_61966_2_4",
        "iec61966-2-1" => "IEC_61966_2_1",
        "bt1361e" => "ITU_1361",
        "bt2020-10" => "ITU_2020_10bit",
        "bt2020-12" => "ITU_2020_12bit",
        "smpte2084" => "SMPTE_2084",
        "smpte428" => "SMPTE_428_1",
        "arib-std-b67" => "ARIB_B67",
        _ => return None,
    })
}

/// Probe's `MatrixCoefficients`.
fn matrix_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "bt709" => "ITU_709",
        "gbr" => "RGB",
        "fcc" => "FCC",
        "bt470bg" => "ITU_470BG",
        "smpte170m" => "SMPTE_170M",
        "smpte240m" => "SMPTE_240M",
        "ycgco" => "YCgCo",
        "bt2020nc" => "ITU_2020_NCL",
        "bt2020c" => "ITU_2020_CL",
        "smpte2085" => "SMPTE_2085",
        "ictcp" => "ITU_2100ICtCp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use serde_json::{Value, json};

    use super::*;

    fn facts(stream: Value) -> Result<SourceFacts, ProbeError> {
        let report = json!({
            "streams": [stream],
            "format": {"format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration": "10.5", "tags": {"major_brand": "isom"}},
        });
        facts_from_json(report.to_string().as_bytes(), b"")
    }

    fn video(members: Value) -> VideoFacts {
        let mut stream =
            json!({"index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080});
        for (key, value) in members.as_object().unwrap() {
            stream[key] = value.clone();
        }
        match facts(stream).unwrap().tracks.remove(0).kind {
            TrackKind::Video(video) => video,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn rotation_is_clockwise_and_square() {
        let check = |rotation: f64, degrees: u32| {
            let facts = video(json!({"side_data_list": [{"side_data_type": "x"}, {"rotation": rotation}]}));
            assert_eq!(facts.rotation_degrees, degrees, "{rotation}");
        };
        check(-90.0, 90);
        check(90.0, 270);
        check(180.0, 180);
        check(-180.0, 180);
        check(0.0, 0);
        check(-45.0, 0);
    }

    #[test]
    fn the_frame_rate_is_nominal_unless_that_is_a_time_base() {
        let check = |nominal: &str, average: &str, expected: (u32, u32)| {
            let rate = video(json!({"r_frame_rate": nominal, "avg_frame_rate": average})).frame_rate;
            assert_eq!((rate.numerator, rate.denominator), expected, "{nominal} {average}");
        };
        check("30000/1001", "30000/1001", (30000, 1001));
        check("30/1", "29943/1000", (30, 1));
        check("90000/1", "59970/2001", (2997, 100));
        check("60/1", "12/1", (12, 1));
        check("0/0", "0/0", (25, 1));
        check("1000/1", "0/0", (25, 1));
    }

    #[test]
    fn complaints_are_without_addresses_and_paths() {
        let check = |words: &str, expected: &str| assert_eq!(complaint(words, Path::new("/data/7")), expected);
        let format = "[mov,mp4 @ 0x55d0c7d3e2c0] moov atom not found\nfile:/data/7: Invalid data found";
        check(format, "moov atom not found");
        check("file:/data/7: Invalid data found when processing input\n", "Invalid data found when processing input");
        check("", "no reason given");
    }

    #[test]
    fn a_cover_picture_is_no_video() {
        let cover = json!({"index": 0, "codec_type": "video", "codec_name": "mjpeg", "width": 500, "height": 500,
            "disposition": {"attached_pic": 1}});
        assert!(matches!(facts(cover), Err(ProbeError::Unreadable(_))));
    }

    #[test]
    fn absurd_headers_are_no_video() {
        let huge = json!({"index": 0, "codec_type": "video", "codec_name": "h264", "width": 100_000, "height": 2});
        assert!(facts(huge).is_err());
    }

    #[test]
    fn depth_and_chroma_come_from_the_pixel_format() {
        let check = |format: &str, depth: u32, chroma: Option<&str>| {
            let facts = video(json!({"pix_fmt": format}));
            assert_eq!((facts.bit_depth, facts.chroma), (Some(depth), chroma), "{format}");
        };
        check("yuv420p", 8, Some("4:2:0"));
        check("yuvj420p", 8, Some("4:2:0"));
        check("yuv420p10le", 10, Some("4:2:0"));
        check("yuv422p12le", 12, Some("4:2:2"));
        check("yuv444p", 8, Some("4:4:4"));
        check("rgb24", 8, None);
    }
}
