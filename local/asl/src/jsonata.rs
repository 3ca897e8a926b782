//! JSONata expressions, on the crate `jsonata-core`, with what the service adds and forbids.
//!
//! Added: `$partition`, `$range`, `$hash`, `$random(seed)`, `$uuid`, `$parse`. Forbidden: `$eval`, `?:`, `??`, and what
//! would read an implicit input (unqualified names, `$` and `$$` at the top level): an expression reads `$states` and
//! variables. Source: <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::value::{JMap, JValue};
use serde_json::Value;

use crate::env::{RandomSource, SeededRandom, UnixMillis, unit_interval};
use crate::facts::Facts;
use crate::hash;
use crate::json;
use crate::limits::{JSONATA_OPERATORS_MAX, JSONATA_SEQUENCE_MAX, JSONATA_STACK_MAX, JSONATA_TIMEOUT_MS, NESTING_MAX};

/// A parsed expression. Shared between threads; values exist only while it is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    source: Box<str>,
    ast: AstNode,
    uses: Uses,
    shortcut: Option<Shortcut>,
}

/// What an expression refers to; only that is made ready before it is evaluated.
#[derive(Debug, Clone, PartialEq, Default)]
struct Uses {
    variables: BTreeSet<Box<str>>,
    functions: BTreeSet<Box<str>>,
    fields: BTreeSet<Field>,
    /// Names in the place of a value, and those that the expression binds itself.
    named: BTreeSet<Box<str>>,
    bound: BTreeSet<Box<str>>,
}

/// A field of `$states`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Input,
    Context,
    Result,
    ErrorOutput,
}

impl Field {
    const ALL: [Self; 4] = [Self::Input, Self::Context, Self::Result, Self::ErrorOutput];

    const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Context => "context",
            Self::Result => "result",
            Self::ErrorOutput => "errorOutput",
        }
    }
}

/// An expression that only walks down names needs no evaluator: `$states.input.a.b`, `$variable.a`.
#[derive(Debug, Clone, PartialEq)]
struct Shortcut {
    root: ShortcutRoot,
    names: Vec<Box<str>>,
}

#[derive(Debug, Clone, PartialEq)]
enum ShortcutRoot {
    Field(Field),
    Variable(Box<str>),
}

/// What `$states` holds in an evaluation. The context comes from [`Facts`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct States<'a> {
    pub(crate) input: &'a Value,
    pub(crate) result: Option<&'a Value>,
    pub(crate) error_output: Option<&'a Value>,
}

/// Why an evaluation gave no value, as the end of AWS's sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryFailure {
    /// Nothing (undefined).
    Undefined,
    /// An error with JSONata's code and words.
    Threw(String),
    /// A function or a regular expression, which JSON cannot hold.
    NotJson(&'static str),
}

/// The text is not an expression the service takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidExpression(pub(crate) String);

/// The expression in `{% ... %}`, trimmed; `None` for any other string.
pub(crate) fn delimited(text: &str) -> Option<&str> {
    Some(text.strip_prefix("{%")?.strip_suffix("%}")?.trim())
}

impl Expression {
    /// Parses the source between the delimiters.
    pub(crate) fn parse(source: &str) -> Result<Self, InvalidExpression> {
        if is_too_deep(source) {
            return Err(InvalidExpression("the expression nests too deep".to_owned()));
        }
        let ast = jsonata_core::parser::parse(source).map_err(|e| InvalidExpression(e.to_string()))?;
        let mut uses = Uses::default();
        inspect(&ast, false, &mut uses).map_err(|reason| InvalidExpression(reason.to_owned()))?;
        let shortcut = shortcut(&ast);
        Ok(Self { source: source.into(), ast, uses, shortcut })
    }

