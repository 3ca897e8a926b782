//! Public keys and key groups: who may sign URLs and cookies.

use http::StatusCode;
use vodline_core::{AwsError, Request, Response, rusqlite::Transaction};

use super::{Page, authorize, conflict, created, definitions::used_by, deleted, if_match, tagged, xml};
use crate::{
    define::check_key_group,
    model::{KeyGroup, PublicKey},
    plane::TrustedKey,
    service::Edge,
    table::{DefinitionRow, Kind},
    xml::{Writer, invalid_argument},
};

// Limits: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-key-groups>.
const PUBLIC_KEYS_MAX: usize = 10;
const KEY_GROUPS_MAX: usize = 10;

fn no_such_key(id: &str) -> AwsError {
    AwsError::not_found("NoSuchPublicKey", format!("The specified public key does not exist: {id}"))
}

fn no_such_group(id: &str) -> AwsError {
    AwsError::not_found("NoSuchResource", format!("The specified key group does not exist: {id}"))
}

impl Edge {
    fn authorize_key(&self, request: &Request, operation: &str, id: &str) -> Result<(), AwsError> {
        authorize(request, operation, &self.account.global_arn("cloudfront", &format!("public-key/{id}")))
    }

    fn authorize_group(&self, request: &Request, operation: &str, id: &str) -> Result<(), AwsError> {
        authorize(request, operation, &self.account.global_arn("cloudfront", &format!("key-group/{id}")))
    }

    pub(super) fn create_public_key(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreatePublicKey", "*")?;
        let key = PublicKey::from_xml("CreatePublicKey", &request.body)?;
        TrustedKey::parse("", &key.encoded_key)?;
        let row = self.create_definition(Kind::PublicKey, self.new_id('K'), &key, |transaction| {
            let known = DefinitionRow::all(transaction, Kind::PublicKey)?;
            for other in &known {
                let other_key: PublicKey = other.read()?;
                if other_key.caller_reference == key.caller_reference || other_key.name == key.name {
                    return Err(conflict("PublicKeyAlreadyExists", "The specified public key already exists."));
                }
            }
            if known.len() >= PUBLIC_KEYS_MAX {
                return Err(AwsError::bad_request("TooManyPublicKeys", "The maximum number of public keys is 10."));
            }
            Ok(())
        })?;
        Ok(created(key_document(&row, &key), &row.etag, &format!("public-key/{}", row.id)))
    }

    pub(super) fn get_public_key(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_key(request, "GetPublicKey", id)?;
        let row = self.find_definition(Kind::PublicKey, id, no_such_key)?;
        Ok(tagged(xml(StatusCode::OK, key_document(&row, &row.read()?)), &row.etag))
    }

    pub(super) fn get_public_key_config(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_key(request, "GetPublicKeyConfig", id)?;
        let row = self.find_definition(Kind::PublicKey, id, no_such_key)?;
        let key: PublicKey = row.read()?;
        let document = Writer::document("PublicKeyConfig", |writer| key.write(writer));
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }

