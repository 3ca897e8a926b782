//! Viewer-request functions, run in QuickJS.
//! Sources: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html>,
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/helper-functions-origin-modification.html>.
//!
//! Each thread keeps an engine for each function it has run, so that a call is one evaluation, about 20 microseconds. As on
//! AWS, nothing may be kept from one call for the next, and nothing in CloudFront promises that it is forgotten.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Function as JsFunction, Module, Object, Runtime,
    loader::{BuiltinLoader, BuiltinResolver},
    promise::MaybePromise,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A function's code; <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions>.
pub(crate) const CODE_BYTES_MAX: usize = 10 * 1024;
/// The same page gives a function 2 MB; the engine takes about as much again.
const MEMORY_BYTES_MAX: usize = 4 << 20;
const STACK_BYTES_MAX: usize = 256 << 10;
/// CloudFront ends functions after about a millisecond; a busy laptop may not run ours for longer than that, so it gets more.
const TIME_MAX: Duration = Duration::from_millis(100);
/// Engines kept by a thread.
const ENGINES_MAX: usize = 32;
/// Lines that a call may log.
const LOG_LINES_MAX: usize = 100;

/// What `import cf from 'cloudfront'` gives.
const CLOUDFRONT_MODULE: &str = "
const refuse = (name) => () => { throw new Error(`cf.${name} is not supported by the local home`); };
export default {
    selectRequestOriginById(id, ...overrides) {
        if (overrides.length > 0) refuse('selectRequestOriginById with overrides')();
        if (!globalThis.__edge.origins.includes(id)) throw new Error(`the distribution has no origin ${id}`);
        globalThis.__edge.selected = id;
    },
    updateRequestOrigin: refuse('updateRequestOrigin'),
    createRequestOriginGroup: refuse('createRequestOriginGroup'),
    kvs: refuse('kvs'),
};
";

/// Goes before a function's code.
const PRELUDE: &str = "
globalThis.__edge = {
    run(text) {
        const input = JSON.parse(text);
        Object.assign(this, { origins: input.origins, selected: null, log: [] });
        const done = (result) => JSON.stringify({ result, selected: this.selected, log: this.log });
        const result = this.handler(input.event);
        return result instanceof Promise ? result.then(done) : done(result);
    },
};
const line = (...values) => {
    globalThis.__edge.log.push(values.map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(' '));
};
globalThis.console = { log: line, info: line, warn: line, error: line };
";

/// Goes after it: the handler is a name in the function's own module.
const POSTLUDE: &str = "\n;globalThis.__edge.handler = handler;\n";

/// A function as a behaviour refers to it.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: String,
    /// Tells one code of this function from the next.
    pub etag: String,
    pub code: String,
}

/// What a function is given.
pub(crate) struct Call<'a> {
    pub distribution_id: &'a str,
    pub distribution_domain: &'a str,
    pub request_id: &'a str,
    pub viewer: IpAddr,
    pub method: &'a str,
    pub uri: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// The ids that `selectRequestOriginById` may name.
    pub origins: &'a [String],
}

/// What a function decides.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Go on, with this request.
    Request { uri: String, query: String, headers: HeaderMap, origin: Option<String> },
    /// Answer this.
    Response { status: StatusCode, headers: HeaderMap, body: Bytes },
}

/// Why a function did not decide.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FunctionError {
    #[error("the code does not evaluate: {0}")]
    Code(String),
    #[error("the handler failed: {0}")]
    Handler(String),
    #[error("the handler took longer than {} ms", TIME_MAX.as_millis())]
    Timeout,
    #[error("the handler returned what is neither a request nor a response: {0}")]
    Result(String),
}

struct Engine {
    // The context must go before the runtime.
    context: Context,
    _runtime: Runtime,
    deadline: Rc<Cell<Option<Instant>>>,
}

