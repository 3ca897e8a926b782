//! API Gateway's HTTP API: routes requests to functions with payload format 2.0.
//! Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vodline_core::{Account, Clock, Entropy, Functions, Origin, OriginBody, OriginRequest, OriginResponse};

/// API Gateway's limit on a payload.
const PAYLOAD_BYTES_MAX: usize = 10 * 1024 * 1024;

/// A route of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Such as `GET`.
    pub method: String,
    /// Such as `/api/videos/{videoId}`.
    pub path: String,
    /// ARN of the function that answers.
    pub function_arn: String,
}

/// All HTTP APIs of the home; an [`Origin`] for `<apiId>.execute-api.<region>.amazonaws.com`.
pub struct HttpApis {
    account: Account,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    functions: Arc<dyn Functions>,
    apis: RwLock<BTreeMap<String, Vec<Route>>>,
}

impl HttpApis {
    /// No APIs yet.
    pub fn new(
        account: Account,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        functions: Arc<dyn Functions>,
    ) -> Self {
        Self { account, clock, entropy, functions, apis: RwLock::default() }
    }

    /// Makes the API, or replaces its routes.
    pub fn define(&self, api_id: &str, routes: Vec<Route>) {
        self.apis.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(api_id.into(), routes);
    }

    fn find(&self, api_id: &str, method: &str, path: &str) -> Option<(Route, Map<String, Value>)> {
        let apis = self.apis.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        apis.get(api_id)?
            .iter()
            .filter(|route| route.method == method)
            .filter_map(|route| Some((route, path_parameters(&route.path, path)?)))
            // The most specific route wins: the one with the fewest parameters.
            .min_by_key(|(_, parameters)| parameters.len())
            .map(|(route, parameters)| (route.clone(), parameters))
    }

    fn event(&self, api_id: &str, request: &OriginRequest, route: &Route, parameters: Map<String, Value>) -> Value {
        let now = self.clock.now();
        let headers = headers_of(&request.headers);
        let query = query_of(&request.query);
        let route_key = format!("{} {}", route.method, route.path);
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": request.path,
            "rawQueryString": request.query,
            "headers": headers,
            "requestContext": {
                "accountId": self.account.id,
                "apiId": api_id,
                "domainName": request.domain_name,
                "domainPrefix": api_id,
                "http": {
                    "method": request.method.as_str(),
                    "path": request.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": headers.get("user-agent").cloned().unwrap_or(Value::Null),
                },
                "requestId": self.entropy.uuid(),
                "routeKey": route_key,
                "stage": "$default",
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": now.as_millisecond(),
            },
            "isBase64Encoded": false,
        });
        if !query.is_empty() {
            event["queryStringParameters"] = Value::Object(query);
        }
        if !parameters.is_empty() {
            event["pathParameters"] = Value::Object(parameters);
        }
        if !request.body.is_empty() {
            match std::str::from_utf8(&request.body) {
                Ok(text) => event["body"] = json!(text),
                Err(_) => {
                    use base64::{Engine, engine::general_purpose::STANDARD};
                    event["body"] = json!(STANDARD.encode(&request.body));
                    event["isBase64Encoded"] = json!(true);
                }
            }
        }
        event
    }
}

#[async_trait]
impl Origin for HttpApis {
    async fn fetch(&self, request: OriginRequest) -> OriginResponse {
        let api_id = request.domain_name.split('.').next().unwrap_or_default().to_owned();
        if request.body.len() > PAYLOAD_BYTES_MAX {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
        }
        let Some((route, parameters)) = self.find(&api_id, request.method.as_str(), &request.path) else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        let event = self.event(&api_id, &request, &route, parameters);
        match self.functions.invoke(&route.function_arn, Bytes::from(event.to_string())).await {
            Ok(invocation) if invocation.function_error.is_none() => function_answer(&invocation.payload),
            Ok(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Err(error) => {
                tracing::warn!(function = route.function_arn, %error, "an API route's function could not be invoked");
                message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
        }
    }
}

/// What a function answers in format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn function_answer(payload: &[u8]) -> OriginResponse {
    let Ok(answer) = serde_json::from_slice::<FunctionAnswer>(payload) else {
        return message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        use base64::{Engine, engine::general_purpose::STANDARD};
        STANDARD.decode(body).unwrap_or_default()
    } else {
        body.into_bytes()
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
    OriginResponse {
        status: StatusCode::from_u16(answer.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: OriginBody::Bytes(body.into()),
    }
}

fn message(status: StatusCode, text: &str) -> OriginResponse {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    OriginResponse { status, headers, body: OriginBody::Bytes(json!({ "message": text }).to_string().into()) }
}

/// The values of `{name}` segments, or `None` when the path does not fit the route.
fn path_parameters(route: &str, path: &str) -> Option<Map<String, Value>> {
    let mut parameters = Map::new();
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !given.is_empty() => {
                    let value = percent_decode_str(given).decode_utf8_lossy().into_owned();
                    parameters.insert(name.into(), value.into());
                }
                None if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// Names in lower case; repeated headers joined by commas.
fn headers_of(headers: &HeaderMap) -> Map<String, Value> {
    let mut result = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        result.insert(name.as_str().into(), values.join(",").into());
    }
    result
}

/// Decoded; repeated parameters joined by commas.
fn query_of(query: &str) -> Map<String, Value> {
    let mut result: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let (name, value) = (decode(name), decode(value));
        match result.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                result.insert(name, value.into());
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(route: &str, path: &str, expect: Option<Value>) {
        assert_eq!(path_parameters(route, path).map(Value::Object), expect, "{route} {path}");
    }

    #[test]
    fn routes_match_whole_paths() {
        check("/api/videos", "/api/videos", Some(json!({})));
        check("/api/videos/{videoId}", "/api/videos/v1%20x", Some(json!({ "videoId": "v1 x" })));
        check("/api/videos/{videoId}", "/api/videos/", None);
        check("/api/videos/{videoId}", "/api/videos/a/b", None);
        check("/api/videos", "/api/videos/a", None);
    }

    #[test]
    fn queries_are_decoded_and_joined() {
        assert_eq!(Value::Object(query_of("a=1&b=x+y%26&a=2&c")), json!({ "a": "1,2", "b": "x y&", "c": "" }));
    }
}
