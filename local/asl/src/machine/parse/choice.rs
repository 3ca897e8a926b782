//! Choice states.

use serde_json::Value;

use super::super::model::{Choice, ChoiceRule, Compared, Condition, Operand, Order, QueryLanguage, Test};
use super::super::syntax::Object;
use super::fields::Reading;
use super::{Parser, ScopeNames};
use crate::timestamp;

impl Parser<'_> {
    pub(super) fn choice(
        &mut self,
        state: Object<'_>,
        language: QueryLanguage,
        names: &mut ScopeNames,
    ) -> Option<Choice> {
        state.require(&["Choices"], self.findings);
        let default = state.string("Default", self.findings);
        let default = default.and_then(|target| self.target(names, target, &state.field("Default"), "Default"));
        let rules = state.array("Choices", self.findings)?;
        if rules.is_empty() {
            self.findings.schema(state.field("Choices"), "Choices must contain at least one rule");
        }
        let mut parsed = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let at = format!("{}/{index}", state.field("Choices"));
            let Some(fields) = rule.as_object() else {
                self.findings.schema(at, "Expected value of type Object");
                continue;
            };
            parsed.extend(self.rule(Object { fields, at: &at }, language, names));
        }
        (parsed.len() == rules.len()).then_some(Choice { rules: parsed, default })
    }

    fn rule(&mut self, rule: Object<'_>, language: QueryLanguage, names: &mut ScopeNames) -> Option<ChoiceRule> {
        rule.require(&["Next"], self.findings);
        let next = rule.string("Next", self.findings);
        let next = next.and_then(|target| self.target(names, target, &rule.field("Next"), "Next"));
        let mut reading = Reading { language, findings: self.findings };
        let assign = reading.assignments(rule);
        if language == QueryLanguage::JsonPath {
            let condition = reading.condition(rule, true)?;
            return Some(ChoiceRule { condition, next: next?, assign, output: None });
        }
        rule.require(&["Condition"], reading.findings);
        rule.allow(&["Condition", "Next", "Assign", "Output"], reading.findings);
        let output = reading.jsonata_template(rule, "Output");
        let condition = match rule.get("Condition")? {
            Value::Bool(value) => Some(Condition::Literal(*value)),
            Value::String(text) => match reading.expression(text, &rule.field("Condition")) {
                Some(expression) => expression.map(|expression| Condition::Query(Box::new(expression))),
                None => {
                    reading.findings.schema(rule.field("Condition"), "Value is not a JSONata expression");
                    None
                }
            },
            _ => {
                reading.findings.schema(rule.field("Condition"), "Expected value of type String");
                None
            }
        };
        Some(ChoiceRule { condition: condition?, next: next?, assign, output })
    }
}

impl Reading<'_> {
    fn condition(&mut self, rule: Object<'_>, is_outermost: bool) -> Option<Condition> {
        let outer: &[&str] = if is_outermost { &["Next", "Assign"] } else { &[] };
        for name in ["And", "Or"] {
            if rule.has(name) {
                rule.allow(&[outer, &[name]].concat(), self.findings);
                let conditions = self.conditions(rule, name)?;
                return Some(if name == "And" { Condition::And(conditions) } else { Condition::Or(conditions) });
            }
        }
        if rule.has("Not") {
            rule.allow(&[outer, &["Not"]].concat(), self.findings);
            let fields = rule.object("Not", self.findings)?;
            let at = rule.field("Not");
            return Some(Condition::Not(Box::new(self.condition(Object { fields, at: &at }, false)?)));
        }
        rule.require(&["Variable"], self.findings);
        let variable = self.path(rule, "Variable");
        let given = |name: &&String| *name != "Comment" && *name != "Variable" && !outer.contains(&name.as_str());
        let operators: Vec<&String> = rule.fields.keys().filter(given).collect();
        let [operator] = operators.as_slice() else {
            self.findings.schema(rule.at, "Exactly one comparison operator is required");
            return None;
        };
        let test = self.test(rule, operator)?;
        Some(Condition::Compare { variable: variable?, test })
    }

    fn conditions(&mut self, rule: Object<'_>, name: &str) -> Option<Vec<Condition>> {
        let items = rule.array(name, self.findings)?;
        let mut conditions = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = format!("{}/{index}", rule.field(name));
            match item.as_object() {
                Some(fields) => conditions.extend(self.condition(Object { fields, at: &at }, false)),
                None => self.findings.schema(at, "Expected value of type Object"),
            }
        }
        if items.is_empty() {
            self.findings.schema(rule.field(name), format!("{name} must contain at least one condition"));
        }
        (conditions.len() == items.len()).then_some(conditions)
    }

    fn test(&mut self, rule: Object<'_>, operator: &str) -> Option<Test> {
        let value = rule.get(operator)?;
        let is: Option<fn(bool) -> Test> = match operator {
            "IsPresent" => Some(Test::IsPresent),
            "IsNull" => Some(Test::IsNull),
            "IsString" => Some(Test::IsString),
            "IsNumeric" => Some(Test::IsNumeric),
            "IsBoolean" => Some(Test::IsBoolean),
            "IsTimestamp" => Some(Test::IsTimestamp),
            _ => None,
        };
        if let Some(is) = is {
            if value.as_bool().is_none() {
                self.findings.schema(rule.field(operator), "Expected value of type Boolean");
            }
            return value.as_bool().map(is);
        }
        if operator == "StringMatches" {
            return rule.string(operator, self.findings).map(|pattern| Test::StringMatches(pattern.into()));
        }
        let Some((kind, order, by_path)) = comparison(operator) else {
            self.findings
                .schema(rule.field(operator), format!("The field '{operator}' is not supported by Step Functions"));
            return None;
        };
        if by_path {
            return self.path(rule, operator).map(|path| Test::Compare { kind, order, with: Operand::Path(path) });
        }
        let expected = match kind {
            Compared::String if value.is_string() => None,
            Compared::Numeric if value.is_number() => None,
            Compared::Boolean if value.is_boolean() => None,
            Compared::Timestamp if value.as_str().is_some_and(|text| timestamp::parse(text).is_some()) => None,
            Compared::String => Some("String"),
            Compared::Numeric => Some("Number"),
            Compared::Boolean => Some("Boolean"),
            Compared::Timestamp => Some("Timestamp"),
        };
        if let Some(expected) = expected {
            self.findings.schema(rule.field(operator), format!("Expected value of type {expected}"));
            return None;
        }
        Some(Test::Compare { kind, order, with: Operand::Literal(value.clone()) })
    }
}

/// Takes a comparison operator's name apart: what it compares, how, and whether with a path.
fn comparison(operator: &str) -> Option<(Compared, Order, bool)> {
    let (operator, by_path) = operator.strip_suffix("Path").map_or((operator, false), |operator| (operator, true));
    let kinds = [
        ("String", Compared::String),
        ("Numeric", Compared::Numeric),
        ("Boolean", Compared::Boolean),
        ("Timestamp", Compared::Timestamp),
    ];
    let (kind, order) = kinds.into_iter().find_map(|(prefix, kind)| Some((kind, operator.strip_prefix(prefix)?)))?;
    let order = match order {
        "Equals" => Order::Equals,
        "LessThan" => Order::LessThan,
        "GreaterThan" => Order::GreaterThan,
        "LessThanEquals" => Order::LessThanEquals,
        "GreaterThanEquals" => Order::GreaterThanEquals,
        _ => return None,
    };
    (kind != Compared::Boolean || order == Order::Equals).then_some((kind, order, by_path))
}
