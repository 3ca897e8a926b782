//! How data gets into a state and out of it again.
//!
//! JSONPath states: `InputPath`, `Parameters`, the work, `ResultSelector`, `ResultPath`, `OutputPath`; JSONata states:
//! `Arguments`, the work, `Output`. `Assign` is evaluated beside the output and sees the variables as they were.
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html>.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::StateError;
use crate::facts::{Facts, Variables};
use crate::failure::{Failure, Reason};
use crate::json;
use crate::jsonata::{Converted, States};
use crate::limits::{
    NESTING_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_NESTING_MAX, VARIABLE_BYTES_MAX, VARIABLES_TOTAL_BYTES_MAX,
};
use crate::machine::model::{
    Assignments, Catcher, ChoiceRule, NumberField, PathField, QueryLanguage, ResultPath, State, Text,
};
use crate::payload::Payload;
use crate::template::{Sight, Template, query};

/// What the steps in between were, for `TestState`'s inspection.
#[derive(Debug, Default, Clone)]
pub(crate) struct Trace {
    pub(crate) after_input_path: Option<Payload>,
    pub(crate) after_parameters: Option<Payload>,
    pub(crate) after_arguments: Option<Payload>,
    pub(crate) result: Option<Payload>,
    pub(crate) after_result_selector: Option<Payload>,
    pub(crate) after_result_path: Option<Payload>,
}

/// A state's output and the variables it assigns.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) output: Payload,
    pub(crate) assigned: Variables,
}

impl Left {
    /// The assignments as the history shows them.
    pub(crate) fn assigned_for_history(&self) -> BTreeMap<String, Payload> {
        self.assigned.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
    }
}

/// Whether data may go on its way. `what` is the state, the service, or the function it comes from.
pub(crate) fn within_quotas(payload: &Payload, what: &str) -> Result<(), Failure> {
    if payload.size_bytes() > PAYLOAD_BYTES_MAX {
        return Err(Failure::data_limit(what));
    }
    not_deeper(payload, PAYLOAD_NESTING_MAX)
}

/// Whether data can be stored and read back.
pub(crate) fn is_readable(payload: &Payload) -> Result<(), Failure> {
    not_deeper(payload, NESTING_MAX - 2)
}

fn not_deeper(payload: &Payload, most: usize) -> Result<(), Failure> {
    if payload.nesting() > most {
        return Err(Failure::runtime(format!("The data nests deeper than {most} levels.")));
    }
    Ok(())
}

/// What one state's expressions see.
pub(crate) struct View<'a, 'f> {
    pub(crate) state: &'a State,
    /// The input as it arrived.
    pub(crate) raw: &'a Payload,
    pub(crate) facts: &'a Facts<'f>,
    converted: Converted,
}

impl<'a, 'f> View<'a, 'f> {
    pub(crate) fn new(state: &'a State, raw: &'a Payload, facts: &'a Facts<'f>) -> Self {
        Self { state, raw, facts, converted: Converted::default() }
    }

