//! `schemas/`, from `shared/contracts`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use vodline_contracts::schema;

use crate::{
    Outcome,
    generated::{Mode, settle},
    shell::root,
};

/// Writes or checks every schema, and that there is no other file among them.
pub(crate) fn run(mode: Mode) -> Outcome {
    let folder = root().join("schemas");
    let mut expected = BTreeSet::new();
    for contract in schema::all() {
        let path = folder.join(format!("{}.schema.json", contract.name));
        settle(&path, &schema::render(&contract), mode, "cargo xtask schemas")?;
        expected.insert(path);
    }
    for path in files(&folder)?.into_iter().filter(|path| !expected.contains(path)) {
        if mode == Mode::Check {
            return Err(format!("{} belongs to no contract; run `cargo xtask schemas`", path.display()));
        }
        fs::remove_file(&path).map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Released versions are kept in folders of their own and are not generated any more.
            if path.file_name().is_some_and(|name| name != "released") {
                found.extend(files(&path)?);
            }
        } else if path.to_string_lossy().ends_with(".schema.json") {
            found.push(path);
        }
    }
    Ok(found)
}
