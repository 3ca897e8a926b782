//! The operations. Paths: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Operations.html>.

use http::{Method, StatusCode};
use vodline_core::{AwsError, Request, Response};

use crate::{
    define::{FunctionBody, check},
    model::DistributionConfig,
    service::Edge,
    table::{DefinitionRow, DistributionRow, InvalidationRow, Kind},
    xml::{Node, Writer, invalid_argument},
};

/// Items on a page of a list, when the caller does not say and at most.
const PAGE_ITEMS_MAX: usize = 100;
/// Paths of one invalidation; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html>.
const INVALIDATION_PATHS_MAX: usize = 3000;

fn no_such_distribution(id: &str) -> AwsError {
    AwsError::not_found("NoSuchDistribution", format!("The specified distribution does not exist: {id}"))
}

impl Edge {
    /// Routes one call. Every operation is short and touches only the store and the routes.
    pub(crate) fn answer(&self, request: &Request) -> Result<Response, AwsError> {
        let path = request.path.trim_matches('/');
        let rest = path
            .strip_prefix("2020-05-31/")
            .ok_or_else(|| AwsError::unsupported_operation("cloudfront", &format!("{} /{path}", request.method)))?;
        let decoded: Vec<String> = rest
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match (&request.method, parts.as_slice()) {
            (&Method::GET, ["distribution"]) => self.list_distributions(request),
            (&Method::GET, ["distribution", id]) => self.get_distribution(request, id),
            (&Method::GET, ["distribution", id, "config"]) => self.get_distribution_config(request, id),
            (&Method::PUT, ["distribution", id, "config"]) => self.update_distribution(request, id),
            (&Method::POST, ["distribution", id, "invalidation"]) => self.create_invalidation(request, id),
            (&Method::GET, ["distribution", id, "invalidation"]) => self.list_invalidations(request, id),
            (&Method::GET, ["distribution", id, "invalidation", invalidation]) => {
                self.get_invalidation(request, id, invalidation)
            }
            (&Method::GET, ["function", name]) => self.get_function(request, name),
            (&Method::GET, ["function", name, "describe"]) => self.describe_function(request, name),
            (method, parts) => Err(AwsError::unsupported_operation("cloudfront", &operation_name(method, parts))),
        }
    }

    fn authorize_on(&self, request: &Request, operation: &str, distribution: &str) -> Result<(), AwsError> {
        authorize(request, operation, &self.distribution_arn(distribution))
    }

    fn row(&self, id: &str) -> Result<DistributionRow, AwsError> {
        self.store.read(|connection| DistributionRow::find(connection, id)?.ok_or_else(|| no_such_distribution(id)))
    }

