//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(finish_upload::Context::load, finish_upload::respond).await
}