    /// The text between the delimiters.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The variables of the state machine it refers to: neither `$states`, nor functions, nor what it binds itself.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        let names = self.uses.named.difference(&self.uses.bound).map(|name| &**name);
        names.filter(|name| FUNCTIONS.binary_search(name).is_err())
    }

    /// Evaluates the expression.
    pub(crate) fn evaluate(
        &self,
        states: States<'_>,
        facts: &Facts<'_>,
        cache: &Converted,
    ) -> Result<Value, QueryFailure> {
        if let Some(value) = self.shortcut.as_ref().and_then(|shortcut| shortcut.walk(states, facts)) {
            return Ok(value.clone());
        }
        let mut context = Context::new();
        self.bind(&mut context, states, facts, cache);
        let options = EvaluatorOptions {
            timeout_ms: Some(JSONATA_TIMEOUT_MS),
            cancel: None,
            max_stack_depth: Some(JSONATA_STACK_MAX),
            max_sequence_length: Some(JSONATA_SEQUENCE_MAX),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        for name in &self.uses.functions {
            register(&mut evaluator, name, facts).map_err(|e| QueryFailure::Threw(e.message().to_owned()))?;
        }
        let found = evaluator.evaluate(&self.ast, &JValue::Undefined);
        from_jvalue(&found.map_err(|e| QueryFailure::Threw(e.message().to_owned()))?, 0)
    }

    fn bind(&self, context: &mut Context, states: States<'_>, facts: &Facts<'_>, cache: &Converted) {
        for name in &self.uses.variables {
            if let Some(payload) = facts.variable(name) {
                context.bind(name.to_string(), to_jvalue(payload.value()));
            }
        }
        if self.uses.fields.is_empty() {
            return;
        }
        let wanted = Field::ALL.into_iter().filter(|field| self.uses.fields.contains(field));
        let fields: JMap = wanted
            .filter_map(|field| {
                let value = match field {
                    Field::Input => Some(cache.input.get_or_init(|| to_jvalue(states.input)).clone()),
                    Field::Context => Some(cache.context.get_or_init(|| to_jvalue(facts.context())).clone()),
                    Field::Result => states.result.map(|value| cache.result.get_or_init(|| to_jvalue(value)).clone()),
                    Field::ErrorOutput => states.error_output.map(to_jvalue),
                };
                value.map(|value| (field.name().to_owned(), value))
            })
            .collect();
        context.bind("states".to_owned(), JValue::Object(Rc::new(fields)));
    }
}

/// Values already converted for the evaluator, for all expressions of one step of one state.
#[derive(Default)]
pub(crate) struct Converted {
    input: OnceCell<JValue>,
    context: OnceCell<JValue>,
    result: OnceCell<JValue>,
}

impl Shortcut {
    /// The value, or `None` where only the evaluator can tell: something is missing, or an array is on the way.
    fn walk<'v>(&self, states: States<'v>, facts: &'v Facts<'_>) -> Option<&'v Value> {
        let mut value = match &self.root {
            ShortcutRoot::Field(Field::Input) => states.input,
            ShortcutRoot::Field(Field::Context) => facts.context(),
            ShortcutRoot::Field(Field::Result) => states.result?,
            ShortcutRoot::Field(Field::ErrorOutput) => states.error_output?,
            ShortcutRoot::Variable(name) => facts.variable(name)?.value(),
        };
        for name in &self.names {
            value = value.as_object()?.get(&**name)?;
        }
        Some(value)
    }
}

fn shortcut(ast: &AstNode) -> Option<Shortcut> {
    let plain = |step: &PathStep| {
        step.stages.is_empty() && step.focus.is_none() && step.index_var.is_none() && step.ancestor_label.is_none()
    };
    let steps = match ast {
        AstNode::Variable(name) if name != "states" && !name.is_empty() => {
            return Some(Shortcut { root: ShortcutRoot::Variable(name.as_str().into()), names: Vec::new() });
        }
        AstNode::Path { steps } if steps.iter().all(plain) => steps,
        _ => return None,
    };
    let mut names = Vec::with_capacity(steps.len());
    for step in steps.get(1..)? {
        let AstNode::Name(name) = &step.node else { return None };
        names.push(name.as_str().into());
    }
    let AstNode::Variable(root) = &steps.first()?.node else { return None };
    if root == "states" {
        let field: Box<str> = if names.is_empty() { return None } else { names.remove(0) };
        let field = Field::ALL.into_iter().find(|known| known.name() == &*field)?;
        return Some(Shortcut { root: ShortcutRoot::Field(field), names });
    }
    (!root.is_empty() && root != "$").then(|| Shortcut { root: ShortcutRoot::Variable(root.as_str().into()), names })
}

