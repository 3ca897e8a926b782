//! Conditional requests: RFC 9110's rules as S3 applies them.
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>.

use s3s::{
    S3ErrorCode,
    dto::{ETag, ETagCondition, Timestamp},
};

use crate::{
    failure::Failure,
    versions::{Version, s3_time},
};

/// What a reader asks of the version it is about to get.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// The [`ReadCondition`] of GetObject's and HeadObject's inputs.
macro_rules! read_condition_of {
    ($input:expr) => {
        $crate::conditions::ReadCondition {
            if_match: $input.if_match.take(),
            if_none_match: $input.if_none_match.take(),
            if_modified_since: $input.if_modified_since.take(),
            if_unmodified_since: $input.if_unmodified_since.take(),
        }
    };
}
pub(crate) use read_condition_of;

/// The [`ReadCondition`] of a copy's source.
macro_rules! copy_condition_of {
    ($input:expr) => {
        $crate::conditions::ReadCondition {
            if_match: $input.copy_source_if_match.take(),
            if_none_match: $input.copy_source_if_none_match.take(),
            if_modified_since: $input.copy_source_if_modified_since.take(),
            if_unmodified_since: $input.copy_source_if_unmodified_since.take(),
        }
    };
}
pub(crate) use copy_condition_of;

/// How a read condition fails.
enum Failed {
    Match,
    NoneMatch,
}

impl ReadCondition {
    fn failed(&self, version: &Version) -> Option<Failed> {
        let modified = s3_time(version.modified);
        // An entity tag that is sent makes the date beside it void (RFC 9110, section 13.2.2).
        let matched = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => matches(condition, &version.etag),
            (None, Some(since)) => modified <= *since,
            (None, None) => true,
        };
        if !matched {
            return Some(Failed::Match);
        }
        let fresh = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !matches(condition, &version.etag),
            (None, Some(since)) => modified > *since,
            (None, None) => true,
        };
        (!fresh).then_some(Failed::NoneMatch)
    }

    /// 412 or 304.
    pub(crate) fn check_read(&self, version: &Version) -> Result<(), Failure> {
        match self.failed(version) {
            None => Ok(()),
            Some(Failed::Match) => Err(Failure::precondition()),
            Some(Failed::NoneMatch) => Err(Failure::new(S3ErrorCode::NotModified, "Not Modified")
                .header("etag", &format!("\"{}\"", version.etag))
                .header("last-modified", &http_date(version))),
        }
    }

    /// For the source of a copy every failure is 412.
    pub(crate) fn check_copy(&self, version: &Version) -> Result<(), Failure> {
        self.failed(version).map_or(Ok(()), |_| Err(Failure::precondition()))
    }
}

fn http_date(version: &Version) -> String {
    let mut text = Vec::new();
    // Formatting a time into memory does not fail; an empty header would be dropped.
    let _ = s3_time(version.modified).format(s3s::dto::TimestampFormat::HttpDate, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(expected) => expected.value() == etag,
    }
}

/// What a writer asks of the version it is about to replace.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteCondition {
    /// Refuses forms S3 does not take: `If-None-Match` of a writer is `*` only.
    pub(crate) fn checked(self, operation: &str) -> Result<Self, Failure> {
        if matches!(self.if_none_match, Some(ETagCondition::ETag(ETag::Strong(_) | ETag::Weak(_)))) {
            return Err(Failure::unsupported(operation, "If-None-Match other than *"));
        }
        Ok(self)
    }

    /// `current` is the object as readers see it: `None` when it is missing or deleted.
    pub(crate) fn check(&self, current: Option<&Version>) -> Result<(), Failure> {
        if self.if_none_match.is_some() && current.is_some() {
            return Err(Failure::precondition());
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Failure::no_such_key()),
            (Some(condition), Some(version)) if !matches(condition, &version.etag) => Err(Failure::precondition()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp as Time;

    use super::*;

    fn version() -> Version {
        Version { etag: "a".into(), modified: Time::constant(1000, 500_000_000), ..Version::default() }
    }

    fn at(second: i64) -> Option<Timestamp> {
        Some(s3_time(Time::constant(second, 0)))
    }

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(if value == "*" { ETagCondition::Any } else { ETagCondition::ETag(ETag::Strong(value.into())) })
    }

    #[track_caller]
    fn check(condition: ReadCondition, expected: Option<u16>) {
        let status = condition.check_read(&version()).err().map(|failure| match failure {
            Failure::Refused(refusal) => refusal.status().as_u16(),
            _ => 500,
        });
        assert_eq!(status, expected, "{condition:?}");
    }

    #[test]
    fn reads() {
        let none = ReadCondition::default;
        check(none(), None);
        check(ReadCondition { if_match: tag("a"), ..none() }, None);
        check(ReadCondition { if_match: tag("*"), ..none() }, None);
        check(ReadCondition { if_match: tag("b"), ..none() }, Some(412));
        check(ReadCondition { if_none_match: tag("a"), ..none() }, Some(304));
        check(ReadCondition { if_none_match: tag("b"), ..none() }, None);
        check(ReadCondition { if_modified_since: at(1000), ..none() }, Some(304));
        check(ReadCondition { if_modified_since: at(999), ..none() }, None);
        check(ReadCondition { if_unmodified_since: at(1000), ..none() }, None);
        check(ReadCondition { if_unmodified_since: at(999), ..none() }, Some(412));
        // The tag decides, not the date beside it.
        check(ReadCondition { if_match: tag("a"), if_unmodified_since: at(999), ..none() }, None);
        check(ReadCondition { if_none_match: tag("b"), if_modified_since: at(1000), ..none() }, None);
    }

    #[test]
    fn writes() {
        let current = version();
        for (if_match, if_none_match, exists, fine) in [
            (None, None, true, true),
            (None, tag("*"), false, true),
            (None, tag("*"), true, false),
            (tag("a"), None, true, true),
            (tag("b"), None, true, false),
            (tag("a"), None, false, false),
        ] {
            let condition = WriteCondition { if_match, if_none_match };
            assert_eq!(condition.check(exists.then_some(&current)).is_ok(), fine, "{condition:?} {exists}");
        }
        assert!(WriteCondition { if_match: None, if_none_match: tag("a") }.checked("PutObject").is_err());
    }
}
