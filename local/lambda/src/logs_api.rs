//! CloudWatch Logs' API, as far as reading the logs of functions needs it.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html>.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, types::Value};
use serde::{Deserialize, Serialize};
use vodline_core::{AwsError, Protocol, Request, Response, Service, StoreError};

use crate::{
    logs::{GROUP_PREFIX, log_group},
    service::Core,
};

/// The most groups or streams of one answer, and the default.
const MAX_DESCRIBED: usize = 50;

/// The most events of one answer, and the default.
const MAX_EVENTS: usize = 10_000;

/// CloudWatch Logs over what the functions of one [`Lambda`](crate::Lambda) have written. Requests come with the target prefix
/// `Logs_20140328`.
pub struct Logs {
    pub(crate) core: Arc<Core>,
}

#[async_trait]
impl Service for Logs {
    fn protocol(&self) -> Protocol {
        Protocol::Json11
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        // What was written before the question is part of the answer.
        self.core.log_writer.flush().await;
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || answer(&core, &request))
            .await
            .map_err(|error| AwsError::internal(error.to_string()))?
    }
}

fn answer(core: &Core, request: &Request) -> Result<Response, AwsError> {
    match request.operation.as_str() {
        "DescribeLogGroups" => {
            request.authorize("logs:DescribeLogGroups", &core.account.arn("logs", "log-group:*"))?;
            let input = parse(request)?;
            Response::json(&core.store.read(|connection| describe_groups(core, connection, input))?)
        }
        "DescribeLogStreams" => {
            let input: DescribeLogStreams = parse(request)?;
            permit(core, request, &input.log_group_name)?;
            Response::json(&core.store.read(|connection| describe_streams(core, connection, input))?)
        }
        "GetLogEvents" => {
            let input: GetLogEvents = parse(request)?;
            permit(core, request, &input.log_group_name)?;
            Response::json(&core.store.read(|connection| get_events(core, connection, &input))?)
        }
        "FilterLogEvents" => {
            let input: FilterLogEvents = parse(request)?;
            permit(core, request, &input.log_group_name)?;
            Response::json(&core.store.read(|connection| filter_events(core, connection, input))?)
        }
        other => Err(AwsError::unsupported_operation("logs", other)),
    }
}

fn parse<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, AwsError> {
    request.json()
}

fn permit(core: &Core, request: &Request, group: &str) -> Result<(), AwsError> {
    let resource = core.account.arn("logs", &format!("log-group:{group}:*"));
    request.authorize(&format!("logs:{}", request.operation), &resource)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", message)
}

/// The function a group belongs to. A function has a group from the start.
fn function_of<'a>(core: &Core, connection: &Connection, group: &'a str) -> Result<&'a str, AwsError> {
    let missing = || AwsError::bad_request("ResourceNotFoundException", "The specified log group does not exist.");
    let name = group.strip_prefix(GROUP_PREFIX).ok_or_else(missing)?;
    let known = core.all().iter().any(|function| function.spec().name == name)
        || crate::logs::functions(connection)?.iter().any(|function| function == name);
    if known { Ok(name) } else { Err(missing()) }
}

