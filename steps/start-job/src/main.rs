//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(start_job::Context::load, start_job::handle).await
}
