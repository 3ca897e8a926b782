//! For how long an answer may be served from the cache. Sources:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html>.

use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long errors are kept when nobody says.
const ERROR_TTL: SignedDuration = SignedDuration::from_secs(10);

/// The limits of a cache policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub min: SignedDuration,
    pub default: SignedDuration,
    pub max: SignedDuration,
}

impl Limits {
    /// Whether a behaviour with these limits keeps anything at all.
    pub(crate) fn caches(&self) -> bool {
        self.max > SignedDuration::ZERO
    }

    fn clamp(&self, ttl: SignedDuration) -> SignedDuration {
        ttl.max(self.min).min(self.max)
    }
}

/// For how long an answer may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    pub fresh_until: Timestamp,
    /// Until then it may be given stale, at once, while the origin is asked (RFC 5861, 3).
    pub revalidate_until: Timestamp,
    /// Until then it may be given instead of an origin's failure (RFC 5861, 4). `None`: whenever the origin fails, as CloudFront
    /// does when nobody says otherwise.
    pub if_error_until: Option<Timestamp>,
}

impl Life {
    /// Fresh for so long, and not to be given stale but for a failing origin.
    pub(crate) fn fresh_for(ttl: SignedDuration, now: Timestamp) -> Self {
        let fresh_until = after(now, ttl);
        Self { fresh_until, revalidate_until: fresh_until, if_error_until: None }
    }

    /// The life of an answer with these headers that stays fresh for `ttl`.
    pub(crate) fn new(ttl: SignedDuration, headers: &HeaderMap, limits: Limits, now: Timestamp) -> Self {
        let life = Self::fresh_for(ttl, now);
        let control = CacheControl::read(headers, now);
        // Neither directive reaches further than the policy's maximum.
        let until = |window: SignedDuration| after(life.fresh_until, window.min(limits.max));
        if control.must_revalidate {
            return Self { if_error_until: Some(life.fresh_until), ..life };
        }
        Self {
            revalidate_until: control.while_revalidate.map_or(life.fresh_until, until),
            if_error_until: control.if_error.map(until),
            ..life
        }
    }
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// How long an answer stays fresh from now on; zero when it must not be kept. `error_ttl` is what the distribution's custom
/// error responses say for this status.
pub(crate) fn ttl(
    status: StatusCode,
    headers: &HeaderMap,
    limits: Limits,
    error_ttl: Option<SignedDuration>,
    now: Timestamp,
) -> SignedDuration {
    // With caching off, nothing of the query is in the key: keeping an error would give it to other requests.
    if !limits.caches() {
        return SignedDuration::ZERO;
    }
    let control = CacheControl::read(headers, now);
    if status.is_client_error() || status.is_server_error() {
        return error_life(status, &control, limits, error_ttl);
    }
    if !matches!(status.as_u16(), 200 | 203 | 301 | 302 | 307 | 308) {
        return SignedDuration::ZERO;
    }
    if control.forbids {
        // CloudFront keeps even these for the policy's minimum.
        limits.min
    } else {
        limits.clamp(control.ttl.unwrap_or(limits.default))
    }
}

fn error_life(
    status: StatusCode,
    control: &CacheControl,
    limits: Limits,
    error_ttl: Option<SignedDuration>,
) -> SignedDuration {
    let declared = control.ttl.filter(|_| !control.forbids).map(|ttl| ttl.min(limits.max));
    let kept = match status.as_u16() {
        404 | 410 | 414 | 501 => !control.forbids,
        500 | 502 | 503 | 504 => true,
        400 | 403 | 405 | 412 | 415 => declared.is_some() || error_ttl.is_some(),
        _ => false,
    };
    if kept { declared.unwrap_or_default().max(error_ttl.unwrap_or(ERROR_TTL)) } else { SignedDuration::ZERO }
}

struct CacheControl {
    /// `no-store`, `no-cache` or `private`.
    forbids: bool,
    /// From `s-maxage`, `max-age` or `Expires`, in this order.
    ttl: Option<SignedDuration>,
    /// `must-revalidate` or `proxy-revalidate`.
    must_revalidate: bool,
    while_revalidate: Option<SignedDuration>,
    if_error: Option<SignedDuration>,
}

impl CacheControl {
    fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let (mut forbids, mut must_revalidate) = (false, false);
        let (mut max_age, mut shared_max_age, mut while_revalidate, mut if_error) = (None, None, None, None);
        let values = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
        for directive in values.flat_map(|value| value.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = || value.trim().trim_matches('"').parse::<i64>().ok().filter(|seconds| *seconds >= 0);
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" | "private" => forbids = true,
                "max-age" => max_age = seconds(),
                "s-maxage" => shared_max_age = seconds(),
                "must-revalidate" | "proxy-revalidate" => must_revalidate = true,
                "stale-while-revalidate" => while_revalidate = seconds(),
                "stale-if-error" => if_error = seconds(),
                _ => {}
            }
        }
        let expires = || {
            let text = headers.get(header::EXPIRES)?.to_str().ok()?;
            // A malformed date, such as the common `0`, means that it has expired.
            Some(
                parse_http_date(text)
                    .map_or(SignedDuration::ZERO, |at| at.duration_since(now).max(SignedDuration::ZERO)),
            )
        };
        Self {
            forbids,
            ttl: shared_max_age.or(max_age).map(SignedDuration::from_secs).or_else(expires),
            must_revalidate,
            while_revalidate: while_revalidate.map(SignedDuration::from_secs),
            if_error: if_error.map(SignedDuration::from_secs),
        }
    }
}

