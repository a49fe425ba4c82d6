//! The documents beside the program: links lead somewhere, and what is named there exists under that name.
//!
//! `links` are those of every Markdown file. `names` are the words an operator looks up in docs/operations.md: flags,
//! exit codes, endings, shed reasons, fields of a report and log lines, held against the program in both directions
//! where that is cheap. `map` is the code map of ARCHITECTURE.md against the files, `deploy` what dashboards and alerts ask for.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod deploy;
mod links;
mod map;
mod markdown;
mod names;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the project.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below `folder` that end in `.extension`, but for what is built and what is hidden.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, others): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.starts_with('.') && name != "target"
    };
    let below = folders.into_iter().filter(is_ours).flat_map(|folder| files(&folder, extension));
    let here = others.into_iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    here.chain(below).collect()
}
