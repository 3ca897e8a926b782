//! What the local ffmpeg was built with.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use super::Tools;

/// Encoders and filters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// `None` when ffmpeg could not be asked; then everything is assumed, and a job tells of what is missing.
    encoders: Option<BTreeSet<String>>,
    filters: Option<BTreeSet<String>>,
}

impl Capabilities {
    pub(crate) fn has_encoder(&self, name: &str) -> bool {
        self.encoders.as_ref().is_none_or(|encoders| encoders.contains(name))
    }

    pub(crate) fn has_filter(&self, name: &str) -> bool {
        self.filters.as_ref().is_none_or(|filters| filters.contains(name))
    }
}

/// Every program is asked once.
static ASKED: Mutex<BTreeMap<PathBuf, Arc<Capabilities>>> = Mutex::new(BTreeMap::new());

impl Tools {
    /// What ffmpeg can do. Takes some milliseconds for the first time.
    pub(crate) fn capabilities(&self) -> Arc<Capabilities> {
        let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = || {
            let list = |option| names(&self.ffmpeg, option);
            Arc::new(Capabilities { encoders: list("-encoders"), filters: list("-filters") })
        };
        asked.entry(self.ffmpeg.clone()).or_insert_with(ask).clone()
    }
}

fn names(ffmpeg: &Path, option: &str) -> Option<BTreeSet<String>> {
    let output = std::process::Command::new(ffmpeg)
        .args(["-hide_banner", option])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Lines are ` V....D libx264   words`; the legend above them has `=` in the second place.
fn parse(text: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        let (_flags, name) = (words.next()?, words.next()?);
        (name != "=").then(|| name.to_owned())
    };
    text.lines().filter(|line| line.starts_with(' ')).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let text =
            "Encoders:\n V..... = Video\n ------\n V....D libx264              libx264 H.264\n A..... aac   AAC\n";
        assert_eq!(parse(text), BTreeSet::from(["aac".to_owned(), "libx264".to_owned()]));
        let known = Capabilities { encoders: Some(parse(text)), filters: None };
        assert!(known.has_encoder("aac") && !known.has_encoder("libfdk_aac") && known.has_filter("zscale"));
    }
}
