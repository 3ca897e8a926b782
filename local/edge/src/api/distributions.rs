//! Distributions. A change is in effect when the call that made it has returned.

use http::StatusCode;
use vodline_core::{AwsError, Request, Response, rusqlite::Connection};

use super::{Page, authorize, check_version, conflict, created, deleted, if_match, tagged, xml};
use crate::{
    define::check,
    model::{DistributionConfig, KeyGroup},
    service::Edge,
    table::{DefinitionRow, DistributionRow, Kind},
    xml::{Node, Writer},
};

/// Distributions of an account; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const DISTRIBUTIONS_MAX: usize = 500;

pub(super) fn no_such_distribution(id: &str) -> AwsError {
    AwsError::not_found("NoSuchDistribution", format!("The specified distribution does not exist: {id}"))
}

impl Edge {
    pub(super) fn authorize_on(&self, request: &Request, operation: &str, distribution: &str) -> Result<(), AwsError> {
        authorize(request, operation, &self.distribution_arn(distribution))
    }

    pub(super) fn row(&self, id: &str) -> Result<DistributionRow, AwsError> {
        self.store.read(|connection| DistributionRow::find(connection, id)?.ok_or_else(|| no_such_distribution(id)))
    }

    pub(super) fn get_distribution(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "GetDistribution", id)?;
        let row = self.row(id)?;
        Ok(tagged(xml(StatusCode::OK, self.distribution_document(&row)?), &row.etag))
    }

    /// `Distribution`, as operations on one answer it.
    fn distribution_document(&self, row: &DistributionRow) -> Result<String, AwsError> {
        let groups = self.store.read(|connection| trusted_groups(connection, &row.config))?;
        Ok(Writer::document("Distribution", |writer| {
            self.write_head(writer, row);
            writer.text("InProgressInvalidationBatches", 0);
            writer.text("DomainName", &row.domain_name);
            writer.element("ActiveTrustedSigners", |writer| {
                writer.text("Enabled", false);
                writer.text("Quantity", 0);
            });
            writer.element("ActiveTrustedKeyGroups", |writer| {
                writer.text("Enabled", !groups.is_empty());
                writer.items("KeyGroup", &groups, |writer, (id, group)| {
                    writer.text("KeyGroupId", id);
                    writer.texts("KeyPairIds", "KeyPairId", &group.items);
                });
            });
            writer.element("DistributionConfig", |writer| row.config.write(writer));
        }))
    }

    fn write_head(&self, writer: &mut Writer, row: &DistributionRow) {
        writer.text("Id", &row.id);
        writer.text("ARN", self.distribution_arn(&row.id));
        writer.text("Status", "Deployed");
        writer.text("LastModifiedTime", row.modified_at);
    }

    pub(super) fn get_distribution_config(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "GetDistributionConfig", id)?;
        let row = self.row(id)?;
        let document = Writer::document("DistributionConfig", |writer| row.config.write(writer));
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }

    pub(super) fn create_distribution(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreateDistribution", "*")?;
        let config = if request.query.split('&').any(|pair| pair.trim_end_matches('=') == "WithTags") {
            let mut node = Node::parse("CreateDistributionWithTags", &request.body, "DistributionConfigWithTags")?;
            // The home keeps no tags: a list of none is all it takes.
            if node
                .child("Tags", |tags| tags.list("Items", "Tag", |_| Ok(())).or(Ok(vec![()])))?
                .is_some_and(|tags| !tags.is_empty())
            {
                return Err(node.unsupported("Tags"));
            }
            let config = node.child("DistributionConfig", DistributionConfig::read)?;
            node.finish()?;
            config.ok_or_else(|| {
                crate::xml::invalid_argument("DistributionConfigWithTags.DistributionConfig is required")
            })?
        } else {
            DistributionConfig::from_xml("CreateDistribution", &request.body)?
        };
        let id = self.new_id('E');
        let row = DistributionRow {
            logical_id: DefinitionRow::made_by_api(&id),
            domain_name: self.new_domain_name(),
            etag: self.new_id('E'),
            config,
            applied: String::new(),
            modified_at: self.clock.now(),
            id,
        };
        self.store.write::<_, AwsError>(|transaction| {
            let known = DistributionRow::all(transaction)?;
            let reference = &row.config.caller_reference;
            if let Some(other) = known.iter().find(|other| other.config.caller_reference == *reference) {
                return Err(conflict(
                    "DistributionAlreadyExists",
                    format!("The caller reference that you are using to create a distribution is associated with another distribution. Already exists: {}", other.id),
                ));
            }
            if known.len() >= DISTRIBUTIONS_MAX {
                return Err(AwsError::bad_request(
                    "TooManyDistributions",
                    "Processing your request would cause you to exceed the maximum number of distributions allowed.",
                ));
            }
            check(transaction, &row)?;
            row.put(transaction)?;
            Ok(())
        })?;
        self.deploy()?;
        Ok(created(self.distribution_document(&row)?, &row.etag, &format!("distribution/{}", row.id)))
    }

    pub(super) fn update_distribution(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "UpdateDistribution", id)?;
        let if_match = if_match(request)?;
        let config = DistributionConfig::from_xml("UpdateDistribution", &request.body)?;
        let row = self.store.write::<_, AwsError>(|transaction| {
            let known = DistributionRow::find(transaction, id)?.ok_or_else(|| no_such_distribution(id))?;
            check_version(if_match, &known.etag)?;
            if known.config.caller_reference != config.caller_reference {
                return Err(AwsError::bad_request(
                    "IllegalUpdate",
                    "The CallerReference of a distribution cannot change.",
                ));
            }
            let row = DistributionRow { etag: self.new_id('E'), config, modified_at: self.clock.now(), ..known };
            check(transaction, &row)?;
            row.put(transaction)?;
            Ok(row)
        })?;
        self.deploy()?;
        Ok(tagged(xml(StatusCode::OK, self.distribution_document(&row)?), &row.etag))
    }

    pub(super) fn delete_distribution(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "DeleteDistribution", id)?;
        let if_match = if_match(request)?;
        self.store.write::<_, AwsError>(|transaction| {
            let row = DistributionRow::find(transaction, id)?.ok_or_else(|| no_such_distribution(id))?;
            check_version(if_match, &row.etag)?;
            if row.config.enabled {
                return Err(conflict(
                    "DistributionNotDisabled",
                    "The distribution you are trying to delete has not been disabled.",
                ));
            }
            DistributionRow::delete(transaction, id)?;
            Ok(())
        })?;
        self.deploy()?;
        Ok(deleted())
    }

    pub(super) fn list_distributions(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListDistributions", "*")?;
        let rows = self.store.read::<_, AwsError>(|connection| Ok(DistributionRow::all(connection)?))?;
        let page = Page::new(request, rows, |row| &row.id)?;
        let document = Writer::document("DistributionList", |writer| {
            page.write_marked(writer, "DistributionSummary", |writer, row| {
                self.write_head(writer, row);
                writer.text("DomainName", &row.domain_name);
                row.config.write_summary(writer);
            });
        });
        Ok(xml(StatusCode::OK, document))
    }
}

/// The key groups that a distribution's behaviours trust, each once.
fn trusted_groups(connection: &Connection, config: &DistributionConfig) -> Result<Vec<(String, KeyGroup)>, AwsError> {
    let mut ids: Vec<&String> = config.behaviors().flat_map(|behavior| &behavior.trusted_key_groups).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut groups = Vec::new();
    for id in ids {
        if let Some(row) = DefinitionRow::find(connection, Kind::KeyGroup, id)? {
            groups.push((id.clone(), row.read()?));
        }
    }
    Ok(groups)
}