    /// Sight of JSONPath over `input`, and of JSONata over the raw input.
    pub(crate) fn sight<'s>(
        &'s self,
        input: &'s Payload,
        result: Option<&'s Value>,
        error_output: Option<&'s Value>,
    ) -> Sight<'s, 'f> {
        let states = States { input: self.raw.value(), result, error_output };
        Sight { input: input.value(), states, facts: self.facts, converted: &self.converted }
    }

    fn is_jsonata(&self) -> bool {
        self.state.language == QueryLanguage::Jsonata
    }

    /// The effective input: after `InputPath`.
    pub(crate) fn input(&self, trace: &mut Trace) -> Result<Payload, Failure> {
        if self.is_jsonata() {
            return Ok(self.raw.clone());
        }
        let input = self.filtered(&self.state.io.input_path, self.raw)?;
        trace.after_input_path = Some(input.clone());
        Ok(input)
    }

    /// What `InputPath`, `OutputPath` or `ItemsPath` leaves of a payload.
    pub(crate) fn filtered(&self, field: &PathField, payload: &Payload) -> Result<Payload, Failure> {
        match field {
            PathField::Whole => Ok(payload.clone()),
            PathField::Nothing => Ok(Payload::default()),
            PathField::Path(path) => {
                let found = self.facts.select(path, payload.value()).map_err(|e| Failure::path(&e))?;
                Ok(Payload::from(found.into_owned()))
            }
        }
    }

    /// What the work gets: after `Parameters`, or `Arguments`.
    pub(crate) fn arguments(&self, input: &Payload, trace: &mut Trace) -> Result<Payload, Failure> {
        let (template, field) = match self.state.language {
            QueryLanguage::JsonPath => (&self.state.io.parameters, "Parameters"),
            QueryLanguage::Jsonata => (&self.state.io.arguments, "Arguments"),
        };
        let arguments = match template {
            None => input.clone(),
            Some(template) => Payload::from(template.evaluate(&self.sight(input, None, None), field)?),
        };
        let place = if self.is_jsonata() { &mut trace.after_arguments } else { &mut trace.after_parameters };
        *place = Some(arguments.clone());
        Ok(arguments)
    }

    /// Leaves a state that only passes its input on: Wait, Succeed.
    pub(crate) fn leave_with_input(&self, input: &Payload) -> Result<Left, Failure> {
        let sight = self.sight(input, None, None);
        let output = match &self.state.io.output {
            Some(template) if self.is_jsonata() => Payload::from(template.evaluate(&sight, "Output")?),
            _ => self.filtered(&self.state.io.output_path, input)?,
        };
        self.bounded(output, self.assigned(&self.state.assign, &sight, "Assign")?)
    }

    /// Leaves a Choice state by a rule, or by its default.
    pub(crate) fn leave_choice(&self, input: &Payload, rule: Option<(usize, &ChoiceRule)>) -> Result<Left, Failure> {
        let Some((index, rule)) = rule else { return self.leave_with_input(input) };
        let sight = self.sight(input, None, None);
        let output = match &rule.output {
            Some(template) => Payload::from(template.evaluate(&sight, &format!("Choices[{index}]/Output"))?),
            None => self.filtered(&self.state.io.output_path, input)?,
        };
        self.bounded(output, self.assigned(&rule.assign, &sight, &format!("Choices[{index}]/Assign"))?)
    }

    /// Leaves a Pass state, whose work is its parameters or its fixed result.
    pub(crate) fn leave_pass(&self, fixed: Option<&Value>, trace: &mut Trace) -> Result<Left, Failure> {
        if self.is_jsonata() {
            return self.leave_with_input(self.raw);
        }
        let result = match fixed {
            // A fixed result comes of no input.
            Some(fixed) => {
                let result = Payload::from(fixed.clone());
                trace.result = Some(result.clone());
                result
            }
            None => {
                let input = self.input(trace)?;
                self.arguments(&input, trace)?
            }
        };
        trace.after_result_selector = Some(result.clone());
        self.leave_jsonpath(&result, &result, trace)
    }

    /// Leaves a Task, Parallel or Map state with the result of its work.
    pub(crate) fn leave_with_result(&self, result: &Payload, trace: &mut Trace) -> Result<Left, Failure> {
        trace.result = Some(result.clone());
        let sight = self.sight(result, Some(result.value()), None);
        if self.is_jsonata() {
            let output = match &self.state.io.output {
                Some(template) => Payload::from(template.evaluate(&sight, "Output")?),
                None => result.clone(),
            };
            return self.bounded(output, self.assigned(&self.state.assign, &sight, "Assign")?);
        }
        let selected = match &self.state.io.result_selector {
            Some(template) => Payload::from(template.evaluate(&sight, "ResultSelector")?),
            None => result.clone(),
        };
        trace.after_result_selector = Some(selected.clone());
        self.leave_jsonpath(result, &selected, trace)
    }

    fn leave_jsonpath(&self, result: &Payload, selected: &Payload, trace: &mut Trace) -> Result<Left, Failure> {
        let placed = self.placed(&self.state.io.result_path, selected)?;
        trace.after_result_path = Some(placed.clone());
        let output = self.filtered(&self.state.io.output_path, &placed)?;
        let sight = self.sight(result, None, None);
        self.bounded(output, self.assigned(&self.state.assign, &sight, "Assign")?)
    }

    /// Leaves a state whose failure was caught.
    pub(crate) fn leave_caught(&self, index: usize, catcher: &Catcher, error: &StateError) -> Result<Left, Failure> {
        let mut error_output = serde_json::Map::new();
        for (key, part) in [("Error", &error.error), ("Cause", &error.cause)] {
            if let Some(part) = part {
                error_output.insert(key.to_owned(), part.as_str().into());
            }
        }
        let error_output = Payload::from(Value::Object(error_output));
        let sight = self.sight(&error_output, None, Some(error_output.value()));
        let output = match &catcher.output {
            Some(template) => Payload::from(template.evaluate(&sight, &format!("Catch[{index}]/Output"))?),
            None => self.placed(&catcher.result_path, &error_output)?,
        };
        self.bounded(output, self.assigned(&catcher.assign, &sight, &format!("Catch[{index}]/Assign"))?)
    }

    /// The raw input with a result at a `ResultPath`.
    fn placed(&self, result_path: &ResultPath, result: &Payload) -> Result<Payload, Failure> {
        match result_path {
            ResultPath::Replace => Ok(result.clone()),
            ResultPath::Discard => Ok(self.raw.clone()),
            ResultPath::At(path) => {
                let placed = path.assign(self.raw.value().clone(), result.value().clone());
                placed.map(Payload::from).ok_or_else(|| {
                    let raw = self.raw.value();
                    Failure::catchable(
                        crate::error::ErrorName::ResultPathMatchFailure,
                        format!("Unable to apply ReferencePath {} to input {raw}", path.text()),
                    )
                })
            }
        }
    }

    fn assigned(&self, assignments: &Assignments, sight: &Sight<'_, '_>, field: &str) -> Result<Variables, Failure> {
        let mut assigned = Variables::new();
        for (name, template) in assignments {
            let value = match template {
                Template::Literal(value) => value.clone(),
                template => template.evaluate(sight, &format!("{field}/{name}"))?,
            };
            assigned.insert(name.clone(), Payload::from(value));
        }
        Ok(assigned)
    }

    fn bounded(&self, output: Payload, assigned: Variables) -> Result<Left, Failure> {
        within_quotas(&output, &self.state.name)?;
        if !assigned.is_empty() {
            for value in assigned.values() {
                within_quotas(value, &self.state.name)?;
            }
            let new: usize = assigned.values().map(Payload::size_bytes).sum();
            if new > VARIABLE_BYTES_MAX || new + self.facts.variables_bytes() > VARIABLES_TOTAL_BYTES_MAX {
                return Err(Failure::data_limit(&self.state.name));
            }
        }
        Ok(Left { output, assigned })
    }

    /// The value of a number field of the state. `name` is the field's without `Path`.
    pub(crate) fn number(&self, field: &NumberField, name: &str, input: &Payload) -> Result<f64, Failure> {
        match field {
            NumberField::Literal(number) => Ok(*number),
            NumberField::Query(expression) => {
                let value = query(expression, &self.sight(input, None, None), name)?;
                value.as_f64().ok_or_else(|| {
                    let reason = Reason::Type { expected: "number", found: &value };
                    Failure::evaluation(expression.source(), name, &reason)
                })
            }
            NumberField::Path(path) => {
                let field = format!("{name}Path");
                let found = self.facts.select(path, input.value()).map_err(|e| Failure::template_path(&e, &field))?;
                // A text that reads as a number counts as one.
                let shown = match &*found {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let number = if name == "ToleratedFailurePercentage" {
                    shown.parse::<f64>().ok()
                } else {
                    #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
                    shown.parse::<i64>().ok().map(|number| number as f64)
                };
                let number = number.ok_or_else(|| invalid_number(&field, &shown, path.text()))?;
                if number < 0.0 {
                    let what = format!("The {field} parameter references a negative value: {} == {shown}", path.text());
                    return Err(Failure::runtime(what));
                }
                Ok(number)
            }
        }
    }

    /// A number field as a whole number that is not negative.
    pub(crate) fn whole(&self, field: &NumberField, name: &str, input: &Payload) -> Result<u64, Failure> {
        let number = self.number(field, name, input)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked; saturates")]
        if number >= 0.0 && number.fract() == 0.0 {
            return Ok(number as u64);
        }
        let number = json::number(number);
        match field {
            NumberField::Query(expression) => {
                let reason = Reason::Type { expected: "integer", found: &number };
                Err(Failure::evaluation(expression.source(), name, &reason))
            }
            _ => {
                Err(Failure::runtime(format!("The {name} field has the value {number}, which is not a valid integer")))
            }
        }
    }

    /// The value of a text field of the state.
    pub(crate) fn text(&self, field: &Text, name: &str, input: &Payload) -> Result<String, Failure> {
        let path_name = || format!("{name}Path");
        let value = match field {
            Text::Literal(text) => return Ok(text.clone()),
            Text::Path(path) => {
                let found = self.facts.select(path, input.value());
                found.map_err(|e| Failure::template_path(&e, &path_name()))?.into_owned()
            }
            Text::Call(call) => {
                call.evaluate(input.value(), self.facts).map_err(|e| Failure::call(&e, &path_name()))?
            }
            Text::Query(expression) => {
                let value = query(expression, &self.sight(input, None, None), name)?;
                if !value.is_string() {
                    let reason = Reason::Type { expected: "string", found: &value };
                    return Err(Failure::evaluation(expression.source(), name, &reason));
                }
                value
            }
        };
        match value {
            Value::String(text) => Ok(text),
            other => {
                Err(Failure::runtime(format!("The {} field refers to {other}, which is not a string", path_name())))
            }
        }
    }
}

fn invalid_number(field: &str, shown: &str, path: &str) -> Failure {
    Failure::runtime(match field {
        "SecondsPath" => format!("The SecondsPath parameter cannot be parsed as a long value: {path} == {shown}"),
        _ => format!("The {field} field refers to value \"{shown}\" which is not a valid integer: {path}"),
    })
}
