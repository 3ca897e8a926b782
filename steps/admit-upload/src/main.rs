//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(admit_upload::Context::load, admit_upload::handle).await
}
