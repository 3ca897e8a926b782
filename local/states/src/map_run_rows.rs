//! Map Runs as the store has them: the run in one row, each child in one of its own.

use rusqlite::Connection;
use vodline_asl::{MapRun, map_run::MapChild};

use crate::error::Error;

/// Puts a run together from its row's snapshot and its children's rows.
pub(crate) fn read(connection: &Connection, id: i64, snapshot: &[u8]) -> Result<MapRun, Error> {
    let mut run: MapRun = serde_json::from_slice(snapshot).map_err(unreadable)?;
    let mut statement =
        connection.prepare_cached("SELECT snapshot FROM states_map_children WHERE run = ?1 ORDER BY child")?;
    let mut rows = statement.query([id])?;
    let mut children: Vec<MapChild> = Vec::new();
    while let Some(row) = rows.next()? {
        let snapshot: Vec<u8> = row.get(0)?;
        children.push(serde_json::from_slice(&snapshot).map_err(unreadable)?);
    }
    run.put_children(children);
    Ok(run)
}

fn unreadable(source: serde_json::Error) -> Error {
    Error::Snapshot { what: "map run", source }
}
