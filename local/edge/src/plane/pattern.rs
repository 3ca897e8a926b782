//! Path patterns of behaviours and invalidations: `*` stands for any characters, `?` for exactly one.
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern>.

/// A pattern. A leading slash makes no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Box<[u8]>);

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let text = if text.starts_with(['/', '*']) { text.to_owned() } else { format!("/{text}") };
        Self(text.into_bytes().into())
    }

    /// A pattern in which nothing is added: of whole URLs.
    pub(crate) fn exact(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    /// Whether the whole path matches. Takes at most length of pattern times length of path steps.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let (pattern, path) = (&self.0, path.as_bytes());
        let (mut at, mut here) = (0, 0);
        // Where to go on when what follows the last `*` does not fit: the star takes one byte more.
        let mut retry: Option<(usize, usize)> = None;
        while here < path.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    retry = Some((at + 1, here));
                    at += 1;
                }
                Some(&byte) if byte == b'?' || byte == path[here] => {
                    at += 1;
                    here += 1;
                }
                _ => match &mut retry {
                    Some((after_star, taken)) => {
                        *taken += 1;
                        (at, here) = (*after_star, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, path: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} on {path}");
    }

    #[test]
    fn patterns_match_whole_paths() {
        check("/v/*", "/v/origin/out/v1/index.m3u8", true);
        check("v/*", "/v/x", true);
        check("/v/*", "/v", false);
        check("/v/*", "/vv/x", false);
        check("*.jpg", "/a/b.jpg", true);
        check("*.jpg", "/a/b.jpeg", false);
        check("/a?c", "/abc", true);
        check("/a?c", "/ac", false);
        check("*", "/", true);
        check("/*a*b", "/xxaxxbxxab", true);
        check("/*a*b", "/xxaxxbxx", false);
        check("/Case", "/case", false);
    }

    proptest! {
        #[test]
        fn a_star_matches_whatever_stands_there(head in "[a-z/?]{0,8}", middle in "[ -~]{0,20}", tail in "[a-z/]{0,8}") {
            let pattern = Pattern::new(&format!("/{head}*{tail}"));
            let path = format!("/{head}{middle}{tail}");
            prop_assert!(pattern.matches(&path));
        }
    }
}
