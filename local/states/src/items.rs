//! The items of a Distributed Map: from a listing, a file, or the files that a manifest names.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};
use vodline_asl::{Resource, map_run::ItemReader};
use vodline_core::{AwsError, Principal};

use crate::{States, csv, engine::MapRunContext};

/// Largest file that items are read from, in bytes; a bound of ours, the same as AWS's for JSON and CSV.
const FILE_BYTES_MAX: u64 = 10 * 1_024 * 1_024 * 1_024;

/// Most items of one run.
const ITEMS_MAX: usize = 100_000_000;

/// A file of items: where its bytes are, and its key, whose ending says whether it is compressed.
struct File {
    path: PathBuf,
    key: String,
}

/// The manifest of an S3 inventory.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html#storage-inventory-location-manifest>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inventory {
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<InventoryFile>,
}

#[derive(Deserialize)]
struct InventoryFile {
    key: String,
}

impl States {
    /// Reads all items. An error is the cause in words.
    pub(crate) async fn read_items(&self, reader: &ItemReader, context: &MapRunContext) -> Result<Vec<Value>, String> {
        let action = match &reader.resource {
            Resource::Service(service) if service.service == "s3" => service.action.as_str(),
            other => return Err(format!("the local home does not support items from {other}")),
        };
        let arguments = reader.arguments.value();
        let bucket = text(arguments, "Bucket")?;
        let max = reader.max_items.and_then(|max| usize::try_from(max).ok()).filter(|max| *max > 0);
        let max = max.unwrap_or(ITEMS_MAX);
        let principal = Principal::Role(context.parent.role_arn.clone());
        let mut reader = reader.clone();
        let files = match action {
            "listObjectsV2" => {
                let prefix = arguments.get("Prefix").and_then(Value::as_str).unwrap_or_default();
                only(arguments, &["Bucket", "Prefix"])?;
                self.allowed(&principal, "s3:ListBucket", &format!("arn:aws:s3:::{bucket}"))?;
                let objects = self.config.objects.list(&bucket, prefix).map_err(|error| words(&error))?;
                if reader.transformation.as_deref() != Some("LOAD_AND_FLATTEN") {
                    return Ok(objects.iter().take(max).map(listed).collect());
                }
                objects
                    .iter()
                    .map(|object| self.item_file(&principal, &bucket, &object.key))
                    .collect::<Result<Vec<_>, _>>()?
            }
            "getObject" => {
                only(arguments, &["Bucket", "Key"])?;
                let file = self.item_file(&principal, &bucket, &text(arguments, "Key")?)?;
                match (reader.manifest_type.as_deref(), reader.input_type.as_deref()) {
                    (Some("S3_INVENTORY"), _) | (None, Some("MANIFEST")) => {
                        let inventory = read_inventory(&file)?;
                        reader.input_type = Some("CSV".to_owned());
                        reader.csv_header_location = Some("GIVEN".to_owned());
                        reader.csv_headers = inventory.file_schema.split(',').map(|n| n.trim().to_owned()).collect();
                        let bucket = inventory.destination_bucket.rsplit(':').next().unwrap_or_default();
                        let files = inventory.files.iter().map(|file| self.item_file(&principal, bucket, &file.key));
                        files.collect::<Result<_, _>>()?
                    }
                    (Some("ATHENA_DATA"), _) => {
                        let locations = read_text(&file)?;
                        let locations = locations.lines().map(str::trim).filter(|line| !line.is_empty());
                        locations.map(|location| self.located_file(&principal, location)).collect::<Result<_, _>>()?
                    }
                    _ => vec![file],
                }
            }
            other => return Err(format!("the local home does not support items from s3:{other}")),
        };
        tokio::task::spawn_blocking(move || {
            let mut items = Vec::new();
            for file in files {
                if items.len() >= max {
                    break;
                }
                items.extend(read_file(&file, &reader, max - items.len())?);
            }
            Ok(items)
        })
        .await
        .map_err(|_| "reading the items was interrupted".to_owned())?
    }

