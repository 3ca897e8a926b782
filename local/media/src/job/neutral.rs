//! Types for settings of which the home honours one value: the one that asks for nothing. Any other is refused by name.

use serde::{Deserialize, Deserializer, de::Error};

/// The integer `N` and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exactly<const N: i64>;

impl<'de, const N: i64> Deserialize<'de> for Exactly<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        #[expect(clippy::cast_precision_loss, reason = "neutral values are small")]
        let same = number == N as f64;
        if same { Ok(Self) } else { Err(D::Error::custom(format!("the local home supports only {N}"))) }
    }
}

/// A list that must be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoItems;

impl<'de> Deserialize<'de> for NoItems {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::<serde::de::IgnoredAny>::deserialize(deserializer)?;
        if items.is_empty() { Ok(Self) } else { Err(D::Error::custom("the local home supports no items here")) }
    }
}

/// A switch that is honoured in both positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Toggle {
    Enabled,
    Disabled,
}

/// `DISABLED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Disabled {
    Disabled,
}

/// `ENABLED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Enabled {
    Enabled,
}

/// `NONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Nothing {
    None,
}

/// `AUTO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Auto {
    Auto,
}

/// `DEFAULT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Default_ {
    Default,
}

/// `EXCLUDE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Excluded {
    Exclude,
}

/// `INCLUDE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Included {
    Include,
}
