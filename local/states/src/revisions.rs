//! Parsed definitions, kept in memory: an execution's every step needs its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension};
use vodline_asl::{ExecutionKind, MapRun, StateMachine};
use vodline_core::StoreError;

use crate::error::Error;

/// Parsed definitions kept; when there are more, all are forgotten and parsed again as needed.
const KEPT_MAX: usize = 256;

/// A definition as it was at one time; it never changes.
pub(crate) struct Revision {
    /// The parsed definition.
    pub(crate) machine: StateMachine,
    /// The role it works under.
    pub(crate) role_arn: Arc<str>,
}

/// The parsed definitions by revision and, for the children of a Map Run, by run.
#[derive(Default)]
pub(crate) struct Revisions {
    by_revision: Mutex<HashMap<i64, Arc<Revision>>>,
    by_map_run: Mutex<HashMap<i64, Arc<Revision>>>,
}

impl Revisions {
    /// The revision with this id.
    pub(crate) fn get(&self, connection: &Connection, id: i64) -> Result<Arc<Revision>, Error> {
        if let Some(found) = lock(&self.by_revision).get(&id) {
            return Ok(Arc::clone(found));
        }
        let (definition, role_arn, kind): (String, String, String) = connection
            .prepare_cached(
                "SELECT r.definition, r.role_arn, coalesce(m.kind, 'STANDARD')
                 FROM states_revisions r LEFT JOIN states_machines m ON m.id = r.machine WHERE r.id = ?1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?
            .ok_or_else(|| StoreError::Corrupt(format!("revision {id} of a state machine is missing")))?;
        let machine = StateMachine::parse_for(&definition, kind_of(&kind)).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            StoreError::Corrupt(format!("revision {id} is no longer valid: {}", findings.join(", ")))
        })?;
        let revision = Arc::new(Revision { machine, role_arn: role_arn.into() });
        keep(&self.by_revision, id, &revision);
        Ok(revision)
    }

    /// What the children of a Map Run work by.
    pub(crate) fn child(
        &self,
        connection: &Connection,
        parent_revision: i64,
        map_run: i64,
    ) -> Result<Arc<Revision>, Error> {
        if let Some(found) = lock(&self.by_map_run).get(&map_run) {
            return Ok(Arc::clone(found));
        }
        let parent = self.get(connection, parent_revision)?;
        let snapshot: Vec<u8> = connection
            .prepare_cached("SELECT snapshot FROM states_map_runs WHERE id = ?1")?
            .query_row([map_run], |row| row.get(0))?;
        let run: MapRun =
            serde_json::from_slice(&snapshot).map_err(|source| Error::Snapshot { what: "map run", source })?;
        let machine = run.child_machine(&parent.machine);
        let revision = Arc::new(Revision { machine, role_arn: Arc::clone(&parent.role_arn) });
        keep(&self.by_map_run, map_run, &revision);
        Ok(revision)
    }
}

/// Reads a machine's stored kind.
pub(crate) fn kind_of(text: &str) -> ExecutionKind {
    if text == "EXPRESS" { ExecutionKind::Express } else { ExecutionKind::Standard }
}

/// Writes a machine's kind.
pub(crate) fn kind_name(kind: ExecutionKind) -> &'static str {
    match kind {
        ExecutionKind::Standard => "STANDARD",
        ExecutionKind::Express => "EXPRESS",
    }
}

fn keep(cache: &Mutex<HashMap<i64, Arc<Revision>>>, id: i64, revision: &Arc<Revision>) {
    let mut cache = lock(cache);
    if cache.len() >= KEPT_MAX {
        cache.clear();
    }
    cache.insert(id, Arc::clone(revision));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The maps are sound after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
