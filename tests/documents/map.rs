//! The code map: whoever adds a module gives it a word there.

use std::path::PathBuf;

use crate::{files, markdown, root, text};

/// Fails if a module is added, or renamed, and the map is not.
#[test]
fn every_module_is_in_the_code_map() {
    let document = text("ARCHITECTURE.md");
    let map = markdown::section(&document, "## Code map");
    let named: Vec<&str> = markdown::names(map).flat_map(|name| name.split('/')).collect();
    let sources = [
        "proto/src",
        "runtime/src",
        "ingress/src",
        "fanout/src",
        "stats-node/src",
        "web/src",
        "chat-demo/src",
        "bench/src",
        "zmq-sys/src",
        "src",
    ];
    let modules: Vec<_> = sources.iter().flat_map(|folder| files(&root().join(folder), "rs")).collect();
    assert!(modules.len() > 50, "{} modules", modules.len());

    let is_absent = |path: &&PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_plumbing = ["lib", "main", "mod", "tests"].contains(&name);
        let is_test = path.strip_prefix(root()).unwrap().components().any(|part| part.as_os_str() == "tests");
        !is_plumbing && !is_test && !named.contains(&name)
    };
    let absent: Vec<_> = modules.iter().filter(is_absent).collect();

    assert!(absent.is_empty(), "without a word in the code map of ARCHITECTURE.md: {absent:#?}");
}
