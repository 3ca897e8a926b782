//! Invalidations; they are done when the call that made them returns.

use http::StatusCode;
use vodline_core::{AwsError, Request, Response};

use super::{Page, distributions::no_such_distribution, xml};
use crate::{
    service::Edge,
    table::{DistributionRow, InvalidationRow},
    xml::{Node, Writer, invalid_argument},
};

/// Paths of one invalidation; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const INVALIDATION_PATHS_MAX: usize = 3000;

impl Edge {
    pub(super) fn create_invalidation(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "CreateInvalidation", id)?;
        let mut batch = Node::parse("CreateInvalidation", &request.body, "InvalidationBatch")?;
        let paths = batch.texts("Paths", "Path")?;
        let caller_reference = batch.required("CallerReference")?;
        batch.finish()?;
        if paths.is_empty() || paths.iter().any(|path| !path.starts_with('/')) {
            return Err(invalid_argument("Your request contains one or more invalid invalidation paths."));
        }
        if paths.len() > INVALIDATION_PATHS_MAX {
            return Err(AwsError::bad_request("BatchTooLarge", "Invalidation batch specified is too large."));
        }
        let row = self.store.write::<_, AwsError>(|transaction| {
            DistributionRow::find(transaction, id)?.ok_or_else(|| no_such_distribution(id))?;
            if let Some(known) = InvalidationRow::by_reference(transaction, id, &caller_reference)? {
                // The same reference is the same invalidation.
                return if known.paths == paths {
                    Ok(known)
                } else {
                    Err(invalid_argument("the CallerReference was used for other paths"))
                };
            }
            let row = InvalidationRow {
                id: self.new_id('I'),
                distribution_id: id.into(),
                caller_reference,
                paths,
                created_at: self.clock.now(),
            };
            row.insert(transaction)?;
            Ok(row)
        })?;
        self.plane.invalidate(id, &row.paths);
        let mut response = answer(StatusCode::CREATED, &row);
        response.set_header(
            "location",
            &format!("https://cloudfront.amazonaws.com/2020-05-31/distribution/{id}/invalidation/{}", row.id),
        );
        Ok(response)
    }

    pub(super) fn get_invalidation(
        &self,
        request: &Request,
        id: &str,
        invalidation: &str,
    ) -> Result<Response, AwsError> {
        self.authorize_on(request, "GetInvalidation", id)?;
        self.row(id)?;
        let row =
            self.store.read::<_, AwsError>(|connection| Ok(InvalidationRow::find(connection, id, invalidation)?))?;
        let row = row.ok_or_else(|| {
            AwsError::not_found(
                "NoSuchInvalidation",
                format!("The specified invalidation does not exist: {invalidation}"),
            )
        })?;
        Ok(answer(StatusCode::OK, &row))
    }

    pub(super) fn list_invalidations(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "ListInvalidations", id)?;
        self.row(id)?;
        let rows = self.store.read::<_, AwsError>(|connection| Ok(InvalidationRow::list(connection, id)?))?;
        let page = Page::new(request, rows, |row| &row.id)?;
        let document = Writer::document("InvalidationList", |writer| {
            page.write_marked(writer, "InvalidationSummary", |writer, row| {
                writer.text("Id", &row.id);
                writer.text("CreateTime", row.created_at);
                writer.text("Status", "Completed");
            });
        });
        Ok(xml(StatusCode::OK, document))
    }
}

fn answer(status: StatusCode, row: &InvalidationRow) -> Response {
    let document = Writer::document("Invalidation", |writer| {
        writer.text("Id", &row.id);
        writer.text("Status", "Completed");
        writer.text("CreateTime", row.created_at);
        writer.element("InvalidationBatch", |writer| {
            writer.texts("Paths", "Path", &row.paths);
            writer.text("CallerReference", &row.caller_reference);
        });
    });
    xml(status, document)
}
