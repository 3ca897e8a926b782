//! Numbers as patterns compare them.

use serde_json::Number;

/// Numeric matching covers this much to either side of zero.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>.
const MAGNITUDE_MAX: f64 = 5e9;
/// ... with six digits after the point.
const STEPS_PER_UNIT: f64 = 1e6;

/// A number that numeric matching can hold, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millionths(i64);

impl Millionths {
    /// `None` beyond five thousand million.
    pub(super) fn of(number: &Number) -> Option<Self> {
        let value = number.as_f64().filter(|value| value.abs() <= MAGNITUDE_MAX)?;
        Some(Self((value * STEPS_PER_UNIT).round() as i64))
    }
}

/// Whether an exact pattern for `expected` takes `actual`: by value where numeric matching reaches, else digit by digit.
pub(super) fn equal(expected: &Number, actual: &Number) -> bool {
    match (Millionths::of(expected), Millionths::of(actual)) {
        (Some(expected), Some(actual)) => expected == actual,
        _ => expected == actual,
    }
}

/// The operand of `{"numeric": [...]}`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Range {
    /// The least value, and whether it is itself taken.
    pub(super) from: Option<(Millionths, bool)>,
    /// The greatest value, and whether it is itself taken.
    pub(super) to: Option<(Millionths, bool)>,
}

impl Range {
    pub(super) fn contains(&self, number: &Number) -> bool {
        let Some(value) = Millionths::of(number) else { return false };
        self.from.is_none_or(|(from, inclusive)| value > from || (inclusive && value == from))
            && self.to.is_none_or(|(to, inclusive)| value < to || (inclusive && value == to))
    }
}
