//! Functions as tests call them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use http::{HeaderValue, header};

use super::*;

fn call_with(code: &str, uri: &str, query: &str) -> Result<Verdict, FunctionError> {
    let function = Arc::new(Function { name: "f".into(), etag: code.into(), code: code.into(), store: None });
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("example.com"));
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
    let Verdict::Response(Generated { status, headers, body }) = verdict else { panic!("{verdict:?}") };
    assert_eq!((status, body), (StatusCode::FOUND, Some(Bytes::from_static(b"moved"))));
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
    check_failure("function handler() { const a = []; for (;;) a.push(new Array(1000).fill(a.length)); }", "failed");
    check_failure("function handler() { return new Promise(() => {}); }", "never settles");
    check_failure("function handler() {}", "nothing");
    check_failure("function handler(e) { e.request.uri = 'x'; return e.request; }", "slash");
    check_failure("function handler(e) { e.request.method = 'PUT'; return e.request; }", "method");
    check_failure("function handler() { return { statusCode: 42 }; }", "statusCode");
    check_failure("function handler(e) { e.request.headers.x = { value: 'a\\nb' }; return e.request; }", "value of x");
    check_failure(
        "import cf from 'cloudfront'; function handler(e) { cf.selectRequestOriginById('none'); }",
        "no origin none",
    );
    check_failure("import cf from 'cloudfront'; function handler(e) { cf.updateRequestOrigin({}); }", "not supported");
    check_failure("import cf from 'cloudfront'; const store = cf.kvs(); function handler(e) {}", "no key value store");
    check_failure(
        "function handler(e) { e.request.headers['x-cache'] = { value: 'Hit' }; return e.request; }",
        "x-cache",
    );
    check_failure("function handler(e) { delete e.request.headers.host; return e.request; }", "host is read-only");
    check_failure("function handler(e) { return { statusCode: 200, body: 'x'.repeat(40961) }; }", "40 KB");
}

fn respond_with(code: &str, status: u16, headers: &[(&'static str, &'static str)]) -> Result<Generated, FunctionError> {
    let function = Arc::new(Function { name: "r".into(), etag: code.into(), code: code.into(), store: None });
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    let call = Call {
        distribution_id: "E1",
        distribution_domain: "d1.cloudfront.net",
        request_id: "r",
        viewer: [127, 0, 0, 1].into(),
        method: "GET",
        uri: "/a",
        query: "",
        headers: &HeaderMap::new(),
        origins: &[],
    };
    run_response(&function, &call, StatusCode::from_u16(status).unwrap(), &map)
}

#[test]
fn a_response_is_changed_header_by_header() {
    let code = "function handler(event) {
        const { response, request, context } = event;
        response.headers['x-seen'] = { value: `${context.eventType} ${request.uri} ${response.statusCode} ${response.statusDescription}` };
        response.headers['x-two'] = { multiValue: [{ value: '1' }, { value: '2' }] };
        delete response.headers.server;
        response.cookies.b = { value: '2' };
        return response;
    }";
    let headers = [("server", "s"), ("content-length", "3"), ("set-cookie", "a=1; Secure"), ("x-edge-id", "kept")];
    let Generated { status, headers, body } = respond_with(code, 200, &headers).unwrap();
    assert_eq!((status, body), (StatusCode::OK, None));
    assert_eq!(headers["x-seen"], "viewer-response /a 200 OK");
    assert!(!headers.contains_key("server"));
    assert_eq!(headers.get_all("x-two").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1; Secure", "b=2"]);
    assert_eq!(headers["content-length"], "3");
    assert_eq!(headers["x-edge-id"], "kept");
}

#[test]
fn a_response_may_get_another_status_and_body_but_no_other_length() {
    let code = "function handler(event) { return { ...event.response, statusCode: 404,
        body: { encoding: 'base64', data: 'bm9uZQ==' } }; }";
    let changed = respond_with(code, 200, &[("content-length", "3")]).unwrap();
    assert_eq!((changed.status, changed.body), (StatusCode::NOT_FOUND, Some(Bytes::from_static(b"none"))));
    for name in ["content-length", "content-encoding", "transfer-encoding", "via"] {
        let code =
            format!("function handler(e) {{ e.response.headers['{name}'] = {{ value: '7' }}; return e.response; }}");
        let error = respond_with(&code, 200, &[("content-length", "3")]).unwrap_err();
        assert_eq!(
            (error.status(), error.to_string().contains("read-only")),
            (StatusCode::BAD_GATEWAY, true),
            "{name}"
        );
    }
}

