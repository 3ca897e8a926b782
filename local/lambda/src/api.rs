//! Lambda's API.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use vodline_core::{AwsError, Protocol, Request, Response, Service};

use crate::{
    events::MAX_EVENT_BYTES,
    invoke::Call,
    logs::log_group,
    pool::Function,
    runtime_api::MAX_PAYLOAD_BYTES,
    service::{Core, Lambda},
    spec::FunctionSpec,
};

/// The paths of the operations the home serves begin with this version.
const VERSION: &str = "2015-03-31";

/// The most functions of one answer. Source: <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>.
const MAX_FUNCTIONS: usize = 50;

/// An operation, as far as the path tells.
#[derive(Debug, PartialEq, Eq)]
enum Operation {
    Invoke(String),
    GetFunction(String),
    GetFunctionConfiguration(String),
    ListFunctions,
    /// One of Lambda's that the home does not serve.
    Other(&'static str),
}

/// Takes a request apart; the path is still percent-encoded.
fn route(method: &Method, path: &str) -> Operation {
    let decode = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", [VERSION, "functions", name, "invocations"]) => Operation::Invoke((*name).into()),
        ("GET", [VERSION, "functions"]) => Operation::ListFunctions,
        ("GET", [VERSION, "functions", name]) => Operation::GetFunction((*name).into()),
        ("GET", [VERSION, "functions", name, "configuration"]) => Operation::GetFunctionConfiguration((*name).into()),
        ("POST", [VERSION, "functions"]) => Operation::Other("CreateFunction"),
        ("DELETE", [VERSION, "functions", _]) => Operation::Other("DeleteFunction"),
        ("PUT", [VERSION, "functions", _, "code"]) => Operation::Other("UpdateFunctionCode"),
        ("PUT", [VERSION, "functions", _, "configuration"]) => Operation::Other("UpdateFunctionConfiguration"),
        ("POST", [VERSION, "functions", _, "versions"]) => Operation::Other("PublishVersion"),
        ("GET", [VERSION, "functions", _, "versions"]) => Operation::Other("ListVersionsByFunction"),
        (_, [VERSION, "functions", _, "aliases", ..]) => Operation::Other("the alias operations"),
        (_, [VERSION, "functions", _, "policy", ..]) => Operation::Other("the policy operations"),
        (_, [VERSION, "event-source-mappings", ..]) => Operation::Other("the event source mapping operations"),
        (_, [_, "functions", _, "response-streaming-invocations"]) => Operation::Other("InvokeWithResponseStream"),
        (_, [_, "functions", _, "invoke-async"]) => Operation::Other("InvokeAsync"),
        (_, [_, "functions", _, "concurrency"]) => Operation::Other("the concurrency operations"),
        (_, [_, "functions", _, "event-invoke-config", ..]) => {
            Operation::Other("the event invoke configuration operations")
        }
        (_, [_, "functions", _, "url", ..]) => Operation::Other("the function URL operations"),
        (_, [_, "layers", ..]) => Operation::Other("the layer operations"),
        (_, [_, "tags", ..]) => Operation::Other("the tag operations"),
        (_, [_, "account-settings"]) => Operation::Other("GetAccountSettings"),
        _ => Operation::Other("this operation"),
    }
}

#[async_trait]
impl Service for Lambda {
    fn protocol(&self) -> Protocol {
        Protocol::RestJson
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let core = &self.core;
        match route(&request.method, &request.path) {
            Operation::Invoke(name) => invoke(core, &request, &name).await,
            Operation::GetFunction(name) => {
                let function = permitted(core, &request, &name, "lambda:GetFunction")?;
                let configuration = configuration(core, &function).await?;
                let code =
                    Code { repository_type: "S3", location: core.binary(&function.spec()).display().to_string() };
                answer(&GetFunctionAnswer { configuration, code })
            }
            Operation::GetFunctionConfiguration(name) => {
                let function = permitted(core, &request, &name, "lambda:GetFunctionConfiguration")?;
                answer(&configuration(core, &function).await?)
            }
            Operation::ListFunctions => list(core, &request).await,
            Operation::Other(name) => Err(AwsError::unsupported_operation("lambda", name)),
        }
    }
}