fn limit(asked: Option<i64>, most: usize) -> Result<usize, AwsError> {
    match asked {
        None => Ok(most),
        Some(asked) => usize::try_from(asked)
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| invalid(format!("limit must be between 1 and {most}"))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogGroups {
    log_groups: Vec<LogGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
    arn: String,
    log_group_arn: String,
    creation_time: i64,
    retention_in_days: i64,
    stored_bytes: i64,
    metric_filter_count: u32,
    log_group_class: &'static str,
}

fn describe_groups(core: &Core, connection: &Connection, input: DescribeLogGroups) -> Result<LogGroups, AwsError> {
    let limit = limit(input.limit, MAX_DESCRIBED)?;
    let prefix = input.log_group_name_prefix.unwrap_or_default();
    // The token is the last name told.
    let after = input.next_token.unwrap_or_default();
    let mut functions = crate::logs::functions(connection)?;
    functions.extend(core.all().iter().map(|function| function.spec().name.clone()));
    functions.sort();
    functions.dedup();
    let mut names =
        functions.into_iter().filter(|name| log_group(name).starts_with(&prefix) && log_group(name) > after).peekable();
    let mut log_groups = Vec::new();
    for name in names.by_ref().take(limit) {
        let (created, bytes): (i64, i64) = connection
            .query_row(
                "SELECT coalesce(min(time_ms), 0), coalesce(sum(length(message)), 0) FROM lambda_logs WHERE function = ?1",
                [&name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(StoreError::from)?;
        let log_group_arn = core.account.arn("logs", &format!("log-group:{}", log_group(&name)));
        log_groups.push(LogGroup {
            log_group_name: log_group(&name),
            arn: format!("{log_group_arn}:*"),
            log_group_arn,
            creation_time: created,
            retention_in_days: core.limits.log_age.as_hours() / 24,
            stored_bytes: bytes,
            metric_filter_count: 0,
            log_group_class: "STANDARD",
        });
    }
    let next_token = log_groups.last().filter(|_| names.peek().is_some()).map(|group| group.log_group_name.clone());
    Ok(LogGroups { log_groups, next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeLogStreams {
    log_group_name: String,
    log_stream_name_prefix: Option<String>,
    order_by: Option<OrderBy>,
    #[serde(default)]
    descending: bool,
    limit: Option<i64>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum OrderBy {
    LogStreamName,
    LastEventTime,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogStreams {
    log_streams: Vec<LogStream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogStream {
    log_stream_name: String,
    creation_time: i64,
    first_event_timestamp: i64,
    last_event_timestamp: i64,
    last_ingestion_time: i64,
    arn: String,
    stored_bytes: i64,
}

fn describe_streams(core: &Core, connection: &Connection, input: DescribeLogStreams) -> Result<LogStreams, AwsError> {
    let function = function_of(core, connection, &input.log_group_name)?;
    let limit = limit(input.limit, MAX_DESCRIBED)?;
    let order_by = input.order_by.unwrap_or(OrderBy::LogStreamName);
    if order_by == OrderBy::LastEventTime && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    // The token is how many streams were told before.
    let skip: usize = match &input.next_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?,
    };
    let order = match order_by {
        OrderBy::LogStreamName => "stream",
        OrderBy::LastEventTime => "max(time_ms)",
    };
    let direction = if input.descending { "DESC" } else { "ASC" };
    let mut statement = connection
        .prepare(&format!(
            "SELECT stream, min(time_ms), max(time_ms), max(ingested_ms) FROM lambda_logs
             WHERE function = ?1 AND substr(stream, 1, length(?2)) = ?2
             GROUP BY stream ORDER BY {order} {direction}, stream LIMIT ?3 OFFSET ?4"
        ))
        .map_err(StoreError::from)?;
    let group = &input.log_group_name;
    let mut log_streams = statement
        .query_map((function, input.log_stream_name_prefix.unwrap_or_default(), limit + 1, skip), |row| {
            let name: String = row.get(0)?;
            Ok(LogStream {
                arn: core.account.arn("logs", &format!("log-group:{group}:log-stream:{name}")),
                log_stream_name: name,
                creation_time: row.get(1)?,
                first_event_timestamp: row.get(1)?,
                last_event_timestamp: row.get(2)?,
                last_ingestion_time: row.get(3)?,
                // No longer told by AWS since 2019.
                stored_bytes: 0,
            })
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(StoreError::from)?;
    let next_token = (log_streams.len() > limit).then(|| (skip + limit).to_string());
    log_streams.truncate(limit);
    Ok(LogStreams { log_streams, next_token })
}

/// A line as it is stored, with its place in the order of time.
struct Stored {
    id: i64,
    stream: String,
    time_ms: i64,
    ingested_ms: i64,
    message: String,
}

/// Which lines to read.
struct Range<'a> {
    function: &'a str,
    streams: Vec<String>,
    stream_prefix: Option<String>,
    /// Inclusive.
    start_ms: i64,
    /// Exclusive.
    end_ms: i64,
    /// Only lines behind (or, when reading backwards, before) this place.
    beyond: Option<Place>,
    backwards: bool,
}

/// A place in the order of lines: by time, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    time_ms: i64,
    id: i64,
}

impl Place {
    fn token(self) -> String {
        format!("{:016x}{:016x}", self.time_ms, self.id)
    }

    fn parse(token: &str) -> Option<Self> {
        let (time, id) = token.split_at_checked(16)?;
        Some(Self { time_ms: i64::from_str_radix(time, 16).ok()?, id: i64::from_str_radix(id, 16).ok()? })
    }
}

/// Reads lines in order, at most `limit`.
fn read(connection: &Connection, range: &Range<'_>, limit: usize) -> Result<Vec<Stored>, StoreError> {
    let mut filter = "function = ?1 AND time_ms >= ?2 AND time_ms < ?3".to_owned();
    let mut values: Vec<Value> = vec![range.function.to_owned().into(), range.start_ms.into(), range.end_ms.into()];
    if !range.streams.is_empty() {
        let names: Vec<String> = (0..range.streams.len()).map(|n| format!("?{}", values.len() + 1 + n)).collect();
        filter.push_str(&format!(" AND stream IN ({})", names.join(", ")));
        values.extend(range.streams.iter().cloned().map(Value::from));
    }
    if let Some(prefix) = &range.stream_prefix {
        values.push(prefix.clone().into());
        filter.push_str(&format!(" AND substr(stream, 1, length(?{0})) = ?{0}", values.len()));
    }
    let (comparison, direction) = if range.backwards { ("<", "DESC") } else { (">", "ASC") };
    if let Some(place) = range.beyond {
        values.extend([place.time_ms.into(), place.id.into()]);
        filter.push_str(&format!(" AND (time_ms, id) {comparison} (?{}, ?{})", values.len() - 1, values.len()));
    }
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, stream, time_ms, ingested_ms, message FROM lambda_logs
         WHERE {filter} ORDER BY time_ms {direction}, id {direction} LIMIT ?{}",
        values.len()
    ))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
        Ok(Stored {
            id: row.get(0)?,
            stream: row.get(1)?,
            time_ms: row.get(2)?,
            ingested_ms: row.get(3)?,
            message: row.get(4)?,
        })
    })?;
    let mut lines = rows.collect::<Result<Vec<_>, _>>()?;
    if range.backwards {
        lines.reverse();
    }
    Ok(lines)
}

impl Stored {
    fn place(&self) -> Place {
        Place { time_ms: self.time_ms, id: self.id }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetLogEvents {
    log_group_name: String,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    #[serde(default)]
    start_from_head: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEvents {
    events: Vec<LogEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEvent {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

fn get_events(core: &Core, connection: &Connection, input: &GetLogEvents) -> Result<LogEvents, AwsError> {
    let function = function_of(core, connection, &input.log_group_name)?;
    let limit = limit(input.limit, MAX_EVENTS)?;
    let token = input.next_token.as_deref();
    // `f/` goes towards the newest, `b/` towards the oldest; without, the newest come first unless asked otherwise.
    let (backwards, beyond) = match token.and_then(|token| token.split_once('/')) {
        None if token.is_none() => (!input.start_from_head, None),
        Some((way @ ("f" | "b"), place)) => {
            let place = Place::parse(place).ok_or_else(|| invalid("The specified nextToken is invalid."))?;
            (way == "b", Some(place))
        }
        _ => return Err(invalid("The specified nextToken is invalid.")),
    };
    let range = Range {
        function,
        streams: vec![input.log_stream_name.clone()],
        stream_prefix: None,
        start_ms: input.start_time.unwrap_or(0),
        end_ms: input.end_time.unwrap_or(i64::MAX),
        beyond,
        backwards,
    };
    let lines = read(connection, &range, limit)?;
    if lines.is_empty() && beyond.is_none() {
        let everything = Range { start_ms: 0, end_ms: i64::MAX, ..range };
        if read(connection, &everything, 1)?.is_empty() {
            return Err(AwsError::bad_request("ResourceNotFoundException", "The specified log stream does not exist."));
        }
    }
    // At the end of a stream the token that was sent comes back.
    let start = Place { time_ms: 0, id: 0 };
    let first = lines.first().map(Stored::place).or(beyond).unwrap_or(start);
    let last = lines.last().map(Stored::place).or(beyond).unwrap_or(start);
    Ok(LogEvents {
        next_forward_token: format!("f/{}", last.token()),
        next_backward_token: format!("b/{}", first.token()),
        events: lines
            .into_iter()
            .map(|line| LogEvent { timestamp: line.time_ms, message: line.message, ingestion_time: line.ingested_ms })
            .collect(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterLogEvents {
    log_group_name: String,
    #[serde(default)]
    log_stream_names: Vec<String>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    /// Deprecated and always true on AWS, too.
    #[serde(default, rename = "interleaved")]
    _interleaved: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredLogEvents {
    events: Vec<FilteredLogEvent>,
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredLogEvent {
    log_stream_name: String,
    timestamp: i64,
    message: String,
    ingestion_time: i64,
    event_id: String,
}

fn filter_events(core: &Core, connection: &Connection, input: FilterLogEvents) -> Result<FilteredLogEvents, AwsError> {
    let function = function_of(core, connection, &input.log_group_name)?;
    let limit = limit(input.limit, MAX_EVENTS)?;
    if !input.log_stream_names.is_empty() && input.log_stream_name_prefix.is_some() {
        return Err(invalid("Cannot filter by both logStreamNames and logStreamNamePrefix."));
    }
    let terms = Terms::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let beyond = match &input.next_token {
        None => None,
        Some(token) => Some(Place::parse(token).ok_or_else(|| invalid("The specified nextToken is invalid."))?),
    };
    let mut range = Range {
        function,
        streams: input.log_stream_names,
        stream_prefix: input.log_stream_name_prefix,
        start_ms: input.start_time.unwrap_or(0),
        end_ms: input.end_time.unwrap_or(i64::MAX),
        beyond,
        backwards: false,
    };
    let mut events = Vec::new();
    loop {
        let lines = read(connection, &range, MAX_EVENTS)?;
        let exhausted = lines.len() < MAX_EVENTS;
        for line in lines {
            range.beyond = Some(line.place());
            if !terms.fit(&line.message) {
                continue;
            }
            events.push(FilteredLogEvent {
                event_id: line.place().token(),
                log_stream_name: line.stream,
                timestamp: line.time_ms,
                message: line.message,
                ingestion_time: line.ingested_ms,
            });
            if events.len() == limit {
                let next_token = range.beyond.map(Place::token);
                return Ok(FilteredLogEvents { events, searched_log_streams: [], next_token });
            }
        }
        if exhausted {
            return Ok(FilteredLogEvents { events, searched_log_streams: [], next_token: None });
        }
    }
}

/// A filter pattern of plain terms.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    /// All of these must be there.
    all: Vec<String>,
    /// If there are any, one of these must be.
    any: Vec<String>,
    /// None of these may be.
    none: Vec<String>,
}

impl Terms {
    fn parse(pattern: &str) -> Result<Self, AwsError> {
        let pattern = pattern.trim();
        if let Some(first) = pattern.chars().next()
            && matches!(first, '{' | '[' | '%')
        {
            return Err(AwsError::unsupported_field(
                "logs",
                "FilterLogEvents",
                &format!("filterPattern beginning with {first}"),
            ));
        }
        let mut terms = Self::default();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let list = match first {
                '?' => &mut terms.any,
                '-' => &mut terms.none,
                _ => &mut terms.all,
            };
            let term = if matches!(first, '?' | '-') { &rest[1..] } else { rest };
            let (term, behind) = match term.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .ok_or_else(|| invalid("Invalid filter pattern: a quotation mark is not closed"))?,
                None => term.split_once(char::is_whitespace).unwrap_or((term, "")),
            };
            if term.is_empty() {
                return Err(invalid("Invalid filter pattern: a term is empty"));
            }
            list.push(term.to_owned());
            rest = behind.trim_start();
        }
        Ok(terms)
    }

    fn fit(&self, message: &str) -> bool {
        self.all.iter().all(|term| message.contains(term))
            && (self.any.is_empty() || self.any.iter().any(|term| message.contains(term)))
            && !self.none.iter().any(|term| message.contains(term))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn patterns_of_terms() {
        for (pattern, message, expected) in [
            ("", "anything", true),
            ("ERROR", "an ERROR happened", true),
            ("ERROR", "an error happened", false),
            ("ERROR happened", "an ERROR happened", true),
            ("ERROR missing", "an ERROR happened", false),
            ("\"an ERROR\"", "an ERROR happened", true),
            ("\"ERROR an\"", "an ERROR happened", false),
            ("?ERROR ?WARN", "WARN", true),
            ("?ERROR ?WARN", "INFO", false),
            ("ERROR -happened", "an ERROR happened", false),
            ("-\"no such\"", "an ERROR happened", true),
        ] {
            assert_eq!(Terms::parse(pattern).unwrap().fit(message), expected, "{pattern} {message}");
        }
        for pattern in ["{ $.level = \"ERROR\" }", "[a, b]", "%x%", "\"open", "?"] {
            assert!(Terms::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn tokens_come_back() {
        let place = Place { time_ms: 1_795_000_000_000, id: 42 };
        assert_eq!(Place::parse(&place.token()), Some(place));
        assert_eq!(Place::parse("made up"), None);
        assert_eq!(Place::parse("é made up, but longer than it should be"), None);
    }
}
