//! Tracks of fragmented MP4 made from transport streams, and their HLS playlists.
//!
//! The presentation begins at zero: with the first frame of picture or sound, whichever is earlier, so that both keep their
//! distance. Decoding times are moved so that a picture's first sample is decoded when it is shown; frames shown before they
//! were decoded in the source then have negative offsets.

use std::fmt::Write as _;

use crate::{
    codec::{self, AAC_FRAME_SAMPLES},
    facts::{Alternative, Facts, Kind, Rendition, TICKS_PER_SECOND, Video},
    fmp4::{self, Sample},
    model::CmafPackage,
    presentation::{Content, NotPresentable, Presentation, Stream, select},
    ts::{self, Media, TsError},
};

/// One track of a presentation.
#[derive(Debug)]
pub(crate) struct Track {
    pub rendition: usize,
    pub number: usize,
    pub media: Media,
    /// Units in a second.
    pub timescale: u32,
    /// RFC 6381.
    pub codec: String,
    pub init: Vec<u8>,
    pub fragments: Vec<Fragment>,
    /// The source's time, in ticks, at which the presentation begins.
    origin_ticks: u64,
}

/// One segment of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// Which of the source's segments it is made of: from, and up to but without.
    pub from: usize,
    pub to: usize,
    /// In the track's timescale, as is the duration.
    pub start: u64,
    pub duration: u64,
    /// Nearly: what the samples take, and their table.
    pub size_bytes: u64,
}

/// What a fragment takes besides its samples, and for each sample.
const FRAGMENT_BYTES: u64 = 160;
const SAMPLE_BYTES: u64 = 16;

/// The tracks of an asset: the chosen variants' pictures, then the sound.
pub(crate) struct Tracks {
    pub video: Vec<Track>,
    pub audio: Vec<Track>,
}

/// Makes the tracks that these variants (by their place in the facts) need.
pub(crate) fn tracks(facts: &Facts, variants: &[usize], seconds: u32) -> Result<Tracks, NotPresentable> {
    if facts.renditions.iter().any(|rendition| matches!(rendition.kind, Kind::Subtitles(_))) {
        return Err(NotPresentable::Subtitles);
    }
    // Sound of its own, or that of the source's first stream that has any.
    let mut sounds: Vec<usize> =
        (0..facts.renditions.len()).filter(|index| matches!(facts.renditions[*index].kind, Kind::Audio(_))).collect();
    if sounds.is_empty() {
        sounds.extend(facts.renditions.iter().position(|rendition| rendition.audio.is_some()));
    }
    let first_times = variants
        .iter()
        .filter_map(|index| facts.renditions[*index].segments.first()?.video.as_ref().map(|video| video.pts))
        .chain(
            sounds
                .iter()
                .filter_map(|index| facts.renditions[*index].segments.first()?.audio.as_ref().map(|audio| audio.pts)),
        );
    let origin_ticks = first_times.min().unwrap_or(0);
    let video = variants.iter().map(|index| video_track(facts, *index, seconds, origin_ticks));
    let audio = sounds.iter().map(|index| audio_track(facts, *index, seconds, origin_ticks));
    Ok(Tracks { video: video.collect::<Result<_, _>>()?, audio: audio.collect::<Result<_, _>>()? })
}

fn video_track(facts: &Facts, index: usize, seconds: u32, origin_ticks: u64) -> Result<Track, NotPresentable> {
    let rendition = &facts.renditions[index];
    let (Some(video), Some((sequence_parameters, picture_parameters))) =
        (&rendition.video, rendition.video.as_ref().and_then(|video| video.parameter_sets.as_ref()))
    else {
        return Err(NotPresentable::Parameters);
    };
    let (Ok(width), Ok(height)) = (video.width.try_into(), video.height.try_into()) else {
        return Err(NotPresentable::Parameters);
    };
    let timescale = TICKS_PER_SECOND as u32;
    let fragments = fragments(rendition, seconds, |from, to| {
        let spans = rendition.segments[from..to].iter().filter_map(|segment| segment.video.as_ref());
        let frames: u64 = spans.clone().map(|span| span.frames).sum();
        let bytes: u64 = spans.clone().map(|span| span.bytes).sum();
        Some(Fragment {
            from,
            to,
            start: spans.clone().next()?.pts.saturating_sub(origin_ticks),
            duration: rendition.segments[from..to].iter().map(|segment| segment.duration_ticks).sum(),
            size_bytes: FRAGMENT_BYTES + SAMPLE_BYTES * frames + bytes,
        })
    });
    let track = fmp4::Track::Video { width, height, sequence_parameters, picture_parameters };
    Ok(Track {
        rendition: index,
        number: rendition.number,
        media: Media::Video,
        timescale,
        codec: video.codec.clone(),
        init: fmp4::init(&track, timescale),
        fragments,
        origin_ticks,
    })
}

