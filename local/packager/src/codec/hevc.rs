//! H.265: sequence parameters and the decoder configuration record.

use super::{
    PictureParameters, Range,
    bits::{Bits, without_emulation_prevention},
};

/// Reference picture sets that a sequence may have (ITU-T H.265, 7.4.3.2.1).
const REFERENCE_SETS_MAX: u32 = 64;
/// Pictures in one of them: more than any level allows.
const REFERENCES_MAX: u32 = 64;

/// What a sequence parameter set says.
struct Sequence {
    /// Profile space, tier and profile; compatibility; constraints; level: as they lie in the set.
    profile_tier_level: [u8; 12],
    temporal_layers: u32,
    temporal_id_nesting: bool,
    chroma_format: u32,
    luma_bits: u32,
    chroma_bits: u32,
    width: u32,
    height: u32,
    colour: Option<[u8; 4]>,
}

/// The parameters that a video, a sequence and a picture parameter set give.
pub(super) fn parameters(
    video_set: &[u8],
    sequence_set: &[u8],
    picture_set: &[u8],
) -> Result<PictureParameters, &'static str> {
    let sequence = read_sequence(sequence_set).ok_or("the sequence parameter set is cut short")?;
    if video_set.is_empty() || picture_set.is_empty() {
        return Err("the first frame lacks a parameter set");
    }
    Ok(PictureParameters {
        name: name(&sequence.profile_tier_level),
        width: sequence.width,
        height: sequence.height,
        range: range(sequence.colour),
        colour: sequence.colour,
        configuration: configuration(&sequence, [video_set, sequence_set, picture_set]),
        sets: vec![video_set.to_vec(), sequence_set.to_vec(), picture_set.to_vec()],
    })
}

/// By the transfer characteristics (ITU-T H.273, table 3).
fn range(colour: Option<[u8; 4]>) -> Range {
    match colour.map(|[_, transfer, ..]| transfer) {
        Some(16) => Range::PerceptualQuantizer,
        Some(18) => Range::HybridLogGamma,
        _ => Range::Standard,
    }
}

/// The `codecs` parameter (ISO/IEC 14496-15, annex E.3).
fn name(profile_tier_level: &[u8; 12]) -> String {
    let [first, compatibility @ .., level] = profile_tier_level;
    let space = ["", "A", "B", "C"][usize::from(first >> 6)];
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let profile = first & 0x1f;
    let flags = u32::from_be_bytes([compatibility[0], compatibility[1], compatibility[2], compatibility[3]]);
    let mut name = format!("hvc1.{space}{profile}.{:x}.{tier}{level}", flags.reverse_bits());
    let constraints = &compatibility[4..];
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    for byte in &constraints[..used] {
        name.push_str(&format!(".{byte:x}"));
    }
    name
}

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1).
fn configuration(sequence: &Sequence, sets: [&[u8]; 3]) -> Vec<u8> {
    let mut record = vec![1];
    record.extend_from_slice(&sequence.profile_tier_level);
    record.extend_from_slice(&[0xf0, 0]); // spatial segmentation: unknown
    record.push(0xfc); // parallelism: unknown
    record.push(0xfc | sequence.chroma_format as u8);
    record.push(0xf8 | (sequence.luma_bits as u8).wrapping_sub(8) & 7);
    record.push(0xf8 | (sequence.chroma_bits as u8).wrapping_sub(8) & 7);
    record.extend_from_slice(&[0, 0]); // average frame rate: unknown
    record.push((sequence.temporal_layers as u8) << 3 | u8::from(sequence.temporal_id_nesting) << 2 | 3);
    record.push(sets.len() as u8);
    for (set, kind) in sets.into_iter().zip([32, 33, 34]) {
        record.push(0x80 | kind); // all of this kind are here
        record.extend_from_slice(&[0, 1]);
        record.extend_from_slice(&(set.len() as u16).to_be_bytes());
        record.extend_from_slice(set);
    }
    record
}

/// The parameter sets in a configuration record, as an MP4 file carries it: video, sequence, picture. `None` when malformed,
/// or when its lengths are not of four bytes.
pub(super) fn sets_of(record: &[u8]) -> Option<[Vec<u8>; 3]> {
    if record.get(21)? & 3 != 3 {
        return None;
    }
    let arrays = *record.get(22)?;
    let mut rest = record.get(23..)?;
    let mut found: [Option<Vec<u8>>; 3] = Default::default();
    for _ in 0..arrays {
        let kind = rest.first()? & 0x3f;
        let count = u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?]);
        rest = rest.get(3..)?;
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            let set = rest.get(2..2 + length)?;
            rest = rest.get(2 + length..)?;
            if let Some(place) = kind.checked_sub(32).and_then(|place| found.get_mut(usize::from(place))) {
                place.get_or_insert(set.to_vec());
            }
        }
    }
    let [video, sequence, picture] = found;
    Some([video?, sequence?, picture?])
}

