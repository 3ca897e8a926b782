//! The errors of the line: few, stable, documented in `docs/errors.md`.
//!
//! A step's error name is what `ErrorEquals` in the state machine matches, what the row shows, and what the docs explain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether trying again without a change can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryability {
    /// The state machine retries it.
    Retryable,
    /// Someone has to act first; then the run can be redriven.
    Terminal,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $retryability:ident;)*) => {
        /// The name of an error, as the States Language sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, such as `Vod.TranscodeFailed`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whether trying again can help.
            #[must_use]
            pub const fn retryability(self) -> Retryability {
                match self { $(Self::$variant => Retryability::$retryability),* }
            }
        }
    };
}

error_codes! {
    /// A step was called with what its contract does not allow; the message has the JSON path.
    ContractViolation = "Vod.ContractViolation", Terminal;
    /// The object version already is a video; the execution ends quietly.
    DuplicateUpload = "Vod.DuplicateUpload", Terminal;
    /// The uploaded object is gone or cannot be read.
    SourceUnavailable = "Vod.SourceUnavailable", Terminal;
    /// The upload is not a video the line can publish.
    UnsupportedSource = "Vod.UnsupportedSource", Terminal;
    /// MediaConvert refused the job's settings.
    JobRefused = "Vod.JobRefused", Terminal;
    /// MediaConvert could not transcode the source.
    TranscodeFailed = "Vod.TranscodeFailed", Terminal;
    /// Someone canceled the job.
    TranscodeCanceled = "Vod.TranscodeCanceled", Terminal;
    /// MediaPackage could not ingest the asset.
    PackagingFailed = "Vod.PackagingFailed", Terminal;
    /// The distribution kept changing under the step's hands.
    OriginConflict = "Vod.OriginConflict", Retryable;
    /// The storyboard could not be made; the video is published without.
    StoryboardFailed = "Vod.StoryboardFailed", Terminal;
    /// The video does not play through the CDN (yet).
    PlaybackUnverified = "Vod.PlaybackUnverified", Retryable;
    /// An AWS service throttled, failed or did not answer in time.
    ServiceUnavailable = "Vod.ServiceUnavailable", Retryable;
    /// A policy is missing.
    AccessDenied = "Vod.AccessDenied", Terminal;
    /// A defect of the line.
    Internal = "Vod.Internal", Terminal;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_serialise_as_themselves() {
        let names: std::collections::BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::json!(code), serde_json::json!(code.name()));
        }
    }
}
