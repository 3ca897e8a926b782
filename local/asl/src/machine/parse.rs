//! From text to [`Definition`], with every finding on the way.

mod choice;
mod fields;
mod map;
mod variables;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use self::fields::Reading;
use super::model::{
    Catcher, Definition, Io, Kind, Next, QueryLanguage, ResultPath, Retrier, Scope, ScopeId, State, StateId, Task, Wait,
};
use super::syntax::{Findings, Object, below};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::execution::ExecutionKind;
use crate::limits::{DEFINITION_BYTES_MAX, SECONDS_MAX, STATE_NAME_CHARS_MAX};
use crate::resource::{IntegrationPattern, Resource};
use crate::timestamp;

const STATE_TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];

/// Retry when the definition does not say otherwise.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-retrying-after-an-error>.
const RETRY_INTERVAL_SECONDS: u64 = 1;
const RETRY_MAX_ATTEMPTS: u32 = 3;
const RETRY_BACKOFF_RATE: f64 = 2.0;

/// Parses a whole machine. There is a definition whenever the findings hold no error.
pub(super) fn parse(text: &str, kind: ExecutionKind) -> (Option<Definition>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let definition = read_json(text, &mut findings).and_then(|fields| {
        let mut parser = Parser::new(&mut findings, kind, false);
        parser.machine(text, &fields)
    });
    (definition, findings.0)
}

/// Parses one state on its own.
pub(super) fn parse_state(text: &str) -> (Option<Definition>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let definition = read_json(text, &mut findings).and_then(|state| {
        let mut parser = Parser::new(&mut findings, ExecutionKind::Standard, true);
        let mut states = Map::new();
        states.insert(ALONE.to_owned(), Value::Object(state));
        let mut machine = Map::new();
        machine.insert("StartAt".to_owned(), ALONE.into());
        machine.insert("States".to_owned(), Value::Object(states));
        parser.machine(text, &machine)
    });
    let prefix = format!("/States/{ALONE}");
    for finding in &mut findings.0 {
        let stripped = finding.location.as_deref().and_then(|at| at.strip_prefix(&prefix));
        if let Some(rest) = stripped {
            finding.location = Some(if rest.is_empty() { "/".to_owned() } else { rest.to_owned() });
        }
    }
    (definition, findings.0)
}

/// The name of a state that is parsed on its own, as `TestState` shows it in the context object.
const ALONE: &str = "StateName";

fn read_json(text: &str, findings: &mut Findings) -> Option<Map<String, Value>> {
    if text.len() > DEFINITION_BYTES_MAX {
        let message = format!("The definition is larger than {DEFINITION_BYTES_MAX} bytes");
        findings.push(DiagnosticCode::SchemaValidationFailed, None, message);
        return None;
    }
    let not_an_object = "Definition must be a valid JSON object";
    if text.trim().is_empty() {
        findings.push(DiagnosticCode::SchemaValidationFailed, None, not_an_object);
        return None;
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(_) => {
            findings.push(DiagnosticCode::SchemaValidationFailed, None, not_an_object);
            None
        }
        Err(error) => {
            let (message, location) = describe_syntax_error(text, &error);
            findings.push(DiagnosticCode::InvalidJsonDescription, Some(location), message);
            None
        }
    }
}

/// Says what is wrong with JSON in the words of the service's parser (Jackson), as far as they are known.
fn describe_syntax_error(text: &str, error: &serde_json::Error) -> (String, String) {
    const SHOWN_CHARS_MAX: usize = 500;
    let length = text.chars().count();
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let cut = length.saturating_sub(SHOWN_CHARS_MAX);
    let cut = if cut > 0 { format!("[truncated {cut} chars]") } else { String::new() };
    let source =
        |line: usize, column: usize| format!("[Source: (String)\"{shown}\"{cut}; line: {line}, column: {column}]");
    let token: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if token.starts_with(char::is_alphabetic) && !matches!(token.as_str(), "true" | "false" | "null") {
        let line = text.chars().take_while(|c| c.is_whitespace()).filter(|c| *c == '\n').count() + 1;
        let before = text.len() - text.trim_start().len();
        let line_start = text.get(..before).and_then(|blank| blank.rfind('\n')).map_or(0, |at| at + 1);
        let location = source(line, before - line_start + token.chars().count() + 1);
        let expected = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        return (format!("Unrecognized token '{token}': was expecting {expected}\n at {location}"), location);
    }
    let location = source(error.line(), error.column());
    (format!("{error}\n at {location}"), location)
}

