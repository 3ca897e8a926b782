//! The function's environment, read once at cold start.

/// A variable that the template should have set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is not set; the template gives it to the function")]
pub struct MissingVariable {
    name: &'static str,
}

/// The variable's value.
///
/// # Errors
/// When it is missing or empty.
pub fn required(name: &'static str) -> Result<String, MissingVariable> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(MissingVariable { name })
}
