//! One state on its own: AWS's `TestState` as a pure function.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html>.
