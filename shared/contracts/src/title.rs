//! What a video is called.

/// A title's length at most, in characters.
pub const CHARACTERS_MAX: usize = 200;

/// The title of a video that has neither a title nor a file name.
const UNTITLED: &str = "Untitled";

/// A video's title: what the uploader called it, or its file name without suffix; cleaned and bounded, never empty.
#[must_use]
pub fn of(given: Option<&str>, filename: &str) -> String {
    let stem = match filename.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => filename,
    };
    [given.unwrap_or_default(), stem, UNTITLED]
        .into_iter()
        .map(clean)
        .find(|title| !title.is_empty())
        .unwrap_or_default()
}

/// One line of printable text: what cannot be seen, or turns the text around it, becomes a space, and spaces never come in
/// rows.
#[must_use]
pub fn clean(text: &str) -> String {
    let visible: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
    let mut line = String::new();
    for word in visible.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let bounded: String = line.chars().take(CHARACTERS_MAX).collect();
    bounded.trim_end().to_owned()
}

/// Control characters, and the marks that change the direction of text.
/// Source: <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_visible_line() {
        let check = |given: Option<&str>, filename: &str, expected: &str| {
            assert_eq!(of(given, filename), expected, "{given:?}, {filename:?}");
        };
        check(Some("Holiday"), "a.mp4", "Holiday");
        check(Some(" two\n\tlines\u{0} "), "a.mp4", "two lines");
        check(Some("\u{202e}gpj.exe"), "a.mp4", "gpj.exe");
        check(Some("  "), "a.mp4", "a");
        check(None, "my.home.video.mp4", "my.home.video");
        check(None, ".mp4", ".mp4");
        check(None, "a b+c%20'\"😀.mov", "a b+c%20'\"😀");
        check(None, "", "Untitled");
        let long = "é".repeat(CHARACTERS_MAX + 1);
        assert_eq!(of(Some(&long), "a").chars().count(), CHARACTERS_MAX);
    }
}