/// ITU-T H.265, 7.3.2.2.1, as far as the colour.
fn read_sequence(unit: &[u8]) -> Option<Sequence> {
    let payload = without_emulation_prevention(unit.get(2..)?);
    let profile_tier_level: [u8; 12] = payload.get(1..13)?.try_into().ok()?;
    let mut bits = Bits::new(&payload);
    bits.read(4)?; // sps_video_parameter_set_id
    let sub_layers = bits.read(3)?;
    let temporal_id_nesting = bits.flag()?;
    bits.skip(12 * 8)?;
    skip_sub_layers(&mut bits, sub_layers)?;
    bits.exp_golomb()?; // sps_seq_parameter_set_id
    let chroma_format = bits.exp_golomb()?;
    let separate_planes = chroma_format == 3 && bits.flag()?;
    let (mut width, mut height) = (bits.exp_golomb()?, bits.exp_golomb()?);
    if bits.flag()? {
        let (crop_x, crop_y) = match (separate_planes, chroma_format) {
            (false, 1) => (2, 2),
            (false, 2) => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] =
            [bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?];
        width = width.checked_sub(left.checked_add(right)?.checked_mul(crop_x)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(crop_y)?)?;
    }
    let luma_bits = bits.exp_golomb()?.checked_add(8)?;
    let chroma_bits = bits.exp_golomb()?.checked_add(8)?;
    let order_bits = bits.exp_golomb()?.checked_add(4)?;
    let first_layer = if bits.flag()? { 0 } else { sub_layers };
    for _ in first_layer..=sub_layers {
        for _ in 0..3 {
            bits.exp_golomb()?; // buffering, reordering, latency
        }
    }
    for _ in 0..6 {
        bits.exp_golomb()?; // block sizes and depths
    }
    // Scaling lists that are not said to be there are the default ones.
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(&mut bits)?;
    }
    bits.skip(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.skip(8)?; // bit depths of raw samples
        bits.exp_golomb()?; // log2_min_pcm_luma_coding_block_size_minus3
        bits.exp_golomb()?; // log2_diff_max_min_pcm_luma_coding_block_size
        bits.flag()?; // pcm_loop_filter_disabled_flag
    }
    skip_reference_sets(&mut bits)?;
    if bits.flag()? {
        for _ in 0..bits.exp_golomb()?.min(32) {
            bits.skip(order_bits as usize + 1)?;
        }
    }
    bits.skip(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    let colour = if bits.flag()? { read_colour(&mut bits)? } else { None };
    Some(Sequence {
        profile_tier_level,
        temporal_layers: sub_layers + 1,
        temporal_id_nesting,
        chroma_format,
        luma_bits,
        chroma_bits,
        width,
        height,
        colour,
    })
}

fn skip_sub_layers(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(88 * usize::from(profile) + 8 * usize::from(level))?;
    }
    Some(())
}

/// 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4_u32 {
        let lists = if size == 3 { 2 } else { 6 };
        for _ in 0..lists {
            if bits.flag()? {
                if size > 1 {
                    bits.exp_golomb()?;
                }
                for _ in 0..64.min(1 << (4 + 2 * size)) {
                    bits.exp_golomb()?;
                }
            } else {
                bits.exp_golomb()?;
            }
        }
    }
    Some(())
}

/// 7.3.7.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.exp_golomb()?;
    let mut previous = 0;
    for index in 0..sets.min(REFERENCE_SETS_MAX) {
        previous = if index > 0 && bits.flag()? {
            bits.flag()?;
            bits.exp_golomb()?;
            let mut kept = 0;
            for _ in 0..=previous {
                let used = bits.flag()?;
                kept += u32::from(used || bits.flag()?);
            }
            kept
        } else {
            let pictures = bits.exp_golomb()?.checked_add(bits.exp_golomb()?)?;
            if pictures > REFERENCES_MAX {
                return None;
            }
            for _ in 0..pictures {
                bits.exp_golomb()?;
                bits.flag()?;
            }
            pictures
        };
    }
    Some(())
}

/// The colour in the video usability information (annex E.2.1): primaries, transfer, matrix, full range.
fn read_colour(bits: &mut Bits<'_>) -> Option<Option<[u8; 4]>> {
    if bits.flag()? && bits.read(8)? == 255 {
        bits.skip(32)?; // sample aspect ratio
    }
    if bits.flag()? {
        bits.flag()?; // overscan
    }
    if !bits.flag()? {
        return Some(None);
    }
    bits.read(3)?; // video_format
    let full_range = bits.flag()?;
    if !bits.flag()? {
        return Some(None);
    }
    Some(Some([bits.byte()?, bits.byte()?, bits.byte()?, u8::from(full_range)]))
}