impl Engine {
    fn new(code: &str) -> Result<Self, FunctionError> {
        let code_error = |error: rquickjs::Error| FunctionError::Code(error.to_string());
        let runtime = Runtime::new().map_err(code_error)?;
        runtime.set_memory_limit(MEMORY_BYTES_MAX);
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        runtime.set_loader(
            BuiltinResolver::default().with_module("cloudfront"),
            BuiltinLoader::default().with_module("cloudfront", CLOUDFRONT_MODULE),
        );
        let deadline = Rc::new(Cell::new(None));
        let watched = deadline.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || {
            watched.get().is_some_and(|deadline: Instant| Instant::now() >= deadline)
        })));
        let context = Context::full(&runtime).map_err(code_error)?;
        let engine = Self { context, _runtime: runtime, deadline };
        engine
            .timed(|ctx| {
                ctx.eval::<(), _>(PRELUDE)?;
                Module::evaluate(ctx.clone(), "function", format!("{code}{POSTLUDE}"))?.finish::<()>()
            })
            .map_err(|error| match error {
                FunctionError::Handler(text) => FunctionError::Code(text),
                other => other,
            })?;
        Ok(engine)
    }

    fn call(&self, input: &str) -> Result<String, FunctionError> {
        self.timed(|ctx| {
            let edge: Object<'_> = ctx.globals().get("__edge")?;
            let run: JsFunction<'_> = edge.get("run")?;
            let result: MaybePromise<'_> = run.call((rquickjs::function::This(edge), input))?;
            result.finish::<String>()
        })
    }

    fn timed<T>(&self, work: impl for<'js> FnOnce(&Ctx<'js>) -> rquickjs::Result<T>) -> Result<T, FunctionError> {
        let deadline = Instant::now() + TIME_MAX;
        self.deadline.set(Some(deadline));
        let result = self.context.with(|ctx| {
            work(&ctx).catch(&ctx).map_err(|error| match error {
                CaughtError::Exception(exception) => exception.message().unwrap_or_default(),
                CaughtError::Value(value) => format!("it threw {value:?}"),
                CaughtError::Error(rquickjs::Error::WouldBlock) => "its promise never settles".into(),
                CaughtError::Error(error) => error.to_string(),
            })
        });
        self.deadline.set(None);
        result.map_err(
            |text| if Instant::now() >= deadline { FunctionError::Timeout } else { FunctionError::Handler(text) },
        )
    }
}

thread_local! {
    static ENGINES: RefCell<HashMap<(String, String), Engine>> = RefCell::default();
}

/// Runs a function. Takes at most [`TIME_MAX`], on this thread.
pub(crate) fn run(function: &Arc<Function>, call: &Call<'_>) -> Result<Verdict, FunctionError> {
    let event = event(call);
    let input = json!({ "origins": call.origins, "event": event }).to_string();
    let output = ENGINES.with_borrow_mut(|engines| {
        let key = (function.name.clone(), function.etag.clone());
        if !engines.contains_key(&key) {
            if engines.len() >= ENGINES_MAX {
                engines.clear();
            }
            engines.insert(key.clone(), Engine::new(&function.code)?);
        }
        let engine = engines.get(&key).ok_or_else(|| FunctionError::Code("it is gone".into()))?;
        let output = engine.call(&input);
        if output.is_err() {
            // Whatever state an abandoned call leaves goes with the engine.
            engines.remove(&key);
        }
        output
    })?;
    verdict(function, call, &event, &output)
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    value: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    multi_value: Vec<Single>,
    /// Of a cookie in a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Single {
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
}

type Items = BTreeMap<String, Item>;

impl Item {
    /// Adds a further value of the same name: the last is `value`, all are `multiValue`.
    fn add(&mut self, value: &str) {
        if self.multi_value.is_empty() {
            self.multi_value.push(Single { value: std::mem::take(&mut self.value), attributes: None });
        }
        self.multi_value.push(Single { value: value.to_owned(), attributes: None });
        self.value = value.to_owned();
    }

    fn values(&self) -> Vec<(&str, Option<&str>)> {
        if self.multi_value.is_empty() {
            vec![(&self.value, self.attributes.as_deref())]
        } else {
            self.multi_value.iter().map(|single| (single.value.as_str(), single.attributes.as_deref())).collect()
        }
    }
}

fn collect<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Items {
    let mut items = Items::new();
    for (name, value) in pairs {
        items
            .entry(name.to_owned())
            .and_modify(|item| item.add(value))
            .or_insert_with(|| Item { value: value.to_owned(), ..Item::default() });
    }
    items
}

fn query_items(query: &str) -> Items {
    collect(query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

fn header_items(headers: &HeaderMap) -> Items {
    let readable = headers.iter().filter(|(name, _)| *name != header::COOKIE);
    collect(readable.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))))
}

fn cookie_items(headers: &HeaderMap) -> Items {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    collect(values.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('=')))
}

fn event(call: &Call<'_>) -> Value {
    json!({
        "version": "1.0",
        "context": {
            "distributionDomainName": call.distribution_domain,
            "distributionId": call.distribution_id,
            "eventType": "viewer-request",
            "requestId": call.request_id,
        },
        "viewer": { "ip": call.viewer },
        "request": {
            "method": call.method,
            "uri": call.uri,
            "querystring": query_items(call.query),
            "headers": header_items(call.headers),
            "cookies": cookie_items(call.headers),
        },
    })
}

