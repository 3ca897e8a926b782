//! The Lambda of this crate.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), vodline_step::StartError> {
    vodline_step::start(ensure_packaging_group::Context::load, ensure_packaging_group::handle).await
}