/// A date in one of HTTP's forms (RFC 9110, 5.6.7).
pub(crate) fn parse_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn limits(min: i64, default: i64, max: i64) -> Limits {
        let [min, default, max] = [min, default, max].map(SignedDuration::from_secs);
        Limits { min, default, max }
    }

    fn check(status: u16, headers: &[(&'static str, &'static str)], limits: Limits, expected_seconds: i64) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let found = ttl(status, &map, limits, None, NOW);
        assert_eq!(found.as_secs(), expected_seconds, "{status} {headers:?} {limits:?}");
    }

    #[test]
    fn the_policy_bounds_what_the_origin_says() {
        let optimized = limits(1, 86_400, 31_536_000);
        check(200, &[], optimized, 86_400);
        check(200, &[("cache-control", "max-age=60")], optimized, 60);
        check(200, &[("cache-control", "max-age=60, s-maxage=5")], optimized, 5);
        check(200, &[("cache-control", "max-age=99999999")], optimized, 31_536_000);
        check(200, &[("cache-control", "max-age=0")], optimized, 1);
        check(200, &[("cache-control", "no-store")], optimized, 1);
        check(200, &[("expires", "Thu, 01 Jan 1970 00:02:00 GMT")], optimized, 120);
        check(200, &[("expires", "0")], optimized, 1);
        check(200, &[("cache-control", "max-age=7"), ("expires", "Thu, 01 Jan 1970 00:02:00 GMT")], optimized, 7);
        check(200, &[("cache-control", "private")], limits(0, 60, 60), 0);
        check(204, &[], optimized, 0);
        check(206, &[], optimized, 0);
    }

    fn check_stale(control: &'static str, while_revalidate: i64, if_error: Option<i64>) {
        let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(control))]);
        let life = Life::new(SignedDuration::from_secs(60), &headers, limits(0, 0, 100), NOW);
        let found = (life.revalidate_until.as_second(), life.if_error_until.map(Timestamp::as_second));
        assert_eq!((life.fresh_until.as_second(), found), (60, (while_revalidate, if_error)), "{control}");
    }

    #[test]
    fn stale_answers_may_be_given_as_the_origin_says_up_to_the_maximum() {
        check_stale("max-age=60", 60, None);
        check_stale("stale-while-revalidate=30, stale-if-error=50", 90, Some(110));
        check_stale("stale-while-revalidate=1000, stale-if-error=1000", 160, Some(160));
        check_stale("stale-if-error=0", 60, Some(60));
        check_stale("must-revalidate, stale-while-revalidate=30", 60, Some(60));
    }

    #[test]
    fn nothing_is_kept_when_caching_is_off() {
        for status in [200, 404, 500] {
            check(status, &[("cache-control", "max-age=60")], limits(0, 0, 0), 0);
        }
    }

    #[test]
    fn errors_are_kept_briefly_by_their_status() {
        let optimized = limits(1, 86_400, 31_536_000);
        for status in [404, 410, 414, 500, 501, 502, 503, 504] {
            check(status, &[], optimized, 10);
        }
        for status in [400, 403, 405, 409, 412, 415, 416, 429] {
            check(status, &[], optimized, 0);
        }
        check(403, &[("cache-control", "max-age=30")], optimized, 30);
        check(404, &[("cache-control", "no-store")], optimized, 0);
        check(500, &[("cache-control", "no-store")], optimized, 10);
        check(404, &[("cache-control", "max-age=3")], optimized, 10);
    }
}
