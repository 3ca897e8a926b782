//! Intrinsic functions: `States.Format('{}', $.name)` and its kin.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html>.

mod functions;
mod parser;

use serde_json::Value;

use crate::facts::{Facts, Unresolved};
use crate::jsonpath::Path;

/// A parsed call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    text: Box<str>,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone, PartialEq)]
enum Argument {
    Literal(Value),
    /// A quoted string, as written (for `States.Format`, where `\{` is no placeholder) and as meant.
    Text {
        written: Box<str>,
        meant: Value,
    },
    Path(Path),
    Call(Call),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Array,
    ArrayContains,
    ArrayGetItem,
    ArrayLength,
    ArrayPartition,
    ArrayRange,
    ArrayUnique,
    Base64Decode,
    Base64Encode,
    Format,
    Hash,
    JsonMerge,
    JsonToString,
    MathAdd,
    MathRandom,
    StringSplit,
    StringToJson,
    Uuid,
}

const FUNCTIONS: [(&str, Function); 18] = [
    ("States.Array", Function::Array),
    ("States.ArrayContains", Function::ArrayContains),
    ("States.ArrayGetItem", Function::ArrayGetItem),
    ("States.ArrayLength", Function::ArrayLength),
    ("States.ArrayPartition", Function::ArrayPartition),
    ("States.ArrayRange", Function::ArrayRange),
    ("States.ArrayUnique", Function::ArrayUnique),
    ("States.Base64Decode", Function::Base64Decode),
    ("States.Base64Encode", Function::Base64Encode),
    ("States.Format", Function::Format),
    ("States.Hash", Function::Hash),
    ("States.JsonMerge", Function::JsonMerge),
    ("States.JsonToString", Function::JsonToString),
    ("States.MathAdd", Function::MathAdd),
    ("States.MathRandom", Function::MathRandom),
    ("States.StringSplit", Function::StringSplit),
    ("States.StringToJson", Function::StringToJson),
    ("States.UUID", Function::Uuid),
];

/// The text is not a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidCall(pub(crate) String);

/// Why a call gave no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallFailure {
    /// A path among its arguments matches nothing.
    Path(Unresolved),
    /// A function refused its arguments: the call's text and the reason.
    Function {
        /// The call as written.
        call: String,
        /// What is wrong.
        reason: String,
    },
}