fn with_store(code: &str) -> Result<Verdict, FunctionError> {
    let pairs = Pairs {
        created_at: Timestamp::UNIX_EPOCH,
        modified_at: Timestamp::UNIX_EPOCH,
        pairs: BTreeMap::from([("text".into(), "héllo".into()), ("json".into(), r#"{"to":"/new"}"#.into())]),
    };
    let stores = Stores::from([("s-1".to_owned(), Arc::new(pairs))]);
    let arns = ["arn:aws:cloudfront::1:key-value-store/s-1".to_owned()];
    let function = Arc::new(Function::new("k", code, code.into(), &arns, &stores));
    run(
        &function,
        &Call {
            distribution_id: "E1",
            distribution_domain: "d1.cloudfront.net",
            request_id: "r",
            viewer: [127, 0, 0, 1].into(),
            method: "GET",
            uri: "/",
            query: "",
            headers: &HeaderMap::new(),
            origins: &[],
        },
    )
}

#[test]
fn a_function_reads_its_key_value_store() {
    let code = "import cf from 'cloudfront';
        const store = cf.kvs('s-1');
        async function handler() {
            const bytes = await store.get('text', { format: 'bytes' });
            const meta = await store.meta();
            return { statusCode: 200, headers: {
                text: { value: encodeURI(await store.get('text')) },
                to: { value: (await store.get('json', { format: 'json' })).to },
                bytes: { value: `${bytes.length}` },
                exists: { value: `${await store.exists('text')} ${await store.exists('none')}` },
                meta: { value: `${meta.keyCount} ${meta.creationDateTime}` },
            } };
        }";
    // The store is asked for when the code is read, before the first call.
    let Verdict::Response(Generated { headers, .. }) = with_store(code).unwrap() else { panic!("no response") };
    let values = ["text", "to", "bytes", "exists", "meta"].map(|name| headers[name].to_str().unwrap());
    assert_eq!(values, ["h%C3%A9llo", "/new", "6", "true false", "2 1970-01-01T00:00:00Z"]);
}

#[test]
fn what_a_key_value_store_does_not_have_is_an_error_that_a_function_may_catch() {
    let missing = "import cf from 'cloudfront';
        async function handler() { return { statusCode: 200, body: await cf.kvs().get('none') }; }";
    assert!(with_store(missing).unwrap_err().to_string().contains("no key none"));
    let caught = "import cf from 'cloudfront';
        async function handler() {
            try { await cf.kvs().get('none'); } catch (error) { return { statusCode: 404 }; }
        }";
    let Verdict::Response(Generated { status, .. }) = with_store(caught).unwrap() else { panic!("no response") };
    assert_eq!(status, StatusCode::NOT_FOUND);
    let other = "import cf from 'cloudfront'; async function handler() { cf.kvs('s-2'); }";
    assert!(with_store(other).unwrap_err().to_string().contains("s-2 is not associated"));
}

#[test]
fn a_test_shows_result_logs_and_time() {
    let function = |code: &str| Function { name: "t".into(), etag: code.into(), code: code.into(), store: None };
    let event = json!({ "version": "1.0", "context": { "eventType": "viewer-request" }, "viewer": { "ip": "1.2.3.4" },
        "request": { "method": "GET", "uri": "/", "querystring": {}, "headers": {}, "cookies": {} } });
    let tested = try_function(
        &function(
            "function handler(e) { console.log('ip', e.viewer.ip, { a: 1 }); e.request.uri = '/x'; return e.request; }",
        ),
        &event,
    );
    assert_eq!(tested.logs, ["ip 1.2.3.4 {\"a\":1}"]);
    let output: Value = serde_json::from_str(&tested.output.unwrap()).unwrap();
    assert_eq!(output["request"]["uri"], "/x");
    let failed = try_function(&function("function handler() { throw new Error('no'); }"), &event);
    assert!(failed.output.unwrap_err().to_string().contains("no"));
    assert!(try_function(&function("function handler(e) { return e.request; }"), &json!({})).output.is_err());
}
