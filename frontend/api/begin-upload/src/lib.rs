//! `POST /api/uploads`: begins a multipart upload, which the browser sends straight to S3.

mod context;
mod handler;

pub use context::Context;
pub use handler::{NewUpload, Ports, handle};

use vodline_api_kit::{Request, Response, answer};
use vodline_step::StepError;

/// Answers a request of API Gateway.
///
/// # Errors
/// Never: what goes wrong is an answer too.
pub async fn respond(request: Request, ports: &impl Ports) -> Result<Response, StepError> {
    answer(handle(&request, ports).await)
}