impl Call {
    /// Parses a whole string as one call.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidCall> {
        parser::parse(text)
    }

    /// Whether a string wants to be a call rather than a path.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with("States.")
    }

    /// Every path among its arguments, however deep.
    pub(crate) fn each_path<'c>(&'c self, visit: &mut impl FnMut(&'c Path)) {
        for argument in &self.arguments {
            match argument {
                Argument::Path(path) => visit(path),
                Argument::Call(call) => call.each_path(visit),
                Argument::Literal(_) | Argument::Text { .. } => {}
            }
        }
    }

    /// Calls the function.
    pub(crate) fn evaluate(&self, input: &Value, facts: &Facts<'_>) -> Result<Value, CallFailure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Literal(value) | Argument::Text { meant: value, .. } => value.clone(),
                Argument::Path(path) => facts.select(path, input).map_err(CallFailure::Path)?.into_owned(),
                Argument::Call(call) => call.evaluate(input, facts)?,
            });
        }
        let written = match self.arguments.first() {
            Some(Argument::Text { written, .. }) => Some(&**written),
            _ => None,
        };
        functions::call(self.function, &values, written, facts)
            .map_err(|reason| CallFailure::Function { call: self.text.to_string(), reason })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn evaluate(text: &str) -> Result<Value, String> {
        let call = Call::parse(text).map_err(|e| e.to_string())?;
        let input =
            json!({"name": "Ada", "n": 7, "list": [1, 2, 2, 3], "object": {"a": 1, "b": [true, null]}, "text": "a,b"});
        Facts::for_test(|facts| call.evaluate(&input, facts)).map_err(|e| format!("{e:?}"))
    }

    fn check(text: &str, expected: Value) {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
    }

    #[test]
    fn calls_every_function() {
        check("States.Format('Hi {}, {} of {}', $.name, $.n, 1.5)", json!("Hi Ada, 7 of 1.5"));
        check(r"States.Format('\{\} is {} and it\'s \\', $.name)", json!(r"{} is Ada and it's \"));
        check("States.Format('{}', $.object)", json!("{a=1, b=[true, null]}"));
        check("States.StringToJson('{\"a\": [1]}')", json!({"a": [1]}));
        check("States.StringToJson('')", json!(null));
        check("States.StringToJson('  ')", json!(null));
        check("States.StringToJson(' null ')", json!(null));
        check("States.StringToJson('-0')", json!(0));
        check("States.JsonToString($.object)", json!("{\"a\":1,\"b\":[true,null]}"));
        check("States.Array(1, 'two', null, true, $.n)", json!([1, "two", null, true, 7]));
        check("States.Array()", json!([]));
        check("States.ArrayPartition($.list, 3)", json!([[1, 2, 2], [3]]));
        check("States.ArrayContains($.list, 3)", json!(true));
        check("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9]));
        check("States.ArrayRange(3, 1, -1)", json!([3, 2, 1]));
        check("States.ArrayGetItem($.list, 1)", json!(2));
        check("States.ArrayLength($.list)", json!(4));
        check("States.ArrayUnique($.list)", json!([1, 2, 3]));
        check("States.Base64Encode('data')", json!("ZGF0YQ=="));
        check("States.Base64Decode('ZGF0YQ==')", json!("data"));
        check("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7"));
        check("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e"));
        check("States.JsonMerge($.object, States.StringToJson('{\"b\": 2}'), false)", json!({"a": 1, "b": 2}));
        check("States.MathAdd($.n, -10)", json!(-3));
        check("States.StringSplit('1.2+3', '.+')", json!(["1", "2", "3"]));
        check("States.MathAdd(States.MathAdd(1, 2), States.ArrayLength(States.StringSplit($.text, ',')))", json!(5));
        assert_eq!(evaluate("States.UUID()").unwrap().as_str().map(str::len), Some(36));
        let random = evaluate("States.MathRandom(1, 5)").unwrap().as_i64().unwrap();
        assert!((1..5).contains(&random), "{random}");
    }

    #[test]
    fn refuses_bad_arguments() {
        for text in [
            "States.Format('{} {}', 1)",
            "States.Format('{}', 1, 2)",
            "States.StringToJson('{')",
            "States.ArrayPartition($.list, 0)",
            "States.ArrayGetItem($.list, 4)",
            "States.ArrayRange(0, 1000000, 1)",
            "States.ArrayRange(0, 1, 0)",
            "States.ArrayLength($.n)",
            "States.Base64Decode('%')",
            "States.Hash('a', 'CRC')",
            "States.JsonMerge($.object, $.object, true)",
            "States.MathAdd('a', 1)",
            "States.MathRandom(5, 1)",
            "States.ArrayLength($.none)",
        ] {
            assert!(evaluate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_call() {
        for text in [
            "States.Nothing()",
            "States.Format",
            "States.Format(",
            "States.Format('a'",
            "States.Format('a' 'b')",
            "States.Format('a',)",
            "States.UUID() x",
            "States.MathAdd(1)",
            "States.Array(a)",
            "states.UUID()",
        ] {
            assert!(Call::parse(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "States.Array(".repeat(30), ")".repeat(30));
        assert!(Call::parse(&deep).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(
            function in proptest::sample::select(FUNCTIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
            arguments in proptest::collection::vec("('[^']{0,6}'|-?[0-9]{1,20}(\\.[0-9]{1,3})?|\\$\\.(n|list|object|text|none)|null|true|[ -~]{0,6})", 0..4),
        ) {
            let _ = evaluate(&format!("{function}({})", arguments.join(", ")));
        }
    }
}