/// Whether an expression could make the parser, the evaluator, or the dropping of its tree recurse too deep: brackets
/// nest the tree, and so does every operator in a chain. What is in quotes does not count.
fn is_too_deep(source: &str) -> bool {
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut quote = None;
    let mut bytes = source.bytes().peekable();
    while let Some(c) = bytes.next() {
        match (quote, c) {
            (Some(_), b'\\') => {
                bytes.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(c),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'=' | b'<' | b'>' | b'!' | b'?' | b'~' | b'^' | b'|') => {
                operators += 1;
            }
            (None, b' ') if matches!(bytes.peek(), Some(b'a' | b'o' | b'i')) => operators += 1,
            (None, _) => {}
        }
        if depth > NESTING_MAX || operators > JSONATA_OPERATORS_MAX {
            return true;
        }
    }
    false
}

/// The functions there are, in order: as values they are no variables.
/// Source: <https://docs.jsonata.org/overview.html> and what the service adds.
const FUNCTIONS: [&str; 70] = [
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "clone",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "eval",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "hash",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parse",
    "parseInteger",
    "partition",
    "power",
    "random",
    "range",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "uuid",
    "zip",
];

const UNQUALIFIED: &str = "The expression refers to a name outside '$states' and variables";
const IMPLICIT: &str = "The expression uses '$' or '$$' at the top level";
const EVAL: &str = "The function '$eval' is not supported";
const ELVIS: &str = "The operators '?:' and '??' are not supported";

/// Collects what an expression uses and refuses what the service does not take. `inner` is set where a context item
/// exists: in a predicate, and in every step of a path but the first.
fn inspect(node: &AstNode, inner: bool, uses: &mut Uses) -> Result<(), &'static str> {
    let each = |nodes: &[AstNode], uses: &mut Uses| nodes.iter().try_for_each(|node| inspect(node, inner, uses));
    match node {
        AstNode::Name(_) | AstNode::Wildcard | AstNode::Descendant | AstNode::Parent(_) if !inner => Err(UNQUALIFIED),
        AstNode::Variable(name) if name.is_empty() || name == "$" => {
            if inner {
                Ok(())
            } else {
                Err(IMPLICIT)
            }
        }
        AstNode::ParentVariable(_) if !inner => Err(IMPLICIT),
        AstNode::Variable(name) => {
            if name == "states" {
                uses.fields.extend(Field::ALL);
            } else {
                uses.variables.insert(name.as_str().into());
                uses.functions.insert(name.as_str().into());
                uses.named.insert(name.as_str().into());
            }
            Ok(())
        }
        AstNode::Path { steps } => inspect_path(steps, inner, uses),
        AstNode::Binary { op: BinaryOp::Coalesce | BinaryOp::Default, .. } => Err(ELVIS),
        AstNode::Binary { op, lhs, rhs } => {
            if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, &**lhs) {
                uses.bound.insert(name.as_str().into());
            }
            inspect(lhs, inner, uses)?;
            inspect(rhs, inner, uses)
        }
        AstNode::Unary { operand, .. } => inspect(operand, inner, uses),
        AstNode::Function { name, args, .. } => {
            if name == "eval" {
                return Err(EVAL);
            }
            uses.functions.insert(name.as_str().into());
            uses.variables.insert(name.as_str().into());
            each(args, uses)
        }
        AstNode::Call { procedure, args } => {
            inspect(procedure, inner, uses)?;
            each(args, uses)
        }
        AstNode::Lambda { params, body, .. } => {
            uses.bound.extend(params.iter().map(|name| name.trim_start_matches('$').into()));
            inspect(body, inner, uses)
        }
        AstNode::Array(items) | AstNode::Block(items) | AstNode::ArrayGroup(items) => each(items, uses),
        AstNode::Object(pairs) => inspect_pairs(pairs, inner, uses),
        AstNode::ObjectTransform { input, pattern } => {
            inspect(input, inner, uses)?;
            inspect_pairs(pattern, true, uses)
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            inspect(condition, inner, uses)?;
            inspect(then_branch, inner, uses)?;
            else_branch.as_deref().map_or(Ok(()), |node| inspect(node, inner, uses))
        }
        AstNode::FunctionApplication(node) => inspect(node, true, uses),
        AstNode::Sort { input, terms } => {
            inspect(input, inner, uses)?;
            terms.iter().try_for_each(|(term, _)| inspect(term, true, uses))
        }
        AstNode::Transform { location, update, delete } => {
            inspect(location, true, uses)?;
            inspect(update, true, uses)?;
            delete.as_deref().map_or(Ok(()), |node| inspect(node, true, uses))
        }
        AstNode::Name(_)
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_)
        | AstNode::ParentVariable(_)
        | AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. } => Ok(()),
    }
}

