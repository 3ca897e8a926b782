//! JSONPath as the service speaks it: the dialect of Jayway's Java library, with `$$` for the context object and
//! `$name` for variables.
//!
//! Where Jayway and RFC 9535 differ, Jayway decides: a *definite* path (no wildcard, slice, union, filter or descent)
//! gives the one value it names or fails; any other gives an array of what it found, empty when it found nothing.

mod filter;
mod parser;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::limits::NESTING_MAX;
use filter::Filter;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    text: Box<str>,
    root: Root,
    segments: Vec<Segment>,
}

/// What a path starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// `$`
    Input,
    /// `$$`
    Context,
    /// `$name`
    Variable(Box<str>),
}

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Name(Box<str>),
    Names(Vec<Box<str>>),
    Index(i64),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Wildcard,
    /// `..` before another segment.
    Descend(Box<Self>),
    Filter(Box<Filter>),
    /// A function over everything before it; only ever the last segment.
    Function(Function),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Min,
    Max,
    Avg,
    StdDev,
    Sum,
    Length,
    Keys,
    First,
    Last,
    Index(i64),
}

/// The text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidPath(pub(crate) String);

impl Path {
    /// Parses a whole string as one path.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPath> {
        parser::parse(text)
    }

    /// The text it was parsed from.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What it starts from.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Whether it selects its root and nothing below.
    pub(crate) fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether it names one place, so that a value can be put there.
    pub(crate) fn is_reference(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Name(_) | Segment::Index(_)))
    }

    fn is_definite(&self) -> bool {
        self.segments.iter().all(|s| matches!(s, Segment::Name(_) | Segment::Index(_) | Segment::Function(_)))
    }

    /// What the path selects below `root`; `None` when a definite path matches nothing.
    pub(crate) fn select<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        if self.is_definite() {
            return self.select_definite(root);
        }
        let (function, segments) = match self.segments.split_last() {
            Some((Segment::Function(function), rest)) => (Some(*function), rest),
            _ => (None, self.segments.as_slice()),
        };
        let mut found = vec![root];
        for segment in segments {
            let mut next = Vec::new();
            for value in found {
                segment.select(value, root, &mut next, 0);
            }
            found = next;
        }
        let array = Value::Array(found.into_iter().cloned().collect());
        match function {
            Some(function) => function.apply(&array).map(Cow::Owned),
            None => Some(Cow::Owned(array)),
        }
    }

    fn select_definite<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        let mut value = root;
        for segment in &self.segments {
            value = match segment {
                Segment::Name(name) => value.as_object()?.get(&**name)?,
                Segment::Index(index) => {
                    let items = value.as_array()?;
                    items.get(position(*index, items.len())?)?
                }
                Segment::Function(function) => return function.apply(value).map(Cow::Owned),
                _ => return None,
            };
        }
        Some(Cow::Borrowed(value))
    }

    /// The first step of a definite path that matches nothing, in Jayway's bracket notation: `$['a']['b']`.
    pub(crate) fn missing_step(&self, root: &Value) -> String {
        let mut text = String::from("$");
        let mut value = Some(root);
        for segment in &self.segments {
            let next = match segment {
                Segment::Name(name) => {
                    text.push_str(&format!("['{name}']"));
                    value.and_then(|v| v.get(&**name))
                }
                Segment::Index(index) => {
                    text.push_str(&format!("[{index}]"));
                    value.and_then(Value::as_array).and_then(|v| v.get(position(*index, v.len())?))
                }
                _ => None,
            };
            if next.is_none() {
                break;
            }
            value = next;
        }
        text
    }

    /// Puts `new` where the reference path points, making objects on the way; `None` when something on the way is
    /// neither an object nor an existing array item.
    pub(crate) fn assign(&self, mut target: Value, new: Value) -> Option<Value> {
        let mut place = &mut target;
        for segment in &self.segments {
            place = match segment {
                Segment::Name(name) => {
                    if place.is_null() {
                        *place = Value::Object(Map::new());
                    }
                    place.as_object_mut()?.entry(&**name).or_insert(Value::Null)
                }
                Segment::Index(index) => {
                    let items = place.as_array_mut()?;
                    let position = position(*index, items.len())?;
                    items.get_mut(position)?
                }
                _ => return None,
            };
        }
        *place = new;
        Some(target)
    }
}

/// Where an index points in an array of a length; negative counts from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        return usize::try_from(index).ok().filter(|index| *index < length);
    }
    length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
}

