//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(vodline_catalog::waiting::TableAndCallback::load, on_job_complete::handle).await
}