fn inspect_pairs(pairs: &[(AstNode, AstNode)], inner: bool, uses: &mut Uses) -> Result<(), &'static str> {
    pairs.iter().try_for_each(|(key, value)| {
        inspect(key, inner, uses)?;
        inspect(value, inner, uses)
    })
}

fn inspect_path(steps: &[PathStep], inner: bool, uses: &mut Uses) -> Result<(), &'static str> {
    for (at, step) in steps.iter().enumerate() {
        uses.bound.extend([&step.focus, &step.index_var].into_iter().flatten().map(|name| name.as_str().into()));
        let states = at == 0 && matches!(&step.node, AstNode::Variable(name) if name == "states");
        let second = steps.get(1).filter(|_| states && step.stages.is_empty()).map(|step| &step.node);
        match second {
            // `$states.input...` needs the input only.
            Some(AstNode::Name(field)) => {
                uses.fields.extend(Field::ALL.into_iter().filter(|known| known.name() == field));
            }
            _ => inspect(&step.node, inner || at > 0, uses)?,
        }
        for stage in &step.stages {
            if let Stage::Filter(filter) = stage {
                inspect(filter, true, uses)?;
            }
        }
    }
    Ok(())
}

type HostResult = Result<JValue, EvaluatorError>;

fn refuse(reason: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(reason.into())
}

/// Registers the host function of a name, if there is one. Host functions are plain data in, data out.
fn register(evaluator: &mut Evaluator, name: &str, facts: &Facts<'_>) -> Result<(), EvaluatorError> {
    match name {
        "partition" => evaluator.register_fn(name, partition),
        "range" => evaluator.register_fn(name, range),
        "hash" => evaluator.register_fn(name, digest),
        "parse" => evaluator.register_fn(name, parse),
        "uuid" => {
            // An expression may ask for several: a generator of its own, seeded from the caller's.
            let random = std::cell::RefCell::new(SeededRandom::new(facts.random_bits()));
            evaluator.register_fn(name, move |_: &[JValue]| Ok(JValue::from(uuid(&mut random.borrow_mut()))))
        }
        "random" => {
            let random = std::cell::RefCell::new(SeededRandom::new(facts.random_bits()));
            evaluator.register_fn_override(name, move |arguments: &[JValue]| match arguments.first() {
                None | Some(JValue::Undefined) => Ok(JValue::Number(unit_interval(random.borrow_mut().next_u64()))),
                Some(JValue::Number(seed)) => {
                    Ok(JValue::Number(unit_interval(SeededRandom::new(seed.to_bits()).next_u64())))
                }
                Some(_) => Err(refuse("T0410: Argument 1 of function \"random\" does not match function signature")),
            })
        }
        "now" => {
            let now = facts.now();
            evaluator.register_fn_override(name, move |arguments: &[JValue]| now_text(now, arguments))
        }
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit the 53 bits of a double")]
        "millis" => {
            let now = facts.now().0 as f64;
            evaluator.register_fn_override(name, move |_: &[JValue]| Ok(JValue::Number(now)))
        }
        _ => Ok(()),
    }
}

