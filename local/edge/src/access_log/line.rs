//! A request as a line of CloudFront's standard log. Source:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html>.

use std::{borrow::Cow, fmt::Write as _, net::SocketAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What stands before the first line of a file.
pub(super) const HEAD: &str = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) \
    cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id \
    x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
    cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type \
    sc-content-type sc-content-len sc-range-start sc-range-end\n";

/// What is written as `%XX` in values that viewers choose: besides these, everything that is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'<')
    .add(b'>')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^')
    .add(b'~')
    .add(b'[')
    .add(b']')
    .add(b'`')
    .add(b'\'');

/// Parameters and cookies whose values let whoever reads the log ask in the viewer's name. CloudFront writes them down; here a
/// dash stands for them.
const SECRET_PARAMETERS: [&str; 4] = ["Signature", "Policy", "X-Amz-Signature", "X-Amz-Security-Token"];
const SECRET_COOKIES: [&str; 2] = ["CloudFront-Signature", "CloudFront-Policy"];

/// One request, from its head to the end of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// When the answer ended.
    pub ended_at: Timestamp,
    pub viewer: SocketAddr,
    pub method: Method,
    pub version: Version,
    pub uri: Uri,
    /// `http` or `https`.
    pub scheme: &'static str,
    pub request_headers: HeaderMap,
    /// The distribution's domain name.
    pub domain_name: String,
    pub request_id: HeaderValue,
    pub status: u16,
    /// How the answer came about, as `x-cache` says it without ` from cloudfront`.
    pub result: String,
    /// Whether all of the answer went out.
    pub complete: bool,
    pub response_headers: HeaderMap,
    /// The answer's body, as far as it went out.
    pub body_bytes: u64,
    pub first_byte: Duration,
    pub taken: Duration,
}

/// Writes a record's line.
pub(super) fn write(record: &Record, edge_location: &str, cookies: bool, out: &mut String) {
    let request = |name: HeaderName| text(&record.request_headers, &name);
    let response = |name: HeaderName| text(&record.response_headers, &name);
    let time = record.ended_at.strftime("%Y-%m-%d\t%H:%M:%S").to_string();
    let query = record.uri.query().map(|query| without_secrets(query, '&', &SECRET_PARAMETERS));
    let cookie =
        request(header::COOKIE).filter(|_| cookies).map(|cookie| without_secrets(cookie, ';', &SECRET_COOKIES));
    let detailed = if record.complete { record.result.as_str() } else { "ClientCommError" };
    let result = if record.complete { record.result.as_str() } else { "Error" };
    let (range_start, range_end) = range(&record.response_headers).unwrap_or(("-", "-"));
    let fields: [&str; 32] = [
        &time,
        edge_location,
        &(header_bytes(&record.response_headers) + record.body_bytes).to_string(),
        &record.viewer.ip().to_canonical().to_string(),
        record.method.as_str(),
        &record.domain_name,
        &encoded(record.uri.path()),
        &record.status.to_string(),
        &request(header::REFERER).map_or("-".into(), encoded),
        &request(header::USER_AGENT).map_or("-".into(), encoded),
        &query.as_deref().map_or("-".into(), encoded),
        &cookie.as_deref().map_or("-".into(), encoded),
        result,
        record.request_id.to_str().unwrap_or("-"),
        &host(record),
        record.scheme,
        &request_bytes(record).to_string(),
        &seconds(record.taken),
        &request(HeaderName::from_static("x-forwarded-for")).map_or("-".into(), encoded),
        // Neither TLS nor field-level encryption is anything the home has.
        "-",
        "-",
        &record.result,
        version(record.version),
        "-",
        "-",
        &record.viewer.port().to_string(),
        &seconds(record.first_byte),
        detailed,
        &response(header::CONTENT_TYPE).map_or("-".into(), encoded),
        response(header::CONTENT_LENGTH).unwrap_or("-"),
        range_start,
        range_end,
    ];
    for (index, field) in fields.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "\t" });
        out.push_str(field);
    }
    out.push('\n');
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

fn encoded(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, ENCODED).into()
}

/// `name=value` pairs, with a dash for the values of these names.
fn without_secrets(pairs: &str, separator: char, names: &[&str]) -> String {
    let parts = pairs.split(separator).map(|pair| match pair.split_once('=') {
        Some((name, _)) if names.contains(&name.trim()) => format!("{name}=-"),
        _ => pair.to_owned(),
    });
    parts.collect::<Vec<_>>().join(separator.encode_utf8(&mut [0; 4]))
}

fn host(record: &Record) -> Cow<'_, str> {
    let authority = record.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| text(&record.request_headers, &header::HOST)).map_or("-".into(), encoded)
}

/// The size of headers as HTTP/1.1 writes them.
fn header_bytes(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4) as u64).sum::<u64>() + 2
}

