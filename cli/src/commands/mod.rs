//! One module a command.

pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod limit_child;
pub(crate) mod logs;
pub(crate) mod redrive;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod upload;
pub(crate) mod videos;