#[derive(Deserialize)]
struct Output {
    result: Option<Map<String, Value>>,
    selected: Option<String>,
    log: Vec<String>,
}

fn verdict(function: &Function, call: &Call<'_>, event: &Value, output: &str) -> Result<Verdict, FunctionError> {
    let wrong = |error: serde_json::Error| FunctionError::Result(error.to_string());
    let output: Output = serde_json::from_str(output).map_err(wrong)?;
    for line in output.log.iter().take(LOG_LINES_MAX) {
        tracing::debug!(function = function.name, line);
    }
    let mut result = output.result.ok_or_else(|| FunctionError::Result("nothing".into()))?;
    let mut items = |name: &str| -> Result<Items, FunctionError> {
        result.remove(name).map_or(Ok(Items::new()), |value| serde_json::from_value(value).map_err(wrong))
    };
    let (headers, cookies, query) = (items("headers")?, items("cookies")?, items("querystring")?);
    if let Some(status) = result.remove("statusCode") {
        return response(&status, headers, cookies, result.remove("body"));
    }
    let uri = result.get("uri").and_then(Value::as_str).filter(|uri| uri.starts_with('/'));
    let uri = uri.ok_or_else(|| FunctionError::Result("its uri does not begin with a slash".into()))?.to_owned();
    if result.get("method").and_then(Value::as_str) != Some(call.method) {
        return Err(FunctionError::Result("its method is not the viewer's".into()));
    }
    // An untouched query keeps the viewer's own spelling and order.
    let unchanged = serde_json::to_value(&query).is_ok_and(|query| query == event["request"]["querystring"]);
    let query = if unchanged { call.query.to_owned() } else { write_query(&query) };
    let mut header_map = header_map(&headers)?;
    let cookies: Vec<String> = cookies
        .iter()
        .flat_map(|(name, item)| item.values().into_iter().map(move |(value, _)| format!("{name}={value}")))
        .collect();
    if !cookies.is_empty() {
        let value = HeaderValue::try_from(cookies.join("; "));
        header_map.insert(header::COOKIE, value.map_err(|error| FunctionError::Result(error.to_string()))?);
    }
    Ok(Verdict::Request { uri, query, headers: header_map, origin: output.selected })
}

