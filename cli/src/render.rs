//! What people see: tables, times, errors. The one place that prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is this module's purpose")]

use std::{error::Error, io::IsTerminal};

use jiff::{SignedDuration, Timestamp};

/// A line on standard output.
pub(crate) fn line(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// A line for people while a command works; standard error, so that output can be piped.
pub(crate) fn note(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// An error with everything that led to it.
pub(crate) fn error(error: &dyn Error) {
    eprintln!("error: {}", printable(&error.to_string()));
    let mut seen = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // The SDK wraps errors in words that repeat each other.
        if !seen.contains(&text) {
            eprintln!("  because: {}", printable(&text));
        }
        seen = text;
        source = cause.source();
    }
}

/// Text from elsewhere, harmless on a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

/// Rows in columns; the widths fit the contents.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let print = |cells: &[String]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    print(&head.iter().map(ToString::to_string).collect::<Vec<_>>());
    for row in rows {
        print(&row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
}

/// Whether standard error is a terminal, where a moving progress bar makes sense.
pub(crate) fn interactive() -> bool {
    std::io::stderr().is_terminal()
}

/// Such as `3:07` or `1:02:09`.
pub(crate) fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Such as `0.42 s`.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> String {
    format!("{:.2} s", SignedDuration::from_nanos(to.duration_since(from).as_nanos() as i64).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_foreign_text() {
        assert_eq!(clock(7_900), "0:07");
        assert_eq!(clock(3_729_000), "1:02:09");
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }
}
