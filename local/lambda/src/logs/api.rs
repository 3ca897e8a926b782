//! CloudWatch Logs, as far as reading functions' logs goes.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vodline_core::{AwsError, Protocol, Request, Response, Service, StoreError, rusqlite::Row};

use super::Logs;

/// Log groups of functions begin with this.
const GROUP_PREFIX: &str = "/aws/lambda/";
/// Events in one answer at most.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>.
const EVENTS_MAX: u32 = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    log_group_name: String,
    #[serde(default)]
    log_stream_names: Vec<String>,
    #[serde(default)]
    start_time: Option<i64>,
    #[serde(default)]
    end_time: Option<i64>,
    #[serde(default)]
    filter_pattern: Option<String>,
    #[serde(default)]
    next_token: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    /// Answers are always in order of time.
    #[serde(default, rename = "interleaved")]
    _interleaved: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OneStream {
    log_group_name: String,
    log_stream_name: String,
    #[serde(default)]
    start_time: Option<i64>,
    #[serde(default)]
    end_time: Option<i64>,
    #[serde(default)]
    next_token: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    start_from_head: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Groups {
    #[serde(default)]
    log_group_name_prefix: Option<String>,
    #[serde(default, rename = "limit")]
    _limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Streams {
    log_group_name: String,
    #[serde(default)]
    log_stream_name_prefix: Option<String>,
    #[serde(default, rename = "orderBy")]
    _order_by: Option<String>,
    #[serde(default, rename = "descending")]
    _descending: Option<bool>,
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEvent {
    event_id: String,
    log_stream_name: String,
    timestamp: i64,
    ingestion_time: i64,
    message: String,
    #[serde(skip)]
    seq: i64,
}

/// Which lines are asked for.
#[derive(Default)]
struct Query<'a> {
    function: &'a str,
    streams: &'a [String],
    from_ms: i64,
    to_ms: i64,
    after_seq: i64,
    terms: Vec<String>,
    limit: usize,
}

#[async_trait]
impl Service for Logs {
    fn protocol(&self) -> Protocol {
        Protocol::Json11
    }

    async fn call(&self, request: Request) -> Result<Response, AwsError> {
        let arn = |group: &str| self.account.arn("logs", &format!("log-group:{group}:*"));
        let action = format!("logs:{}", request.operation);
        match request.operation.as_str() {
            "FilterLogEvents" => {
                let input: Filter = request.json()?;
                request.authorize(&action, &arn(&input.log_group_name))?;
                self.flush();
                self.filter(&input)
            }
            "GetLogEvents" => {
                let input: OneStream = request.json()?;
                request.authorize(&action, &arn(&input.log_group_name))?;
                self.flush();
                self.one_stream(&input)
            }
            "DescribeLogGroups" => {
                let input: Groups = request.json()?;
                request.authorize(&action, &arn("*"))?;
                self.flush();
                self.groups(&input)
            }
            "DescribeLogStreams" => {
                let input: Streams = request.json()?;
                request.authorize(&action, &arn(&input.log_group_name))?;
                self.flush();
                self.streams(&input)
            }
            other => Err(AwsError::unsupported_operation("logs", other)),
        }
    }
}

impl Logs {
    fn filter(&self, input: &Filter) -> Result<Response, AwsError> {
        let limit = input.limit.unwrap_or(EVENTS_MAX).clamp(1, EVENTS_MAX) as usize;
        let events = self.lines(&Query {
            function: function(&input.log_group_name)?,
            streams: &input.log_stream_names,
            from_ms: input.start_time.unwrap_or(0),
            to_ms: input.end_time.unwrap_or(i64::MAX),
            after_seq: token(input.next_token.as_deref())?,
            terms: terms(input.filter_pattern.as_deref().unwrap_or_default())?,
            limit,
        })?;
        let mut answer = json!({ "searchedLogStreams": [] });
        if let Some(last) = events.last().filter(|_| events.len() == limit) {
            answer["nextToken"] = json!(last.seq.to_string());
        }
        answer["events"] = json!(events);
        Response::json(&answer)
    }

    fn one_stream(&self, input: &OneStream) -> Result<Response, AwsError> {
        let limit = input.limit.unwrap_or(EVENTS_MAX).clamp(1, EVENTS_MAX) as usize;
        let after = token(input.next_token.as_deref())?;
        let mut events = self.lines(&Query {
            function: function(&input.log_group_name)?,
            streams: std::slice::from_ref(&input.log_stream_name),
            from_ms: input.start_time.unwrap_or(0),
            to_ms: input.end_time.unwrap_or(i64::MAX),
            after_seq: after,
            terms: Vec::new(),
            limit: if input.start_from_head || input.next_token.is_some() { limit } else { usize::MAX >> 1 },
        })?;
        if events.len() > limit {
            events.drain(..events.len() - limit);
        }
        let last = events.last().map_or(after, |event| event.seq);
        let events: Vec<_> = events
            .iter()
            .map(|e| json!({ "timestamp": e.timestamp, "ingestionTime": e.ingestion_time, "message": e.message }))
            .collect();
        Response::json(
            &json!({ "events": events, "nextForwardToken": last.to_string(), "nextBackwardToken": after.to_string() }),
        )
    }

    fn groups(&self, input: &Groups) -> Result<Response, AwsError> {
        let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
        let functions: Vec<String> = self.store.read::<_, StoreError>(|connection| {
            let mut statement =
                connection.prepare("SELECT DISTINCT function FROM lambda_log_lines ORDER BY function")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })?;
        let groups: Vec<_> = functions
            .iter()
            .map(|function| format!("{GROUP_PREFIX}{function}"))
            .filter(|name| name.starts_with(prefix))
            .map(
                |name| json!({ "logGroupName": name, "arn": self.account.arn("logs", &format!("log-group:{name}:*")) }),
            )
            .collect();
        Response::json(&json!({ "logGroups": groups }))
    }

    fn streams(&self, input: &Streams) -> Result<Response, AwsError> {
        let function = function(&input.log_group_name)?;
        let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
        let rows: Vec<(String, i64, i64)> = self.store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare(
                "SELECT stream, min(at_ms), max(at_ms) FROM lambda_log_lines WHERE function = ?1 GROUP BY stream
                 ORDER BY max(at_ms) DESC",
            )?;
            let rows = statement.query_map([function], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let streams: Vec<_> = rows
            .iter()
            .filter(|(name, ..)| name.starts_with(prefix))
            .take(input.limit.unwrap_or(50) as usize)
            .map(|(name, first, last)| {
                json!({ "logStreamName": name, "firstEventTimestamp": first, "lastEventTimestamp": last })
            })
            .collect();
        Response::json(&json!({ "logStreams": streams }))
    }

    fn lines(&self, query: &Query<'_>) -> Result<Vec<LogEvent>, AwsError> {
        let fits = |event: &LogEvent| {
            (query.streams.is_empty() || query.streams.contains(&event.log_stream_name))
                && query.terms.iter().all(|term| event.message.contains(term))
        };
        Ok(self.store.read::<_, StoreError>(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, stream, at_ms, message FROM lambda_log_lines
                 WHERE function = ?1 AND at_ms >= ?2 AND at_ms <= ?3 AND seq > ?4 ORDER BY seq",
            )?;
            let rows = statement.query_map((query.function, query.from_ms, query.to_ms, query.after_seq), log_event)?;
            let mut events = Vec::new();
            for event in rows {
                let event = event?;
                if fits(&event) {
                    events.push(event);
                    if events.len() == query.limit {
                        break;
                    }
                }
            }
            Ok(events)
        })?)
    }
}

fn log_event(row: &Row<'_>) -> vodline_core::rusqlite::Result<LogEvent> {
    let seq: i64 = row.get(0)?;
    let at_ms = row.get(2)?;
    Ok(LogEvent {
        event_id: format!("{seq:056}"),
        log_stream_name: row.get(1)?,
        timestamp: at_ms,
        ingestion_time: at_ms,
        message: row.get(3)?,
        seq,
    })
}

fn function(group: &str) -> Result<&str, AwsError> {
    group
        .strip_prefix(GROUP_PREFIX)
        .ok_or_else(|| AwsError::bad_request("ResourceNotFoundException", "The specified log group does not exist."))
}

fn token(token: Option<&str>) -> Result<i64, AwsError> {
    token.map_or(Ok(0), |token| {
        token
            .parse()
            .map_err(|_| AwsError::bad_request("InvalidParameterException", "The specified nextToken is invalid."))
    })
}

/// Words and quoted phrases that must all be in a line. JSON and field patterns are refused.
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
fn terms(pattern: &str) -> Result<Vec<String>, AwsError> {
    let mut terms = Vec::new();
    let mut rest = pattern.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '{' | '[' | '?' | '-' | '%') {
            return Err(AwsError::bad_request(
                "InvalidParameterException",
                format!("the local home supports words and quoted phrases in filterPattern, not {rest}"),
            ));
        }
        let (term, after) = if first == '"' {
            let mut term = String::new();
            let mut letters = rest[1..].char_indices();
            let end = loop {
                match letters.next() {
                    Some((_, '\\')) => term.extend(letters.next().map(|(_, letter)| letter)),
                    Some((index, '"')) => break index + 2,
                    Some((_, letter)) => term.push(letter),
                    None => {
                        return Err(AwsError::bad_request(
                            "InvalidParameterException",
                            "a quote of filterPattern is not closed",
                        ));
                    }
                }
            };
            (term, &rest[end..])
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        terms.push(term);
        rest = after.trim_start();
    }
    Ok(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expect: Option<&[&str]>) {
        let found = terms(pattern).ok();
        assert_eq!(found, expect.map(|terms| terms.iter().map(ToString::to_string).collect()), "{pattern}");
    }

    #[test]
    fn patterns_are_words_and_phrases() {
        check("", Some(&[]));
        check("ERROR timeout", Some(&["ERROR", "timeout"]));
        check(r#""REPORT RequestId" x"#, Some(&["REPORT RequestId", "x"]));
        check(r#""say \"hi\" é""#, Some(&["say \"hi\" é"]));
        check(r#""open"#, None);
        check("{ $.a = 1 }", None);
        check("-not", None);
    }
}