fn write_query(items: &Items) -> String {
    let pairs = items.iter().flat_map(|(name, item)| {
        item.values()
            .into_iter()
            .map(move |(value, _)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn header_map(items: &Items) -> Result<HeaderMap, FunctionError> {
    let mut headers = HeaderMap::with_capacity(items.len());
    for (name, item) in items {
        let header =
            HeaderName::try_from(name).map_err(|_| FunctionError::Result(format!("the header name {name:?}")))?;
        for (value, _) in item.values() {
            let value =
                HeaderValue::try_from(value).map_err(|_| FunctionError::Result(format!("the value of {name}")))?;
            headers.append(header.clone(), value);
        }
    }
    Ok(headers)
}

fn response(status: &Value, headers: Items, cookies: Items, body: Option<Value>) -> Result<Verdict, FunctionError> {
    let status = status
        .as_u64()
        .and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok())
        .filter(|status| !status.is_informational())
        .ok_or_else(|| FunctionError::Result("its statusCode is none".into()))?;
    let mut headers = header_map(&headers)?;
    for (name, item) in &cookies {
        for (value, attributes) in item.values() {
            let attributes = attributes.map_or_else(String::new, |attributes| format!("; {attributes}"));
            let cookie = HeaderValue::try_from(format!("{name}={value}{attributes}"));
            headers.append(header::SET_COOKIE, cookie.map_err(|error| FunctionError::Result(error.to_string()))?);
        }
    }
    let body = match body {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) => text.into(),
        Some(Value::Object(body)) if body.get("encoding").and_then(Value::as_str) == Some("text") => {
            body.get("data").and_then(Value::as_str).unwrap_or_default().to_owned().into()
        }
        Some(_) => return Err(FunctionError::Result("its body is neither text nor of encoding text".into())),
    };
    Ok(Verdict::Response { status, headers, body })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn call_with(code: &str, uri: &str, query: &str) -> Result<Verdict, FunctionError> {
        let function = Arc::new(Function { name: "f".into(), etag: code.into(), code: code.into() });
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static("test"));
        headers.insert("cookie", HeaderValue::from_static("a=1; b=2"));
        run(
            &function,
            &Call {
                distribution_id: "E1",
                distribution_domain: "d1.cloudfront.net",
                request_id: "r",
                viewer: [127, 0, 0, 1].into(),
                method: "GET",
                uri,
                query,
                headers: &headers,
                origins: &["site".into(), "mp-1".into()],
            },
        )
    }

    /// The function of the line: `/v/<origin>/...`.
    const SELECT: &str = "
        import cf from 'cloudfront';
        function handler(event) {
            const request = event.request;
            const [, , origin, ...rest] = request.uri.split('/');
            cf.selectRequestOriginById(origin);
            request.uri = '/' + rest.join('/');
            return request;
        }";

    #[test]
    fn a_function_selects_the_origin_and_changes_the_path() {
        let verdict = call_with(SELECT, "/v/mp-1/out/v1/index.m3u8", "b=2&a=1&a=%20").unwrap();
        let Verdict::Request { uri, query, headers, origin } = verdict else { panic!("{verdict:?}") };
        assert_eq!(
            (uri.as_str(), query.as_str(), origin.as_deref()),
            ("/out/v1/index.m3u8", "b=2&a=1&a=%20", Some("mp-1"))
        );
        assert_eq!(headers["user-agent"], "test");
        assert_eq!(headers["cookie"], "a=1; b=2");
    }

    #[test]
    fn a_selection_does_not_outlive_its_call() {
        let code = "
            import cf from 'cloudfront';
            function handler(event) {
                if (event.request.uri === '/select') cf.selectRequestOriginById('site');
                return event.request;
            }";
        for (uri, expected) in [("/select", Some("site")), ("/plain", None)] {
            let Verdict::Request { origin, .. } = call_with(code, uri, "").unwrap() else { panic!("no request") };
            assert_eq!(origin.as_deref(), expected);
        }
    }

    #[test]
    fn a_function_may_be_asynchronous_and_answer_itself() {
        let code = "
            async function handler(event) {
                console.log('seen', event.request.querystring.x.multiValue.length);
                return { statusCode: 302, headers: { location: { value: '/new' } }, cookies: { c: { value: '1', attributes: 'Secure' } },
                         body: { encoding: 'text', data: 'moved' } };
            }";
        let verdict = call_with(code, "/old", "x=1&x=2").unwrap();
        let Verdict::Response { status, headers, body } = verdict else { panic!("{verdict:?}") };
        assert_eq!((status, &body[..]), (StatusCode::FOUND, &b"moved"[..]));
        assert_eq!(
            (&headers["location"], &headers["set-cookie"]),
            (&"/new".parse().unwrap(), &"c=1; Secure".parse().unwrap())
        );
    }

    #[test]
    fn a_changed_query_is_written_anew() {
        let code =
            "function handler(event) { delete event.request.querystring.a; event.request.querystring.z = { value: '' };
                    return event.request; }";
        let Verdict::Request { query, .. } = call_with(code, "/", "b=2&a=1").unwrap() else { panic!("no request") };
        assert_eq!(query, "b=2&z");
    }

    fn check_failure(code: &str, words: &str) {
        let error = call_with(code, "/", "").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn failures_are_named() {
        check_failure("function handler(", "does not evaluate");
        check_failure("function other() {}", "handler");
        check_failure("import x from 'fs'; function handler(e) { return e.request; }", "does not evaluate");
        check_failure("function handler() { throw new Error('on purpose'); }", "on purpose");
        check_failure("function handler() { for (;;) {} }", "longer than");
        check_failure(
            "function handler() { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); }",
            "failed",
        );
        check_failure("function handler() { return new Promise(() => {}); }", "never settles");
        check_failure("function handler() {}", "nothing");
        check_failure("function handler(e) { e.request.uri = 'x'; return e.request; }", "slash");
        check_failure("function handler(e) { e.request.method = 'PUT'; return e.request; }", "method");
        check_failure("function handler() { return { statusCode: 42 }; }", "statusCode");
        check_failure(
            "function handler(e) { e.request.headers.x = { value: 'a\\nb' }; return e.request; }",
            "value of x",
        );
        check_failure(
            "import cf from 'cloudfront'; function handler(e) { cf.selectRequestOriginById('none'); }",
            "no origin none",
        );
        check_failure(
            "import cf from 'cloudfront'; function handler(e) { cf.updateRequestOrigin({}); }",
            "not supported",
        );
    }
}