fn audio_track(facts: &Facts, index: usize, seconds: u32, origin_ticks: u64) -> Result<Track, NotPresentable> {
    let rendition = &facts.renditions[index];
    let audio = rendition.audio.as_ref().ok_or(NotPresentable::Sound)?;
    let aac = audio.aac.as_ref().ok_or(NotPresentable::Sound)?;
    let timescale = aac.sample_rate;
    // Frames follow each other without gaps: counting them is exact where the clock of 90 kHz is not.
    let first = rendition.segments.iter().find_map(|segment| segment.audio.as_ref());
    let first_ticks = first.map_or(0, |span| span.pts.saturating_sub(origin_ticks));
    let mut next = (first_ticks * u64::from(timescale) + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;
    let fragments = fragments(rendition, seconds, |from, to| {
        let spans = rendition.segments[from..to].iter().filter_map(|segment| segment.audio.as_ref());
        let frames: u64 = spans.clone().map(|span| span.frames).sum();
        let bytes: u64 = spans.map(|span| span.bytes).sum();
        let start = next;
        next += frames * AAC_FRAME_SAMPLES;
        // The sound may end before the picture does.
        (frames > 0).then_some(Fragment {
            from,
            to,
            start,
            duration: frames * AAC_FRAME_SAMPLES,
            size_bytes: FRAGMENT_BYTES + SAMPLE_BYTES * frames + bytes,
        })
    });
    let track = fmp4::Track::Audio { sample_rate: aac.sample_rate, channels: aac.channels, config: aac.config };
    // Sound that is taken out of a variant needs a number of its own.
    let number = if matches!(rendition.kind, Kind::Audio(_)) { rendition.number } else { facts.renditions.len() + 1 };
    Ok(Track {
        rendition: index,
        number,
        media: Media::Audio,
        timescale,
        codec: audio.codec.clone(),
        init: fmp4::init(&track, timescale),
        fragments,
        origin_ticks,
    })
}

fn fragments(
    rendition: &Rendition,
    seconds: u32,
    fragment: impl FnMut(usize, usize) -> Option<Fragment>,
) -> Vec<Fragment> {
    let multiple = rendition.segments_per_output(seconds);
    let mut fragment = fragment;
    (0..rendition.segments.len())
        .step_by(multiple)
        .filter_map(|from| fragment(from, (from + multiple).min(rendition.segments.len())))
        .collect()
}

impl Track {
    /// Makes one segment from the bytes of the source segments it is made of.
    pub(crate) fn segment(&self, rendition: &Rendition, index: usize, sources: &[Vec<u8>]) -> Result<Vec<u8>, TsError> {
        let fragment = &self.fragments[index];
        let sequence = index as u32 + 1;
        match self.media {
            Media::Audio => {
                let mut data = Vec::with_capacity(fragment.size_bytes as usize);
                let mut samples = Vec::new();
                for source in sources {
                    let elementary = ts::elementary(source, Media::Audio)?;
                    for frame in codec::adts_frames(&elementary.data) {
                        let frame = frame.map_err(TsError::Codec)?;
                        data.extend_from_slice(frame);
                        samples.push(Sample {
                            bytes: frame.len() as u32,
                            duration: AAC_FRAME_SAMPLES as u32,
                            composition_offset: 0,
                            sync: true,
                        });
                    }
                }
                Ok(fmp4::segment(sequence, fragment.start, &samples, &data))
            }
            Media::Video => {
                let (decode_time, samples, data) = self.pictures(rendition, fragment, sources)?;
                Ok(fmp4::segment(sequence, decode_time, &samples, &data))
            }
        }
    }

    fn pictures(
        &self,
        rendition: &Rendition,
        fragment: &Fragment,
        sources: &[Vec<u8>],
    ) -> Result<(u64, Vec<Sample>, Vec<u8>), TsError> {
        let span = |index: usize| rendition.segments.get(index)?.video.as_ref();
        // Decoding is moved by what the very first frame waits between its decoding and its presentation.
        let first = span(0).ok_or(TsError::NoTimestamp)?;
        let delay = first.pts.saturating_sub(first.dts);
        let decode = |dts: u64| (dts + delay).saturating_sub(self.origin_ticks);
        let mut data = Vec::with_capacity(fragment.size_bytes as usize);
        let mut samples: Vec<Sample> = Vec::new();
        let mut times: Vec<u64> = Vec::new();
        for (offset, source) in sources.iter().enumerate() {
            let base = span(fragment.from + offset).ok_or(TsError::NoTimestamp)?;
            let elementary = ts::elementary(source, Media::Video)?;
            let base_dts = elementary.units.first().ok_or(TsError::Empty)?.dts;
            let ends = elementary.units.iter().skip(1).map(|unit| unit.start).chain([elementary.data.len()]);
            for (unit, end) in elementary.units.iter().zip(ends) {
                let dts = base.dts.saturating_add_signed(ts::ticks_between(base_dts, unit.dts));
                let pts = dts.saturating_add_signed(ts::ticks_between(unit.dts, unit.pts));
                let start = data.len();
                let sync = append_picture(&elementary.data[unit.start..end], &mut data);
                let decoded = decode(dts);
                times.push(decoded);
                samples.push(Sample {
                    bytes: (data.len() - start) as u32,
                    duration: 0,
                    composition_offset: (pts.saturating_sub(self.origin_ticks) as i64 - decoded as i64) as i32,
                    sync,
                });
            }
        }
        // A frame lasts until the next is decoded; the last one until the next segment's first, or as long as the others.
        let usual = rendition.video.as_ref().map_or(0, |video| video.frame_ticks.round() as u64);
        let after = span(fragment.to).map(|next| decode(next.dts));
        let last = times.last().copied().unwrap_or(0);
        let ends = times.iter().skip(1).copied().chain([after.unwrap_or(last + usual)]);
        for ((sample, start), end) in samples.iter_mut().zip(&times).zip(ends) {
            sample.duration = end.saturating_sub(*start) as u32;
        }
        Ok((times.first().copied().unwrap_or(0), samples, data))
    }
}

/// Appends a picture's NAL units with their lengths before them (ISO/IEC 14496-15, 5.2.3), and tells whether it is a key frame.
/// Delimiters, parameter sets and filler stay out: the first is said by the lengths, the second by the initialisation.
fn append_picture(picture: &[u8], data: &mut Vec<u8>) -> bool {
    let mut sync = false;
    for unit in codec::NalUnits::new(picture) {
        let unit = codec::without_trailing_zeros(unit);
        sync |= codec::is_idr(unit);
        if unit.first().is_some_and(|header| !matches!(header & 0x1f, 7 | 8 | 9 | 12)) {
            data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            data.extend_from_slice(unit);
        }
    }
    sync
}

impl Fragment {
    /// Bits per second.
    fn rate(&self, timescale: u32) -> u64 {
        (self.size_bytes * 8 * u64::from(timescale)).div_ceil(self.duration.max(1))
    }
}

impl Track {
    pub(crate) fn peak_bandwidth(&self) -> u64 {
        // A short tail says nothing of the rate, unless it is all there is.
        let counted =
            if self.fragments.len() > 1 { &self.fragments[..self.fragments.len() - 1] } else { &self.fragments[..] };
        counted.iter().map(|fragment| fragment.rate(self.timescale)).max().unwrap_or(0)
    }

    fn average_bandwidth(&self) -> u64 {
        let whole = Fragment {
            from: 0,
            to: 0,
            start: 0,
            duration: self.fragments.iter().map(|fragment| fragment.duration).sum(),
            size_bytes: self.fragments.iter().map(|fragment| fragment.size_bytes).sum(),
        };
        whole.rate(self.timescale)
    }

    /// Where the track ends, in seconds.
    pub(crate) fn end_seconds(&self) -> f64 {
        self.fragments.last().map_or(0.0, |last| (last.start + last.duration) as f64 / f64::from(self.timescale))
    }
}

/// Writes the HLS playlists of a CMAF package.
pub(crate) fn present(facts: &Facts, package: &CmafPackage) -> Result<Presentation, NotPresentable> {
    let manifest = package.manifest();
    let variants = select(facts, manifest.stream_selection.as_ref())?;
    let tracks = tracks(facts, &variants, package.segment_duration_seconds())?;
    let name = manifest.name();
    let parent = parent_playlist(name, facts, &tracks);
    let streams = tracks.video.into_iter().chain(tracks.audio).map(|track| Stream {
        number: track.number,
        media: Some(media_playlist(name, &track)),
        key_frames: None,
        content: Content::Track(track),
    });
    Ok(Presentation { parent, streams: streams.collect() })
}

fn media_playlist(name: &str, track: &Track) -> String {
    let number = track.number;
    let seconds = |fragment: &Fragment| fragment.duration as f64 / f64::from(track.timescale);
    let target = track.fragments.iter().map(|fragment| seconds(fragment).round() as u64).max().unwrap_or(1).max(1);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{name}_{number}_init.mp4\"\n"
    );
    for (index, fragment) in track.fragments.iter().enumerate() {
        let _ = write!(text, "#EXTINF:{:.6},\n{name}_{number}_{index}.mp4\n", seconds(fragment));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

fn parent_playlist(name: &str, facts: &Facts, tracks: &Tracks) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    for (index, track) in tracks.audio.iter().enumerate() {
        let alternative = match &facts.renditions[track.rendition].kind {
            Kind::Audio(alternative) => Some(alternative),
            _ => None,
        };
        let label = alternative.map_or("audio", |alternative: &Alternative| alternative.name.as_str());
        let _ = write!(text, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"{label}\"");
        if let Some(language) = alternative.and_then(|alternative| alternative.language.as_deref()) {
            let _ = write!(text, ",LANGUAGE=\"{language}\"");
        }
        let default = if index == 0 { "YES" } else { "NO" };
        let _ = writeln!(text, ",DEFAULT={default},AUTOSELECT=YES,URI=\"{name}_{}.m3u8\"", track.number);
    }
    let sound_peak = tracks.audio.iter().map(Track::peak_bandwidth).max().unwrap_or(0);
    let sound_average = tracks.audio.iter().map(Track::average_bandwidth).max().unwrap_or(0);
    for track in &tracks.video {
        let Some(video) = &facts.renditions[track.rendition].video else { continue };
        let (peak, average) = (track.peak_bandwidth() + sound_peak, track.average_bandwidth() + sound_average);
        let codecs = match tracks.audio.first() {
            Some(audio) => format!("{},{}", track.codec, audio.codec),
            None => track.codec.clone(),
        };
        let _ = write!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\",RESOLUTION={}x{}",
            video.width, video.height
        );
        if let Some(rate) = frame_rate(video) {
            let _ = write!(text, ",FRAME-RATE={rate:.3}");
        }
        if !tracks.audio.is_empty() {
            text.push_str(",AUDIO=\"audio\"");
        }
        let _ = write!(text, "\n{name}_{}.m3u8\n", track.number);
    }
    text
}

/// Frames per second, when there is more than one frame.
pub(crate) fn frame_rate(video: &Video) -> Option<f64> {
    (video.frame_ticks > 0.0).then(|| TICKS_PER_SECOND as f64 / video.frame_ticks)
}
