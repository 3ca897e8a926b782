//! The name of an H.264 stream in `CODECS`.

use std::{io::Read, path::Path};

use crate::job::CodecSpecification;

use super::PublishError;

/// The first sequence parameter set lies within the first bytes of a stream, after a few hundred bytes of headers at most.
const HEAD_BYTES: u64 = 64 * 1024;

/// Profile, constraints and level: the three bytes that name the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProfileLevel {
    profile: u8,
    constraints: u8,
    level: u8,
}

impl ProfileLevel {
    /// Of the stream in a TS segment.
    pub(super) fn of_transport_stream(scratch: &Path, file: &str) -> Result<Self, PublishError> {
        // The muxer puts the parameter set into the first packet of the stream, so it is never torn apart by packet headers.
        Self::after(scratch, file, &[0, 0, 1, 0x67]).or_else(|_| Self::after(scratch, file, &[0, 0, 1, 0x27]))
    }

    /// Of the track in an MP4 initialisation segment.
    pub(super) fn of_mp4(scratch: &Path, file: &str) -> Result<Self, PublishError> {
        Self::after(scratch, file, b"avcC\x01")
    }

    fn after(scratch: &Path, file: &str, mark: &[u8]) -> Result<Self, PublishError> {
        let mut head = Vec::new();
        std::fs::File::open(scratch.join(file))
            .and_then(|handle| handle.take(HEAD_BYTES).read_to_end(&mut head))
            .map_err(PublishError::scratch(file))?;
        let missing = || PublishError::Unexpected { file: file.into(), what: "it has no H.264 parameter set" };
        let at = head.windows(mark.len()).position(|bytes| bytes == mark).ok_or_else(missing)? + mark.len();
        match head.get(at..at + 3) {
            Some(&[profile, constraints, level]) => Ok(Self { profile, constraints, level }),
            _ => Err(missing()),
        }
    }

    /// Such as `avc1.4d401e`, or `avc1.77.30` in the older form.
    pub(super) fn codec(self, specification: CodecSpecification) -> String {
        match specification {
            CodecSpecification::Rfc6381 => {
                format!("avc1.{:02x}{:02x}{:02x}", self.profile, self.constraints, self.level)
            }
            CodecSpecification::Rfc4281 => format!("avc1.{}.{}", self.profile, self.level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_name() {
        let main = ProfileLevel { profile: 77, constraints: 0x40, level: 30 };
        assert_eq!(main.codec(CodecSpecification::Rfc6381), "avc1.4d401e");
        assert_eq!(main.codec(CodecSpecification::Rfc4281), "avc1.77.30");
    }
}