fn answer(value: &impl Serialize) -> Result<Response, AwsError> {
    let mut response = Response::json(value)?;
    response.set_header("content-type", "application/json");
    Ok(response)
}

/// The function a request addresses, if its caller may do this to it.
fn permitted(core: &Core, request: &Request, name: &str, action: &str) -> Result<Arc<Function>, AwsError> {
    let qualifier = request.query_value("Qualifier");
    let found = core.find(name, qualifier.as_deref());
    // The policy is asked first, as on AWS: who may not look is not told what there is.
    let resource = match &found {
        Ok((function, qualifier)) => core.arn(&function.spec().name, qualifier.as_deref()),
        Err(_) if name.starts_with("arn:") => name.to_owned(),
        Err(_) => core.arn(name, qualifier.as_deref()),
    };
    request.authorize(action, &resource)?;
    Ok(found?.0)
}

async fn invoke(core: &Arc<Core>, request: &Request, name: &str) -> Result<Response, AwsError> {
    let function = permitted(core, request, name, "lambda:InvokeFunction")?;
    let (_, qualifier) = core.find(name, request.query_value("Qualifier").as_deref())?;
    let payload = request.body.clone();
    if !payload.is_empty() {
        serde_json::from_slice::<IgnoredAny>(&payload).map_err(|error| {
            AwsError::bad_request(
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {error}"),
            )
            .member("Type", "User")
        })?;
    }
    for header in ["x-amz-durable-execution-name", "x-amz-tenant-id"] {
        if request.header(header).is_some() {
            return Err(AwsError::unsupported_field("lambda", "Invoke", header));
        }
    }
    match request.header("x-amz-invocation-type").unwrap_or("RequestResponse") {
        "RequestResponse" => {
            check_size(payload.len(), MAX_PAYLOAD_BYTES)?;
            let call = Call {
                client_context: request.header("x-amz-client-context").map(str::to_owned),
                ..core.call(&function, qualifier.as_deref(), payload)
            };
            let tail = match request.header("x-amz-log-type") {
                None | Some("None") => false,
                Some("Tail") => true,
                Some(other) => return Err(invalid(format!("{other} is no log type"))),
            };
            let outcome = core.invoke(function, call).await?;
            let mut response = Response::new(StatusCode::OK, "application/json", outcome.invocation.payload);
            response.set_header("x-amz-executed-version", "$LATEST");
            if let Some(error) = &outcome.invocation.function_error {
                response.set_header("x-amz-function-error", error);
            }
            if tail {
                response.set_header("x-amz-log-result", &BASE64_STANDARD.encode(outcome.log_tail));
            }
            Ok(response)
        }
        "Event" => {
            check_size(payload.len(), MAX_EVENT_BYTES)?;
            let call = core.call(&function, qualifier.as_deref(), payload);
            core.accept(call.function_arn, call.payload).await?;
            Ok(Response::new(StatusCode::ACCEPTED, "application/json", ""))
        }
        "DryRun" => Ok(Response::new(StatusCode::NO_CONTENT, "application/json", "")),
        other => Err(invalid(format!("{other} is no invocation type"))),
    }
}

fn invalid(message: String) -> AwsError {
    AwsError::bad_request("InvalidParameterValueException", message).member("Type", "User")
}

