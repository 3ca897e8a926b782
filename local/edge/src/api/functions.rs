//! Functions and their two stages. What is changed is the stage DEVELOPMENT; PublishFunction copies it to LIVE, which is what
//! distributions run.

use http::StatusCode;
use vodline_core::{AwsError, Request, Response};

use super::{Page, authorize, check_version, conflict, created, definitions::used_by, deleted, if_match, tagged, xml};
use crate::{
    define::{FunctionBody, check_function},
    plane::{Function, try_function},
    service::{Edge, definitions},
    table::{DefinitionRow, Kind},
    xml::{Node, Writer, invalid_argument},
};

/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions>.
const FUNCTIONS_MAX: usize = 100;
/// Longest event of TestFunction; the page above has 40 KB.
const TEST_EVENT_BYTES_MAX: usize = 40 * 1024;

fn missing(name: &str) -> AwsError {
    AwsError::not_found("NoSuchFunctionExists", format!("The specified function does not exist: {name}"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Development,
    Live,
}

impl Stage {
    fn parse(text: Option<&str>) -> Result<Self, AwsError> {
        match text {
            None | Some("" | "DEVELOPMENT") => Ok(Self::Development),
            Some("LIVE") => Ok(Self::Live),
            Some(_) => Err(invalid_argument("the Stage is neither DEVELOPMENT nor LIVE")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Development => "DEVELOPMENT",
            Self::Live => "LIVE",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Development => Kind::Function,
            Self::Live => Kind::LiveFunction,
        }
    }
}

/// `FunctionConfig` and `FunctionCode` of a request.
fn read_body(node: &mut Node) -> Result<FunctionBody, AwsError> {
    let code = node.blob("FunctionCode")?.ok_or_else(|| invalid_argument("FunctionCode is required"))?;
    let code = String::from_utf8(code).map_err(|_| invalid_argument("FunctionCode is not UTF-8"))?;
    let config = node.child("FunctionConfig", |config| {
        Ok(FunctionBody {
            code,
            comment: config.text("Comment")?.unwrap_or_default(),
            runtime: config.required("Runtime")?,
            key_value_stores: config.list("KeyValueStoreAssociations", "KeyValueStoreAssociation", |association| {
                association.required("KeyValueStoreARN")
            })?,
        })
    })?;
    config.ok_or_else(|| invalid_argument("FunctionConfig is required"))
}

impl Edge {
    fn stage_row(&self, name: &str, stage: Stage) -> Result<(DefinitionRow, FunctionBody), AwsError> {
        let row = self.find_definition(stage.kind(), name, missing)?;
        let body = row.read()?;
        Ok((row, body))
    }

    /// `FunctionSummary`'s children.
    fn write_summary(&self, writer: &mut Writer, row: &DefinitionRow, body: &FunctionBody, stage: Stage, status: &str) {
        writer.text("Name", &row.id);
        writer.text("Status", status);
        writer.element("FunctionConfig", |writer| {
            writer.text("Comment", &body.comment);
            writer.text("Runtime", &body.runtime);
            writer.list(
                "KeyValueStoreAssociations",
                "KeyValueStoreAssociation",
                &body.key_value_stores,
                |writer, arn| writer.text("KeyValueStoreARN", arn),
            );
        });
        writer.element("FunctionMetadata", |writer| {
            writer.text("FunctionARN", self.function_arn(&row.id));
            writer.text("Stage", stage.as_str());
            writer.text("CreatedTime", row.created_at);
            writer.text("LastModifiedTime", row.modified_at);
        });
    }

    /// Whether a stage is published and whether a distribution runs it.
    fn status(&self, row: &DefinitionRow) -> Result<&'static str, AwsError> {
        let arn = self.function_arn(&row.id);
        self.store.write::<_, AwsError>(|transaction| {
            let live = DefinitionRow::find(transaction, Kind::LiveFunction, &row.id)?;
            if live.is_none_or(|live| live.etag != row.etag) {
                return Ok("UNPUBLISHED");
            }
            let user = used_by(transaction, |config| {
                config.behaviors().any(|behavior| {
                    behavior.function_associations.iter().any(|association| association.function_arn == arn)
                })
            })?;
            Ok(if user.is_some() { "DEPLOYED" } else { "UNASSOCIATED" })
        })
    }

    fn summary(&self, row: &DefinitionRow, body: &FunctionBody, stage: Stage) -> Result<String, AwsError> {
        let status = self.status(row)?;
        Ok(Writer::document("FunctionSummary", |writer| self.write_summary(writer, row, body, stage, status)))
    }

    pub(super) fn create_function(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "CreateFunction", "*")?;
        let mut node = Node::parse("CreateFunction", &request.body, "CreateFunctionRequest")?;
        let name = node.required("Name")?;
        let body = read_body(&mut node)?;
        node.unused("Tags")?;
        node.finish()?;
        let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(invalid_argument("Name does not match [a-zA-Z0-9-_]{1,64}"));
        }
        let row = self.create_definition(Kind::Function, name.clone(), &body, |transaction| {
            check_function("CreateFunction", transaction, &body)?;
            let known = DefinitionRow::all(transaction, Kind::Function)?;
            if known.iter().any(|known| known.id == name) {
                return Err(conflict(
                    "FunctionAlreadyExists",
                    "A function with the same name already exists in this Amazon Web Services account.",
                ));
            }
            if known.len() >= FUNCTIONS_MAX {
                return Err(AwsError::bad_request(
                    "TooManyFunctions",
                    "You have reached the maximum number of CloudFront functions for this account.",
                ));
            }
            Ok(())
        })?;
        let document = self.summary(&row, &body, Stage::Development)?;
        Ok(created(document, &row.etag, &format!("function/{}", row.id)))
    }

    pub(super) fn update_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "UpdateFunction", &self.function_arn(name))?;
        let mut node = Node::parse("UpdateFunction", &request.body, "UpdateFunctionRequest")?;
        let body = read_body(&mut node)?;
        node.finish()?;
        let row = self.update_definition(Kind::Function, name, if_match(request)?, missing, |transaction, _| {
            check_function("UpdateFunction", transaction, &body)?;
            Ok(&body)
        })?;
        let document = self.summary(&row, &body, Stage::Development)?;
        let mut response = tagged(xml(StatusCode::OK, document), &row.etag);
        // The service model misspells the header of this one operation, and SDKs read it so.
        response.set_header("ettag", &row.etag);
        Ok(response)
    }

    pub(super) fn publish_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "PublishFunction", &self.function_arn(name))?;
        let if_match = if_match(request)?;
        let now = self.clock.now();
        let row = self.store.write::<_, AwsError>(|transaction| {
            let row = DefinitionRow::find(transaction, Kind::Function, name)?.ok_or_else(|| missing(name))?;
            check_version(if_match, &row.etag)?;
            let known = DefinitionRow::find(transaction, Kind::LiveFunction, name)?;
            let created_at = known.map_or(now, |known| known.created_at);
            let live = DefinitionRow { created_at, modified_at: now, ..row };
            live.put(transaction, Kind::LiveFunction)?;
            Ok(live)
        })?;
        self.deploy()?;
        Ok(xml(StatusCode::OK, self.summary(&row, &row.read()?, Stage::Live)?))
    }

    pub(super) fn get_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "GetFunction", &self.function_arn(name))?;
        let stage = Stage::parse(request.query_value("Stage").as_deref())?;
        let (row, body) = self.stage_row(name, stage)?;
        Ok(tagged(Response::new(StatusCode::OK, "application/octet-stream", body.code), &row.etag))
    }

    pub(super) fn describe_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "DescribeFunction", &self.function_arn(name))?;
        let stage = Stage::parse(request.query_value("Stage").as_deref())?;
        let (row, body) = self.stage_row(name, stage)?;
        Ok(tagged(xml(StatusCode::OK, self.summary(&row, &body, stage)?), &row.etag))
    }

    pub(super) fn list_functions(&self, request: &Request) -> Result<Response, AwsError> {
        authorize(request, "ListFunctions", "*")?;
        let stages = match request.query_value("Stage") {
            None => vec![Stage::Development, Stage::Live],
            Some(text) => vec![Stage::parse(Some(&text))?],
        };
        let mut rows = Vec::new();
        for stage in stages {
            for row in self.list_definitions(stage.kind())? {
                let (body, status) = (row.read::<FunctionBody>()?, self.status(&row)?);
                rows.push((format!("{}/{}", row.id, stage.as_str()), row, body, stage, status));
            }
        }
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        let page = Page::new(request, rows, |(marker, ..)| marker)?;
        let document = Writer::document("FunctionList", |writer| {
            page.write(writer, "FunctionSummary", |writer, (_, row, body, stage, status)| {
                self.write_summary(writer, row, body, *stage, status);
            });
        });
        Ok(xml(StatusCode::OK, document))
    }

    pub(super) fn delete_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "DeleteFunction", &self.function_arn(name))?;
        let arn = self.function_arn(name);
        self.delete_definition(Kind::Function, name, if_match(request)?, missing, |transaction, _| {
            let user = used_by(transaction, |config| {
                config.behaviors().any(|behavior| {
                    behavior.function_associations.iter().any(|association| association.function_arn == arn)
                })
            })?;
            if let Some(distribution) = user {
                return Err(conflict("FunctionInUse", format!("The distribution {distribution} uses the function.")));
            }
            Ok(DefinitionRow::delete(transaction, Kind::LiveFunction, name)?)
        })?;
        Ok(deleted())
    }

    pub(super) fn test_function(&self, request: &Request, name: &str) -> Result<Response, AwsError> {
        authorize(request, "TestFunction", &self.function_arn(name))?;
        let if_match = if_match(request)?;
        let mut node = Node::parse("TestFunction", &request.body, "TestFunctionRequest")?;
        let stage = Stage::parse(node.text("Stage")?.as_deref())?;
        let event = node.blob("EventObject")?.ok_or_else(|| invalid_argument("EventObject is required"))?;
        node.finish()?;
        if event.len() > TEST_EVENT_BYTES_MAX {
            return Err(invalid_argument("EventObject is longer than 40 KB"));
        }
        let event: serde_json::Value =
            serde_json::from_slice(&event).map_err(|_| invalid_argument("EventObject is not JSON"))?;
        let (row, body) = self.stage_row(name, stage)?;
        if if_match != row.etag {
            return Err(AwsError::bad_request(
                "InvalidIfMatchVersion",
                "The If-Match version is missing or not valid for the resource.",
            ));
        }
        let stores = self.store.read::<_, AwsError>(|connection| Ok(definitions(connection)?.stores))?;
        let function = Function::new(&row.id, &row.etag, body.code.clone(), &body.key_value_stores, &stores);
        let tested = try_function(&function, &event);
        let status = self.status(&row)?;
        let document = Writer::document("TestResult", |writer| {
            writer.element("FunctionSummary", |writer| self.write_summary(writer, &row, &body, stage, status));
            writer.text("ComputeUtilization", tested.utilization);
            writer.plain_texts("FunctionExecutionLogs", "member", &tested.logs);
            let (output, error) = match &tested.output {
                Ok(output) => (output.as_str(), String::new()),
                Err(error) => ("", error.to_string()),
            };
            writer.text("FunctionErrorMessage", error);
            writer.text("FunctionOutput", output);
        });
        Ok(xml(StatusCode::OK, document))
    }
}
