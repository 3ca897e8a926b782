//! What an expression can refer to besides its input: the context object, variables, the time, random numbers.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::env::{Env, RandomSource, UnixMillis};
use crate::jsonpath::{Path, Root};
use crate::payload::Payload;

/// Variables of one scope, by name.
pub(crate) type Variables = BTreeMap<Arc<str>, Payload>;

/// The surroundings of one evaluation. The context object is made when first asked for.
pub(crate) struct Facts<'a> {
    context: OnceCell<Cow<'a, Value>>,
    make_context: Box<dyn Fn() -> Value + 'a>,
    /// Innermost scope first.
    scopes: Vec<&'a Variables>,
    random: RefCell<&'a mut dyn RandomSource>,
    now: UnixMillis,
}

/// A definite path that matched nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unresolved {
    /// The path.
    pub(crate) path: String,
    /// The first step that matches nothing, in bracket notation.
    pub(crate) step: String,
    /// The document it was looked for in.
    pub(crate) document: String,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(make_context: impl Fn() -> Value + 'a, scopes: Vec<&'a Variables>, env: &'a mut Env<'_>) -> Self {
        Self {
            context: OnceCell::new(),
            make_context: Box::new(make_context),
            scopes,
            random: RefCell::new(&mut *env.random),
            now: env.now,
        }
    }

    /// The context object, `$$` or `$states.context`.
    pub(crate) fn context(&self) -> &Value {
        self.context.get_or_init(|| Cow::Owned((self.make_context)()))
    }

    /// A variable of the innermost scope that has it.
    pub(crate) fn variable(&self, name: &str) -> Option<&'a Payload> {
        self.scopes.iter().find_map(|scope| scope.get(name))
    }

    /// The size of all variables in sight.
    pub(crate) fn variables_bytes(&self) -> usize {
        self.scopes.iter().flat_map(|scope| scope.values()).map(Payload::size_bytes).sum()
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.now
    }

    pub(crate) fn random_bits(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }

    pub(crate) fn uuid(&self) -> String {
        let mut random = self.random.borrow_mut();
        Env { now: self.now, random: &mut **random }.uuid()
    }

    /// What a path selects, from whichever root it names.
    pub(crate) fn select<'v>(&'v self, path: &Path, input: &'v Value) -> Result<Cow<'v, Value>, Unresolved> {
        let root = match path.root() {
            Root::Input => input,
            Root::Context => self.context(),
            Root::Variable(name) => match self.variable(name) {
                Some(payload) => payload.value(),
                None => {
                    let (path, step) = (path.text().to_owned(), format!("${name}"));
                    return Err(Unresolved { path, step, document: "{}".to_owned() });
                }
            },
        };
        path.select(root).ok_or_else(|| Unresolved {
            path: path.text().to_owned(),
            step: path.missing_step(root),
            document: root.to_string(),
        })
    }

    #[cfg(test)]
    pub(crate) fn for_test<T>(body: impl FnOnce(&Facts<'_>) -> T) -> T {
        let mut random = crate::env::SeededRandom::new(1);
        let mut env = Env { now: UnixMillis(1_732_307_040_123), random: &mut random };
        let variables = Variables::from([("v".into(), Payload::from(serde_json::json!({"w": [1, 2]})))]);
        let context = || serde_json::json!({"Execution": {"Name": "run-1", "Input": {"a": 1}}});
        let facts = Facts::new(context, vec![&variables], &mut env);
        body(&facts)
    }
}