/// The request's size, its body as long as it says.
fn request_bytes(record: &Record) -> u64 {
    let line = record.method.as_str().len() + record.uri.to_string().len() + " HTTP/1.1\r\n ".len();
    let body = text(&record.request_headers, &header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    line as u64 + header_bytes(&record.request_headers) + body.unwrap_or(0)
}

fn seconds(duration: Duration) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "{:.3}", duration.as_secs_f64());
    text
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// The ends of `Content-Range: bytes 0-9/10`.
fn range(headers: &HeaderMap) -> Option<(&str, &str)> {
    text(headers, &header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?.0.split_once('-')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn record(
        uri: &str,
        request: &[(&'static str, &'static str)],
        response: &[(&'static str, &'static str)],
    ) -> Record {
        let map = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
        };
        Record {
            ended_at: "2026-11-22T23:59:58.9Z".parse().unwrap(),
            viewer: "127.0.0.1:50000".parse().unwrap(),
            method: Method::GET,
            version: Version::HTTP_11,
            uri: uri.parse().unwrap(),
            scheme: "http",
            request_headers: map(request),
            domain_name: "d1.cloudfront.net".into(),
            request_id: HeaderValue::from_static("id=="),
            status: 206,
            result: "Hit".into(),
            complete: true,
            response_headers: map(response),
            body_bytes: 100,
            first_byte: Duration::from_micros(1_500),
            taken: Duration::from_millis(2_250),
        }
    }

    fn line(record: &Record, cookies: bool) -> Vec<String> {
        let mut out = String::new();
        write(record, "LOCAL1-C1", cookies, &mut out);
        out.strip_suffix('\n').unwrap().split('\t').map(str::to_owned).collect()
    }

    /// Fields by their names in the head.
    fn check(record: &Record, cookies: bool, expected: &[(&str, &str)]) {
        let names: Vec<&str> = HEAD.lines().nth(1).unwrap().split(' ').skip(1).collect();
        let fields = line(record, cookies);
        assert_eq!((names.len(), fields.len()), (33, 33));
        for (name, value) in expected {
            let index = names.iter().position(|known| known == name).unwrap();
            assert_eq!(fields[index], *value, "{name}");
        }
    }

    #[test]
    fn a_line_has_every_field() {
        let request = [
            ("host", "127.0.0.1:8080"),
            ("user-agent", "Mozilla/5.0 (X11; \"x\")"),
            ("cookie", "a=1"),
            ("x-forwarded-for", "1.2.3.4"),
        ];
        let response =
            [("content-type", "video/mp2t"), ("content-length", "100"), ("content-range", "bytes 5-104/1000")];
        check(
            &record("/v/a%20b.ts?q={1}", &request, &response),
            false,
            &[
                ("date", "2026-11-22"),
                ("time", "23:59:58"),
                ("x-edge-location", "LOCAL1-C1"),
                // Three headers, 26 + 21 + 33 bytes as HTTP/1.1 writes them, an empty line, and 100 bytes of body.
                ("sc-bytes", "182"),
                ("c-ip", "127.0.0.1"),
                ("cs-method", "GET"),
                ("cs(Host)", "d1.cloudfront.net"),
                ("cs-uri-stem", "/v/a%2520b.ts"),
                ("sc-status", "206"),
                ("cs(Referer)", "-"),
                ("cs-uri-query", "q=%7B1%7D"),
                ("cs(Cookie)", "-"),
                ("x-edge-result-type", "Hit"),
                ("x-edge-request-id", "id=="),
                ("x-host-header", "127.0.0.1:8080"),
                ("cs-protocol", "http"),
                ("time-taken", "2.250"),
                ("x-forwarded-for", "1.2.3.4"),
                ("ssl-protocol", "-"),
                ("x-edge-response-result-type", "Hit"),
                ("cs-protocol-version", "HTTP/1.1"),
                ("c-port", "50000"),
                ("time-to-first-byte", "0.002"),
                ("x-edge-detailed-result-type", "Hit"),
                ("sc-content-type", "video/mp2t"),
                ("sc-content-len", "100"),
                ("sc-range-start", "5"),
                ("sc-range-end", "104"),
            ],
        );
    }

    #[test]
    fn values_that_viewers_choose_cannot_break_a_line() {
        let plain = record("/a", &[("user-agent", "a b\tc"), ("referer", "http://x/'|'")], &[]);
        check(
            &plain,
            false,
            &[("cs(User-Agent)", "a%20b%09c"), ("cs(Referer)", "http://x/%27%7C%27"), ("cs-uri-query", "-")],
        );
    }

    #[test]
    fn signatures_are_not_written_down_and_cookies_only_when_asked_for() {
        let request = [("cookie", "a=1; CloudFront-Signature=secret; CloudFront-Key-Pair-Id=K")];
        let record = record("/a?Expires=1&Signature=secret&Key-Pair-Id=K&X-Amz-Signature=secret", &request, &[]);
        check(
            &record,
            true,
            &[
                ("cs-uri-query", "Expires=1&Signature=-&Key-Pair-Id=K&X-Amz-Signature=-"),
                ("cs(Cookie)", "a=1;%20CloudFront-Signature=-;%20CloudFront-Key-Pair-Id=K"),
            ],
        );
        check(&record, false, &[("cs(Cookie)", "-")]);
        assert!(!line(&record, true).concat().contains("secret"));
    }

    #[test]
    fn an_answer_that_broke_off_says_so() {
        let broken = Record { complete: false, ..record("/a", &[], &[]) };
        check(
            &broken,
            false,
            &[
                ("x-edge-result-type", "Error"),
                ("x-edge-response-result-type", "Hit"),
                ("x-edge-detailed-result-type", "ClientCommError"),
            ],
        );
    }
}
