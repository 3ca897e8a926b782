//! What a job made, told from its event.

use vodline_contracts::{
    aws::mediaconvert::{JobStateChange, OutputDetail, OutputGroupDetail},
    job::{JobOutputs, Rendition},
};

const HLS_GROUP: &str = "HLS_GROUP";
const DASH_GROUP: &str = "DASH_ISO_GROUP";
/// Suffixes by which the files of the file groups are known; see `job.json` of start-job.
const MP4_SUFFIX: &str = ".mp4";
const POSTER_INFIX: &str = "_poster.";

/// The outputs, or nothing when the event tells of no HLS parent playlist: then there is nothing to publish.
#[must_use]
pub fn of_event(event: &JobStateChange) -> Option<JobOutputs> {
    let group = |kind: &str| event.output_group_details.iter().find(|group| group.r#type == kind);
    let playlist = |group: &OutputGroupDetail| group.playlist_file_paths.first().cloned();
    let hls = group(HLS_GROUP)?;
    Some(JobOutputs {
        job_id: event.job_id.clone(),
        duration_ms: hls.output_details.iter().map(|output| output.duration_in_ms).max().unwrap_or_default(),
        hls_playlist_uri: playlist(hls)?,
        dash_manifest_uri: group(DASH_GROUP).and_then(playlist),
        mp4_uri: file(event, |path| path.ends_with(MP4_SUFFIX)),
        poster_uri: file(event, |path| path.contains(POSTER_INFIX)),
        renditions: renditions(hls),
        warnings: event.warnings.iter().map(|warning| warning.code).collect(),
    })
}

/// The first file of the groups without playlists that is like this.
fn file(event: &JobStateChange, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let groups = event.output_group_details.iter().filter(|group| group.playlist_file_paths.is_empty());
    let mut paths = groups.flat_map(|group| &group.output_details).flat_map(|output| &output.output_file_paths);
    paths.find(|path| is_it(path)).cloned()
}

/// The group's video outputs, smallest first. Outputs of sound or captions have no picture.
fn renditions(group: &OutputGroupDetail) -> Vec<Rendition> {
    let rendition = |output: &OutputDetail| {
        let video = output.video_details.as_ref()?;
        Some(Rendition {
            name: format!("{}p", video.width_in_px.min(video.height_in_px)),
            width: video.width_in_px,
            height: video.height_in_px,
            average_bitrate_bps: video.average_bitrate,
        })
    };
    let mut renditions: Vec<Rendition> = group.output_details.iter().filter_map(rendition).collect();
    renditions.sort_by_key(|rendition| u64::from(rendition.width) * u64::from(rendition.height));
    renditions
}
