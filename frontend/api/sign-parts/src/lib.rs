//! `POST /api/uploads/parts`: signs parts just before the browser sends them, and tells which are there already.

mod context;
mod handler;

pub use context::Context;
pub use handler::{Ports, handle};

use vodline_api_kit::{Request, Response, answer};
use vodline_step::StepError;

/// Answers a request of API Gateway.
///
/// # Errors
/// Never: what goes wrong is an answer too.
pub async fn respond(request: Request, ports: &impl Ports) -> Result<Response, StepError> {
    answer(handle(&request, ports).await)
}
