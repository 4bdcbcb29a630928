//! The house rules that a compiler does not check: imports run downward, files and functions stay small, actor types
//! stay where they belong.

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which module may import which; the table of the design. Every module may import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("presence", &[]),
    ("clock", &["presence"]),
    ("metrics", &["presence"]),
    ("config", &["presence"]),
    ("outbox", &["presence", "metrics"]),
    ("auth", &["presence", "config", "metrics", "clock"]),
    ("store", &["redis", "presence", "config", "metrics", "clock"]),
    ("webhook", &["presence", "config", "metrics", "clock"]),
    ("redis", &["presence", "config", "metrics", "clock"]),
    ("cluster", &["redis", "presence", "config", "metrics", "clock"]),
    ("engine", &["outbox", "presence", "store", "cluster", "config", "metrics", "clock"]),
    ("members", &["engine", "outbox", "presence", "store", "cluster", "config", "metrics", "clock"]),
    ("session", &["members", "engine", "outbox", "presence", "auth", "config", "metrics", "clock"]),
    ("dialect", &["session", "outbox", "presence"]),
    ("api", &["members", "engine", "outbox", "store", "cluster", "auth", "presence", "config", "metrics", "clock"]),
    ("http", &["api", "auth", "session", "dialect", "outbox", "presence", "config", "metrics"]),
    ("grpc", &["api", "config", "metrics"]),
    (
        "app",
        &[
            "http", "grpc", "api", "session", "members", "engine", "outbox", "store", "cluster", "webhook", "auth",
            "presence", "config", "metrics", "clock",
        ],
    ),
    ("cli", &["app", "auth", "presence", "config", "clock"]),
];

/// Only these name an actor type.
const ACTORS: &[&str] = &["engine", "members", "session"];

const LONGEST_FILE: usize = 500;

fn sources(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{ending} files in {folder}");
    found
}

/// The top module that a file belongs to: `src/engine/user.rs` is `engine`.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
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
            let to: String = after.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
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

#[test]
fn no_dialect_sees_the_engine_and_nobody_reads_the_environment_but_the_start() {
    for path in sources("src", "rs") {
        let text = code(&path);
        let module = module(&path);
        assert!(!text.contains("std::env::") || module == "main", "{} reads the environment", path.display());
    }
}

#[test]
fn files_fit_two_screens() {
    let rust = [sources("src", "rs"), sources("tests", "rs")].concat();
    let page = [sources("static", "js"), sources("static", "css"), sources("static", "html"), sources("tests", "mjs")];
    let mut long = Vec::new();
    for path in rust.into_iter().chain(page.concat()) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > LONGEST_FILE {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Generates docs/configuration.md below its marker from the defaults. With `UPDATE_DOCS` in the environment it writes the page.
#[test]
fn the_page_of_settings_is_generated_from_the_defaults() {
    const MARKER: &str = "cargo test --test architecture -->\n";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (above, written) = page.split_once(MARKER).unwrap();
    let defaults = fs::read_to_string(root.join("src/config/default.toml")).unwrap();
    let (mut generated, mut section, mut meaning) = (String::new(), "", Vec::new());
    for line in defaults.lines().skip_while(|line| !line.starts_with('[')) {
        if let Some(comment) = line.strip_prefix("# ") {
            meaning.push(comment);
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            generated += &format!("\n## `{section}`\n\n| key | default | meaning |\n|---|---|---|\n");
        } else if let Some((key, value)) = line.split_once(" = ") {
            assert!(!meaning.is_empty(), "{section}.{key} has no comment of its own in default.toml");
            let (value, meaning) =
                (value.trim_matches('"'), std::mem::take(&mut meaning).join(" ").replace('|', r"\|"));
            let value = if value.is_empty() { String::new() } else { format!("`{value}`") };
            generated += &format!("| `{section}.{key}` | {value} | {meaning} |\n");
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{above}{MARKER}{generated}")).unwrap();
    } else {
        assert!(
            written == generated,
            "docs/configuration.md is out of step: UPDATE_DOCS=1 cargo test --test architecture"
        );
    }
}

/// Checks that every path that the documents name exists, and that the map names every folder.
#[test]
fn the_documents_name_paths_that_exist_and_the_map_is_whole() {
    const FOLDERS: [&str; 7] = ["src/", "tests/", "docs/", "static/", "proto/", "tools/", "benches/"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_path = |letter: char| letter.is_alphanumeric() || "._-/".contains(letter);
    let mut wrong = Vec::new();
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|page| root.join(page));
    for path in pages.into_iter().chain(sources("docs", "md")) {
        let page = path.strip_prefix(root).unwrap().display();
        let text = fs::read_to_string(&path).unwrap();
        let words = text.split(|letter| !is_path(letter)).map(|word| word.trim_end_matches('.'));
        let missing = words
            .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)) && !root.join(word).exists())
            .map(|word| format!("{page}: {word} does not exist"));
        wrong.extend(missing);
    }
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for path in fs::read_dir(root.join("src")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !map.contains(&format!("`src/{name}/`")) {
            wrong.push(format!("ARCHITECTURE.md: the map lacks src/{name}/"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_names_the_rust_version_that_cargo_requires() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("Rust {version} or newer")), "README.md does not ask for Rust {version}");
}
