//! What a job made, told from its event.

use vodline_contracts::{
    aws::mediaconvert::{JobStateChange, OutputDetail, OutputGroupDetail},
    job::{JobOutputs, Rendition},
};

/// What MediaPackage ingests.
const HLS_GROUP: &str = "HLS_GROUP";
/// What viewers are served as it is.
const CMAF_GROUP: &str = "CMAF_GROUP";
const DASH_GROUP: &str = "DASH_ISO_GROUP";
/// Suffixes of manifests. A CMAF group has one of each.
const HLS_SUFFIX: &str = ".m3u8";
const DASH_SUFFIX: &str = ".mpd";
/// Suffixes by which the files of the file groups are known; see `job.json` of start-job.
const MP4_SUFFIX: &str = ".mp4";
const POSTER_INFIX: &str = "_poster.";
const THUMBNAIL_INFIX: &str = "_thumbnail.";

/// The outputs, or nothing when the event tells of no HLS parent playlist: then there is nothing to publish.
#[must_use]
pub fn of_event(event: &JobStateChange) -> Option<JobOutputs> {
    let group = |kind: &str| event.output_group_details.iter().find(|group| group.r#type == kind);
    let manifest = |group: &OutputGroupDetail, suffix: &str| {
        group.playlist_file_paths.iter().find(|path| path.ends_with(suffix)).cloned()
    };
    let main = group(HLS_GROUP).or_else(|| group(CMAF_GROUP))?;
    Some(JobOutputs {
        job_id: event.job_id.clone(),
        duration_ms: main.output_details.iter().map(|output| output.duration_in_ms).max().unwrap_or_default(),
        hls_playlist_uri: manifest(main, HLS_SUFFIX)?,
        dash_manifest_uri: manifest(group(DASH_GROUP).unwrap_or(main), DASH_SUFFIX),
        mp4_uri: file(event, |path| path.ends_with(MP4_SUFFIX)),
        poster_uri: file(event, |path| path.contains(POSTER_INFIX)),
        last_thumbnail_uri: file(event, |path| path.contains(THUMBNAIL_INFIX)),
        renditions: renditions(main),
        warnings: event.warnings.iter().map(|warning| warning.code).collect(),
    })
}

/// The first file of the groups without playlists that is like this.
fn file(event: &JobStateChange, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let groups = event.output_group_details.iter().filter(|group| group.playlist_file_paths.is_empty());
    let mut paths = groups.flat_map(|group| &group.output_details).flat_map(|output| &output.output_file_paths);
    paths.find(|path| is_it(path)).cloned()
}

/// The group's video outputs, smallest first. Outputs of sound or captions have no picture; only where none has one, sound is
/// what there is to choose from.
fn renditions(group: &OutputGroupDetail) -> Vec<Rendition> {
    let picture = |output: &OutputDetail| {
        let video = output.video_details.as_ref()?;
        Some(Rendition {
            name: format!("{}p", video.width_in_px.min(video.height_in_px)),
            width: Some(video.width_in_px),
            height: Some(video.height_in_px),
            average_bitrate_bps: video.average_bitrate,
        })
    };
    let mut renditions: Vec<Rendition> = group.output_details.iter().filter_map(picture).collect();
    renditions.sort_by_key(|rendition| {
        u64::from(rendition.width.unwrap_or_default()) * u64::from(rendition.height.unwrap_or_default())
    });
    if renditions.is_empty() {
        renditions = (1..).zip(&group.output_details).map(|(number, output)| sound(number, output)).collect();
    }
    renditions
}

/// A rendition of sound. The event says nothing of it but where it is, if that: `.../master_128k.m3u8`.
fn sound(number: usize, output: &OutputDetail) -> Rendition {
    let file = output.output_file_paths.first().and_then(|path| path.rsplit('/').next());
    let name = file.and_then(|file| file.split('.').next()).and_then(|stem| stem.split('_').nth(1));
    let name = name.map_or_else(|| format!("sound {number}"), str::to_owned);
    Rendition { name, width: None, height: None, average_bitrate_bps: None }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::json;

    use super::*;

    fn of_cmaf(outputs: serde_json::Value) -> Option<JobOutputs> {
        let event = json!({
            "jobId": "job-1", "timestamp": 0, "status": "COMPLETE",
            "outputGroupDetails": [{
                "type": "CMAF_GROUP",
                "outputDetails": outputs,
                "playlistFilePaths": ["s3://media/media/v/cmaf/master.mpd", "s3://media/media/v/cmaf/master.m3u8"],
            }],
        });
        of_event(&serde_json::from_value(event).expect("an event"))
    }

    #[test]
    fn a_cmaf_group_is_both_hls_and_dash() {
        let outputs = of_cmaf(json!([
            { "durationInMs": 7000, "videoDetails": { "widthInPx": 640, "heightInPx": 360 },
              "outputFilePaths": ["s3://media/media/v/cmaf/master_360p.m3u8"] },
            { "durationInMs": 7021, "outputFilePaths": ["s3://media/media/v/cmaf/master_audio.m3u8"] },
        ]));
        let outputs = outputs.expect("published");
        assert_eq!(outputs.hls_playlist_uri, "s3://media/media/v/cmaf/master.m3u8");
        assert_eq!(outputs.dash_manifest_uri.as_deref(), Some("s3://media/media/v/cmaf/master.mpd"));
        assert_eq!((outputs.duration_ms, outputs.renditions.len()), (7021, 1));
        assert_eq!((outputs.mp4_uri, outputs.poster_uri, outputs.last_thumbnail_uri), (None, None, None));
    }

    #[test]
    fn renditions_of_sound_are_known_by_their_files() {
        let output = |name: &str| json!({ "durationInMs": 7000, "outputFilePaths": [format!("s3://media/media/v/cmaf/master_{name}.m3u8")] });
        let outputs = json!([output("64k"), output("128k"), { "durationInMs": 7000 }]);
        let renditions = of_cmaf(outputs).expect("published").renditions;
        let names: Vec<_> = renditions.iter().map(|rendition| (rendition.name.as_str(), rendition.width)).collect();
        assert_eq!(names, [("64k", None), ("128k", None), ("sound 3", None)]);
    }
}
