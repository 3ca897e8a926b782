//! Items of a Distributed Map from a CSV file.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>; the treatment of rows
//! that are too long, too short or empty is as recorded on AWS.

use serde_json::{Map, Value};
use vodline_asl::map_run::ItemReader;

/// The items: one object of strings a row, under the headers. A row's surplus fields are dropped, its missing ones empty.
pub(crate) fn items(text: &str, reader: &ItemReader, max: usize) -> Result<Vec<Value>, String> {
    let delimiter = match reader.csv_delimiter.as_deref() {
        None | Some("COMMA") => ',',
        Some("PIPE") => '|',
        Some("SEMICOLON") => ';',
        Some("SPACE") => ' ',
        Some("TAB") => '\t',
        Some(other) => return Err(format!("the local home does not support CSVDelimiter {other}")),
    };
    let mut rows = rows(text.strip_prefix('\u{feff}').unwrap_or(text), delimiter);
    let headers = match reader.csv_header_location.as_deref() {
        Some("GIVEN") => reader.csv_headers.clone(),
        _ => rows.next().ok_or_else(|| "the CSV file has no header row".to_owned())?,
    };
    Ok(rows
        .take(max)
        .map(|row| {
            let mut fields = row.into_iter();
            let members: Map<String, Value> = headers
                .iter()
                .map(|header| (header.clone(), Value::String(fields.next().unwrap_or_default())))
                .collect();
            Value::Object(members)
        })
        .collect())
}

/// The rows of a file by RFC 4180: fields may be quoted, a quote in a quoted field is doubled.
fn rows(text: &str, delimiter: char) -> impl Iterator<Item = Vec<String>> {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        chars.peek()?;
        let mut row = Vec::new();
        let mut field = String::new();
        let mut quoted = false;
        loop {
            match chars.next() {
                Some('"') if quoted => {
                    if chars.next_if_eq(&'"').is_some() {
                        field.push('"');
                    } else {
                        quoted = false;
                    }
                }
                Some('"') if field.is_empty() => quoted = true,
                Some(c) if quoted => field.push(c),
                Some(c) if c == delimiter => row.push(std::mem::take(&mut field)),
                Some('\r') if chars.peek() == Some(&'\n') => {}
                Some('\n') | None => {
                    row.push(field);
                    return Some(row);
                }
                Some(c) => field.push(c),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn check(text: &str, delimiter: char, expected: &[&[&str]]) {
        let found: Vec<Vec<String>> = rows(text, delimiter).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn rows_are_read_by_the_standard() {
        check("a,b\n1,2\n", ',', &[&["a", "b"], &["1", "2"]]);
        check("a,b\r\n1,2", ',', &[&["a", "b"], &["1", "2"]]);
        check("\"a,\"\"b\"\"\",c\n", ',', &[&["a,\"b\"", "c"]]);
        check("\"two\nlines\"|x", '|', &[&["two\nlines", "x"]]);
        check(",\n\nx", ',', &[&["", ""], &[""], &["x"]]);
        check("", ',', &[]);
    }

    #[test]
    fn long_and_short_rows_fit_the_headers() {
        let reader: ItemReader = serde_json::from_value(serde_json::json!({
            "resource": {"Service": {"partition": "aws", "service": "s3", "action": "getObject",
                "pattern": "RequestResponse"}},
            "arguments": "{}", "input_type": "CSV", "csv_header_location": "FIRST_ROW", "csv_headers": [],
            "csv_delimiter": null, "manifest_type": null, "items_pointer": null, "transformation": null,
            "max_items": null,
        }))
        .unwrap();
        let found = items("A,B\n1,2,3\n4\n", &reader, 10).unwrap();
        assert_eq!(found, [serde_json::json!({"A": "1", "B": "2"}), serde_json::json!({"A": "4", "B": ""})]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_rows(text in ".*") {
            let _ = rows(&text, ',').count();
        }
    }
}
