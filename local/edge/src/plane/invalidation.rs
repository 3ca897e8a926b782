//! Paths to be forgotten.
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html>.

/// A path of an invalidation: exact, or with a `*` at its end everything that begins so. Case counts.
///
/// A query string is left out of the comparison, so that naming one takes all answers to that path: more than CloudFront forgets,
/// never less.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forgotten {
    path: String,
    is_prefix: bool,
}

impl Forgotten {
    /// A leading slash makes no difference.
    pub(super) fn new(text: &str) -> Self {
        let text = text.split_once('?').map_or(text, |(path, _)| path);
        let (text, is_prefix) = text.strip_suffix('*').map_or((text, false), |prefix| (prefix, true));
        let path = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
        Self { path, is_prefix }
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        if self.is_prefix { path.starts_with(&self.path) } else { path == self.path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(invalidated: &str, path: &str, expected: bool) {
        assert_eq!(Forgotten::new(invalidated).matches(path), expected, "{invalidated} on {path}");
    }

    #[test]
    fn paths_are_exact_unless_they_end_in_a_star() {
        check("/*", "/anything/at/all", true);
        check("*", "/", true);
        check("/a/*", "/a/b", true);
        check("/a/*", "/a", false);
        check("/a*", "/abc", true);
        check("a/b.m3u8", "/a/b.m3u8", true);
        check("/a/b", "/a/bc", false);
        check("/a/b?x=1", "/a/b", true);
        check("/a?c", "/abc", false);
        check("/A", "/a", false);
    }
}