    /// A file that the role may read.
    fn item_file(&self, principal: &Principal, bucket: &str, key: &str) -> Result<File, String> {
        self.allowed(principal, "s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"))?;
        let object = self.config.objects.get(bucket, key).map_err(|error| words(&error))?;
        if object.info.size_bytes > FILE_BYTES_MAX {
            return Err(format!("s3://{bucket}/{key} is larger than {FILE_BYTES_MAX} bytes"));
        }
        Ok(File { path: object.path, key: key.to_owned() })
    }

    /// The file at an `s3://` address.
    fn located_file(&self, principal: &Principal, location: &str) -> Result<File, String> {
        let named = location.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let (bucket, key) = named.ok_or_else(|| format!("the manifest names {location}, which is no s3:// address"))?;
        self.item_file(principal, bucket, key)
    }

    pub(crate) fn allowed(&self, principal: &Principal, action: &str, resource: &str) -> Result<(), String> {
        self.config.authorizer.authorize(principal, action, resource).map_err(|error| words(&error))
    }
}

fn read_inventory(file: &File) -> Result<Inventory, String> {
    let inventory: Inventory = serde_json::from_str(&read_text(file)?)
        .map_err(|error| format!("the manifest is not one of an S3 inventory ({error})"))?;
    if inventory.file_format != "CSV" {
        return Err(format!("the local home does not support inventories in {}", inventory.file_format));
    }
    Ok(inventory)
}

/// An object in a listing, as the Map state sees it.
fn listed(object: &vodline_core::ObjectInfo) -> Value {
    json!({
        "Etag": object.etag,
        "Key": object.key,
        "LastModified": object.last_modified.as_second(),
        "Size": object.size_bytes,
        "StorageClass": "STANDARD",
    })
}

/// A file's bytes, decompressed where its name says that they are compressed. What comes out is bounded like a file.
fn open(file: &File) -> Result<Box<dyn BufRead>, String> {
    let bytes = std::fs::File::open(&file.path).map_err(|error| error.to_string())?;
    Ok(if Path::new(&file.key).extension().is_some_and(|ending| ending == "gz") {
        Box::new(BufReader::new(MultiGzDecoder::new(bytes).take(FILE_BYTES_MAX)))
    } else {
        Box::new(BufReader::new(bytes))
    })
}

fn read_text(file: &File) -> Result<String, String> {
    let mut text = String::new();
    open(file)?.read_to_string(&mut text).map_err(|error| format!("{} cannot be read ({error})", file.key))?;
    Ok(text)
}

/// Reads the items of a file.
fn read_file(file: &File, reader: &ItemReader, max: usize) -> Result<Vec<Value>, String> {
    match reader.input_type.as_deref() {
        Some("CSV") => csv::items(&read_text(file)?, reader, max),
        Some("JSONL") => {
            let mut items = Vec::new();
            for line in open(file)?.lines() {
                let line = line.map_err(|error| error.to_string())?;
                if items.len() == max {
                    break;
                }
                if !line.trim().is_empty() {
                    items.push(serde_json::from_str(&line).map_err(|error| error.to_string())?);
                }
            }
            Ok(items)
        }
        Some("JSON") => read_json(file, reader, max),
        other => Err(format!("the local home does not support InputType {}", other.unwrap_or("(none)"))),
    }
}

fn read_json(file: &File, reader: &ItemReader, max: usize) -> Result<Vec<Value>, String> {
    let mut value: Value = serde_json::from_reader(open(file)?)
        .map_err(|error| format!("Attempting to map over non-iterable node: the file is not JSON ({error})"))?;
    if let Some(pointer) = &reader.items_pointer {
        value = value
            .pointer_mut(pointer)
            .map(Value::take)
            .ok_or_else(|| format!("ItemsPointer {pointer} matches nothing in the file"))?;
    }
    match value {
        Value::Array(mut items) => {
            items.truncate(max);
            Ok(items)
        }
        // An object is iterated member by member.
        Value::Object(members) => {
            Ok(members.into_iter().take(max).map(|(key, value)| json!({"Key": key, "Value": value})).collect())
        }
        _ => Err("Attempting to map over non-iterable node.".to_owned()),
    }
}

pub(crate) fn text(arguments: &Value, name: &str) -> Result<String, String> {
    arguments.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("{name} must be given"))
}

/// Refuses what is not supported, by name.
pub(crate) fn only(arguments: &Value, names: &[&str]) -> Result<(), String> {
    let unknown = arguments.as_object().into_iter().flatten().find(|(name, _)| !names.contains(&name.as_str()));
    match unknown {
        Some((name, _)) => Err(format!("the local home does not support {name} here")),
        None => Ok(()),
    }
}

/// A refusal of S3 as the cause of a failure.
pub(crate) fn words(error: &AwsError) -> String {
    format!("{} (Service: S3; Status Code: {}; Error Code: {})", error.message, error.status.as_u16(), error.code)
}
