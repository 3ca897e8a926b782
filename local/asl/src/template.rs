//! Values in a definition that are partly computed: payload templates of JSONPath states, and any JSON with
//! `{% ... %}` strings in JSONata states.

use serde_json::{Map, Value};

use crate::facts::Facts;
use crate::failure::{Failure, Reason};
use crate::intrinsic::Call;
use crate::jsonata::{Converted, Expression, States};
use crate::jsonpath::Path;

/// A value with computed parts. What has none is one literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    /// As it stands.
    Literal(Value),
    /// An object with computed parts.
    Object(Vec<(Box<str>, Self)>),
    /// An array with computed parts.
    Array(Vec<Self>),
    /// `"key.$": "$.path"`; the field's name with its suffix, for messages.
    Path(Box<str>, Path),
    /// `"key.$": "States.Function()"`; the field's name with its suffix.
    Call(Box<str>, Call),
    /// `"{% expression %}"`.
    Query(Box<Expression>),
}

/// Everything an evaluation can see.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a, 'f> {
    /// `$` of JSONPath.
    pub(crate) input: &'a Value,
    /// `$states` of JSONata.
    pub(crate) states: States<'a>,
    /// Context, variables, time, random numbers.
    pub(crate) facts: &'a Facts<'f>,
    /// Values converted for JSONata once.
    pub(crate) converted: &'a Converted,
}

impl Template {
    /// The value. `field` is the name of the field it is in, where messages say so.
    pub(crate) fn evaluate(&self, sight: &Sight<'_, '_>, field: &str) -> Result<Value, Failure> {
        let mut location = Location::new(field);
        self.evaluate_at(sight, &mut location)
    }

    fn evaluate_at(&self, sight: &Sight<'_, '_>, location: &mut Location) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Object(fields) => {
                let mut map = Map::with_capacity(fields.len());
                for (name, template) in fields {
                    let value = location.within(format_args!("/{name}"), |at| template.evaluate_at(sight, at))?;
                    map.insert(name.to_string(), value);
                }
                Ok(Value::Object(map))
            }
            Self::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, template) in items.iter().enumerate() {
                    values.push(location.within(format_args!("[{index}]"), |at| template.evaluate_at(sight, at))?);
                }
                Ok(Value::Array(values))
            }
            Self::Path(field, path) => {
                let found = sight.facts.select(path, sight.input).map_err(|e| Failure::template_path(&e, field))?;
                Ok(found.into_owned())
            }
            Self::Call(field, call) => call.evaluate(sight.input, sight.facts).map_err(|e| Failure::call(&e, field)),
            Self::Query(expression) => query(expression, sight, &location.0),
        }
    }
}

/// The value of an expression.
pub(crate) fn query(expression: &Expression, sight: &Sight<'_, '_>, location: &str) -> Result<Value, Failure> {
    expression
        .evaluate(sight.states, sight.facts, sight.converted)
        .map_err(|reason| Failure::evaluation(expression.source(), location, &Reason::Query(reason)))
}

/// The name of a field as failures give it: `Output/a/b[0]`.
struct Location(String);

impl Location {
    fn new(field: &str) -> Self {
        Self(field.to_owned())
    }

    fn within<T>(&mut self, step: std::fmt::Arguments<'_>, body: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.0.len();
        // Writing to a string cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut self.0, step);
        let value = body(self);
        self.0.truncate(length);
        value
    }
}
