//! The durable store: one SQLite file in WAL mode for every control plane of the home.
//!
//! A commit is in the write-ahead log, and so survives `kill -9`, before `write` returns (`synchronous=NORMAL`; only a power
//! cut can take back the newest commits, never corrupt the file). Being one file, a service can commit its own change and the
//! event that tells of it in one transaction.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// How long a writer waits for another writer of the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the store's database refused the request")]
    Sqlite(#[from] rusqlite::Error),
    /// A row holds what this version cannot read.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(String),
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The tables of one service: `statements[n]` takes version `n` of its schema to `n + 1`. Only ever append.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The owning service; its tables carry this prefix.
    pub service: &'static str,
    /// One batch of SQL per version.
    pub statements: &'static [&'static str],
}

/// The store. Open one handle per service with [`Store::open`]: handles of the same file see each other's commits.
#[derive(Debug)]
pub struct Store {
    path: Option<PathBuf>,
    writer: Mutex<Connection>,
    reader: Option<Mutex<Connection>>,
}

impl Store {
    /// Opens (creating it if need be) the store in `directory` and brings this service's tables up to date.
    ///
    /// # Errors
    /// When the directory cannot be made or SQLite refuses.
    pub fn open(directory: &Path, migration: Migration) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| StoreError::Directory { path: directory.into(), source })?;
        let path = directory.join("home.sqlite");
        let store =
            Self { writer: Mutex::new(connect(&path)?), reader: Some(Mutex::new(connect(&path)?)), path: Some(path) };
        store.migrate(migration)?;
        Ok(store)
    }

    /// A store that lives in memory; for tests.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn in_memory(migration: Migration) -> Result<Self, StoreError> {
        let store = Self { path: None, writer: Mutex::new(Connection::open_in_memory()?), reader: None };
        store.migrate(migration)?;
        Ok(store)
    }

    /// The file, or `None` for a store in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Runs `work` in one write transaction: committed when it returns `Ok`, rolled back otherwise.
    ///
    /// # Errors
    /// Whatever `work` returns, or the store's own failure.
    pub fn write<T, E: From<StoreError>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut connection = lock(&self.writer);
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// Runs `work` on a consistent view of what is committed.
    ///
    /// # Errors
    /// Whatever `work` returns, or the store's own failure.
    pub fn read<T, E: From<StoreError>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let mut connection = lock(self.reader.as_ref().unwrap_or(&self.writer));
        let transaction = connection.transaction().map_err(StoreError::from)?;
        work(&transaction)
    }

    fn migrate(&self, migration: Migration) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute_batch(
                "CREATE TABLE IF NOT EXISTS schema_version (service TEXT PRIMARY KEY, version INTEGER NOT NULL)",
            )?;
            let done: usize = transaction
                .query_row("SELECT version FROM schema_version WHERE service = ?1", [migration.service], |row| {
                    row.get(0)
                })
                .or_else(|error| if error == rusqlite::Error::QueryReturnedNoRows { Ok(0) } else { Err(error) })?;
            if done > migration.statements.len() {
                return Err(StoreError::Corrupt(format!(
                    "the {} tables are of version {done}, newer than this program's {}",
                    migration.service,
                    migration.statements.len()
                )));
            }
            for statement in &migration.statements[done..] {
                transaction.execute_batch(statement)?;
            }
            transaction.execute(
                "INSERT INTO schema_version VALUES (?1, ?2) ON CONFLICT (service) DO UPDATE SET version = ?2",
                (migration.service, migration.statements.len()),
            )?;
            Ok(())
        })
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic inside `work` has rolled its transaction back, so the connection is sound.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const TABLES: Migration = Migration { service: "test", statements: &["CREATE TABLE test_rows (n INTEGER)"] };

    fn count(store: &Store) -> i64 {
        store.read::<_, StoreError>(|c| Ok(c.query_row("SELECT count(*) FROM test_rows", [], |r| r.get(0))?)).unwrap()
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_a_commit_survives_reopening() {
        let directory = std::env::temp_dir().join(format!("vodline-store-{}", std::process::id()));
        let store = Store::open(&directory, TABLES).unwrap();
        store
            .write::<(), StoreError>(|t| {
                t.execute("INSERT INTO test_rows VALUES (1)", [])?;
                Err(StoreError::Corrupt("on purpose".into()))
            })
            .unwrap_err();
        assert_eq!(count(&store), 0);
        store
            .write::<(), StoreError>(|t| {
                t.execute("INSERT INTO test_rows VALUES (1)", [])?;
                Ok(())
            })
            .unwrap();
        drop(store);
        assert_eq!(count(&Store::open(&directory, TABLES).unwrap()), 1);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
