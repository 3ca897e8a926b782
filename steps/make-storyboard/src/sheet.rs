//! One sheet of pictures of equal size, in rows.
//!
//! Pictures stay in the colours a JPEG has (YCbCr) all the way: they are decoded, put side by side and encoded again without
//! a detour over RGB.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Pictures in a row, and rows in a sheet. A player fetches a sheet when the pointer comes to its part of the seek bar.
pub const COLUMNS: u32 = 5;
/// Pictures of a sheet at most.
pub const TILES_MAX: u64 = 25;
/// The longest side of a picture: a sheet stays below 8 MB in memory for the thumbnails of today's jobs, and below 31 MB for
/// any.
const SIDE_MAX: usize = 640;
/// Bytes of a pixel: Y, Cb, and Cr.
const CHANNELS: usize = 3;
/// Of 100. The pictures are small, and were compressed once already.
const QUALITY: u8 = 75;

/// Why a sheet cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// Not a JPEG, or one that breaks off, or larger than any thumbnail of ours.
    #[error("it is no JPEG that can be read")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its pictures are not alike.
    #[error("it is {width} by {height} pixels large, unlike those before it")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The encoder refused.
    #[error("the sheet cannot be encoded")]
    Encode(#[source] jpeg_encoder::EncodingError),
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// Decodes a JPEG.
    ///
    /// # Errors
    /// When it is none, or larger than a thumbnail may be.
    pub fn decode(jpeg: &[u8]) -> Result<Self, SheetError> {
        let options = DecoderOptions::default()
            .set_max_width(SIDE_MAX)
            .set_max_height(SIDE_MAX)
            .set_strict_mode(true)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        let pixels = decoder.decode().map_err(|error| SheetError::Decode(error.to_string().into()))?;
        let (width, height) = decoder.info().map_or((0, 0), |info| (u32::from(info.width), u32::from(info.height)));
        if pixels.len() != width as usize * height as usize * CHANNELS {
            return Err(SheetError::Decode("the decoder gave another number of pixels than it said".into()));
        }
        Ok(Self { width, height, pixels })
    }
}

/// A sheet that is being filled.
#[derive(Debug)]
pub struct Sheet {
    tile: (u32, u32),
    width: u32,
    pixels: Vec<u8>,
    filled: u32,
}

impl Sheet {
    /// A sheet for this many pictures as large as `first`.
    #[must_use]
    pub fn like(first: &Picture, tiles: u64) -> Self {
        // Bounded by TILES_MAX, so it fits.
        let tiles = u32::try_from(tiles.clamp(1, TILES_MAX)).unwrap_or(1);
        let (columns, rows) = (tiles.min(COLUMNS), tiles.div_ceil(COLUMNS));
        let (width, height) = (columns * first.width, rows * first.height);
        // Black, in these colours.
        let pixels = [0, 128, 128].repeat(width as usize * height as usize);
        Self { tile: (first.width, first.height), width, pixels, filled: 0 }
    }

    /// Puts a picture into the next free place; left, top, width and height of that place.
    ///
    /// # Errors
    /// When its size is not that of the first.
    pub fn place(&mut self, picture: &Picture) -> Result<(u32, u32, u32, u32), SheetError> {
        let (width, height) = self.tile;
        if (picture.width, picture.height) != self.tile {
            return Err(SheetError::Size { width: picture.width, height: picture.height });
        }
        let (x, y) = (self.filled % COLUMNS * width, self.filled / COLUMNS * height);
        let row_bytes = width as usize * CHANNELS;
        for (row, source) in picture.pixels.chunks_exact(row_bytes).enumerate() {
            let at = ((y as usize + row) * self.width as usize + x as usize) * CHANNELS;
            if let Some(target) = self.pixels.get_mut(at..at + row_bytes) {
                target.copy_from_slice(source);
            }
        }
        self.filled += 1;
        Ok((x, y, width, height))
    }

    /// The sheet as a JPEG.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn encode(&self) -> Result<Vec<u8>, SheetError> {
        let height = self.pixels.len() / CHANNELS / (self.width as usize).max(1);
        let side = |side: usize| u16::try_from(side).unwrap_or(u16::MAX);
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder
            .encode(&self.pixels, side(self.width as usize), side(height), ColorType::Ycbcr)
            .map_err(SheetError::Encode)?;
        Ok(jpeg)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    /// A JPEG of one brightness.
    pub(crate) fn grey(width: u16, height: u16, brightness: u8) -> Vec<u8> {
        let pixels = [brightness, 128, 128].repeat(usize::from(width) * usize::from(height));
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 90).encode(&pixels, width, height, ColorType::Ycbcr).expect("encodes");
        jpeg
    }

    /// The brightness in the middle of a place.
    pub(crate) fn brightness(sheet: &[u8], place: (u32, u32, u32, u32)) -> u8 {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(sheet), options);
        let pixels = decoder.decode().expect("a JPEG");
        let width = decoder.info().expect("known").width;
        let (x, y) = (place.0 + place.2 / 2, place.1 + place.3 / 2);
        pixels[(y as usize * usize::from(width) + x as usize) * CHANNELS]
    }

    #[test]
    fn every_picture_is_where_its_place_says() {
        let check = |tiles: u8, width: u16, height: u16| {
            let pictures: Vec<_> = (0..tiles).map(|tile| grey(width, height, tile * 10)).collect();
            let first = Picture::decode(&pictures[0]).expect("a picture");
            let mut sheet = Sheet::like(&first, u64::from(tiles));
            let places: Vec<_> = pictures
                .iter()
                .map(|jpeg| sheet.place(&Picture::decode(jpeg).expect("a picture")).expect("room"))
                .collect();
            let jpeg = sheet.encode().expect("a JPEG");
            for (tile, place) in (0..tiles).zip(&places) {
                assert!(brightness(&jpeg, *place).abs_diff(tile * 10) <= 3, "{tile} of {tiles} at {place:?}");
            }
        };
        check(1, 320, 180);
        check(4, 320, 180);
        check(7, 180, 320);
        check(25, 34, 18);
    }

    #[test]
    fn what_does_not_belong_is_refused() {
        let picture = |width, height| Picture::decode(&grey(width, height, 1)).expect("a picture");
        let mut sheet = Sheet::like(&picture(320, 180), 2);
        let error = sheet.place(&picture(320, 182)).expect_err("refused");
        assert_eq!(error.to_string(), "it is 320 by 182 pixels large, unlike those before it");
        assert!(Picture::decode(b"GIF89a").is_err());
        assert!(Picture::decode(&grey(642, 18, 1)).is_err());
        let whole = grey(64, 64, 1);
        assert!(Picture::decode(&whole[..whole.len() / 2]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(garbage in proptest::collection::vec(any::<u8>(), 0..64), at in 0usize..600) {
            let mut jpeg = grey(16, 16, 100);
            let at = at.min(jpeg.len());
            jpeg.splice(at..at, garbage);
            let _ = Picture::decode(&jpeg);
        }
    }
}
