//! What passes, written down. The tests of `local/states` compile this file too, and keep a score of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::compare::Measures;

/// A file among the tests of the crate that this is compiled in.
pub(crate) fn own(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file)
}

/// The score of one kind of recording.
pub(crate) struct Score {
    kind: &'static str,
    /// Case to the measures it passes.
    passed: BTreeMap<String, Vec<&'static str>>,
    differences: BTreeMap<String, String>,
    /// Class to how many cases pass each measure.
    totals: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

impl Score {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, passed: BTreeMap::new(), differences: BTreeMap::new(), totals: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, class: &str, name: &str, measures: Measures) {
        let Measures { status, output, types, history, difference } = measures;
        let all = [("status", status), ("output", output), ("types", types), ("history", history)];
        let passed: Vec<&'static str> = all.into_iter().filter(|(_, passed)| *passed).map(|(name, _)| name).collect();
        let totals = self.totals.entry(class.to_owned()).or_default();
        *totals.entry("cases").or_default() += 1;
        for measure in &passed {
            *totals.entry(measure).or_default() += 1;
        }
        self.passed.insert(name.to_owned(), passed);
        if let Some(difference) = difference {
            self.differences.insert(name.to_owned(), difference);
        }
    }

    /// Fails when a case passes less than is written down, or does not match in full and gives no reason.
    pub(crate) fn hold(self) {
        let file = own(&format!("score/{}.json", self.kind));
        if std::env::var_os("UPDATE_SCORE").is_some() {
            let score = json!({"totals": self.totals, "passed": self.passed});
            std::fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&score).unwrap())).unwrap();
            let differences = serde_json::to_string_pretty(&self.differences).unwrap();
            std::fs::write(std::env::temp_dir().join(format!("recorded-differences-{}.json", self.kind)), differences)
                .unwrap();
        }
        let score: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let reasons: Value = serde_json::from_slice(&std::fs::read(own("unmatched.json")).unwrap()).unwrap();
        let mut problems = String::new();
        for (name, passed) in &self.passed {
            let before = score["passed"][name].as_array().cloned().unwrap_or_default();
            for measure in before.iter().filter_map(Value::as_str).filter(|measure| !passed.contains(measure)) {
                let difference = self.differences.get(name).map_or("", String::as_str);
                problems.push_str(&format!("{name} no longer passes '{measure}': {difference}\n"));
            }
            let is_full = passed.len() == 4;
            if !is_full && reasons[name].is_null() {
                let difference = self.differences.get(name).map_or("", String::as_str);
                problems.push_str(&format!(
                    "{name} does not match and tests/unmatched.json gives no reason: {difference}\n"
                ));
            }
            if is_full && !reasons[name].is_null() {
                problems.push_str(&format!("{name} matches: take it off tests/unmatched.json\n"));
            }
        }
        let totals = serde_json::to_string(&self.totals).unwrap();
        assert!(
            problems.is_empty(),
            "{problems}totals: {totals}\nUPDATE_SCORE=1 writes the score anew once the change is meant."
        );
    }
}
