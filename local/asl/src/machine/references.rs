//! Which variables a state refers to.

use std::collections::BTreeSet;

use super::model::{
    Assignments, Condition, ItemBatcher, Items, Kind, Map, NumberField, Operand, PathField, Reader, State, Test, Text,
    Wait,
};
use crate::intrinsic::Call;
use crate::jsonata::Expression;
use crate::jsonpath::{Path, Root};
use crate::template::Template;

/// The names of the variables that a state's own fields refer to; not those of the states inside it.
pub(super) fn of(state: &State) -> BTreeSet<&str> {
    let mut found = Found(BTreeSet::new());
    let io = &state.io;
    for field in [&io.input_path, &io.output_path] {
        found.path_field(field);
    }
    for template in [&io.parameters, &io.result_selector, &io.arguments, &io.output] {
        found.template(template.as_ref());
    }
    found.assignments(&state.assign);
    for catcher in &state.catch {
        found.template(catcher.output.as_ref());
        found.assignments(&catcher.assign);
    }
    found.kind(&state.kind);
    found.0
}

struct Found<'s>(BTreeSet<&'s str>);

impl<'s> Found<'s> {
    fn kind(&mut self, kind: &'s Kind) {
        match kind {
            Kind::Pass { .. } | Kind::Succeed | Kind::Parallel { .. } => {}
            Kind::Task(task) => {
                self.number(task.timeout.as_ref());
                self.number(task.heartbeat.as_ref());
                self.text(task.role_arn.as_ref());
            }
            Kind::Choice(choice) => {
                for rule in &choice.rules {
                    self.condition(&rule.condition);
                    self.assignments(&rule.assign);
                    self.template(rule.output.as_ref());
                }
            }
            Kind::Wait(Wait::Seconds(seconds)) => self.number(Some(seconds)),
            Kind::Wait(Wait::Timestamp(_)) => {}
            Kind::Wait(Wait::TimestampPath(path)) => self.path(path),
            Kind::Wait(Wait::TimestampQuery(expression)) => self.expression(expression),
            Kind::Fail { error, cause } => {
                self.text(error.as_ref());
                self.text(cause.as_ref());
            }
            Kind::Map(map) => self.map(map),
        }
    }

    fn map(&mut self, map: &'s Map) {
        match &map.items {
            Items::Path(field) => self.path_field(field),
            Items::Template(template) => self.template(Some(template)),
        }
        self.template(map.item_selector.as_ref());
        for number in [&map.max_concurrency, &map.tolerated_count, &map.tolerated_percentage] {
            self.number(number.as_ref());
        }
        if let Some(ItemBatcher { max_items, max_bytes, batch_input }) = &map.item_batcher {
            self.number(max_items.as_ref());
            self.number(max_bytes.as_ref());
            self.template(batch_input.as_ref());
        }
        if let Some(Reader { arguments, max_items, .. }) = &map.reader {
            self.template(arguments.as_ref());
            self.number(max_items.as_ref());
        }
        self.template(map.writer.as_ref().and_then(|writer| writer.arguments.as_ref()));
    }

    fn condition(&mut self, condition: &'s Condition) {
        match condition {
            Condition::And(conditions) | Condition::Or(conditions) => {
                conditions.iter().for_each(|condition| self.condition(condition));
            }
            Condition::Not(condition) => self.condition(condition),
            Condition::Compare { variable, test } => {
                self.path(variable);
                if let Test::Compare { with: Operand::Path(path), .. } = test {
                    self.path(path);
                }
            }
            Condition::Query(expression) => self.expression(expression),
            Condition::Literal(_) => {}
        }
    }

    fn assignments(&mut self, assignments: &'s Assignments) {
        assignments.iter().for_each(|(_, template)| self.template(Some(template)));
    }

    fn template(&mut self, template: Option<&'s Template>) {
        match template {
            None | Some(Template::Literal(_)) => {}
            Some(Template::Object(fields)) => fields.iter().for_each(|(_, field)| self.template(Some(field))),
            Some(Template::Array(items)) => items.iter().for_each(|item| self.template(Some(item))),
            Some(Template::Path(_, path)) => self.path(path),
            Some(Template::Call(_, call)) => self.call(call),
            Some(Template::Query(expression)) => self.expression(expression),
        }
    }

    fn number(&mut self, number: Option<&'s NumberField>) {
        match number {
            None | Some(NumberField::Literal(_)) => {}
            Some(NumberField::Path(path)) => self.path(path),
            Some(NumberField::Query(expression)) => self.expression(expression),
        }
    }

    fn text(&mut self, text: Option<&'s Text>) {
        match text {
            None | Some(Text::Literal(_)) => {}
            Some(Text::Path(path)) => self.path(path),
            Some(Text::Call(call)) => self.call(call),
            Some(Text::Query(expression)) => self.expression(expression),
        }
    }

    fn path_field(&mut self, field: &'s PathField) {
        if let PathField::Path(path) = field {
            self.path(path);
        }
    }

    fn call(&mut self, call: &'s Call) {
        call.each_path(&mut |path| self.path(path));
    }

    fn path(&mut self, path: &'s Path) {
        if let Root::Variable(name) = path.root() {
            self.0.insert(name);
        }
    }

    fn expression(&mut self, expression: &'s Expression) {
        self.0.extend(expression.references());
    }
}