struct Parser<'f> {
    findings: &'f mut Findings,
    kind: ExecutionKind,
    /// One state on its own: transitions lead to states that are made up.
    alone: bool,
    language: QueryLanguage,
    scopes: Vec<Scope>,
    states: Vec<Option<State>>,
    /// Names of all states so far: they must differ in the whole machine.
    names: HashSet<String>,
}

/// A scope while its states are parsed.
struct ScopeNames {
    ids: HashMap<String, StateId>,
    reached: HashSet<StateId>,
}

impl<'f> Parser<'f> {
    fn new(findings: &'f mut Findings, kind: ExecutionKind, alone: bool) -> Self {
        let language = QueryLanguage::JsonPath;
        Self { findings, kind, alone, language, scopes: Vec::new(), states: Vec::new(), names: HashSet::new() }
    }

    fn machine(&mut self, text: &str, fields: &Map<String, Value>) -> Option<Definition> {
        let machine = Object { fields, at: "" };
        machine.require(&["States", "StartAt"], self.findings);
        machine.allow(&["StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"], self.findings);
        machine.one_of("Version", &["1.0"], self.findings);
        let comment = machine.string("Comment", self.findings).map(str::to_owned);
        let timeout_seconds = machine.whole("TimeoutSeconds", 1, SECONDS_MAX, self.findings);
        if machine.one_of("QueryLanguage", &["JSONPath", "JSONata"], self.findings) == Some("JSONata") {
            self.language = QueryLanguage::Jsonata;
        }
        let root = self.scope(machine);
        variables::check(fields, "", self.findings);
        let root = root?;
        let states = std::mem::take(&mut self.states).into_iter().collect::<Option<Vec<_>>>()?;
        let scopes = std::mem::take(&mut self.scopes);
        Some(Definition { text: text.into(), comment, timeout_seconds, root, scopes, states })
    }

    /// Parses `StartAt` and `States` of the machine, a branch or an item processor.
    fn scope(&mut self, scope: Object<'_>) -> Option<ScopeId> {
        let states = scope.object("States", self.findings)?;
        let at = scope.field("States");
        if states.is_empty() {
            self.findings.schema(&at, "States must contain at least one state");
        }
        let mut names = ScopeNames { ids: HashMap::new(), reached: HashSet::new() };
        for name in states.keys() {
            if name.is_empty() || name.chars().count() > STATE_NAME_CHARS_MAX {
                let message = format!("A state name must have between 1 and {STATE_NAME_CHARS_MAX} characters");
                self.findings.schema(below(&at, name), message);
            }
            if !self.names.insert(name.clone()) {
                let message = format!("State names must be unique: '{name}' is used more than once");
                self.findings.push(DiagnosticCode::DuplicateStateName, Some(below(&at, name)), message);
            }
            names.ids.insert(name.clone(), self.reserve());
        }
        let start_at = scope.string("StartAt", self.findings);
        let start_at = start_at.and_then(|target| self.target(&mut names, target, &scope.field("StartAt"), "StartAt"));
        let id = ScopeId(u32::try_from(self.scopes.len()).ok()?);
        self.scopes.push(Scope { start_at: start_at.unwrap_or(StateId(0)) });
        for (name, value) in states {
            let at = below(&at, name);
            let Some(id) = names.ids.get(name).copied() else { continue };
            match value.as_object() {
                Some(fields) => {
                    let state = self.state(id, name, Object { fields, at: &at }, &mut names);
                    if let Some(slot) = self.states.get_mut(id.0 as usize) {
                        *slot = state;
                    }
                }
                None => self.findings.schema(at, "Expected value of type Object"),
            }
        }
        let known = start_at.is_some();
        for name in states.keys().filter(|_| known) {
            if names.ids.get(name).is_some_and(|id| !names.reached.contains(id)) {
                let message = format!("State \"{name}\" is not reachable.");
                self.findings.push(DiagnosticCode::MissingTransitionTarget, Some(below(&at, name)), message);
            }
        }
        Some(id)
    }

    fn reserve(&mut self) -> StateId {
        self.states.push(None);
        StateId(u32::try_from(self.states.len() - 1).unwrap_or(u32::MAX))
    }

