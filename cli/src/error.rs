//! What can go wrong, in words that say what to do.

use std::error::Error;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The home did not answer or refused.
    #[error("cannot {doing}")]
    Aws {
        /// What was tried, as in "list the runs".
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file or a pipe failed.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The home could not start.
    #[error("the home cannot start")]
    Home(#[source] Box<dyn Error + Send + Sync>),
    /// Anything a person can put right from the text alone.
    #[error("{0}")]
    Plain(String),
}

/// Turns an SDK call's error into one that says what was tried.
pub(crate) fn doing<E: Error + Send + Sync + 'static>(what: impl Into<String>) -> impl FnOnce(E) -> CliError {
    let doing = what.into();
    move |source| CliError::Aws { doing, source: Box::new(source) }
}
