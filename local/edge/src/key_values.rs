//! The pairs of key value stores: CloudFront KeyValueStore, an AWS API of its own.
//! Source: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Operations_Amazon_CloudFront_KeyValueStore.html>.
//!
//! A change is in effect for functions when the call that made it has returned.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vodline_core::{
    AwsError, Protocol, Request, Response, Service,
    rusqlite::{Connection, Transaction},
};

use crate::{
    model::KeyValueStore,
    service::Edge,
    table::{DefinitionRow, KeyValueVersion, KeyValues, Kind},
};

// Limits: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-keyvaluestores>.
const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 1024;
const STORE_BYTES_MAX: u64 = 5 << 20;
/// Keys of one UpdateKeys, puts and deletes together.
const UPDATE_KEYS_MAX: usize = 50;
/// Pairs on a page of ListKeys, at most; and when the caller does not say.
const PAGE_KEYS_MAX: usize = 50;
const PAGE_KEYS: usize = 10;

/// The API `cloudfront-keyvaluestore`.
pub struct KeyValueStores(Arc<Edge>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutInput {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct UpdateInput {
    #[serde(default)]
    puts: Vec<Pair>,
    #[serde(default)]
    deletes: Vec<Key>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Pair {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Key {
    key: String,
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationException", message)
}

fn no_such_key(key: &str) -> AwsError {
    AwsError::not_found("ResourceNotFoundException", format!("Key {key} was not found."))
}

fn check_key(key: &str) -> Result<(), AwsError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(invalid(format!("A key has 1 to {KEY_BYTES_MAX} bytes.")));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), AwsError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(invalid(format!("A value has at most {VALUE_BYTES_MAX} bytes.")));
    }
    Ok(())
}

/// A store that a call is about.
struct Store {
    id: String,
    row: DefinitionRow,
    version: KeyValueVersion,
}

impl KeyValueStores {
    /// The API over an edge's stores.
    #[must_use]
    pub fn new(edge: Arc<Edge>) -> Self {
        Self(edge)
    }

    fn answer(&self, request: &Request) -> Result<Response, AwsError> {
        let parts: Vec<String> = request
            .path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["key-value-stores", arn]) => self.describe(request, arn),
            ("GET", ["key-value-stores", arn, "keys"]) => self.list(request, arn),
            ("POST", ["key-value-stores", arn, "keys"]) => self.update(request, arn),
            ("GET", ["key-value-stores", arn, "keys", key]) => self.get(request, arn, key),
            ("PUT", ["key-value-stores", arn, "keys", key]) => self.put(request, arn, key),
            ("DELETE", ["key-value-stores", arn, "keys", key]) => self.delete(request, arn, key),
            (method, _) => {
                Err(AwsError::unsupported_operation("cloudfront-keyvaluestore", &format!("{method} {}", request.path)))
            }
        }
    }

    fn authorize(request: &Request, operation: &str, arn: &str) -> Result<(), AwsError> {
        request.authorize(&format!("cloudfront-keyvaluestore:{operation}"), arn)
    }

    fn find(&self, connection: &Connection, arn: &str) -> Result<Store, AwsError> {
        for row in DefinitionRow::all(connection, Kind::KeyValueStore)? {
            let store: KeyValueStore = row.read()?;
            if self.0.store_arn(&store.id) == arn {
                let version = KeyValueVersion::find(connection, &store.id)?;
                let version = version.ok_or_else(|| AwsError::internal("the key value store has no version"))?;
                return Ok(Store { id: store.id, row, version });
            }
        }
        Err(AwsError::not_found("ResourceNotFoundException", format!("The key value store {arn} was not found.")))
    }

    fn describe(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "DescribeKeyValueStore", arn)?;
        let (store, (count, bytes)) = self.0.store.read::<_, AwsError>(|connection| {
            let store = self.find(connection, arn)?;
            let size = KeyValues::size(connection, &store.id)?;
            Ok((store, size))
        })?;
        let body = json!({
            "ItemCount": count,
            "TotalSizeInBytes": bytes,
            "KvsARN": arn,
            "Created": store.row.created_at.as_second(),
            "LastModified": store.version.modified_at.as_second(),
            "Status": "READY",
        });
        respond(&body, Some(&store.version.etag))
    }

    fn get(&self, request: &Request, arn: &str, key: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "GetKey", arn)?;
        let (value, (count, bytes)) = self.0.store.read::<_, AwsError>(|connection| {
            let store = self.find(connection, arn)?;
            let value = KeyValues::get(connection, &store.id, key)?.ok_or_else(|| no_such_key(key))?;
            Ok((value, KeyValues::size(connection, &store.id)?))
        })?;
        respond(&json!({ "Key": key, "Value": value, "ItemCount": count, "TotalSizeInBytes": bytes }), None)
    }

    fn list(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "ListKeys", arn)?;
        let limit = match request.query_value("MaxResults") {
            None => PAGE_KEYS,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=PAGE_KEYS_MAX).contains(limit));
                limit.ok_or_else(|| invalid("MaxResults is not between 1 and 50."))?
            }
        };
        // The last key of the page before; pairs that come and go do not disturb the walk.
        let after = request.query_value("NextToken").unwrap_or_default();
        let mut pairs = self.0.store.read::<_, AwsError>(|connection| {
            let store = self.find(connection, arn)?;
            Ok(KeyValues::page(connection, &store.id, &after, limit + 1)?)
        })?;
        let more = pairs.len() > limit;
        pairs.truncate(limit);
        let next = pairs.last().filter(|_| more).map(|(key, _)| key.clone());
        let items: Vec<Pair> = pairs.into_iter().map(|(key, value)| Pair { key, value }).collect();
        let mut body = json!({ "Items": items });
        if let Some(next) = next {
            body["NextToken"] = next.into();
        }
        respond(&body, None)
    }

    fn put(&self, request: &Request, arn: &str, key: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "PutKey", arn)?;
        let input: PutInput = request.json().map_err(|error| invalid(error.message))?;
        self.change(request, arn, vec![Pair { key: key.to_owned(), value: input.value }], Vec::new())
    }

    fn delete(&self, request: &Request, arn: &str, key: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "DeleteKey", arn)?;
        self.change(request, arn, Vec::new(), vec![Key { key: key.to_owned() }])
    }

    fn update(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        Self::authorize(request, "UpdateKeys", arn)?;
        let input: UpdateInput = request.json().map_err(|error| invalid(error.message))?;
        if !(1..=UPDATE_KEYS_MAX).contains(&(input.puts.len() + input.deletes.len())) {
            return Err(invalid(format!("An update has 1 to {UPDATE_KEYS_MAX} keys.")));
        }
        let mut keys: Vec<&String> =
            input.puts.iter().map(|pair| &pair.key).chain(input.deletes.iter().map(|key| &key.key)).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(invalid("A key is in the update twice."));
        }
        self.change(request, arn, input.puts, input.deletes)
    }

    /// Changes pairs, all or none, if the store still is the version that the caller knows.
    fn change(&self, request: &Request, arn: &str, puts: Vec<Pair>, deletes: Vec<Key>) -> Result<Response, AwsError> {
        let if_match = request.header("if-match").filter(|tag| !tag.is_empty());
        let if_match = if_match.ok_or_else(|| invalid("If-Match is required."))?;
        for pair in &puts {
            check_key(&pair.key)?;
            check_value(&pair.value)?;
        }
        let (etag, (count, bytes)) = self.0.store.write::<_, AwsError>(|transaction: &Transaction<'_>| {
            let store = self.find(transaction, arn)?;
            if store.version.etag != if_match {
                return Err(AwsError::with_status(StatusCode::CONFLICT, "ConflictException", "Pre-Condition failed"));
            }
            for key in &deletes {
                if !KeyValues::delete(transaction, &store.id, &key.key)? {
                    return Err(no_such_key(&key.key));
                }
            }
            for pair in &puts {
                KeyValues::put(transaction, &store.id, &pair.key, &pair.value)?;
            }
            let size = KeyValues::size(transaction, &store.id)?;
            if size.1 > STORE_BYTES_MAX {
                return Err(AwsError::with_status(
                    StatusCode::PAYMENT_REQUIRED,
                    "ServiceQuotaExceededException",
                    "The key value store would be larger than 5 MB.",
                ));
            }
            let version = KeyValueVersion { etag: self.0.new_id('E'), modified_at: self.0.clock.now() };
            version.put(transaction, &store.id)?;
            Ok((version.etag, size))
        })?;
        self.0.deploy()?;
        respond(&json!({ "ItemCount": count, "TotalSizeInBytes": bytes }), Some(&etag))
    }
}

fn respond(body: &serde_json::Value, etag: Option<&str>) -> Result<Response, AwsError> {
    let mut response = Response::new(StatusCode::OK, "application/json", body.to_string());
    if let Some(etag) = etag {
        response.set_header("etag", etag);
    }
    Ok(response)
}

#[async_trait]
impl Service for KeyValueStores {
    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        self.answer(&request)
    }
}