    fn target(&mut self, names: &mut ScopeNames, target: &str, at: &str, field: &str) -> Option<StateId> {
        let known = names.ids.get(target).copied();
        let id = match known {
            Some(id) => id,
            None if self.alone => {
                // Where a state on its own leads to is a name and nothing more.
                let id = self.reserve();
                names.ids.insert(target.to_owned(), id);
                if let Some(slot) = self.states.get_mut(id.0 as usize) {
                    *slot = Some(State {
                        id,
                        name: target.into(),
                        language: self.language,
                        next: Next::End,
                        io: Io::default(),
                        assign: Vec::new(),
                        retry: Vec::new(),
                        catch: Vec::new(),
                        kind: Kind::Succeed,
                    });
                }
                id
            }
            None => {
                let message = format!("Missing '{field}' target: {target}");
                self.findings.push(DiagnosticCode::MissingTransitionTarget, Some(at.to_owned()), message);
                return None;
            }
        };
        names.reached.insert(id);
        Some(id)
    }

    fn state(&mut self, id: StateId, name: &str, state: Object<'_>, names: &mut ScopeNames) -> Option<State> {
        state.require(&["Type"], self.findings);
        let language = self.state_language(state);
        let kind = state.one_of("Type", &STATE_TYPES, self.findings)?;
        let jsonata = language == QueryLanguage::Jsonata;
        state.allow(&allowed_fields(kind, jsonata), self.findings);
        let next = match kind {
            "Succeed" | "Fail" | "Choice" => Some(Next::End),
            _ => self.next(state, names),
        };
        let mut reading = Reading { language, findings: self.findings };
        let io = reading.io(state);
        let assign = reading.assignments(state);
        let retry = self.retriers(state);
        let catch = self.catchers(state, language, names);
        let kind = match kind {
            "Pass" => Some(Kind::Pass { result: state.get("Result").cloned() }),
            "Task" => self.task(state, language).map(|task| Kind::Task(Box::new(task))),
            "Choice" => self.choice(state, language, names).map(|choice| Kind::Choice(Box::new(choice))),
            "Wait" => self.wait(state, language).map(Kind::Wait),
            "Succeed" => Some(Kind::Succeed),
            "Fail" => {
                let mut reading = Reading { language, findings: self.findings };
                state.exclusive("Error", "ErrorPath", reading.findings);
                state.exclusive("Cause", "CausePath", reading.findings);
                Some(Kind::Fail { error: reading.text(state, "Error"), cause: reading.text(state, "Cause") })
            }
            "Parallel" => self.parallel(state),
            _ => self.map(state, language).map(|map| Kind::Map(Box::new(map))),
        };
        Some(State { id, name: Arc::from(name), language, next: next?, io, assign, retry, catch, kind: kind? })
    }

    fn state_language(&mut self, state: Object<'_>) -> QueryLanguage {
        match (state.one_of("QueryLanguage", &["JSONPath", "JSONata"], self.findings), self.language) {
            (Some("JSONPath"), QueryLanguage::Jsonata) => {
                let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
                self.findings.schema(state.at, message);
                QueryLanguage::JsonPath
            }
            (Some("JSONata"), _) => QueryLanguage::Jsonata,
            (Some(_), _) => QueryLanguage::JsonPath,
            (None, language) => language,
        }
    }

    fn next(&mut self, state: Object<'_>, names: &mut ScopeNames) -> Option<Next> {
        let end = match state.get("End") {
            None => false,
            Some(Value::Bool(end)) => *end,
            Some(_) => {
                self.findings.schema(state.field("End"), "Expected value of type Boolean");
                true
            }
        };
        match (state.has("Next"), end) {
            (true, false) => {
                let target = state.string("Next", self.findings)?;
                self.target(names, target, &state.field("Next"), "Next").map(Next::State)
            }
            (false, true) => Some(Next::End),
            (false, false) if self.alone => Some(Next::End),
            _ => {
                self.findings.schema(state.at, "Exactly one of these fields is required: [Next, End]");
                None
            }
        }
    }

