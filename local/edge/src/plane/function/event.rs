//! Events and results in the shape that functions see.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Call, FunctionError, Generated, Verdict, engine::Output};

/// The longest body that a function may make.
const BODY_BYTES_MAX: usize = 40 * 1024;

/// Headers that functions do not see and may not set:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html#function-restrictions-disallowed-headers>.
const DISALLOWED: [&str; 25] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "upgrade",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];
/// Headers of a request that functions see and may not change. Source: the page above, as for the next list.
const READ_ONLY_IN_REQUESTS: [&str; 4] = ["content-length", "host", "transfer-encoding", "via"];
/// The same of a response.
const READ_ONLY_IN_RESPONSES: [&str; 5] = ["content-encoding", "content-length", "transfer-encoding", "warning", "via"];

fn disallowed(name: &str) -> bool {
    DISALLOWED.contains(&name) || name.starts_with("x-amz-cf-") || name.starts_with("x-edge-")
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    value: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    multi_value: Vec<Single>,
    /// Of a cookie in a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Single {
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
}

type Items = BTreeMap<String, Item>;

impl Item {
    fn new(value: &str, attributes: Option<&str>) -> Self {
        Self { value: value.to_owned(), multi_value: Vec::new(), attributes: attributes.map(str::to_owned) }
    }

    /// Adds a further value of the same name: the last is `value`, all are `multiValue`.
    fn add(&mut self, value: &str, attributes: Option<&str>) {
        if self.multi_value.is_empty() {
            let first = Single { value: std::mem::take(&mut self.value), attributes: self.attributes.take() };
            self.multi_value.push(first);
        }
        self.multi_value.push(Single { value: value.to_owned(), attributes: attributes.map(str::to_owned) });
        self.value = value.to_owned();
        self.attributes = attributes.map(str::to_owned);
    }

    fn values(&self) -> Vec<(&str, Option<&str>)> {
        if self.multi_value.is_empty() {
            vec![(&self.value, self.attributes.as_deref())]
        } else {
            self.multi_value.iter().map(|single| (single.value.as_str(), single.attributes.as_deref())).collect()
        }
    }
}

fn collect<'a>(triples: impl Iterator<Item = (&'a str, &'a str, Option<&'a str>)>) -> Items {
    let mut items = Items::new();
    for (name, value, attributes) in triples {
        items
            .entry(name.to_owned())
            .and_modify(|item| item.add(value, attributes))
            .or_insert_with(|| Item::new(value, attributes));
    }
    items
}

fn query_items(query: &str) -> Items {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    collect(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (name, value, None)))
}

/// All headers but the cookies', which have a field of their own.
fn header_items(headers: &HeaderMap, cookies: HeaderName) -> Items {
    let readable = headers.iter().filter(|(name, _)| **name != cookies && !disallowed(name.as_str()));
    collect(readable.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?, None))))
}

fn cookie_items(headers: &HeaderMap) -> Items {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    collect(pairs.map(|(name, value)| (name, value, None)))
}

fn set_cookie_items(headers: &HeaderMap) -> Items {
    let values = headers.get_all(header::SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    collect(values.filter_map(|cookie| {
        let (pair, attributes) = match cookie.split_once(';') {
            Some((pair, attributes)) => (pair, Some(attributes.trim())),
            None => (cookie, None),
        };
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), value, attributes))
    }))
}

fn event(call: &Call<'_>, kind: &str) -> Value {
    json!({
        "version": "1.0",
        "context": {
            "distributionDomainName": call.distribution_domain,
            "distributionId": call.distribution_id,
            "eventType": kind,
            "requestId": call.request_id,
        },
        "viewer": { "ip": call.viewer },
        "request": {
            "method": call.method,
            "uri": call.uri,
            "querystring": query_items(call.query),
            "headers": header_items(call.headers, header::COOKIE),
            "cookies": cookie_items(call.headers),
        },
    })
}

pub(super) fn request_event(call: &Call<'_>) -> Value {
    event(call, "viewer-request")
}

pub(super) fn response_event(call: &Call<'_>, status: StatusCode, headers: &HeaderMap) -> Value {
    let mut event = event(call, "viewer-response");
    event["response"] = json!({
        "statusCode": status.as_u16(),
        "statusDescription": status.canonical_reason().unwrap_or_default(),
        "headers": header_items(headers, header::SET_COOKIE),
        "cookies": set_cookie_items(headers),
    });
    event
}

/// What a handler returned, field by field.
struct Returned {
    fields: serde_json::Map<String, Value>,
    headers: Items,
    cookies: Items,
    query: Items,
}

impl Returned {
    fn read(output: Output) -> Result<Self, FunctionError> {
        let mut fields = output.result.ok_or_else(|| FunctionError::Result("nothing".into()))?;
        let mut items = |name: &str| -> Result<Items, FunctionError> {
            let wrong = |error: serde_json::Error| FunctionError::Result(error.to_string());
            fields.remove(name).map_or(Ok(Items::new()), |value| serde_json::from_value(value).map_err(wrong))
        };
        let (headers, cookies, query) = (items("headers")?, items("cookies")?, items("querystring")?);
        Ok(Self { fields, headers, cookies, query })
    }

