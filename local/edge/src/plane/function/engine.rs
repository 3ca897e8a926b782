//! The JavaScript engine: one for each function on each thread.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Function as JsFunction, Module, Object, Runtime,
    loader::{BuiltinLoader, BuiltinResolver},
    promise::MaybePromise,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Function, FunctionError, Pairs, TIME_MAX};

/// The page of CloudFront's limits gives a function 2 MB; the engine takes about as much again.
const MEMORY_BYTES_MAX: usize = 4 << 20;
const STACK_BYTES_MAX: usize = 256 << 10;
/// Engines kept by a thread.
const ENGINES_MAX: usize = 32;

/// What `import cf from 'cloudfront'` gives.
const CLOUDFRONT_MODULE: &str = "
const refuse = (name) => () => { throw new Error(`cf.${name} is not supported by the local home`); };
const formats = {
    string: (text) => text,
    json: (text) => JSON.parse(text),
    bytes: (text) => globalThis.__edge.bytes(text),
};
const store = Object.freeze({
    async get(key, options) {
        const format = (options && options.format) || 'string';
        if (!Object.hasOwn(formats, format)) throw new Error(`the format ${format} is none of string, json and bytes`);
        const value = globalThis.__edge.pair(String(key));
        if (value === undefined) throw new Error(`the key value store has no key ${key}`);
        return formats[format](value);
    },
    async exists(key) { return globalThis.__edge.pair(String(key)) !== undefined; },
    async meta() { return JSON.parse(globalThis.__edge.meta()); },
});
export default {
    selectRequestOriginById(id, ...overrides) {
        if (overrides.length > 0) refuse('selectRequestOriginById with overrides')();
        const { origins } = globalThis.__edge;
        if (origins && !origins.includes(id)) throw new Error(`the distribution has no origin ${id}`);
        globalThis.__edge.selected = id;
    },
    updateRequestOrigin: refuse('updateRequestOrigin'),
    createRequestOriginGroup: refuse('createRequestOriginGroup'),
    kvs(id) {
        const known = globalThis.__edge.store();
        if (known === undefined) throw new Error('no key value store is associated with the function');
        if (id !== undefined && id !== known) throw new Error(`the key value store ${id} is not associated with the function`);
        return store;
    },
};
";

/// Goes before a function's code.
const PRELUDE: &str = "
Object.assign(globalThis.__edge, {
    run(text) {
        const input = JSON.parse(text);
        Object.assign(this, { origins: input.origins, selected: null, log: [] });
        const done = (result) => JSON.stringify({ result, selected: this.selected, log: this.log });
        const result = this.handler(input.event);
        return result instanceof Promise ? result.then(done) : done(result);
    },
});
const line = (...values) => {
    globalThis.__edge.log.push(values.map((v) => (typeof v === 'string' ? v : String(JSON.stringify(v)))).join(' '));
};
globalThis.console = { log: line, info: line, warn: line, error: line };
";

/// Goes after it: the handler is a name in the function's own module.
const POSTLUDE: &str = "\n;globalThis.__edge.handler = handler;\n";

/// The store that the function may read during the call that is under way, with its id.
type Readable = Rc<RefCell<Option<(String, Arc<Pairs>)>>>;

/// What a handler returned.
#[derive(Deserialize)]
pub(super) struct Output {
    pub result: Option<Map<String, Value>>,
    /// The origin it selected.
    pub selected: Option<String>,
    pub log: Vec<String>,
}

struct Engine {
    // The context must go before the runtime.
    context: Context,
    _runtime: Runtime,
    deadline: Rc<Cell<Option<Instant>>>,
    store: Readable,
}

impl Engine {
    fn new(function: &Function) -> Result<Self, FunctionError> {
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
        // The code may ask for its store when it is read, outside the handler.
        let store = Rc::new(RefCell::new(function.store.clone()));
        let engine = Self { context, _runtime: runtime, deadline, store };
        let store = engine.store.clone();
        engine
            .timed(|ctx| {
                let edge = Object::new(ctx.clone())?;
                bind(ctx, &edge, &store)?;
                ctx.globals().set("__edge", edge)?;
                ctx.eval::<(), _>(PRELUDE)?;
                Module::evaluate(ctx.clone(), "function", format!("{}{POSTLUDE}", function.code))?.finish::<()>()
            })
            .map_err(|error| match error {
                FunctionError::Handler(text) => FunctionError::Code(text),
                other => other,
            })?;
        Ok(engine)
    }

    fn call(&self, function: &Function, input: &str) -> Result<String, FunctionError> {
        self.store.borrow_mut().clone_from(&function.store);
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

/// Gives the function what it reads of its store.
fn bind<'js>(ctx: &Ctx<'js>, edge: &Object<'js>, store: &Readable) -> rquickjs::Result<()> {
    let known = store.clone();
    let id = move || known.borrow().as_ref().map(|(id, _)| id.clone());
    edge.set("store", JsFunction::new(ctx.clone(), id)?)?;
    let known = store.clone();
    let pair = move |key: String| known.borrow().as_ref().and_then(|(_, store)| store.pairs.get(&key).cloned());
    edge.set("pair", JsFunction::new(ctx.clone(), pair)?)?;
    let known = store.clone();
    let meta = move || {
        let store = known.borrow();
        store.as_ref().map(|(_, store)| {
            serde_json::json!({
                "creationDateTime": store.created_at.to_string(),
                "lastUpdatedDateTime": store.modified_at.to_string(),
                "keyCount": store.pairs.len(),
            })
            .to_string()
        })
    };
    edge.set("meta", JsFunction::new(ctx.clone(), meta)?)?;
    let bytes = |ctx: Ctx<'js>, text: String| rquickjs::TypedArray::<u8>::new(ctx, text.into_bytes());
    edge.set("bytes", JsFunction::new(ctx.clone(), bytes)?)
}

thread_local! {
    static ENGINES: RefCell<HashMap<(String, String), Engine>> = RefCell::default();
}

/// Calls a function's handler, on this thread.
pub(super) fn call(function: &Function, input: &str) -> Result<Output, FunctionError> {
    let text = ENGINES.with_borrow_mut(|engines| {
        let key = (function.name.clone(), function.etag.clone());
        if !engines.contains_key(&key) {
            if engines.len() >= ENGINES_MAX {
                engines.clear();
            }
            engines.insert(key.clone(), Engine::new(function)?);
        }
        let engine = engines.get(&key).ok_or_else(|| FunctionError::Code("it is gone".into()))?;
        let output = engine.call(function, input);
        if output.is_err() {
            // Whatever state an abandoned call leaves goes with the engine.
            engines.remove(&key);
        }
        output
    })?;
    serde_json::from_str(&text).map_err(|error| FunctionError::Result(error.to_string()))
}
