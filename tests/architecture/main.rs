//! The house rules that a compiler does not check: imports run downward, files stay small, actor types stay where they
//! belong. `language` has the rules for words, `documents` those for the documents.

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]

mod documents;
mod language;
mod source_text;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which module may import which; the table of the design. Every module may import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("presence", &[]),
    ("clock", &["presence"]),
    ("metrics", &["presence"]),
    ("config", &["presence"]),
    ("log_limit", &["presence"]),
    ("refusals", &["log_limit", "presence", "config", "metrics", "clock"]),
    ("outbox", &["presence", "metrics"]),
    ("auth", &["presence", "config", "metrics", "clock"]),
    ("store", &["redis", "auth", "presence", "config", "metrics", "clock"]),
    ("webhook", &["presence", "config", "metrics", "clock"]),
    ("redis", &["presence", "config", "metrics", "clock"]),
    ("cluster", &["redis", "presence", "config", "metrics", "clock"]),
    ("engine", &["outbox", "presence", "store", "cluster", "config", "metrics", "clock"]),
    ("members", &["engine", "outbox", "presence", "store", "cluster", "config", "metrics", "clock"]),
    ("session", &["refusals", "members", "engine", "outbox", "presence", "auth", "config", "metrics", "clock"]),
    ("dialect", &["session", "outbox", "presence"]),
    ("api", &["members", "engine", "outbox", "store", "cluster", "auth", "presence", "config", "metrics", "clock"]),
    ("http", &["refusals", "api", "auth", "session", "dialect", "outbox", "presence", "config", "metrics"]),
    ("grpc", &["api", "config", "metrics", "clock", "log_limit"]),
    (
        "app",
        &[
            "http",
            "grpc",
            "api",
            "session",
            "refusals",
            "log_limit",
            "members",
            "engine",
            "outbox",
            "store",
            "cluster",
            "webhook",
            "auth",
            "presence",
            "config",
            "metrics",
            "clock",
        ],
    ),
    ("cli", &["app", "auth", "presence", "config", "clock"]),
];

/// Only these name an actor type.
const ACTORS: &[&str] = &["engine", "members", "session"];

const DIALECTS: [&str; 3] = ["nakama", "centrifugo", "tencent"];

const MAX_FILE_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every file below this folder, except installed modules.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.push(path);
            } else if !path.ends_with("node_modules") {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    assert!(!found.is_empty(), "no .{ending} files in {folder}");
    found
}

/// The top module that a file belongs to: `src/engine/user.rs` is `engine`.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The text without tests: those may look anywhere.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| ["tests", "tests.rs", "contract.rs"].iter().any(|name| part.as_os_str() == *name))
}

#[test]
fn imports_run_downward() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in sources("src", "rs") {
        let from = module(&path);
        if is_test(&path) || ["lib", "main"].contains(&from.as_str()) {
            continue;
        }
        let may = allowed.get(from.as_str()).unwrap_or_else(|| panic!("the table does not know the module {from}"));
        for (number, line) in code(&path).lines().enumerate() {
            let Some((_, after)) = line.split_once("crate::") else { continue };
            let to: String = after.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect();
            if to != from && !may.contains(&to.as_str()) && !line.trim_start().starts_with("//") {
                wrong.push(format!("{}:{}: {from} may not import {to}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_engine_members_and_session_name_actors() {
    for path in sources("src", "rs") {
        let text = code(&path);
        let names =
            ["actix::Actor", "actix::{Actor", "actix::Addr", "impl Actor for"].iter().any(|name| text.contains(name));
        let module = module(&path);
        assert!(!names || ACTORS.contains(&module.as_str()), "{} names an actor type", path.display());
    }
}

#[test]
fn presence_is_pure() {
    let impure = ["std::fs", "std::net", "std::time::Instant", "SystemTime", "log::", "actix", "tokio", "serde"];
    for path in sources("src/presence", "rs") {
        let text = code(&path);
        for word in impure {
            let used = text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(!used, "{} uses {word}", path.display());
        }
    }
}

/// The words after which `::` leads into another dialect, or to what no dialect may use.
fn forbidden_paths(dialect: &str, code: &str) -> Vec<String> {
    const BELOW: [&str; 3] = ["engine", "members", "store"];
    let others = DIALECTS.iter().filter(|&&other| other != dialect).copied();
    let in_name = |character: char| character.is_alphanumeric() || character == '_';
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names: Vec<&str> = lines.flat_map(|line| line.split(move |character| !in_name(character))).collect();
    let used = |word: &&str| names.contains(word) && code.contains(&format!("{word}::"));
    others.chain(BELOW).filter(used).map(str::to_owned).collect()
}

#[test]
fn no_dialect_sees_another_or_the_engine() {
    for dialect in DIALECTS {
        for path in sources(&format!("src/dialect/{dialect}"), "rs") {
            let found = forbidden_paths(dialect, &fs::read_to_string(&path).unwrap());
            assert!(found.is_empty(), "{} uses {}", path.display(), found.join(", "));
        }
    }
}

#[test]
fn the_guard_finds_a_dialect_that_sees_another_or_the_engine() {
    assert_eq!(forbidden_paths("nakama", "use super::tencent::Call;"), ["tencent"]);
    assert_eq!(forbidden_paths("tencent", "let x = crate::engine::Engine::new();"), ["engine"]);
    assert_eq!(forbidden_paths("centrifugo", "use crate::{members::Members, outbox};"), ["members"]);
    assert!(forbidden_paths("nakama", "// tencent::Call\nuse crate::dialect::nakama::Call;").is_empty());
}

#[test]
fn only_the_start_reads_the_environment() {
    for path in sources("src", "rs") {
        let reads = reads_environment(&code(&path));
        assert!(!reads || module(&path) == "main", "{} reads the environment", path.display());
    }
    assert!(reads_environment("use std::env;") && reads_environment("std::env::vars()"));
    assert!(!reads_environment("env!(\"CARGO_PKG_VERSION\")"));
}

fn reads_environment(code: &str) -> bool {
    code.contains("std::env")
}

#[test]
fn files_fit_two_screens() {
    let rust = [sources("src", "rs"), sources("tests", "rs")].concat();
    let page = [sources("static", "js"), sources("static", "css"), sources("static", "html"), sources("tests", "mjs")];
    let mut long = Vec::new();
    for path in rust.into_iter().chain(page.concat()) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > MAX_FILE_LINES {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
