//! Time between the clock, the engine and the wire.

use serde::Serializer;
use vodline_asl::UnixMillis;
use vodline_core::Clock;

/// The present in the engine's unit.
pub(crate) fn now(clock: &dyn Clock) -> UnixMillis {
    UnixMillis(clock.now().as_millisecond())
}

/// Serialises a time as AWS's JSON protocols do: seconds since 1970, milliseconds as the fraction.
/// Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#shape-serialization>.
pub(crate) fn epoch_seconds<S: Serializer>(time: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_epoch_seconds())
}

/// As [`epoch_seconds`], for a time that may be absent.
pub(crate) fn optional_epoch_seconds<S: Serializer>(
    time: &Option<UnixMillis>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => epoch_seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}