    fn get_distribution(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "GetDistribution", id)?;
        Ok(self.distribution_answer(&self.row(id)?))
    }

    /// `Distribution`, as GetDistribution and UpdateDistribution answer it.
    fn distribution_answer(&self, row: &DistributionRow) -> Response {
        let document = Writer::document("Distribution", |writer| {
            self.write_head(writer, row);
            writer.text("InProgressInvalidationBatches", 0);
            writer.text("DomainName", &row.domain_name);
            for name in ["ActiveTrustedSigners", "ActiveTrustedKeyGroups"] {
                writer.element(name, |writer| {
                    writer.text("Enabled", false);
                    writer.text("Quantity", 0);
                });
            }
            writer.element("DistributionConfig", |writer| row.config.write(writer));
        });
        tagged(xml(StatusCode::OK, document), &row.etag)
    }

    fn write_head(&self, writer: &mut Writer, row: &DistributionRow) {
        writer.text("Id", &row.id);
        writer.text("ARN", self.distribution_arn(&row.id));
        // A change is in effect when the call that made it has returned.
        writer.text("Status", "Deployed");
        writer.text("LastModifiedTime", row.modified_at);
    }

    fn get_distribution_config(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "GetDistributionConfig", id)?;
        let row = self.row(id)?;
        let document = Writer::document("DistributionConfig", |writer| row.config.write(writer));
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }

    fn update_distribution(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "UpdateDistribution", id)?;
        let if_match = request.header("if-match").filter(|tag| !tag.is_empty()).ok_or_else(|| {
            AwsError::bad_request(
                "InvalidIfMatchVersion",
                "The If-Match version is missing or not valid for the resource.",
            )
        })?;
        let config = DistributionConfig::from_xml(&request.body)?;
        let row = self.store.write::<_, AwsError>(|transaction| {
            let known = DistributionRow::find(transaction, id)?.ok_or_else(|| no_such_distribution(id))?;
            if known.etag != if_match {
                return Err(AwsError::with_status(
                    StatusCode::PRECONDITION_FAILED,
                    "PreconditionFailed",
                    "The request failed because it didn't meet the preconditions in one or more request-header fields.",
                ));
            }
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
        Ok(self.distribution_answer(&row))
    }

    fn list_distributions(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListDistributions", "*")?;
        let limit = page_limit(request)?;
        let marker = request.query_value("Marker").unwrap_or_default();
        let mut rows = self.store.read::<_, AwsError>(|connection| Ok(DistributionRow::all(connection)?))?;
        if !marker.is_empty() {
            let after =
                rows.iter().position(|row| row.id == marker).ok_or_else(|| invalid_argument("the Marker is none"))?;
            rows.drain(..=after);
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let document = Writer::document("DistributionList", |writer| {
            writer.text("Marker", &marker);
            writer.optional("NextMarker", rows.last().filter(|_| more).map(|row| &row.id));
            writer.text("MaxItems", limit);
            writer.text("IsTruncated", more);
            writer.items("DistributionSummary", &rows, |writer, row| {
                self.write_head(writer, row);
                writer.text("DomainName", &row.domain_name);
                row.config.write_summary(writer);
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    fn create_invalidation(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "CreateInvalidation", id)?;
        let mut batch = Node::parse(&request.body, "InvalidationBatch")?;
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
        let mut response = invalidation_answer(StatusCode::CREATED, &row);
        response.set_header(
            "location",
            &format!("https://cloudfront.amazonaws.com/2020-05-31/distribution/{id}/invalidation/{}", row.id),
        );
        Ok(response)
    }

    fn get_invalidation(&self, request: &Request, id: &str, invalidation: &str) -> Result<Response, AwsError> {
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
        Ok(invalidation_answer(StatusCode::OK, &row))
    }

    fn list_invalidations(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        self.authorize_on(request, "ListInvalidations", id)?;
        self.row(id)?;
        let rows = self.store.read::<_, AwsError>(|connection| Ok(InvalidationRow::list(connection, id)?))?;
        let document = Writer::document("InvalidationList", |writer| {
            writer.text("Marker", "");
            writer.text("MaxItems", PAGE_ITEMS_MAX);
            writer.text("IsTruncated", false);
            writer.items("InvalidationSummary", &rows, |writer, row| {
                writer.text("Id", &row.id);
                writer.text("CreateTime", row.created_at);
                writer.text("Status", "Completed");
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    fn function(
        &self,
        request: &Request,
        operation: &str,
        name: &str,
    ) -> Result<(DefinitionRow, FunctionBody), AwsError> {
        authorize(request, operation, &self.function_arn(name))?;
        let stage = request.query_value("Stage");
        if stage.as_deref().is_some_and(|stage| stage != "DEVELOPMENT" && stage != "LIVE") {
            return Err(invalid_argument("the Stage is neither DEVELOPMENT nor LIVE"));
        }
        let row =
            self.store.read::<_, AwsError>(|connection| Ok(DefinitionRow::find(connection, Kind::Function, name)?))?;
        let row = row.ok_or_else(|| {
            AwsError::not_found("NoSuchFunctionExists", format!("The specified function does not exist: {name}"))
        })?;
        let body = row.read()?;
        Ok((row, body))
    }

    fn get_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let (row, body) = self.function(request, "GetFunction", name)?;
        Ok(tagged(Response::new(StatusCode::OK, "application/octet-stream", body.code), &row.etag))
    }

    fn describe_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        let (row, body) = self.function(request, "DescribeFunction", name)?;
        // The template publishes what it declares, so both stages are the same.
        let stage = request.query_value("Stage").unwrap_or_else(|| "DEVELOPMENT".into());
        let document = Writer::document("FunctionSummary", |writer| {
            writer.text("Name", &row.id);
            writer.text("Status", "DEPLOYED");
            writer.element("FunctionConfig", |writer| {
                writer.text("Comment", &body.comment);
                writer.text("Runtime", &body.runtime);
            });
            writer.element("FunctionMetadata", |writer| {
                writer.text("FunctionARN", self.function_arn(&row.id));
                writer.text("Stage", stage);
                writer.text("CreatedTime", row.created_at);
                writer.text("LastModifiedTime", row.modified_at);
            });
        });
        Ok(tagged(xml(StatusCode::OK, document), &row.etag))
    }
}

/// CloudFront's own refusal is called AccessDenied.
fn authorize(request: &Request, operation: &str, resource: &str) -> Result<(), AwsError> {
    request
        .authorize(&format!("cloudfront:{operation}"), resource)
        .map_err(|error| AwsError { code: "AccessDenied".into(), ..error })
}

fn page_limit(request: &Request) -> Result<usize, AwsError> {
    match request.query_value("MaxItems") {
        None => Ok(PAGE_ITEMS_MAX),
        Some(text) => {
            let limit: usize = text.parse().map_err(|_| invalid_argument("MaxItems is not a number"))?;
            Ok(limit.clamp(1, PAGE_ITEMS_MAX))
        }
    }
}

fn invalidation_answer(status: StatusCode, row: &InvalidationRow) -> Response {
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

fn xml(status: StatusCode, document: String) -> Response {
    Response::new(status, "text/xml", document)
}

fn tagged(mut response: Response, etag: &str) -> Response {
    response.set_header("etag", etag);
    response
}

/// The name of an operation that is refused, by its method and path.
fn operation_name(method: &Method, parts: &[&str]) -> String {
    let resource = match parts.first().copied().unwrap_or_default() {
        "distribution" => "Distribution",
        "function" => "Function",
        "cache-policy" => "CachePolicy",
        "origin-request-policy" => "OriginRequestPolicy",
        "response-headers-policy" => "ResponseHeadersPolicy",
        "origin-access-control" => "OriginAccessControl",
        "key-group" => "KeyGroup",
        "public-key" => "PublicKey",
        "key-value-store" => "KeyValueStore",
        "tagging" => "Tags",
        _ => return format!("{method} /2020-05-31/{}", parts.join("/")),
    };
    match (method.as_str(), parts.len()) {
        ("POST", 1) => format!("Create{resource}"),
        ("GET", 1) => format!("List{resource}"),
        ("GET", _) => format!("Get{resource}"),
        ("PUT", _) => format!("Update{resource}"),
        ("DELETE", _) => format!("Delete{resource}"),
        _ => format!("{method} /2020-05-31/{}", parts.join("/")),
    }
}
