//! Tables as the template describes them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use vodline_core::AwsError;

use super::DynamoDb;

/// A table: the properties of `AWS::DynamoDB::Table`, from which it can be decoded. Properties that are not here are refused.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html>.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TableSpec {
    /// Three to 255 letters, digits, dots, hyphens and underscores.
    pub table_name: String,
    /// The types of all attributes in key schemas.
    pub attribute_definitions: Vec<AttributeDefinition>,
    /// The primary key.
    pub key_schema: Vec<KeyElement>,
    /// Indexes with keys of their own.
    #[serde(default)]
    pub global_secondary_indexes: Vec<GlobalIndex>,
    /// Indexes with the table's partition key.
    #[serde(default)]
    pub local_secondary_indexes: Vec<LocalIndex>,
    /// `PROVISIONED`, if nothing is said, or `PAY_PER_REQUEST`.
    pub billing_mode: Option<String>,
    /// Kept and told, not enforced.
    pub provisioned_throughput: Option<Throughput>,
    /// The table's stream.
    pub stream_specification: Option<StreamSpecification>,
    /// When items expire.
    pub time_to_live_specification: Option<TimeToLive>,
    /// Whether DeleteTable is refused. Set when the table is made.
    pub deletion_protection_enabled: Option<bool>,
    /// Tags to set.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Backups are AWS's affair; nothing happens locally.
    #[serde(default, rename = "PointInTimeRecoverySpecification")]
    pub point_in_time_recovery: Option<serde::de::IgnoredAny>,
    /// Encryption at rest is AWS's affair; nothing happens locally.
    #[serde(default, rename = "SSESpecification")]
    pub encryption: Option<serde::de::IgnoredAny>,
}

/// An attribute's type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct AttributeDefinition {
    /// Its name.
    pub attribute_name: String,
    /// `S`, `N` or `B`.
    pub attribute_type: String,
}

/// A part of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct KeyElement {
    /// Its name.
    pub attribute_name: String,
    /// `HASH` or `RANGE`.
    pub key_type: String,
}

/// What an index holds of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Projection {
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection_type: Option<String>,
    /// With `INCLUDE`, the attributes besides keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_key_attributes: Option<Vec<String>>,
}

/// Capacity units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Throughput {
    /// A second.
    pub read_capacity_units: u64,
    /// A second.
    pub write_capacity_units: u64,
}

/// An index with a key of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct GlobalIndex {
    /// Its name.
    pub index_name: String,
    /// Its key.
    pub key_schema: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
    /// Kept and told, not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_throughput: Option<Throughput>,
}

/// An index with the table's partition key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LocalIndex {
    /// Its name.
    pub index_name: String,
    /// Its key.
    pub key_schema: Vec<KeyElement>,
    /// What it holds.
    pub projection: Projection,
}

/// What a table's stream tells of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StreamSpecification {
    /// `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`.
    pub stream_view_type: String,
}

