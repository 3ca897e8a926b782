//! Whether a viewer may ask what it asks.

use http::StatusCode;

use super::{refusal::Refusal, request::Viewer, routes::Route};

/// The longest URL; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const URL_BYTES_MAX: usize = 8192;

/// Checks what holds whatever is asked of whichever distribution.
pub(super) fn check_form(viewer: &Viewer) -> Result<(), Refusal> {
    if viewer.path().len() + viewer.query().len() >= URL_BYTES_MAX {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "The URL is too long."));
    }
    Ok(())
}

/// Checks what the behaviour demands.
pub(super) fn check(viewer: &Viewer, route: &Route) -> Result<(), Refusal> {
    if !route.allows(&viewer.method) {
        let words =
            "This distribution is not configured to allow the HTTP request method that was used for this request.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, words));
    }
    Ok(())
}