/// Where a slice's bound cuts an array of a length.
fn cut(bound: i64, length: usize) -> usize {
    if bound < 0 {
        length.saturating_sub(usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(bound).unwrap_or(usize::MAX).min(length)
    }
}

impl Segment {
    /// Appends to `found` what the segment selects below `value`.
    fn select<'v>(&self, value: &'v Value, root: &'v Value, found: &mut Vec<&'v Value>, depth: usize) {
        match self {
            Self::Name(name) => found.extend(value.as_object().and_then(|map| map.get(&**name))),
            Self::Names(names) => {
                found.extend(names.iter().filter_map(|name| value.as_object().and_then(|map| map.get(&**name))));
            }
            Self::Index(index) => {
                let items = value.as_array();
                found.extend(items.and_then(|items| items.get(position(*index, items.len())?)));
            }
            Self::Indices(indices) => {
                let Some(items) = value.as_array() else { return };
                found.extend(indices.iter().filter_map(|index| items.get(position(*index, items.len())?)));
            }
            Self::Slice(start, end) => {
                let Some(items) = value.as_array() else { return };
                let start = start.map_or(0, |start| cut(start, items.len()));
                let end = end.map_or(items.len(), |end| cut(end, items.len()));
                found.extend(items.get(start..end).unwrap_or_default());
            }
            Self::Wildcard => match value {
                Value::Array(items) => found.extend(items),
                Value::Object(map) => found.extend(map.values()),
                _ => {}
            },
            Self::Descend(segment) => {
                segment.select(value, root, found, depth);
                if depth >= NESTING_MAX {
                    return;
                }
                match value {
                    Value::Array(items) => items.iter().for_each(|v| self.select(v, root, found, depth + 1)),
                    Value::Object(map) => map.values().for_each(|v| self.select(v, root, found, depth + 1)),
                    _ => {}
                }
            }
            Self::Filter(filter) => match value {
                Value::Array(items) => found.extend(items.iter().filter(|item| filter.matches(item, root))),
                Value::Object(_) if filter.matches(value, root) => found.push(value),
                _ => {}
            },
            // The parser lets a function stand last only, where `Path::select` takes it off.
            Self::Function(_) => {}
        }
    }
}

