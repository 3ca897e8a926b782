//! One output of a streaming group: its segments, where they come to lie, and what playlists say of it.

use std::io::Write;

use crate::{
    job::{CodecSpecification, Output, SegmentControl},
    plan::PlannedOutput,
};

use super::{
    Context, File, OutputDetail, PublishError, bit_rate,
    codec::PictureCodec,
    milliseconds,
    segments::{self, Segment},
    video_details,
};

/// An output that is cut into segments.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) planned: &'a PlannedOutput,
    pub(super) output: &'a Output,
    /// Base name and modifier.
    pub(super) stem: String,
    pub(super) segments: Vec<Segment>,
    picture: Option<PictureCodec>,
}

impl<'a> Track<'a> {
    /// Reads what ffmpeg made of a planned output. `init` is the initialisation segment's file name, if there is one.
    pub(super) fn read(
        context: &Context<'a>,
        planned: &'a PlannedOutput,
        init: Option<&str>,
    ) -> Result<Self, PublishError> {
        let segments = segments::read(context.scratch, planned)?;
        let picture = match (planned.video, init, segments.first()) {
            (None, _, _) | (_, None, None) => None,
            (Some(_), Some(init), _) => {
                Some(PictureCodec::of_mp4(context.scratch, &format!("{}/{init}", planned.directory))?)
            }
            (Some(_), None, Some(first)) => Some(PictureCodec::of_transport_stream(context.scratch, &first.file)?),
        };
        Ok(Self { planned, output: context.output(planned), stem: context.stem(planned), segments, picture })
    }

    pub(super) fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bits per second of the fattest segment.
    pub(super) fn peak_bits(&self) -> u64 {
        self.segments.iter().map(|segment| bit_rate(segment.bytes, segment.seconds)).max().unwrap_or_default()
    }

    /// Bits per second overall.
    pub(super) fn average_bits(&self) -> u64 {
        bit_rate(self.bytes(), self.seconds())
    }

    /// The names of its codecs, the picture's first.
    pub(super) fn codecs(&self, specification: CodecSpecification) -> Vec<String> {
        let sounds = self.planned.audios.iter().map(|audio| audio.codecs.to_owned());
        self.picture.iter().map(|picture| picture.name(specification)).chain(sounds).collect()
    }

    pub(super) fn detail(&self, paths: Option<Vec<String>>) -> OutputDetail {
        OutputDetail {
            output_file_paths: paths,
            duration_in_ms: milliseconds(self.seconds()),
            video_details: video_details(self.planned, self.bytes(), self.seconds()),
        }
    }
}

/// Seconds of the longest track with a picture.
pub(super) fn longest_picture(tracks: &[Track<'_>]) -> f64 {
    let pictures = tracks.iter().filter(|track| track.planned.video.is_some());
    pictures.map(Track::seconds).fold(0.0, f64::max)
}

/// Some bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The object's name beside the playlist.
    pub(super) name: String,
    /// Offset and length, when it is not the whole object.
    pub(super) range: Option<(u64, u64)>,
}

/// Where an output's bytes come to lie.
#[derive(Debug)]
pub(super) struct Layout {
    /// The initialisation segment.
    pub(super) init: Option<Place>,
    pub(super) segments: Vec<Place>,
    /// The objects, to be moved.
    pub(super) files: Vec<File>,
}

/// How the objects of an output are named.
pub(super) struct Names<'n> {
    pub(super) content_type: &'static str,
    /// With the dot.
    pub(super) extension: &'static str,
    /// Digits of a segment's number.
    pub(super) digits: usize,
    /// The initialisation segment's file and what is added to the stem for its object.
    pub(super) init: Option<(&'n str, &'n str)>,
    /// What stands between the stem and the number.
    pub(super) modifier: &'n str,
}

/// Gives an output's files their places.
pub(super) fn lay_out(
    context: &Context<'_>,
    track: &Track<'_>,
    control: SegmentControl,
    names: &Names<'_>,
) -> Result<Layout, PublishError> {
    match control {
        SegmentControl::SegmentedFiles => Ok(segmented(context, track, names)),
        SegmentControl::SingleFile => single(context, track, names),
    }
}

fn segmented(context: &Context<'_>, track: &Track<'_>, names: &Names<'_>) -> Layout {
    let mut layout = Layout { init: None, segments: Vec::new(), files: Vec::new() };
    let mut place = |from: String, name: String| {
        layout.files.push(context.media(from, &name, names.content_type));
        Place { name, range: None }
    };
    layout.init = names.init.map(|(file, suffix)| {
        place(
            format!("{}/{file}", track.planned.directory),
            format!("{}{}{suffix}{}", track.stem, names.modifier, names.extension),
        )
    });
    for (number, segment) in (1..).zip(&track.segments) {
        let (stem, digits) = (&track.stem, names.digits);
        let name = format!("{stem}{}_{number:0digits$}{}", names.modifier, names.extension);
        layout.segments.push(place(segment.file.clone(), name));
    }
    layout
}

/// One object of all bytes, in order.
fn single(context: &Context<'_>, track: &Track<'_>, names: &Names<'_>) -> Result<Layout, PublishError> {
    let whole = format!("{}/whole{}", track.planned.directory, names.extension);
    let name = format!("{}{}{}", track.stem, names.modifier, names.extension);
    let mut writer = std::fs::File::create(context.scratch.join(&whole)).map_err(PublishError::scratch(&whole))?;
    let mut offset = 0;
    let mut append = |file: &str| -> Result<Place, PublishError> {
        let failed = PublishError::scratch(file);
        let path = context.scratch.join(file);
        let copied = std::fs::File::open(&path)
            .and_then(|mut part| std::io::copy(&mut part, &mut writer))
            .and_then(|bytes| std::fs::remove_file(&path).map(|()| bytes))
            .map_err(failed)?;
        let place = Place { name: name.clone(), range: Some((offset, copied)) };
        offset += copied;
        Ok(place)
    };
    let init = match names.init {
        Some((file, _)) => Some(append(&format!("{}/{file}", track.planned.directory))?),
        None => None,
    };
    let mut segments = Vec::new();
    for segment in &track.segments {
        segments.push(append(&segment.file)?);
    }
    writer.flush().map_err(PublishError::scratch(&whole))?;
    let files = vec![context.media(whole, &name, names.content_type)];
    Ok(Layout { init, segments, files })
}
