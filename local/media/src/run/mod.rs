//! Running ffmpeg: as a child process that is watched, bounded and stopped.

mod child;
mod limits;
mod progress;

pub(crate) use child::{ChildError, Watch, run};
pub(crate) use limits::Guard;
pub use limits::Limits;
pub(crate) use progress::Progress;