impl Function {
    fn apply(self, value: &Value) -> Option<Value> {
        let items = value.as_array();
        let numbers = || items.map(|items| items.iter().filter_map(Value::as_f64).collect::<Vec<f64>>());
        let number = |n: f64| Some(crate::json::number(n));
        match self {
            Self::Length => match value {
                Value::Array(items) => Some(items.len().into()),
                Value::Object(map) => Some(map.len().into()),
                Value::String(text) => Some(text.chars().count().into()),
                _ => None,
            },
            Self::Keys => Some(value.as_object()?.keys().cloned().collect()),
            Self::First => items?.first().cloned(),
            Self::Last => items?.last().cloned(),
            Self::Index(index) => items.and_then(|items| items.get(position(index, items.len())?)).cloned(),
            Self::Min => number(numbers()?.into_iter().reduce(f64::min)?),
            Self::Max => number(numbers()?.into_iter().reduce(f64::max)?),
            Self::Sum => number(numbers()?.into_iter().sum()),
            Self::Avg => number(mean(&numbers()?)?),
            Self::StdDev => {
                let numbers = numbers()?;
                let mean = mean(&numbers)?;
                let squares: Vec<f64> = numbers.iter().map(|n| (n - mean).powi(2)).collect();
                number(self::mean(&squares)?.sqrt())
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "an array's length fits 53 bits")]
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(path: &str, expected: Option<Value>) {
        let document = json!({
            "store": {"book": [
                {"title": "A", "price": 8.95, "tags": ["x", "y"]},
                {"title": "B", "price": 12.99, "isbn": "1"},
                {"title": "C", "price": 8.99, "isbn": "2"},
                {"title": "D", "price": 22.99},
            ], "bicycle": {"color": "red", "price": 19.95}},
            "odd-name": 1, "a b": 2, "n": null, "limit": 10, "words": ["one", "two"],
        });
        let found = Path::parse(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(found.select(&document).map(Cow::into_owned), expected, "{path}");
    }

    #[test]
    fn definite_paths_name_one_value() {
        check("$.store.bicycle.color", Some(json!("red")));
        check("$['store']['bicycle'][\"color\"]", Some(json!("red")));
        check("$.odd-name", Some(json!(1)));
        check("$['a b']", Some(json!(2)));
        check("$.store.book[0].title", Some(json!("A")));
        check("$.store.book[-1].title", Some(json!("D")));
        check("$.n", Some(json!(null)));
        check("$.none", None);
        check("$.store.book[9]", None);
        check("$.store.book.title", None);
    }

    #[test]
    fn indefinite_paths_give_arrays() {
        check("$.store.book[*].title", Some(json!(["A", "B", "C", "D"])));
        check("$.store.book[0,1].title", Some(json!(["A", "B"])));
        check("$.store.book[:2].title", Some(json!(["A", "B"])));
        check("$.store.book[1:3].title", Some(json!(["B", "C"])));
        check("$.store.book[-2:].title", Some(json!(["C", "D"])));
        check("$.store.bicycle['color','price']", Some(json!(["red", 19.95])));
        check("$..price", Some(json!([8.95, 12.99, 8.99, 22.99, 19.95])));
        check("$..book[0].title", Some(json!(["A"])));
        check(
            "$.store.*",
            Some(json!([json!([
            {"title": "A", "price": 8.95, "tags": ["x", "y"]},
            {"title": "B", "price": 12.99, "isbn": "1"},
            {"title": "C", "price": 8.99, "isbn": "2"},
            {"title": "D", "price": 22.99},
        ]), {"color": "red", "price": 19.95}])),
        );
        check("$.none[*]", Some(json!([])));
        check("$.none.deeper[1:]", Some(json!([])));
    }

    #[test]
    fn filters_select_items() {
        check("$.store.book[?(@.isbn)].title", Some(json!(["B", "C"])));
        check("$.store.book[?(!@.isbn)].title", Some(json!(["A", "D"])));
        check("$.store.book[?(@.price < 10)].title", Some(json!(["A", "C"])));
        check("$.store.book[?(@.price < $.limit)].title", Some(json!(["A", "C"])));
        check("$.store.book[?(@.title == 'B' || @.price > 20)].title", Some(json!(["B", "D"])));
        check("$.store.book[?(@.price < 10 && @.isbn)].title", Some(json!(["C"])));
        check("$.store.book[?(@['title'] =~ /[a-b]/i)].title", Some(json!(["A", "B"])));
        check("$.store.book[?(@.title in ['A', 'D'])].title", Some(json!(["A", "D"])));
        check("$.store.book[?(@.title nin ['A', 'D'])].title", Some(json!(["B", "C"])));
        check("$.store.book[?(@.tags contains 'x')].title", Some(json!(["A"])));
        check("$.store.book[?(@.tags size 2)].title", Some(json!(["A"])));
        check("$.words[?(@ == 'two')]", Some(json!(["two"])));
        check("$.words[?(@=='two')]", Some(json!(["two"])));
        check("$.store.book[?(@.title=='B'||@.price>20)].title", Some(json!(["B", "D"])));
        check("$.store.book[?(@.price<10&&@.isbn)].title", Some(json!(["C"])));
        check("$.store.book[?(@.price>=$.limit)].title", Some(json!(["B", "D"])));
        check("$.store.book[?(@.title=~/[a-b]/i)].title", Some(json!(["A", "B"])));
        check("$.store.book[?(@.title!='A')].title", Some(json!(["B", "C", "D"])));
        check("$.store.book[?(@.tags.length()==2)].title", Some(json!(["A"])));
    }

    #[test]
    fn functions_close_a_path() {
        check("$.store.book.length()", Some(json!(4)));
        check("$.store.book[*].price.max()", Some(json!(22.99)));
        check("$..price.length()", Some(json!(5)));
        check("$.words.first()", Some(json!("one")));
        check("$.store.bicycle.keys()", Some(json!(["color", "price"])));
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in [
            "",
            "a",
            "$.",
            "$[",
            "$[]",
            "$['a'",
            "$.a[",
            "$.a]",
            "$..",
            "$.a..",
            "$[?()]",
            "$[?(@.a == )]",
            "$.a b",
            "$$$",
            "$.length().a",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn assigns_at_a_reference_path() {
        let assign = |path: &str, target: Value| Path::parse(path).unwrap().assign(target, json!(9));
        assert_eq!(assign("$", json!({"a": 1})), Some(json!(9)));
        assert_eq!(assign("$.a", json!({"a": 1, "b": 2})), Some(json!({"a": 9, "b": 2})));
        assert_eq!(assign("$.x.y", json!({})), Some(json!({"x": {"y": 9}})));
        assert_eq!(assign("$.a[1]", json!({"a": [1, 2]})), Some(json!({"a": [1, 9]})));
        assert_eq!(assign("$.a.b", json!({"a": 1})), None);
        assert_eq!(assign("$.a", json!([1])), None);
        assert_eq!(assign("$.a[5]", json!({"a": [1, 2]})), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[$@.\\[\\]()'\"a-c0-9*:,?!=<>&|~/ -]{0,40}") {
            if let Ok(path) = Path::parse(&format!("${text}")) {
                path.select(&json!({"a": [1, {"b": "c"}, [2, 3]], "b": {"c": null}}));
            }
        }
    }
}
