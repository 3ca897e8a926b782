//! Origin access controls: by which the edge signs what it asks of buckets.

use http::StatusCode;
use vodline_core::{AwsError, Request, Response, rusqlite::Transaction};

use super::{Page, authorize, conflict, created, definitions::used_by, deleted, if_match, tagged, xml};
use crate::{
    define::check_access_control,
    model::OriginAccessControl,
    service::Edge,
    table::{DefinitionRow, Kind},
    xml::Writer,
};

/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-web-distributions>.
const ACCESS_CONTROLS_MAX: usize = 100;

fn missing(id: &str) -> AwsError {
    AwsError::not_found("NoSuchOriginAccessControl", format!("The origin access control does not exist: {id}"))
}

impl Edge {
    fn authorize_access_control(&self, request: &Request, operation: &str, id: &str) -> Result<(), AwsError> {
        authorize(request, operation, &self.account.global_arn("cloudfront", &format!("origin-access-control/{id}")))
    }

    pub(super) fn create_origin_access_control(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreateOriginAccessControl", "*")?;
        let control = OriginAccessControl::from_xml("CreateOriginAccessControl", &request.body)?;
        check_access_control("CreateOriginAccessControl", &control)?;
        let row = self.create_definition(Kind::OriginAccessControl, self.new_id('E'), &control, |transaction| {
            if DefinitionRow::all(transaction, Kind::OriginAccessControl)?.len() >= ACCESS_CONTROLS_MAX {
                return Err(AwsError::bad_request(
                    "TooManyOriginAccessControls",
                    "The number of origin access controls in your Amazon Web Services account exceeds the maximum allowed.",
                ));
            }
            check_name(transaction, &control, None)
        })?;
        Ok(created(document(&row, &control), &row.etag, &format!("origin-access-control/{}", row.id)))
    }

    pub(super) fn get_origin_access_control(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_access_control(request, "GetOriginAccessControl", id)?;
        let row = self.find_definition(Kind::OriginAccessControl, id, missing)?;
        Ok(tagged(xml(StatusCode::OK, document(&row, &row.read()?)), &row.etag))
    }

    pub(super) fn get_origin_access_control_config(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_access_control(request, "GetOriginAccessControlConfig", id)?;
        let row = self.find_definition(Kind::OriginAccessControl, id, missing)?;
        let control: OriginAccessControl = row.read()?;
        let document = Writer::document("OriginAccessControlConfig", |writer| control.write(writer));
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }

    pub(super) fn list_origin_access_controls(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListOriginAccessControls", "*")?;
        let mut rows: Vec<(DefinitionRow, OriginAccessControl)> = Vec::new();
        for row in self.list_definitions(Kind::OriginAccessControl)? {
            let control = row.read()?;
            rows.push((row, control));
        }
        let page = Page::new(request, rows, |(row, _)| &row.id)?;
        let document = Writer::document("OriginAccessControlList", |writer| {
            page.write_marked(writer, "OriginAccessControlSummary", |writer, (row, control)| {
                writer.text("Id", &row.id);
                control.write(writer);
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    pub(super) fn update_origin_access_control(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_access_control(request, "UpdateOriginAccessControl", id)?;
        let control = OriginAccessControl::from_xml("UpdateOriginAccessControl", &request.body)?;
        check_access_control("UpdateOriginAccessControl", &control)?;
        let row = self.update_definition(
            Kind::OriginAccessControl,
            id,
            if_match(request)?,
            missing,
            |transaction, known| {
                check_name(transaction, &control, Some(&known.id))?;
                Ok(&control)
            },
        )?;
        Ok(tagged(xml(StatusCode::OK, document(&row, &control)), &row.etag))
    }

    pub(super) fn delete_origin_access_control(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_access_control(request, "DeleteOriginAccessControl", id)?;
        self.delete_definition(Kind::OriginAccessControl, id, if_match(request)?, missing, |transaction, _| {
            let user = used_by(transaction, |config| {
                config.origins.iter().any(|origin| origin.origin_access_control_id == id)
            })?;
            match user {
                Some(distribution) => Err(conflict(
                    "OriginAccessControlInUse",
                    format!("The distribution {distribution} uses the origin access control."),
                )),
                None => Ok(()),
            }
        })?;
        Ok(deleted())
    }
}

fn check_name(
    transaction: &Transaction<'_>,
    control: &OriginAccessControl,
    own_id: Option<&str>,
) -> Result<(), AwsError> {
    for other in DefinitionRow::all(transaction, Kind::OriginAccessControl)? {
        if Some(other.id.as_str()) != own_id && other.read::<OriginAccessControl>()?.name == control.name {
            return Err(conflict(
                "OriginAccessControlAlreadyExists",
                "An origin access control with the specified parameters already exists.",
            ));
        }
    }
    Ok(())
}

fn document(row: &DefinitionRow, control: &OriginAccessControl) -> String {
    Writer::document("OriginAccessControl", |writer| {
        writer.text("Id", &row.id);
        writer.element("OriginAccessControlConfig", |writer| control.write(writer));
    })
}
