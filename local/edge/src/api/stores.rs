//! Key value stores, without their pairs: those are the business of [`KeyValueStores`](crate::KeyValueStores).

use http::StatusCode;
use vodline_core::{AwsError, Request, Response};

use super::{Page, authorize, conflict, created, deleted, if_match, tagged, xml};
use crate::{
    define::{FunctionBody, first_version},
    model::KeyValueStore,
    service::Edge,
    table::{DefinitionRow, KeyValues, Kind},
    xml::{Node, Writer, invalid_argument},
};

/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-keyvaluestores>.
const STORES_MAX: usize = 100;

fn missing(name: &str) -> AwsError {
    AwsError::not_found("EntityNotFound", format!("The key value store does not exist: {name}"))
}

impl Edge {
    fn authorize_store(&self, request: &Request, operation: &str, name: &str) -> Result<(), AwsError> {
        // Its ARN ends with its id, which only a store that exists has.
        let row = self
            .store
            .read::<_, AwsError>(|connection| Ok(DefinitionRow::find(connection, Kind::KeyValueStore, name)?))?;
        let resource = match row {
            Some(row) => self.store_arn(&row.read::<KeyValueStore>()?.id),
            None => self.store_arn("*"),
        };
        authorize(request, operation, &resource)
    }

    pub(super) fn create_key_value_store(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreateKeyValueStore", "*")?;
        let mut node = Node::parse("CreateKeyValueStore", &request.body, "CreateKeyValueStoreRequest")?;
        let name = node.required("Name")?;
        let store = KeyValueStore { id: self.entropy.uuid(), comment: node.text("Comment")?.unwrap_or_default() };
        for feature in ["ImportSource", "Tags"] {
            node.unused(feature)?;
        }
        node.finish()?;
        check_name(&name)?;
        let row = self.create_definition(Kind::KeyValueStore, name.clone(), &store, |transaction| {
            let known = DefinitionRow::all(transaction, Kind::KeyValueStore)?;
            if known.iter().any(|known| known.id == name) {
                return Err(conflict("EntityAlreadyExists", "The key value store already exists."));
            }
            if known.len() >= STORES_MAX {
                return Err(AwsError::bad_request(
                    "EntityLimitExceeded",
                    "The key value store limit has been exceeded.",
                ));
            }
            Ok(first_version(self).put(transaction, &store.id)?)
        })?;
        Ok(created(self.store_document(&row, &store), &row.etag, &format!("key-value-store/{}", row.id)))
    }

    pub(super) fn describe_key_value_store(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        self.authorize_store(request, "DescribeKeyValueStore", name)?;
        let row = self.find_definition(Kind::KeyValueStore, name, missing)?;
        Ok(tagged(xml(StatusCode::OK, self.store_document(&row, &row.read()?)), &row.etag))
    }

    pub(super) fn list_key_value_stores(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListKeyValueStores", "*")?;
        let status = request.query_value("Status").filter(|status| !status.is_empty());
        let mut rows: Vec<(DefinitionRow, KeyValueStore)> = Vec::new();
        // A store is ready when it is made, so any other status is that of none.
        if status.is_none_or(|status| status == "READY") {
            for row in self.list_definitions(Kind::KeyValueStore)? {
                let store = row.read()?;
                rows.push((row, store));
            }
        }
        let page = Page::new(request, rows, |(row, _)| &row.id)?;
        let document = Writer::document("KeyValueStoreList", |writer| {
            page.write(writer, "KeyValueStore", |writer, (row, store)| self.write_store(writer, row, store));
        });
        Ok(xml(StatusCode::OK, document))
    }

    pub(super) fn update_key_value_store(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        self.authorize_store(request, "UpdateKeyValueStore", name)?;
        let mut node = Node::parse("UpdateKeyValueStore", &request.body, "UpdateKeyValueStoreRequest")?;
        let comment = node.required("Comment")?;
        node.finish()?;
        let row = self.update_definition(Kind::KeyValueStore, name, if_match(request)?, missing, |_, known| {
            Ok(KeyValueStore { comment, ..known.read()? })
        })?;
        Ok(tagged(xml(StatusCode::OK, self.store_document(&row, &row.read()?)), &row.etag))
    }

    pub(super) fn delete_key_value_store(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        self.authorize_store(request, "DeleteKeyValueStore", name)?;
        self.delete_definition(Kind::KeyValueStore, name, if_match(request)?, missing, |transaction, row| {
            let store: KeyValueStore = row.read()?;
            let arn = self.store_arn(&store.id);
            for kind in [Kind::Function, Kind::LiveFunction] {
                for function in DefinitionRow::all(transaction, kind)? {
                    if function.read::<FunctionBody>()?.key_value_stores.contains(&arn) {
                        return Err(conflict(
                            "CannotDeleteEntityWhileInUse",
                            format!("The function {} uses the key value store.", function.id),
                        ));
                    }
                }
            }
            Ok(KeyValues::clear(transaction, &store.id)?)
        })?;
        Ok(deleted())
    }

    fn store_document(&self, row: &DefinitionRow, store: &KeyValueStore) -> String {
        Writer::document("KeyValueStore", |writer| self.write_store(writer, row, store))
    }

    fn write_store(&self, writer: &mut Writer, row: &DefinitionRow, store: &KeyValueStore) {
        writer.text("Name", &row.id);
        writer.text("Id", &store.id);
        writer.text("Comment", &store.comment);
        writer.text("ARN", self.store_arn(&store.id));
        writer.text("Status", "READY");
        writer.text("LastModifiedTime", row.modified_at);
    }
}

fn check_name(name: &str) -> Result<(), AwsError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(invalid_argument("Name does not match [a-zA-Z0-9-_]{1,64}"));
    }
    Ok(())
}