fn check_size(size: usize, limit: usize) -> Result<(), AwsError> {
    if size <= limit {
        return Ok(());
    }
    let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
    Err(AwsError::with_status(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
        .member("Type", "User"))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetFunctionAnswer {
    configuration: Configuration,
    code: Code,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    repository_type: &'static str,
    /// On AWS a URL of the package; here the file that is run.
    location: String,
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    function_name: String,
    function_arn: String,
    runtime: &'static str,
    role: String,
    handler: String,
    code_size: u64,
    description: String,
    timeout: u64,
    memory_size: u32,
    last_modified: String,
    code_sha256: String,
    version: &'static str,
    environment: Environment,
    tracing_config: Mode,
    revision_id: String,
    state: &'static str,
    last_update_status: &'static str,
    package_type: &'static str,
    architectures: [&'static str; 1],
    ephemeral_storage: EphemeralStorage,
    logging_config: LoggingConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mode {
    mode: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorage {
    size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    log_format: &'static str,
    log_group: String,
}

async fn configuration(core: &Arc<Core>, function: &Arc<Function>) -> Result<Configuration, AwsError> {
    let spec = function.spec();
    let (defined, revision_id) = function.revision();
    let (code_size, code_sha256) = code(core.binary(&spec)).await?;
    let FunctionSpec { name, handler, description, timeout, memory_mb, environment, role_arn, .. } = (*spec).clone();
    Ok(Configuration {
        function_arn: core.arn(&name, None),
        runtime: "provided.al2023",
        role: role_arn,
        handler,
        code_size,
        description,
        timeout: timeout.as_secs(),
        memory_size: memory_mb,
        last_modified: defined.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
        code_sha256,
        version: "$LATEST",
        environment: Environment { variables: environment },
        tracing_config: Mode { mode: "PassThrough" },
        revision_id,
        state: "Active",
        last_update_status: "Successful",
        package_type: "Zip",
        architectures: [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        ephemeral_storage: EphemeralStorage { size: 512 },
        logging_config: LoggingConfig { log_format: "Text", log_group: log_group(&name) },
        function_name: name,
    })
}

/// The size and the SHA-256 of a binary; of nothing while there is none.
async fn code(binary: PathBuf) -> Result<(u64, String), AwsError> {
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hasher = HashWriter { hasher: Sha256::new() };
        let size = std::fs::File::open(binary).and_then(|mut file| std::io::copy(&mut file, &mut hasher)).unwrap_or(0);
        (size, BASE64_STANDARD.encode(hasher.hasher.finalize()))
    });
    hashed.await.map_err(|error| AwsError::internal(error.to_string()))
}

struct HashWriter {
    hasher: Sha256,
}

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListFunctionsAnswer {
    functions: Vec<Configuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

async fn list(core: &Arc<Core>, request: &Request) -> Result<Response, AwsError> {
    request.authorize("lambda:ListFunctions", "*")?;
    for parameter in ["FunctionVersion", "MasterRegion"] {
        if request.query_value(parameter).is_some() {
            return Err(AwsError::unsupported_field("lambda", "ListFunctions", parameter));
        }
    }
    let limit = match request.query_value("MaxItems").map(|text| text.parse::<usize>()) {
        None => MAX_FUNCTIONS,
        Some(Ok(limit @ 1..=10_000)) => limit.min(MAX_FUNCTIONS),
        Some(_) => return Err(invalid("MaxItems must be between 1 and 10000".into())),
    };
    // The marker is the name of the last function told.
    let after = request.query_value("Marker").unwrap_or_default();
    let mut rest = core.all().into_iter().filter(|function| function.spec().name > after).peekable();
    let mut functions = Vec::new();
    while functions.len() < limit
        && let Some(function) = rest.next()
    {
        functions.push(configuration(core, &function).await?);
    }
    let next_marker = functions.last().filter(|_| rest.peek().is_some()).map(|last| last.function_name.clone());
    answer(&ListFunctionsAnswer { functions, next_marker })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        for (method, path, expected) in [
            (Method::POST, "/2015-03-31/functions/probe/invocations", Operation::Invoke("probe".into())),
            (
                Method::POST,
                "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aprobe/invocations",
                Operation::Invoke("arn:aws:lambda:us-east-1:000000000000:function:probe".into()),
            ),
            (Method::GET, "/2015-03-31/functions/", Operation::ListFunctions),
            (Method::GET, "/2015-03-31/functions/probe", Operation::GetFunction("probe".into())),
            (
                Method::GET,
                "/2015-03-31/functions/probe/configuration",
                Operation::GetFunctionConfiguration("probe".into()),
            ),
            (Method::POST, "/2015-03-31/functions", Operation::Other("CreateFunction")),
            (
                Method::POST,
                "/2021-11-15/functions/probe/response-streaming-invocations",
                Operation::Other("InvokeWithResponseStream"),
            ),
        ] {
            assert_eq!(route(&method, path), expected, "{path}");
        }
    }
}