    /// The response that was returned.
    fn response(mut self) -> Result<Generated, FunctionError> {
        let status = self
            .fields
            .remove("statusCode")
            .and_then(|status| StatusCode::from_u16(u16::try_from(status.as_u64()?).ok()?).ok())
            .filter(|status| !status.is_informational())
            .ok_or_else(|| FunctionError::Result("its statusCode is none".into()))?;
        let mut headers = header_map(&self.headers)?;
        for (name, item) in &self.cookies {
            for (value, attributes) in item.values() {
                let attributes = attributes.map_or_else(String::new, |attributes| format!("; {attributes}"));
                let cookie = HeaderValue::try_from(format!("{name}={value}{attributes}"));
                headers.append(header::SET_COOKIE, cookie.map_err(|error| FunctionError::Result(error.to_string()))?);
            }
        }
        Ok(Generated { status, headers, body: body(self.fields.remove("body"))? })
    }
}

/// What a viewer-request function decided.
pub(super) fn verdict(call: &Call<'_>, event: &Value, mut output: Output) -> Result<Verdict, FunctionError> {
    let selected = output.selected.take();
    let returned = Returned::read(output)?;
    if returned.fields.contains_key("statusCode") {
        let mut generated = returned.response()?;
        // Its length is what its body says.
        generated.headers.remove(header::CONTENT_LENGTH);
        return Ok(Verdict::Response(generated));
    }
    let Returned { fields, headers, cookies, query } = returned;
    let uri = fields.get("uri").and_then(Value::as_str).filter(|uri| uri.starts_with('/'));
    let uri = uri.ok_or_else(|| FunctionError::Result("its uri does not begin with a slash".into()))?.to_owned();
    if fields.get("method").and_then(Value::as_str) != Some(call.method) {
        return Err(FunctionError::Result("its method is not the viewer's".into()));
    }
    // An untouched query keeps the viewer's own spelling and order.
    let unchanged = serde_json::to_value(&query).is_ok_and(|query| query == event["request"]["querystring"]);
    let query = if unchanged { call.query.to_owned() } else { write_query(&query) };
    let mut map = header_map(&headers)?;
    check_read_only(&READ_ONLY_IN_REQUESTS, call.headers, &map)?;
    let cookies: Vec<String> = cookies
        .iter()
        .flat_map(|(name, item)| item.values().into_iter().map(move |(value, _)| format!("{name}={value}")))
        .collect();
    if !cookies.is_empty() {
        let value = HeaderValue::try_from(cookies.join("; "));
        map.insert(header::COOKIE, value.map_err(|error| FunctionError::Result(error.to_string()))?);
    }
    // What the function did not see is as the viewer sent it.
    for (name, value) in call.headers.iter().filter(|(name, _)| disallowed(name.as_str())) {
        map.append(name.clone(), value.clone());
    }
    Ok(Verdict::Request { uri, query, headers: map, origin: selected })
}

/// What a viewer-response function made of an answer with these headers.
pub(super) fn changed_response(before: &HeaderMap, output: Output) -> Result<Generated, FunctionError> {
    let mut generated = Returned::read(output)?.response()?;
    check_read_only(&READ_ONLY_IN_RESPONSES, before, &generated.headers)?;
    for (name, value) in before.iter().filter(|(name, _)| disallowed(name.as_str())) {
        generated.headers.append(name.clone(), value.clone());
    }
    Ok(generated)
}

/// What TestFunction shows of a result.
pub(super) fn tested(output: Output) -> Result<String, FunctionError> {
    let result = output.result.ok_or_else(|| FunctionError::Result("nothing".into()))?;
    let kind = if result.contains_key("statusCode") { "response" } else { "request" };
    if kind == "request" && !result.contains_key("uri") {
        return Err(FunctionError::Result("it has neither a statusCode nor a uri".into()));
    }
    Ok(json!({ kind: result }).to_string())
}

fn check_read_only(names: &[&str], before: &HeaderMap, after: &HeaderMap) -> Result<(), FunctionError> {
    let changed = |name: &&&str| !before.get_all(**name).iter().eq(after.get_all(**name).iter());
    match names.iter().find(changed) {
        Some(name) => Err(FunctionError::Forbidden(format!("the header {name} is read-only"))),
        None => Ok(()),
    }
}

fn write_query(items: &Items) -> String {
    let pairs = items.iter().flat_map(|(name, item)| {
        item.values()
            .into_iter()
            .map(move |(value, _)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn header_map(items: &Items) -> Result<HeaderMap, FunctionError> {
    let mut headers = HeaderMap::with_capacity(items.len());
    for (name, item) in items {
        if disallowed(&name.to_ascii_lowercase()) {
            return Err(FunctionError::Forbidden(format!("the header {name}")));
        }
        let header =
            HeaderName::try_from(name).map_err(|_| FunctionError::Result(format!("the header name {name:?}")))?;
        for (value, _) in item.values() {
            let value =
                HeaderValue::try_from(value).map_err(|_| FunctionError::Result(format!("the value of {name}")))?;
            headers.append(header.clone(), value);
        }
    }
    Ok(headers)
}

/// A response's body: text, or an object that says how it is encoded.
fn body(body: Option<Value>) -> Result<Option<Bytes>, FunctionError> {
    let bytes: Bytes = match body {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.into(),
        Some(Value::Object(body)) => {
            let data = body.get("data").and_then(Value::as_str).unwrap_or_default();
            match body.get("encoding").and_then(Value::as_str) {
                Some("text") => data.to_owned().into(),
                Some("base64") => {
                    let bytes = STANDARD.decode(data);
                    bytes.map_err(|_| FunctionError::Result("its body is not base64".into()))?.into()
                }
                _ => return Err(FunctionError::Result("its body's encoding is neither text nor base64".into())),
            }
        }
        Some(_) => return Err(FunctionError::Result("its body is neither text nor an object".into())),
    };
    if bytes.len() > BODY_BYTES_MAX {
        return Err(FunctionError::Result("its body is longer than 40 KB".into()));
    }
    Ok(Some(bytes))
}
