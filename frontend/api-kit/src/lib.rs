//! What the site's Lambdas share: requests of API Gateway's HTTP API in, JSON answers out.
//!
//! A handler is `async fn(Request, &impl Ports) -> Result<T, Failure>`; [`answer`] makes a [`Response`] of its outcome. What
//! goes wrong inside is for the log; the caller learns a stable code and words that tell nothing of the inside.

#[cfg(feature = "upload")]
pub mod upload;

use aws_lambda_events::encodings::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use vodline_contracts::{ErrorCode, api::ApiError};
use vodline_step::StepError;

/// A request, payload format 2.0.
pub type Request = aws_lambda_events::apigw::ApiGatewayV2httpRequest;
/// A response, payload format 2.0.
pub type Response = aws_lambda_events::apigw::ApiGatewayV2httpResponse;

/// Bytes of a request's body at most: ten thousand parts with their ETags fit.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// An answer that is not 2xx.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    status: StatusCode,
    code: &'static str,
    message: String,
    #[source]
    source: Option<StepError>,
}

impl Failure {
    /// The request is not as it should be.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "BadRequest", message: message.into(), source: None }
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "NotFound", message: message.into(), source: None }
    }

    /// The caller has not shown the upload key.
    #[must_use]
    pub fn upload_key_required() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "UploadKeyRequired",
            message: "uploading needs the upload key".to_owned(),
            source: None,
        }
    }

    /// HTTP's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

/// What went wrong behind the API is not the caller's doing, and its words are not the caller's business.
impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        let (status, code, message) = match error.code() {
            ErrorCode::ServiceUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "try again in a moment")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "something is broken on this side"),
        };
        Self { status, code, message: message.to_owned(), source: Some(error) }
    }
}

/// The response for an outcome: 200 with the value, or the failure as [`ApiError`].
///
/// # Errors
/// Never; it is a `Result` because Lambda's handlers return one.
pub fn answer<T: Serialize>(outcome: Result<T, Failure>) -> Result<Response, StepError> {
    let failure = match outcome {
        Ok(value) => return json(StatusCode::OK, &value),
        Err(failure) => failure,
    };
    match &failure.source {
        Some(error) => tracing::error!(code = error.code().name(), causes = error.causes(), "{error}"),
        None => tracing::info!(code = failure.code, "refused: {}", failure.message),
    }
    json(failure.status, &ApiError { code: failure.code.to_owned(), message: failure.message })
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response, StepError> {
    let body =
        serde_json::to_string(value).map_err(|error| StepError::internal("the answer is not JSON").caused_by(error))?;
    let mut response = Response::default();
    response.status_code = i64::from(status.as_u16());
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Every answer is of this moment, and some depend on a key.
    response.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.body = Some(Body::Text(body));
    Ok(response)
}

/// The request's body, decoded.
///
/// # Errors
/// A bad request, with the JSON path, when it is not what it should be.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    let body = request.body.as_deref().unwrap_or_default();
    if body.len() > BODY_BYTES_MAX {
        return Err(Failure::bad_request(format!("the body is larger than {BODY_BYTES_MAX} bytes")));
    }
    let bytes = if request.is_base64_encoded {
        BASE64_STANDARD.decode(body).map_err(|_| Failure::bad_request("the body is not base64"))?
    } else {
        body.as_bytes().to_vec()
    };
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Failure::bad_request(format!("at {}: {}", error.path(), error.inner())))
}

/// A parameter of the query string.
#[must_use]
pub fn query<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.query_string_parameters.first(name)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use serde_json::{Value, json};
    use vodline_contracts::api::SignPartsRequest;

    use super::*;

    fn text(response: &Response) -> Value {
        match &response.body {
            Some(Body::Text(text)) => serde_json::from_str(text).expect("JSON"),
            other => panic!("no text: {other:?}"),
        }
    }

    fn check(outcome: Result<u32, Failure>, status: i64, expected: Value) {
        let response = answer(outcome).expect("a response");
        assert_eq!((response.status_code, text(&response)), (status, expected));
        assert_eq!(response.headers[header::CONTENT_TYPE], "application/json");
    }

    #[test]
    fn an_outcome_is_json_and_tells_nothing_of_the_inside() {
        check(Ok(7), 200, json!(7));
        check(Err(Failure::bad_request("no")), 400, json!({ "code": "BadRequest", "message": "no" }));
        check(Err(Failure::not_found("gone")), 404, json!({ "code": "NotFound", "message": "gone" }));
        let inside = |code| Failure::from(StepError::new(code, "arn:aws:secret"));
        let later = json!({ "code": "ServiceUnavailable", "message": "try again in a moment" });
        check(Err(inside(ErrorCode::ServiceUnavailable)), 503, later);
        let broken = json!({ "code": "InternalError", "message": "something is broken on this side" });
        check(Err(inside(ErrorCode::AccessDenied)), 500, broken);
    }

    fn request(body: &str, is_base64_encoded: bool) -> Request {
        let mut request = Request::default();
        request.body = Some(body.to_owned());
        request.is_base64_encoded = is_base64_encoded;
        request
    }

    #[test]
    fn a_body_is_decoded_or_refused_with_the_place() {
        let parts = r#"{"uploadId": "u", "key": "k", "partNumbers": [1]}"#;
        let expected = SignPartsRequest { upload_id: "u".to_owned(), key: "k".to_owned(), part_numbers: vec![1] };
        assert_eq!(body::<SignPartsRequest>(&request(parts, false)).expect("decoded"), expected);
        assert_eq!(
            body::<SignPartsRequest>(&request(&BASE64_STANDARD.encode(parts), true)).expect("decoded"),
            expected
        );
        let refused = |body: &str, base64: bool| {
            self::body::<SignPartsRequest>(&request(body, base64)).expect_err("refused").to_string()
        };
        assert!(
            refused(r#"{"uploadId": "u", "key": "k", "partNumbers": ["1"]}"#, false).contains("at partNumbers[0]:")
        );
        assert!(refused("", false).starts_with("BadRequest: at .:"));
        assert!(refused(parts, true).contains("base64"));
        assert!(refused(&" ".repeat(BODY_BYTES_MAX + 1), false).contains("larger"));
    }
}