    fn task(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<Task> {
        state.require(&["Resource"], self.findings);
        let mut reading = Reading { language, findings: self.findings };
        let timeout = reading.number(state, "TimeoutSeconds", 1.0);
        let heartbeat = reading.number(state, "HeartbeatSeconds", 1.0);
        let credentials = state.object("Credentials", reading.findings);
        let role_arn = credentials.and_then(|fields| {
            let at = state.field("Credentials");
            let credentials = Object { fields, at: &at };
            credentials.allow(&["RoleArn", "RoleArn.$"], reading.findings);
            reading.credential(credentials)
        });
        let resource = self.resource(state)?;
        Some(Task { resource: Arc::new(resource), timeout, heartbeat, role_arn })
    }

    fn resource(&mut self, state: Object<'_>) -> Option<Resource> {
        let text = state.string("Resource", self.findings)?;
        let Ok(resource) = Resource::parse(text) else {
            let message = format!("Value is not a valid resource ARN: {text}");
            self.findings.schema(state.field("Resource"), message);
            return None;
        };
        let pattern = resource.pattern();
        let is_activity = matches!(resource, Resource::Activity { .. });
        if self.kind == ExecutionKind::Express && (pattern != IntegrationPattern::RequestResponse || is_activity) {
            let what = if is_activity { "activity" } else { pattern.suffix() };
            // The trailing blank is the service's.
            let message = format!("Express state machine does not support '{what}' service integration ");
            self.findings.schema(state.field("Resource"), message);
        }
        Some(resource)
    }

    fn wait(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<Wait> {
        const FORMS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        let given: Vec<&str> = FORMS.into_iter().filter(|name| state.has(name)).collect();
        let [form] = given.as_slice() else {
            let forms =
                if language == QueryLanguage::Jsonata { "Seconds, Timestamp".to_owned() } else { FORMS.join(", ") };
            self.findings.schema(state.at, format!("Exactly one of these fields is required: [{forms}]"));
            return None;
        };
        let mut reading = Reading { language, findings: self.findings };
        match *form {
            "Seconds" | "SecondsPath" => reading.number(state, "Seconds", 0.0).map(Wait::Seconds),
            "TimestampPath" => reading.path(state, "TimestampPath").map(Wait::TimestampPath),
            _ => {
                let text = state.string("Timestamp", reading.findings)?;
                if let Some(expression) = reading.expression(text, &state.field("Timestamp")) {
                    return Some(Wait::TimestampQuery(Box::new(expression?)));
                }
                if timestamp::parse(text).is_none() {
                    reading.findings.schema(state.field("Timestamp"), "Value is not a valid timestamp");
                }
                Some(Wait::Timestamp(text.to_owned()))
            }
        }
    }

    fn parallel(&mut self, state: Object<'_>) -> Option<Kind> {
        state.require(&["Branches"], self.findings);
        let branches = state.array("Branches", self.findings)?;
        if branches.is_empty() {
            self.findings.schema(state.field("Branches"), "Branches must contain at least one branch");
        }
        let mut scopes = Vec::with_capacity(branches.len());
        for (index, branch) in branches.iter().enumerate() {
            let at = format!("{}/{index}", state.field("Branches"));
            let Some(fields) = branch.as_object() else {
                self.findings.schema(at, "Expected value of type Object");
                continue;
            };
            let branch = Object { fields, at: &at };
            branch.require(&["States", "StartAt"], self.findings);
            branch.allow(&["StartAt", "States"], self.findings);
            scopes.extend(self.scope(branch));
        }
        (scopes.len() == branches.len()).then_some(Kind::Parallel { branches: scopes })
    }

    fn retriers(&mut self, state: Object<'_>) -> Vec<Retrier> {
        let Some(items) = state.array("Retry", self.findings) else { return Vec::new() };
        let mut retriers = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{}/{index}", state.field("Retry"));
            let Some(fields) = item.as_object() else {
                self.findings.schema(at, "Expected value of type Object");
                continue;
            };
            let retrier = Object { fields, at: &at };
            retrier.require(&["ErrorEquals"], self.findings);
            retrier.allow(
                &["ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"],
                self.findings,
            );
            let backoff_rate = match retrier.get("BackoffRate") {
                None => RETRY_BACKOFF_RATE,
                Some(value) => value.as_f64().filter(|rate| *rate >= 1.0).unwrap_or_else(|| {
                    let message = "The value of the field 'BackoffRate' must be a number not less than 1.0";
                    self.findings.schema(retrier.field("BackoffRate"), message);
                    RETRY_BACKOFF_RATE
                }),
            };
            let jitter = retrier.one_of("JitterStrategy", &["FULL", "NONE"], self.findings);
            let attempts = retrier.whole("MaxAttempts", 0, SECONDS_MAX, self.findings);
            let interval = retrier.whole("IntervalSeconds", 1, SECONDS_MAX, self.findings);
            let max_delay = retrier.whole("MaxDelaySeconds", 1, 31_622_400, self.findings);
            retriers.push(Retrier {
                errors: self.error_names(retrier, index + 1 == items.len()),
                interval_seconds: interval.unwrap_or(RETRY_INTERVAL_SECONDS),
                max_attempts: attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(RETRY_MAX_ATTEMPTS),
                backoff_rate,
                max_delay_seconds: max_delay,
                full_jitter: jitter == Some("FULL"),
            });
        }
        retriers
    }

    fn catchers(&mut self, state: Object<'_>, language: QueryLanguage, names: &mut ScopeNames) -> Vec<Catcher> {
        let Some(items) = state.array("Catch", self.findings) else { return Vec::new() };
        let mut catchers = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{}/{index}", state.field("Catch"));
            let Some(fields) = item.as_object() else {
                self.findings.schema(at, "Expected value of type Object");
                continue;
            };
            let catcher = Object { fields, at: &at };
            catcher.require(&["ErrorEquals", "Next"], self.findings);
            let jsonata = language == QueryLanguage::Jsonata;
            let shape = if jsonata { "Output" } else { "ResultPath" };
            catcher.allow(&["ErrorEquals", "Next", "Assign", shape], self.findings);
            let errors = self.error_names(catcher, index + 1 == items.len());
            let next = catcher.string("Next", self.findings);
            let next = next.and_then(|target| self.target(names, target, &catcher.field("Next"), "Next"));
            let mut reading = Reading { language, findings: self.findings };
            let result_path = if jsonata { ResultPath::Replace } else { reading.result_path(catcher) };
            let assign = reading.assignments(catcher);
            let output = reading.jsonata_template(catcher, "Output").filter(|_| jsonata);
            if let Some(next) = next {
                catchers.push(Catcher { errors, next, result_path, assign, output });
            }
        }
        catchers
    }