/// When items expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TimeToLive {
    /// The attribute with the time, in seconds since 1970.
    pub attribute_name: String,
    /// Whether they do.
    pub enabled: bool,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Tag {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// CreateTable, as far as templates go.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateTable<'a> {
    table_name: &'a str,
    attribute_definitions: &'a [AttributeDefinition],
    key_schema: &'a [KeyElement],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    global_secondary_indexes: &'a [GlobalIndex],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    local_secondary_indexes: &'a [LocalIndex],
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_throughput: Option<Throughput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_specification: Option<EnabledStream<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_protection_enabled: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnabledStream<'a> {
    stream_enabled: bool,
    stream_view_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TableName<'a> {
    table_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTable<'a> {
    table_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute_definitions: Option<&'a [AttributeDefinition]>,
    global_secondary_index_updates: [IndexUpdate<'a>; 1],
}

#[derive(Serialize)]
enum IndexUpdate<'a> {
    Create(&'a GlobalIndex),
    Delete(IndexName<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct IndexName<'a> {
    index_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateTimeToLive<'a> {
    table_name: &'a str,
    time_to_live_specification: &'a TimeToLive,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagResource<'a> {
    resource_arn: String,
    tags: &'a [Tag],
}

/// What is read of DescribeTable's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    table: DescribedTable,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedTable {
    key_schema: Vec<KeyElement>,
    attribute_definitions: Vec<AttributeDefinition>,
    #[serde(default)]
    global_secondary_indexes: Vec<DescribedIndex>,
    #[serde(default)]
    local_secondary_indexes: Vec<DescribedIndex>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedIndex {
    index_name: String,
    key_schema: Vec<KeyElement>,
    projection: Projection,
}

/// What is read of DescribeTimeToLive's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedTimeToLive {
    time_to_live_description: TimeToLiveDescription,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLiveDescription {
    time_to_live_status: String,
    #[serde(default)]
    attribute_name: String,
}

impl DynamoDb {
    /// Creates the table, or makes the existing one so: global indexes, time to live and tags follow the template. A key that
    /// changed would need a new table, as it does on AWS, and is refused.
    ///
    /// # Errors
    /// What CreateTable and UpdateTable refuse, or `ValidationException` when the key or a local index changed.
    pub fn define_table(&self, spec: &TableSpec) -> Result<(), AwsError> {
        let name = TableName { table_name: &spec.table_name };
        match self.internal::<_, Described>("DescribeTable", &name) {
            Ok(Described { table }) => self.align(spec, &table)?,
            Err(error) if error.code == "ResourceNotFoundException" => self.create(spec)?,
            Err(error) => return Err(error),
        }
        self.align_time_to_live(spec)?;
        if !spec.tags.is_empty() {
            let tags = TagResource { resource_arn: self.table_arn(&spec.table_name), tags: &spec.tags };
            self.internal::<_, serde::de::IgnoredAny>("TagResource", &tags)?;
        }
        Ok(())
    }

    fn create(&self, spec: &TableSpec) -> Result<(), AwsError> {
        let create = CreateTable {
            table_name: &spec.table_name,
            attribute_definitions: &spec.attribute_definitions,
            key_schema: &spec.key_schema,
            global_secondary_indexes: &spec.global_secondary_indexes,
            local_secondary_indexes: &spec.local_secondary_indexes,
            billing_mode: spec.billing_mode.as_deref(),
            provisioned_throughput: spec.provisioned_throughput,
            stream_specification: spec
                .stream_specification
                .as_ref()
                .map(|stream| EnabledStream { stream_enabled: true, stream_view_type: &stream.stream_view_type }),
            deletion_protection_enabled: spec.deletion_protection_enabled,
        };
        self.internal::<_, serde::de::IgnoredAny>("CreateTable", &create)?;
        Ok(())
    }

    fn align(&self, spec: &TableSpec, table: &DescribedTable) -> Result<(), AwsError> {
        let changed = |what: &str| {
            let name = &spec.table_name;
            AwsError::bad_request(
                "ValidationException",
                format!("{what} of table {name} changed; it needs a new table"),
            )
        };
        if table.key_schema != spec.key_schema {
            return Err(changed("the key"));
        }
        let key_types = |definitions: &[AttributeDefinition]| -> BTreeSet<(String, String)> {
            let keys = |definition: &&AttributeDefinition| {
                spec.key_schema.iter().any(|key| key.attribute_name == definition.attribute_name)
            };
            definitions.iter().filter(keys).map(|d| (d.attribute_name.clone(), d.attribute_type.clone())).collect()
        };
        if key_types(&table.attribute_definitions) != key_types(&spec.attribute_definitions) {
            return Err(changed("a key's type"));
        }
        let same = |old: &DescribedIndex, name: &str, key: &[KeyElement], projection: &Projection| {
            old.index_name == name && old.key_schema == key && same_projection(&old.projection, projection)
        };
        let locals = &spec.local_secondary_indexes;
        let kept = table
            .local_secondary_indexes
            .iter()
            .filter(|old| locals.iter().any(|new| same(old, &new.index_name, &new.key_schema, &new.projection)));
        if kept.count() != locals.len() || locals.len() != table.local_secondary_indexes.len() {
            return Err(changed("a local index"));
        }
        let is = |old: &DescribedIndex, new: &GlobalIndex| same(old, &new.index_name, &new.key_schema, &new.projection);
        for old in &table.global_secondary_indexes {
            if !spec.global_secondary_indexes.iter().any(|new| is(old, new)) {
                self.update(spec, IndexUpdate::Delete(IndexName { index_name: &old.index_name }))?;
            }
        }
        for new in &spec.global_secondary_indexes {
            if !table.global_secondary_indexes.iter().any(|old| is(old, new)) {
                self.update(spec, IndexUpdate::Create(new))?;
            }
        }
        Ok(())
    }

    fn update(&self, spec: &TableSpec, update: IndexUpdate<'_>) -> Result<(), AwsError> {
        let creates = matches!(update, IndexUpdate::Create(_));
        let update = UpdateTable {
            table_name: &spec.table_name,
            attribute_definitions: creates.then_some(&spec.attribute_definitions),
            global_secondary_index_updates: [update],
        };
        self.internal::<_, serde::de::IgnoredAny>("UpdateTable", &update)?;
        Ok(())
    }

    fn align_time_to_live(&self, spec: &TableSpec) -> Result<(), AwsError> {
        let name = TableName { table_name: &spec.table_name };
        let DescribedTimeToLive { time_to_live_description: now } = self.internal("DescribeTimeToLive", &name)?;
        let old = (now.time_to_live_status == "ENABLED").then_some(now.attribute_name);
        let new = spec.time_to_live_specification.as_ref().filter(|new| new.enabled);
        if old.as_ref() == new.map(|new| &new.attribute_name) {
            return Ok(());
        }
        let disabled = old.map(|attribute_name| TimeToLive { attribute_name, enabled: false });
        for specification in disabled.iter().chain(new) {
            let update = UpdateTimeToLive { table_name: &spec.table_name, time_to_live_specification: specification };
            self.internal::<_, serde::de::IgnoredAny>("UpdateTimeToLive", &update)?;
        }
        Ok(())
    }

    /// A call of the home's own.
    fn internal<Q: Serialize, A: serde::de::DeserializeOwned>(
        &self,
        operation: &str,
        request: &Q,
    ) -> Result<A, AwsError> {
        let decode = |error: serde_json::Error| AwsError::internal(error.to_string());
        let body = serde_json::to_string(request).map_err(decode)?;
        serde_json::from_str(&self.perform(operation, &body)?).map_err(decode)
    }
}

/// The order of attributes does not matter, and neither does saying that there are none.
fn same_projection(old: &Projection, new: &Projection) -> bool {
    let attributes = |projection: &Projection| -> BTreeSet<String> {
        projection.non_key_attributes.iter().flatten().cloned().collect()
    };
    old.projection_type == new.projection_type && attributes(old) == attributes(new)
}
