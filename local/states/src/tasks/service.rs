//! Tasks of services that the home serves elsewhere: `dynamodb`, `sqs`, and everything under `aws-sdk`.

use serde_json::Value;
use vodline_asl::ServiceResource;
use vodline_core::{AwsError, Principal};

use super::{
    Answer, NO_REQUEST_ID, SERVICE_CALL_TIMEOUT, TaskError, exception_name, is_unmodelled, optimised_error,
    with_sdk_metadata,
};
use crate::States;

impl States {
    /// Calls a service and gives its answer the form of the integration.
    pub(super) async fn call_service(
        &self,
        principal: &Principal,
        resource: &ServiceResource,
        arguments: &Value,
    ) -> Result<Answer, TaskError> {
        let sdk = resource.service.strip_prefix("aws-sdk:");
        let service = sdk.unwrap_or(&resource.service);
        let call = self.config.services.call(principal, service, &resource.action, arguments_of(resource, arguments));
        let answer = tokio::time::timeout(SERVICE_CALL_TIMEOUT, call).await.map_err(|_| {
            TaskError::new(
                format!("{}.SdkClientException", sdk_name(service)),
                format!("Unable to execute HTTP request: no answer in {} seconds", SERVICE_CALL_TIMEOUT.as_secs()),
            )
        })?;
        match answer {
            Ok(output) if sdk.is_some() => Ok(Answer::from(output)),
            Ok(output) => {
                let body_bytes = output.to_string().len();
                Ok(Answer::from(with_sdk_metadata(output, "application/x-amz-json-1.0", body_bytes)))
            }
            Err(error) if sdk.is_some() => Err(sdk_error(service, &error)),
            Err(error) => {
                let (name, client) = match service {
                    "dynamodb" => ("DynamoDB", "AmazonDynamoDBv2"),
                    "sqs" => ("SQS", "AmazonSQS"),
                    other => (other, other),
                };
                let mut failed = optimised_error(name, client, &error);
                if service == "dynamodb" && is_unmodelled(&error.code) {
                    "DynamoDB.AmazonDynamoDBException".clone_into(&mut failed.error);
                }
                Err(failed)
            }
        }
    }
}

/// The message of `sqs:sendMessage` may be any JSON; the API wants a string.
fn arguments_of(resource: &ServiceResource, arguments: &Value) -> Value {
    let mut arguments = arguments.clone();
    if resource.service == "sqs"
        && let Some(body) = arguments.get_mut("MessageBody")
        && !body.is_string()
    {
        *body = Value::String(body.to_string());
    }
    arguments
}

/// How an SDK integration words an error.
fn sdk_error(service: &str, error: &AwsError) -> TaskError {
    let name = sdk_name(service);
    let exception = if is_unmodelled(&error.code) { format!("{name}Exception") } else { exception_name(&error.code) };
    TaskError::new(
        format!("{name}.{exception}"),
        format!(
            "{} (Service: {name}, Status Code: {}, Request ID: {NO_REQUEST_ID}) (SDK Attempt Count: 1)",
            error.message,
            error.status.as_u16()
        ),
    )
}

/// A service's name in the Java SDK, as error names have it.
fn sdk_name(service: &str) -> String {
    match service {
        "apigateway" => "ApiGateway".to_owned(),
        "cloudfront" => "CloudFront".to_owned(),
        "cloudwatchlogs" => "CloudWatchLogs".to_owned(),
        "dynamodb" => "DynamoDb".to_owned(),
        "eventbridge" => "EventBridge".to_owned(),
        "mediaconvert" => "MediaConvert".to_owned(),
        "mediapackagevod" => "MediaPackageVod".to_owned(),
        "secretsmanager" => "SecretsManager".to_owned(),
        other => {
            let mut letters = other.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdk_errors_read_as_recorded() {
        let error = AwsError::bad_request("InvalidToken", "Invalid Token: 'Invalid token'");
        let failed = sdk_error("sfn", &error);
        assert_eq!(failed.error, "Sfn.InvalidTokenException");
        assert_eq!(
            failed.cause,
            "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, \
             Request ID: 00000000-0000-0000-0000-000000000000) (SDK Attempt Count: 1)"
        );
        let error = AwsError::not_found("NoSuchBucket", "The specified bucket does not exist");
        assert_eq!(sdk_error("s3", &error).error, "S3.NoSuchBucketException");
        let error = AwsError::bad_request("ResourceNotFoundException", "no");
        assert_eq!(sdk_error("secretsmanager", &error).error, "SecretsManager.ResourceNotFoundException");
    }
}
