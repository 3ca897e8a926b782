//! Buses, rules and targets as rows.

use vodline_core::{
    Migration, StoreError,
    rusqlite::{Connection, OptionalExtension, Row, Transaction},
};

use super::{RuleRow, RuleState, TargetSpec};

pub(crate) const TABLES: Migration = Migration {
    service: "events",
    statements: &["
        CREATE TABLE events_buses (
            name TEXT PRIMARY KEY,
            created_ms INTEGER NOT NULL
        );
        CREATE TABLE events_rules (
            bus TEXT NOT NULL REFERENCES events_buses (name),
            name TEXT NOT NULL,
            pattern TEXT NOT NULL,
            enabled INTEGER NOT NULL,
            description TEXT,
            role_arn TEXT,
            from_template INTEGER NOT NULL,
            PRIMARY KEY (bus, name)
        );
        CREATE TABLE events_targets (
            bus TEXT NOT NULL,
            rule TEXT NOT NULL,
            id TEXT NOT NULL,
            spec TEXT NOT NULL,
            PRIMARY KEY (bus, rule, id),
            FOREIGN KEY (bus, rule) REFERENCES events_rules (bus, name) ON DELETE CASCADE
        );
        CREATE TABLE events_deliveries (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            event_id TEXT NOT NULL,
            rule_arn TEXT NOT NULL,
            target_arn TEXT NOT NULL,
            role_arn TEXT,
            dead_letter_arn TEXT,
            payload TEXT NOT NULL,
            event TEXT NOT NULL,
            retries_max INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL,
            due_ms INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            function_errors INTEGER NOT NULL DEFAULT 0,
            failed_ms INTEGER,
            error_code TEXT,
            error_message TEXT
        );
        CREATE INDEX events_deliveries_due ON events_deliveries (due_ms, seq) WHERE failed_ms IS NULL;
        CREATE INDEX events_deliveries_failed ON events_deliveries (failed_ms) WHERE failed_ms IS NOT NULL;
    "],
};

pub(crate) fn insert_bus(transaction: &Transaction<'_>, name: &str, now_ms: i64) -> Result<(), StoreError> {
    transaction.execute("INSERT INTO events_buses VALUES (?1, ?2) ON CONFLICT DO NOTHING", (name, now_ms))?;
    Ok(())
}

pub(crate) fn bus_exists(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let found = connection.query_row("SELECT 1 FROM events_buses WHERE name = ?1", [name], |_| Ok(())).optional()?;
    Ok(found.is_some())
}

/// Names and times of creation in milliseconds, by name.
pub(crate) fn buses(connection: &Connection) -> Result<Vec<(String, i64)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name, created_ms FROM events_buses ORDER BY name")?;
    let buses = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(buses.collect::<Result<_, _>>()?)
}

pub(crate) fn rule_exists(connection: &Connection, bus: &str, name: &str) -> Result<bool, StoreError> {
    let found = connection
        .query_row("SELECT 1 FROM events_rules WHERE bus = ?1 AND name = ?2", [bus, name], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

pub(crate) fn put_rule(transaction: &Transaction<'_>, rule: &RuleRow, from_template: bool) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO events_rules (bus, name, pattern, enabled, description, role_arn, from_template)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET pattern = ?3, enabled = ?4, description = ?5, role_arn = ?6,
                                   from_template = max(from_template, ?7)",
        (
            &rule.bus,
            &rule.name,
            &rule.pattern,
            rule.state == RuleState::Enabled,
            &rule.description,
            &rule.role_arn,
            from_template,
        ),
    )?;
    Ok(())
}

/// `false` when there is no such rule.
pub(crate) fn set_state(
    transaction: &Transaction<'_>,
    bus: &str,
    name: &str,
    state: RuleState,
) -> Result<bool, StoreError> {
    let changed = transaction.execute(
        "UPDATE events_rules SET enabled = ?3 WHERE bus = ?1 AND name = ?2",
        (bus, name, state == RuleState::Enabled),
    )?;
    Ok(changed > 0)
}

pub(crate) fn delete_rule(transaction: &Transaction<'_>, bus: &str, name: &str) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM events_rules WHERE bus = ?1 AND name = ?2", [bus, name])?;
    Ok(())
}

/// Deletes the rules that an earlier template described and this one does not.
pub(crate) fn delete_undefined(transaction: &Transaction<'_>, defined: &[(&str, &str)]) -> Result<(), StoreError> {
    let mut statement = transaction.prepare("SELECT bus, name FROM events_rules WHERE from_template")?;
    let rules = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rules: Vec<(String, String)> = rules.collect::<Result<_, _>>()?;
    for (bus, name) in rules {
        if !defined.contains(&(bus.as_str(), name.as_str())) {
            delete_rule(transaction, &bus, &name)?;
        }
    }
    Ok(())
}

/// Adds targets; those with an id that is already there take its place.
pub(crate) fn put_targets(
    transaction: &Transaction<'_>,
    bus: &str,
    rule: &str,
    targets: &[TargetSpec],
) -> Result<(), StoreError> {
    for target in targets {
        let spec = serde_json::to_string(target).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        transaction.execute(
            "INSERT INTO events_targets VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET spec = ?4",
            (bus, rule, &target.id, spec),
        )?;
    }
    Ok(())
}

/// Makes these the rule's only targets.
pub(crate) fn replace_targets(
    transaction: &Transaction<'_>,
    bus: &str,
    rule: &str,
    targets: &[TargetSpec],
) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM events_targets WHERE bus = ?1 AND rule = ?2", [bus, rule])?;
    put_targets(transaction, bus, rule, targets)
}

pub(crate) fn delete_target(transaction: &Transaction<'_>, bus: &str, rule: &str, id: &str) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM events_targets WHERE bus = ?1 AND rule = ?2 AND id = ?3", [bus, rule, id])?;
    Ok(())
}

/// All rules with their targets, in order of bus, name and id.
pub(crate) fn load(connection: &Connection) -> Result<Vec<(RuleRow, Vec<TargetSpec>)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT bus, name, pattern, enabled, description, role_arn FROM events_rules ORDER BY bus, name",
    )?;
    let rules: Vec<RuleRow> = statement.query_map([], rule_row)?.collect::<Result<_, _>>()?;
    let mut statement =
        connection.prepare_cached("SELECT spec FROM events_targets WHERE bus = ?1 AND rule = ?2 ORDER BY id")?;
    let mut loaded = Vec::with_capacity(rules.len());
    for rule in rules {
        let specs = statement.query_map([&rule.bus, &rule.name], |row| row.get::<_, String>(0))?;
        let mut targets = Vec::new();
        for spec in specs {
            let target = serde_json::from_str(&spec?)
                .map_err(|error| StoreError::Corrupt(format!("a target of rule {}: {error}", rule.name)))?;
            targets.push(target);
        }
        loaded.push((rule, targets));
    }
    Ok(loaded)
}

fn rule_row(row: &Row<'_>) -> Result<RuleRow, vodline_core::rusqlite::Error> {
    let enabled: bool = row.get(3)?;
    Ok(RuleRow {
        bus: row.get(0)?,
        name: row.get(1)?,
        pattern: row.get(2)?,
        state: if enabled { RuleState::Enabled } else { RuleState::Disabled },
        description: row.get(4)?,
        role_arn: row.get(5)?,
    })
}
