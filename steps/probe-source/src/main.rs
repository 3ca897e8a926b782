//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(probe_source::Context::load, probe_source::handle).await
}