    fn error_names(&mut self, handler: Object<'_>, is_last: bool) -> Vec<Box<str>> {
        let errors = handler.strings("ErrorEquals", self.findings);
        let at = handler.field("ErrorEquals");
        if handler.has("ErrorEquals") && errors.is_empty() {
            self.findings.schema(&at, "ErrorEquals must contain at least one error name");
        }
        if errors.iter().any(|error| &**error == "States.ALL") && (errors.len() > 1 || !is_last) {
            self.findings.schema(&at, "States.ALL must appear alone and in the last element of the array");
        }
        errors
    }
}

/// The fields a state of a type may have.
fn allowed_fields(kind: &str, jsonata: bool) -> Vec<&'static str> {
    let mut fields = vec!["Type", "QueryLanguage"];
    if !matches!(kind, "Succeed" | "Fail" | "Choice") {
        fields.extend(["Next", "End"]);
    }
    if !matches!(kind, "Succeed" | "Fail") {
        fields.push("Assign");
    }
    if kind != "Fail" {
        fields.extend(if jsonata { &["Output"][..] } else { &["InputPath", "OutputPath"] });
    }
    if matches!(kind, "Task" | "Parallel" | "Map") {
        fields.extend(["Retry", "Catch"]);
        if !jsonata {
            fields.extend(["Parameters", "ResultSelector", "ResultPath"]);
        } else if kind != "Map" {
            fields.push("Arguments");
        }
    }
    fields.extend(match (kind, jsonata) {
        ("Pass", false) => &["Parameters", "Result", "ResultPath"][..],
        ("Task", false) => &[
            "Resource",
            "Credentials",
            "TimeoutSeconds",
            "TimeoutSecondsPath",
            "HeartbeatSeconds",
            "HeartbeatSecondsPath",
        ],
        ("Task", true) => &["Resource", "Credentials", "TimeoutSeconds", "HeartbeatSeconds"],
        ("Choice", _) => &["Choices", "Default"],
        ("Wait", false) => &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"],
        ("Wait", true) => &["Seconds", "Timestamp"],
        ("Fail", false) => &["Error", "ErrorPath", "Cause", "CausePath"],
        ("Fail", true) => &["Error", "Cause"],
        ("Parallel", _) => &["Branches"],
        ("Map", jsonata) => map::allowed_fields(jsonata),
        _ => &[],
    });
    fields
}
