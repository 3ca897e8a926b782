//! Where the job's thumbnails are.

use vodline_contracts::storyboard::THUMBNAILS_MAX;

/// The thumbnails of a job: `<stem><number><suffix>` in a bucket, numbered from nought.
///
/// Source: <https://docs.aws.amazon.com/mediaconvert/latest/ug/file-group-with-frame-capture-output.html>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnails {
    /// The bucket.
    pub bucket: String,
    /// How many there are; at least one.
    pub count: u64,
    stem: String,
    digits: usize,
    suffix: String,
}

/// The address is not that of a numbered picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not `s3://bucket/path.<number>.<suffix>`.
    #[error("it is no numbered picture in a bucket")]
    Address,
    /// The job was told to make fewer.
    #[error("there are more than {THUMBNAILS_MAX}")]
    TooMany,
}

impl Thumbnails {
    /// All of them, from the address of the last.
    ///
    /// # Errors
    /// When it is no such address, or its number too high.
    pub fn up_to(last: &str) -> Result<Self, Malformed> {
        let (bucket, key) =
            last.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).ok_or(Malformed::Address)?;
        let (path, suffix) = key.rsplit_once('.').ok_or(Malformed::Address)?;
        let (stem, number) = path.rsplit_once('.').ok_or(Malformed::Address)?;
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        if bucket.is_empty() || !is_number {
            return Err(Malformed::Address);
        }
        // Digits that are too many for a number are too many for us.
        let last: u64 = number.parse().map_err(|_| Malformed::TooMany)?;
        if last >= THUMBNAILS_MAX {
            return Err(Malformed::TooMany);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            count: last + 1,
            stem: format!("{stem}."),
            digits: number.len(),
            suffix: format!(".{suffix}"),
        })
    }

    /// The key of one of them.
    #[must_use]
    pub fn key(&self, number: u64) -> String {
        format!("{}{number:0digits$}{}", self.stem, self.suffix, digits = self.digits)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_last_one_tells_of_all() {
        let thumbnails = Thumbnails::up_to("s3://media/media/v1/images/video_thumbnail.0000019.jpg").expect("numbered");
        assert_eq!((thumbnails.bucket.as_str(), thumbnails.count), ("media", 20));
        assert_eq!(thumbnails.key(0), "media/v1/images/video_thumbnail.0000000.jpg");
        assert_eq!(thumbnails.key(19), "media/v1/images/video_thumbnail.0000019.jpg");
    }

    #[test]
    fn what_is_no_numbered_picture_is_refused() {
        let check = |last: &str, expected: Malformed| assert_eq!(Thumbnails::up_to(last), Err(expected), "{last}");
        for last in ["", "a.1.jpg", "s3://b", "s3:///a.1.jpg", "s3://b/a.jpg", "s3://b/a.x.jpg", "s3://b/a..jpg"] {
            check(last, Malformed::Address);
        }
        check("s3://b/a.0000100.jpg", Malformed::TooMany);
        check("s3://b/a.99999999999999999999999.jpg", Malformed::TooMany);
    }
}