    pub(super) fn list_public_keys(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListPublicKeys", "*")?;
        let mut rows: Vec<(DefinitionRow, PublicKey)> = Vec::new();
        for row in self.list_definitions(Kind::PublicKey)? {
            let key = row.read()?;
            rows.push((row, key));
        }
        let page = Page::new(request, rows, |(row, _)| &row.id)?;
        let document = Writer::document("PublicKeyList", |writer| {
            page.write(writer, "PublicKeySummary", |writer, (row, key)| {
                writer.text("Id", &row.id);
                writer.text("CreatedTime", row.created_at);
                key.write_summary(writer);
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    pub(super) fn update_public_key(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_key(request, "UpdatePublicKey", id)?;
        let key = PublicKey::from_xml("UpdatePublicKey", &request.body)?;
        let row = self.update_definition(Kind::PublicKey, id, if_match(request)?, no_such_key, |_, known| {
            let known: PublicKey = known.read()?;
            if (&known.caller_reference, &known.name, &known.encoded_key)
                != (&key.caller_reference, &key.name, &key.encoded_key)
            {
                return Err(AwsError::bad_request(
                    "CannotChangeImmutablePublicKeyFields",
                    "You can't change the value of a public key.",
                ));
            }
            Ok(&key)
        })?;
        Ok(tagged(xml(StatusCode::OK, key_document(&row, &key)), &row.etag))
    }

    pub(super) fn delete_public_key(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_key(request, "DeletePublicKey", id)?;
        self.delete_definition(Kind::PublicKey, id, if_match(request)?, no_such_key, |transaction, _| {
            for group in DefinitionRow::all(transaction, Kind::KeyGroup)? {
                if group.read::<KeyGroup>()?.items.iter().any(|key| key == id) {
                    return Err(conflict(
                        "PublicKeyInUse",
                        format!("The public key is in the key group {}.", group.id),
                    ));
                }
            }
            Ok(())
        })?;
        Ok(deleted())
    }

    pub(super) fn create_key_group(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreateKeyGroup", "*")?;
        let group = KeyGroup::from_xml("CreateKeyGroup", &request.body)?;
        let row = self.create_definition(Kind::KeyGroup, self.entropy.uuid(), &group, |transaction| {
            let known = DefinitionRow::all(transaction, Kind::KeyGroup)?;
            if known.len() >= KEY_GROUPS_MAX {
                return Err(AwsError::bad_request("TooManyKeyGroups", "The maximum number of key groups is 10."));
            }
            check_group(transaction, &group, None)
        })?;
        Ok(created(group_document(&row, &group), &row.etag, &format!("key-group/{}", row.id)))
    }

    pub(super) fn get_key_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_group(request, "GetKeyGroup", id)?;
        let row = self.find_definition(Kind::KeyGroup, id, no_such_group)?;
        Ok(tagged(xml(StatusCode::OK, group_document(&row, &row.read()?)), &row.etag))
    }

    pub(super) fn get_key_group_config(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_group(request, "GetKeyGroupConfig", id)?;
        let row = self.find_definition(Kind::KeyGroup, id, no_such_group)?;
        let group: KeyGroup = row.read()?;
        let document = Writer::document("KeyGroupConfig", |writer| group.write(writer));
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }

    pub(super) fn list_key_groups(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListKeyGroups", "*")?;
        let mut rows: Vec<(DefinitionRow, KeyGroup)> = Vec::new();
        for row in self.list_definitions(Kind::KeyGroup)? {
            let group = row.read()?;
            rows.push((row, group));
        }
        let page = Page::new(request, rows, |(row, _)| &row.id)?;
        let document = Writer::document("KeyGroupList", |writer| {
            page.write(writer, "KeyGroupSummary", |writer, (row, group)| {
                writer.element("KeyGroup", |writer| write_group(writer, row, group));
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    pub(super) fn update_key_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_group(request, "UpdateKeyGroup", id)?;
        let group = KeyGroup::from_xml("UpdateKeyGroup", &request.body)?;
        let row =
            self.update_definition(Kind::KeyGroup, id, if_match(request)?, no_such_group, |transaction, known| {
                check_group(transaction, &group, Some(&known.id))?;
                Ok(&group)
            })?;
        Ok(tagged(xml(StatusCode::OK, group_document(&row, &group)), &row.etag))
    }

    pub(super) fn delete_key_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_group(request, "DeleteKeyGroup", id)?;
        self.delete_definition(Kind::KeyGroup, id, if_match(request)?, no_such_group, |transaction, _| {
            let trusts = used_by(transaction, |config| {
                config.behaviors().any(|behavior| behavior.trusted_key_groups.iter().any(|group| group == id))
            })?;
            match trusts {
                Some(distribution) => {
                    Err(conflict("ResourceInUse", format!("The distribution {distribution} trusts the key group.")))
                }
                None => Ok(()),
            }
        })?;
        Ok(deleted())
    }
}

/// Whether a group may be stored: its name is its own, its keys exist.
fn check_group(transaction: &Transaction<'_>, group: &KeyGroup, own_id: Option<&str>) -> Result<(), AwsError> {
    if group.name.is_empty() {
        return Err(invalid_argument("KeyGroupConfig.Name is empty"));
    }
    for other in DefinitionRow::all(transaction, Kind::KeyGroup)? {
        if Some(other.id.as_str()) != own_id && other.read::<KeyGroup>()?.name == group.name {
            return Err(conflict("KeyGroupAlreadyExists", "A key group with this name already exists."));
        }
    }
    check_key_group(transaction, group)
}

fn key_document(row: &DefinitionRow, key: &PublicKey) -> String {
    Writer::document("PublicKey", |writer| {
        writer.text("Id", &row.id);
        writer.text("CreatedTime", row.created_at);
        writer.element("PublicKeyConfig", |writer| key.write(writer));
    })
}

fn group_document(row: &DefinitionRow, group: &KeyGroup) -> String {
    Writer::document("KeyGroup", |writer| write_group(writer, row, group))
}

fn write_group(writer: &mut Writer, row: &DefinitionRow, group: &KeyGroup) {
    writer.text("Id", &row.id);
    writer.text("LastModifiedTime", row.modified_at);
    writer.element("KeyGroupConfig", |writer| group.write(writer));
}
