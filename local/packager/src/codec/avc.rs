//! H.264: sequence parameters and the decoder configuration record.

use super::{
    PictureParameters, Range,
    bits::{Bits, without_emulation_prevention},
};

/// Profiles whose sequence parameters carry the chroma format.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What a sequence parameter set says.
struct Sequence {
    profile: u32,
    constraints: u32,
    level: u32,
    chroma_format: u32,
    luma_bits: u32,
    chroma_bits: u32,
    width: u32,
    height: u32,
}

/// The parameters that a sequence and a picture parameter set give.
pub(super) fn parameters(sequence_set: &[u8], picture_set: &[u8]) -> Result<PictureParameters, &'static str> {
    let sequence = read_sequence(sequence_set).ok_or("the sequence parameter set is cut short")?;
    if picture_set.is_empty() {
        return Err("the first frame has no picture parameter set");
    }
    Ok(PictureParameters {
        name: format!("avc1.{:02x}{:02x}{:02x}", sequence.profile, sequence.constraints, sequence.level),
        width: sequence.width,
        height: sequence.height,
        range: Range::Standard,
        colour: None,
        configuration: configuration(&sequence, sequence_set, picture_set),
        sets: vec![sequence_set.to_vec(), picture_set.to_vec()],
    })
}

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
fn configuration(sequence: &Sequence, sequence_set: &[u8], picture_set: &[u8]) -> Vec<u8> {
    let mut record = vec![1, sequence.profile as u8, sequence.constraints as u8, sequence.level as u8];
    record.push(0xff); // lengths of four bytes
    record.push(0xe1); // one sequence parameter set
    record.extend_from_slice(&(sequence_set.len() as u16).to_be_bytes());
    record.extend_from_slice(sequence_set);
    record.push(1);
    record.extend_from_slice(&(picture_set.len() as u16).to_be_bytes());
    record.extend_from_slice(picture_set);
    if matches!(sequence.profile, 100 | 110 | 122 | 144) {
        record.extend_from_slice(&[
            0xfc | sequence.chroma_format as u8,
            0xf8 | (sequence.luma_bits as u8).wrapping_sub(8) & 7,
            0xf8 | (sequence.chroma_bits as u8).wrapping_sub(8) & 7,
            0, // no extensions
        ]);
    }
    record
}

/// The parameter sets in a configuration record, as an MP4 file carries it; `None` when malformed, or when its lengths are
/// not of four bytes.
pub(super) fn sets_of(record: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if record.get(4)? & 3 != 3 {
        return None;
    }
    let mut rest = record.get(5..)?;
    let mut take = |mask: u8| {
        let count = *rest.first()? & mask;
        rest = rest.get(1..)?;
        let mut first = None;
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
            let set = rest.get(2..2 + length)?.to_vec();
            rest = rest.get(2 + length..)?;
            first.get_or_insert(set);
        }
        first
    };
    Some((take(0x1f)?, take(0xff)?))
}

/// ITU-T H.264, 7.3.2.1.1.
fn read_sequence(unit: &[u8]) -> Option<Sequence> {
    let payload = without_emulation_prevention(unit.get(1..)?);
    let mut bits = Bits::new(&payload);
    let profile = bits.read(8)?;
    let constraints = bits.read(8)?;
    let level = bits.read(8)?;
    bits.exp_golomb()?; // seq_parameter_set_id
    let (mut chroma_format, mut luma_bits, mut chroma_bits) = (1, 8, 8);
    let mut separate_planes = false;
    if HIGH_PROFILES.contains(&profile) {
        chroma_format = bits.exp_golomb()?;
        if chroma_format == 3 {
            separate_planes = bits.flag()?;
        }
        luma_bits = bits.exp_golomb()?.checked_add(8)?;
        chroma_bits = bits.exp_golomb()?.checked_add(8)?;
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            let lists = if chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag()? {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.exp_golomb()?; // log2_max_frame_num_minus4
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.exp_golomb()?; // offset_for_non_ref_pic, its sign does not matter here
            bits.exp_golomb()?; // offset_for_top_to_bottom_field
            let cycle = bits.exp_golomb()?;
            for _ in 0..cycle.min(255) {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.exp_golomb()?; // max_num_ref_frames
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    let width_units = bits.exp_golomb()?.checked_add(1)?;
    let height_units = bits.exp_golomb()?.checked_add(1)?;
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let mut crop = [0; 4]; // left, right, top, bottom
    if bits.flag()? {
        for side in &mut crop {
            *side = bits.exp_golomb()?;
        }
    }
    let field_factor = if frames_only { 1 } else { 2 };
    // Cropping is counted in chroma samples; table 6-1.
    let (crop_x, crop_y) = match (separate_planes, chroma_format) {
        (false, 1) => (2, 2),
        (false, 2) => (2, 1),
        _ => (1, 1),
    };
    let width = width_units.checked_mul(16)?.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(crop_x)?)?;
    let height = height_units
        .checked_mul(16 * field_factor)?
        .checked_sub(crop[2].checked_add(crop[3])?.checked_mul(crop_y * field_factor)?)?;
    Some(Sequence { profile, constraints, level, chroma_format, luma_bits, chroma_bits, width, height })
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..size {
        if next != 0 {
            let code = i64::from(bits.exp_golomb()?);
            let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}
