//! Recorded against found.
//!
//! Recordings hold placeholders for what changes from run to run; JSON in strings is compared as JSON; the order of
//! events between branches is not fixed. The tests of `local/states`, which run the recordings through the API, compile
//! this file too.

use serde_json::Value;

/// The four measures, from weak to strong, and the first difference.
#[derive(Debug, Default, Clone)]
pub(crate) struct Measures {
    pub(crate) status: bool,
    pub(crate) output: bool,
    pub(crate) types: bool,
    pub(crate) history: bool,
    pub(crate) difference: Option<String>,
}

impl Measures {
    /// One comparison stands for all four.
    pub(crate) fn all(difference: Option<String>) -> Self {
        let same = difference.is_none();
        Self { status: same, output: same, types: same, history: same, difference }
    }
}

/// Whole strings that stand for a time, an ARN, or something random.
const PLACEHOLDER_WORDS: [&str; 18] = [
    "date",
    "start-date",
    "stop-date",
    "start-time",
    "entered-time",
    "end-time",
    "map_run_arn",
    "activity_arn",
    "RandomNumberGenerated",
    "RequestId",
    "x-amzn-RequestId",
    "X-Amzn-Trace-Id",
    "sqs_queue_url",
    "bucket-name",
    "bucket_name",
    "state_machine_arn",
    "execution_arn",
    "lambda_function_name",
];

fn is_placeholder(text: &str) -> bool {
    let marked = text.match_indices('<').any(|(at, _)| {
        let rest = &text[at + 1..];
        rest.find('>').is_some_and(|end| {
            let name = &rest[..end];
            !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c))
        })
    });
    marked
        || PLACEHOLDER_WORDS.contains(&text)
        || ["timestamp", "datetime", "snf_role_arn", "111111111111"].iter().any(|word| text.contains(word))
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The first difference between a recorded value and a found one, if any.
pub(crate) fn difference(recorded: &Value, found: &Value, at: &str) -> Option<String> {
    let differ = || Some(format!("{at}: recorded {recorded}, found {found}"));
    match (recorded, found) {
        (Value::String(recorded), _) if is_placeholder(recorded) => None,
        (Value::Object(recorded), Value::Object(found)) => {
            for (key, value) in recorded {
                let Some(found) = found.get(key) else { return Some(format!("{at}/{key}: missing")) };
                let inner = difference(value, found, &format!("{at}/{key}"));
                if inner.is_some() {
                    return inner;
                }
            }
            found.keys().find(|key| !recorded.contains_key(*key)).map(|key| format!("{at}/{key}: not recorded"))
        }
        (Value::Array(recorded), Value::Array(found)) if recorded.len() == found.len() => {
            recorded.iter().zip(found).enumerate().find_map(|(i, (r, f))| difference(r, f, &format!("{at}/{i}")))
        }
        (Value::Number(r), Value::Number(f)) if r.as_f64() == f.as_f64() => None,
        (Value::String(r), Value::String(f)) if r != f => match (parsed(r), parsed(f)) {
            (Some(r), Some(f)) if !r.is_string() || !f.is_string() => difference(&r, &f, at),
            (Some(Value::String(r)), Some(Value::String(_))) if is_placeholder(&r) => None,
            _ => differ(),
        },
        // JSON in a string was recorded as what it holds.
        (_, Value::String(text)) if !recorded.is_string() => match parsed(text) {
            Some(found) => difference(recorded, &found, at),
            None => differ(),
        },
        _ if recorded == found => None,
        _ => differ(),
    }
}

/// An event without what is compared apart.
fn body(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(fields) = event.as_object_mut() {
        for key in ["timestamp", "id", "previousEventId"] {
            fields.remove(key);
        }
    }
    event
}

fn event_type(event: &Value) -> &str {
    event["type"].as_str().unwrap_or_default()
}

/// The history that was recorded of a machine against the one that was found.
pub(crate) fn executions(definition: &str, recorded: &[Value], found: &[Value]) -> Measures {
    let (Some(last), Some(found_last)) = (recorded.last(), found.last()) else { return Measures::default() };
    let status = event_type(last) == event_type(found_last);
    let ends_alike = difference(&body(last), &body(found_last), "");
    let ordered = in_order(recorded, found);
    let unordered =
        if ordered.is_some() && may_interleave(definition) { interleaved(recorded, found) } else { ordered };
    let types = |events: &[Value]| events.iter().map(|e| event_type(e).to_owned()).collect::<Vec<_>>();
    Measures {
        status,
        output: ends_alike.is_none(),
        types: types(recorded) == types(found) || unordered.is_none(),
        history: unordered.is_none(),
        difference: unordered,
    }
}

fn may_interleave(definition: &str) -> bool {
    definition.contains("\"Parallel\"") || definition.contains("\"Map\"")
}

/// Event by event, ids included.
fn in_order(recorded: &[Value], found: &[Value]) -> Option<String> {
    for (r, f) in recorded.iter().zip(found) {
        let at = format!("{} {}", r["id"], event_type(r));
        for key in ["id", "previousEventId"] {
            if r[key].is_number() && r[key] != f[key] {
                return Some(format!("{at}: {key} recorded {}, found {}", r[key], f[key]));
            }
        }
        let inner = difference(&body(r), &body(f), &at);
        if inner.is_some() {
            return inner;
        }
    }
    let lengths = (recorded.len(), found.len());
    (lengths.0 != lengths.1).then(|| format!("recorded {} events, found {}", lengths.0, lengths.1))
}

/// As a multiset: every recorded event has a found one. Recordings of Parallel states leave some `ParallelState...`
/// events out. Ids must agree where they were recorded and one event has them.
fn interleaved(recorded: &[Value], found: &[Value]) -> Option<String> {
    let mut left: Vec<&Value> = found.iter().collect();
    for r in recorded {
        let same = |f: &&&Value| difference(&body(r), &body(f), "").is_none();
        let at = left.iter().position(|f| same(&f) && (!r["id"].is_number() || r["id"] == f["id"]));
        let Some(at) = at.or_else(|| left.iter().position(|f| same(&f))) else {
            return Some(format!("{} {}: no such event found", r["id"], event_type(r)));
        };
        left.remove(at);
    }
    let is_left_out = |event: &&Value| event_type(event).starts_with("ParallelState");
    let extra = left.into_iter().find(|event| !is_left_out(event));
    extra.map(|event| format!("{} {}: not recorded", event["id"], event_type(event)))
}