fn uuid(random: &mut SeededRandom) -> String {
    crate::Env { now: UnixMillis(0), random }.uuid()
}

/// `$now(picture, timezone)` is `$fromMillis` of the present.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit the 53 bits of a double")]
fn now_text(now: UnixMillis, arguments: &[JValue]) -> HostResult {
    let mut args = vec![AstNode::Number(now.0 as f64)];
    for argument in arguments.iter().take(2) {
        args.push(match argument {
            JValue::String(text) => AstNode::String(text.to_string()),
            JValue::Undefined => AstNode::Undefined,
            _ => return Err(refuse("T0410: Argument 1 of function \"now\" does not match function signature")),
        });
    }
    let call = AstNode::Function { name: "fromMillis".to_owned(), args, is_builtin: true };
    Evaluator::new().evaluate(&call, &JValue::Undefined)
}

fn partition(arguments: &[JValue]) -> HostResult {
    let (items, size) = match arguments {
        [JValue::Undefined, ..] => return Ok(JValue::Undefined),
        [JValue::Array(items), JValue::Number(size)] => (items.to_vec(), *size),
        [item, JValue::Number(size)] => (vec![item.clone()], *size),
        _ => return Err(refuse("T0410: Argument of function \"partition\" does not match function signature")),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be at least 1; saturates")]
    let size =
        if size >= 1.0 { size as usize } else { return Err(refuse("The chunk size must be a positive number")) };
    Ok(JValue::array(items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect()))
}

fn range(arguments: &[JValue]) -> HostResult {
    let [JValue::Number(first), JValue::Number(last), JValue::Number(step)] = arguments else {
        return Err(refuse("T0410: Argument of function \"range\" does not match function signature"));
    };
    if *step == 0.0 {
        return Err(refuse("The step of function \"range\" must not be zero"));
    }
    let mut items = Vec::new();
    let mut item = *first;
    while if *step > 0.0 { item <= *last } else { item >= *last } {
        if items.len() >= JSONATA_SEQUENCE_MAX {
            return Err(refuse("D2014: The size of the sequence allocated by the range function is too large"));
        }
        items.push(JValue::Number(item));
        let next = item + step;
        if next == item {
            return Err(refuse("The step of function \"range\" is too small"));
        }
        item = next;
    }
    // A sequence, as the service shows: one item stands for itself.
    Ok(match <[JValue; 1]>::try_from(items) {
        Ok([item]) => item,
        Err(items) => JValue::sequence(items),
    })
}

fn digest(arguments: &[JValue]) -> HostResult {
    let [data, JValue::String(algorithm)] = arguments else {
        return Err(refuse("T0410: Argument of function \"hash\" does not match function signature"));
    };
    let data = match data {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text.to_string(),
        other => other.to_json_string().map_err(|_| refuse("The data of function \"hash\" is not JSON"))?,
    };
    let digest = hash::hex_digest(algorithm, data.as_bytes());
    digest.map(JValue::from).ok_or_else(|| refuse(format!("The algorithm '{algorithm}' is not supported")))
}

fn parse(arguments: &[JValue]) -> HostResult {
    match arguments {
        [JValue::Undefined] => Ok(JValue::Undefined),
        [JValue::String(text)] => {
            let value: Value = serde_json::from_str(text).map_err(|_| refuse("The string is not valid JSON"))?;
            Ok(to_jvalue(&value))
        }
        _ => Err(refuse("T0410: Argument 1 of function \"parse\" does not match function signature")),
    }
}

/// A JSON value for the evaluator.
fn to_jvalue(value: &Value) -> JValue {
    match value {
        Value::Null => JValue::Null,
        Value::Bool(b) => JValue::Bool(*b),
        Value::Number(n) => JValue::Number(n.as_f64().unwrap_or_default()),
        Value::String(text) => JValue::String(Rc::from(text.as_str())),
        Value::Array(items) => JValue::array(items.iter().map(to_jvalue).collect()),
        Value::Object(map) => {
            let pairs: JMap = map.iter().map(|(key, value)| (key.clone(), to_jvalue(value))).collect();
            JValue::Object(Rc::new(pairs))
        }
    }
}

/// What the evaluator found, as JSON.
fn from_jvalue(value: &JValue, depth: usize) -> Result<Value, QueryFailure> {
    if depth > NESTING_MAX {
        return Err(QueryFailure::Threw("The result nests too deep".to_owned()));
    }
    Ok(match value {
        JValue::Null => Value::Null,
        JValue::Undefined if depth == 0 => return Err(QueryFailure::Undefined),
        JValue::Undefined => Value::Null,
        JValue::Bool(b) => Value::Bool(*b),
        JValue::Number(n) if !n.is_finite() => {
            return Err(QueryFailure::Threw("D1001: Number out of range: Infinity".to_owned()));
        }
        JValue::Number(n) => json::number(*n),
        JValue::String(text) => Value::String(text.to_string()),
        JValue::Array(items) => {
            Value::Array(items.iter().map(|item| from_jvalue(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        JValue::Object(map) => {
            let pairs = map.iter().filter(|(_, value)| !matches!(value, JValue::Undefined));
            let pairs = pairs.map(|(key, value)| Ok((key.clone(), from_jvalue(value, depth + 1)?)));
            Value::Object(pairs.collect::<Result<_, _>>()?)
        }
        JValue::Lambda(_) | JValue::Builtin { .. } => return Err(QueryFailure::NotJson("function")),
        JValue::Regex { .. } => return Err(QueryFailure::NotJson("regex")),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn evaluate(source: &str) -> Result<Value, String> {
        let expression = Expression::parse(source).map_err(|e| e.to_string())?;
        let input = json!({"a": {"b": 1, "list": [1, 2, 3], "one": [7]}, "rows": [{"n": 1, "k": "x"}, {"n": 2, "k": "y"}], "s": "{\"p\": 1}"});
        let result = json!([1, 0, 1]);
        let states = States { input: &input, result: Some(&result), error_output: None };
        Facts::for_test(|facts| expression.evaluate(states, facts, &Converted::default())).map_err(|e| format!("{e:?}"))
    }

    fn check(source: &str, expected: Value) {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }

    #[test]
    fn evaluates_over_states_and_variables() {
        check("$states.input.a.b", json!(1));
        check("$states.input.a.one", json!([7]));
        check("$states.input.rows.n", json!([1, 2]));
        check("$states.input.rows[n = 2].k", json!("y"));
        check("$states.context.Execution.Name", json!("run-1"));
        check("$v.w[1]", json!(2));
        check("$v", json!({"w": [1, 2]}));
        check("$sum($states.input.a.list) + 0.5", json!(6.5));
        check("$count($states.result[$ = 1])", json!(2));
        check("$map($states.result, function($r) { $r = 1 ? 'pass' : 'failed' })", json!(["pass", "failed", "pass"]));
        check("$x := 1", json!(1));
        check("{'n': $states.input.a.b, 'none': $states.input.none}", json!({"n": 1}));
        check("$keys($states)", json!(["input", "context", "result"]));
        check("null", json!(null));
        check("$power(2, 53)", json!(9_007_199_254_740_992_i64));
    }

    #[test]
    fn has_the_services_functions() {
        check("$partition([0, 1, 2], 2)", json!([[0, 1], [2]]));
        check("$partition([0], 1)", json!([[0]]));
        check("$range(0, 9, 3)", json!([0, 3, 6, 9]));
        check("$range(1, 9, 9)", json!(1));
        check("$hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7"));
        check("$parse($states.input.s).p", json!(1));
        check("$random(7) = $random(7)", json!(true));
        check("$uuid() != $uuid()", json!(true));
        check("$length($uuid())", json!(36));
        check("$now()", json!("2024-11-22T20:24:00.123Z"));
        check("$millis()", json!(1_732_307_040_123_i64));
        assert!((0.0..1.0).contains(&evaluate("$random()").unwrap().as_f64().unwrap()));
    }

    #[test]
    fn names_what_went_wrong() {
        assert_eq!(evaluate("$nothing"), Err("Undefined".to_owned()));
        assert_eq!(evaluate("$states.input.none.none"), Err("Undefined".to_owned()));
        assert_eq!(evaluate("$sum"), Err("NotJson(\"function\")".to_owned()));
        assert!(evaluate("1 + 'a'").unwrap_err().contains("T2002"), "{:?}", evaluate("1 + 'a'"));
        assert!(evaluate("1 / 0").unwrap_err().contains("D1001"), "{:?}", evaluate("1 / 0"));
        assert!(evaluate("$parse('{')").unwrap_err().contains("not valid JSON"));
    }

    #[test]
    fn refuses_what_the_service_refuses() {
        for source in
            ["a", "a.b", "$", "$$", "$.a", "$$.a", "*", "$eval('1')", "1 ?? 2", "$v ?: 1", "1 +", "", "$sum(a)", "(("]
        {
            assert!(Expression::parse(source).is_err(), "{source}");
        }
        for (open, close) in
            [("(", ")"), ("[", "]"), ("-", ""), ("1+", ""), ("1?", ""), ("$v.", ""), ("$v~>", ""), ("$v and ", "")]
        {
            let _ = evaluate(&format!("{}1{}", open.repeat(100_000), close.repeat(100_000)));
            let _ = evaluate(&format!("{}1{}", open.repeat(900), close.repeat(900)));
            let _ = evaluate(&format!("{}1{}", open.repeat(120), close.repeat(120)));
        }
    }

    #[test]
    fn knows_what_it_uses() {
        let expression = Expression::parse("$states.result.x & $y & $sum($z)").unwrap();
        assert_eq!(expression.references().collect::<Vec<_>>(), ["y", "z"]);
        assert_eq!(expression.uses.fields, [Field::Result].into());
        assert!(FUNCTIONS.is_sorted());
        let check = |source: &str, expected: &[&str]| {
            let expression = Expression::parse(source).unwrap();
            assert_eq!(expression.references().collect::<Vec<_>>(), expected, "{source}");
        };
        check("$map($list, $uppercase)", &["list"]);
        check("($x := $y; $x + 1)", &["y"]);
        check("$map($list, function($item, $at) { $item * $factor + $at })", &["factor", "list"]);
        check("$rows@$row.{'n': $row.n, 'k': $k}", &["k", "rows"]);
        check("$rows[n = $n].{'v': $$}", &["n", "rows"]);
        check("$uuid() & $parse($text).a & $states.context.x", &["text"]);
    }

    #[test]
    fn bounds_recursion_and_sequences() {
        assert!(evaluate("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(100000))").is_err());
        assert!(evaluate("$count([1..10000000])").is_err());
        assert!(evaluate("($f := function($n) { $f($n + 1) }; $f(0))").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn never_panics(source in "[$a-c(){}\\[\\]'.,:;?=<>&|~^*%@#+/0-9 -]{0,40}") {
            let _ = evaluate(&source);
        }
    }
}
