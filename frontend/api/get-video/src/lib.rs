//! `GET /api/videos/{videoId}`: a video, and while it is not READY its run, state by state.

mod context;
mod handler;
pub mod progress;

pub use context::Context;
pub use handler::{Ports, Run, handle};

use vodline_api_kit::{Request, Response, answer};
use vodline_step::StepError;

/// Answers a request of API Gateway.
///
/// # Errors
/// Never: what goes wrong is an answer too.
pub async fn respond(request: Request, ports: &impl Ports) -> Result<Response, StepError> {
    answer(handle(&request, ports).await)
}
