//! Pictures for winding, as playlists and manifests tell of them.
//! Sources: <https://developer.roku.com/docs/developer-program/media-playback/trick-mode/hls-and-dash.md>, and DASH-IF
//! Interoperability Points 4.3, section 6.2.6.

use std::fmt::Write;

use crate::plan::PlannedTiles;

use super::{Context, File, PublishError, bit_rate, playlist::PLAYLIST_TYPE, uri};

/// `EXT-X-VERSION` of playlists of images.
const VERSION: u8 = 7;

/// A set of tiles that was made.
pub(super) struct Tiles<'a> {
    planned: &'a PlannedTiles,
    /// Base name and the set's own.
    stem: String,
    /// Seconds of each tile, in order.
    lengths: Vec<f64>,
    /// Bits per second of the fattest tile.
    peak_bits: u64,
}

/// The sets of a group whose media are this long, and their files.
pub(super) fn read<'a>(context: &Context<'a>, seconds: f64) -> Result<(Vec<Tiles<'a>>, Vec<File>), PublishError> {
    let mut sets = Vec::new();
    let mut files = Vec::new();
    for planned in context.tiles {
        let mut tiles =
            Tiles { planned, stem: format!("{}_{}", context.base(), planned.name), lengths: Vec::new(), peak_bits: 0 };
        let full = tiles.seconds();
        let mut begins = 0.0;
        for number in 1.. {
            let from = format!("{}/{number:05}.jpg", planned.directory);
            let Ok(bytes) = context.size(&from) else { break };
            let length = full.min(seconds - begins);
            // A picture of what comes after the end.
            if length <= 0.0 {
                break;
            }
            tiles.lengths.push(length);
            tiles.peak_bits = tiles.peak_bits.max(bit_rate(bytes, length));
            files.push(context.media(from, &tiles.name(number), "image/jpeg"));
            begins += full;
        }
        if tiles.lengths.is_empty() {
            return Err(PublishError::Unexpected { file: planned.directory.clone(), what: "no tile could be made" });
        }
        sets.push(tiles);
    }
    Ok((sets, files))
}

impl Tiles<'_> {
    /// Of a full tile.
    fn seconds(&self) -> f64 {
        let pictures = f64::from(self.planned.columns) * f64::from(self.planned.rows);
        pictures * self.planned.interval.value()
    }

    fn name(&self, number: usize) -> String {
        format!("{}_{number:05}.jpg", self.stem)
    }

    fn playlist_name(&self) -> String {
        format!("{}.m3u8", self.stem)
    }

    /// Writes the playlist of a set.
    pub(super) fn playlist(&self, context: &Context<'_>) -> Result<File, PublishError> {
        let file = format!("{}/images.m3u8", self.planned.directory);
        context.write(&file, &self.text())?;
        Ok(context.playlist(file, &self.playlist_name(), PLAYLIST_TYPE))
    }

    fn text(&self) -> String {
        let PlannedTiles { width, height, columns, rows, interval, .. } = self.planned;
        let longest = self.lengths.iter().copied().fold(0.0, f64::max).ceil();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{longest:.0}\n#EXT-X-MEDIA-SEQUENCE:1\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n"
        );
        for (number, length) in (1..).zip(&self.lengths) {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "#EXTINF:{length:.6},\n#EXT-X-TILES:RESOLUTION={width}x{height},LAYOUT={columns}x{rows},\
                 DURATION={:.6}\n{}\n",
                interval.value(),
                uri(&self.name(number))
            );
        }
        text.push_str("#EXT-X-ENDLIST\n");
        text
    }

    /// Its line in a master playlist.
    pub(super) fn entry(&self) -> String {
        let PlannedTiles { width, height, .. } = self.planned;
        format!(
            "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH={},RESOLUTION={width}x{height},CODECS=\"jpeg\",URI=\"{}\"\n",
            self.peak_bits.max(1),
            uri(&self.playlist_name())
        )
    }

    /// Its adaptation set in a manifest.
    pub(super) fn adaptation_set(&self, text: &mut String, set: usize, id: usize, escape: impl Fn(&str) -> String) {
        let PlannedTiles { width, height, columns, rows, interval, .. } = self.planned;
        let ticks = u64::from(interval.numerator) * u64::from(*columns) * u64::from(*rows);
        // A dollar sign would begin a template's identifier; two stand for one.
        let stem = escape(&uri(&self.stem).replace('$', "$$"));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "    <AdaptationSet id=\"{set}\" contentType=\"image\" mimeType=\"image/jpeg\">\n      \
             <Representation id=\"{id}\" bandwidth=\"{}\" width=\"{}\" height=\"{}\">\n        \
             <EssentialProperty schemeIdUri=\"http://dashif.org/thumbnail_tile\" value=\"{columns}x{rows}\"/>\n        \
             <SegmentTemplate timescale=\"{}\" duration=\"{ticks}\" startNumber=\"1\" \
             media=\"{stem}_$Number%05d$.jpg\"/>\n      </Representation>\n    </AdaptationSet>\n",
            self.peak_bits.max(1),
            width * columns,
            height * rows,
            interval.denominator
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Ratio;

    #[test]
    fn a_set_is_told_of_in_playlists_and_manifests() {
        let interval = Ratio { numerator: 3, denominator: 2 };
        let planned = PlannedTiles {
            directory: "g0t0".into(),
            name: "thumbnail",
            width: 312,
            height: 176,
            columns: 2,
            rows: 1,
            interval,
        };
        let tiles = Tiles { planned: &planned, stem: "a b_thumbnail".into(), lengths: vec![3.0, 1.0], peak_bits: 900 };
        let text = tiles.text();
        let expected = "#EXT-X-IMAGES-ONLY\n#EXTINF:3.000000,\n\
                        #EXT-X-TILES:RESOLUTION=312x176,LAYOUT=2x1,DURATION=1.500000\na%20b_thumbnail_00001.jpg\n\
                        #EXTINF:1.000000,\n#EXT-X-TILES:RESOLUTION=312x176,LAYOUT=2x1,DURATION=1.500000\n\
                        a%20b_thumbnail_00002.jpg\n#EXT-X-ENDLIST\n";
        assert!(text.starts_with("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n"), "{text}");
        assert!(text.ends_with(expected), "{text}");
        let expected = "#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=900,RESOLUTION=312x176,CODECS=\"jpeg\",\
                        URI=\"a%20b_thumbnail.m3u8\"\n";
        assert_eq!(tiles.entry(), expected);
        let mut text = String::new();
        tiles.adaptation_set(&mut text, 3, 4, str::to_owned);
        for part in [
            "id=\"3\" contentType=\"image\" mimeType=\"image/jpeg\"",
            "<Representation id=\"4\" bandwidth=\"900\" width=\"624\" height=\"176\">",
            "schemeIdUri=\"http://dashif.org/thumbnail_tile\" value=\"2x1\"",
            "timescale=\"2\" duration=\"6\" startNumber=\"1\" media=\"a%20b_thumbnail_$Number%05d$.jpg\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
