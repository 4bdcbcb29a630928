//! What the documents must keep in step with: settings, paths, the map, the version of Rust.

use std::collections::BTreeMap;
use std::fs;

use regex::Regex;

use crate::{MAY_IMPORT, root, sources};

/// The pages for users and contributors, by their paths from the root. The changelog also names what is gone.
fn pages() -> Vec<(String, String)> {
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root().join(page));
    let read = |path: std::path::PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    pages.into_iter().chain(sources("docs", "md")).map(read).collect()
}

/// The path of each setting, with its default as `default.toml` has it, without quotation marks.
fn settings() -> BTreeMap<String, String> {
    let defaults = fs::read_to_string(root().join("src/config/default.toml")).unwrap();
    let (mut section, mut found) = ("", BTreeMap::new());
    for line in defaults.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ") {
            found.insert(format!("{section}.{key}"), value.trim_matches('"').to_owned());
        }
    }
    found
}

/// The ways in which a page may write a default: `10 s`, `1 min`, `10,000`, `64 KiB`.
fn spellings(default: &str) -> Vec<String> {
    let digits = default.len() - default.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = default.split_at(digits);
    let unit = if unit == "m" { "min" } else { unit };
    let mut spellings = vec![default.to_owned(), format!("{number} {unit}")];
    if let (Ok(number), "") = (number.parse::<u64>(), unit) {
        spellings.push(format!("{},{:03}", number / 1000, number % 1000));
        if number % 1024 == 0 {
            spellings.push(format!("{} KiB", number / 1024));
        }
    }
    spellings
}

/// Generates docs/configuration.md below its marker from the defaults. With `UPDATE_DOCS` in the environment it writes the page.
#[test]
fn the_page_of_settings_is_generated_from_the_defaults() {
    const MARKER: &str = "cargo test --test architecture -->\n";
    let root = root();
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
    let root = root();
    let is_path = |character: char| character.is_alphanumeric() || "._-/".contains(character);
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let words = text.split(|character| !is_path(character)).map(|word| word.trim_end_matches('.'));
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
    let root = root();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("Rust {version} or newer")), "README.md does not ask for Rust {version}");
}

/// Finds settings that do not exist, in backticks or as variables of the environment.
fn unknown_settings(text: &str, settings: &BTreeMap<String, String>) -> Vec<String> {
    let named = Regex::new(r"`([a-z_]+(?:\.[a-z_]+)+)(?:\.\*)?(?: = [^`]*)?`").unwrap();
    let variable = Regex::new(r"HEREABOUTS_([A-Z]+(?:_+[A-Z]+)*)").unwrap();
    let is_known = |name: &str| {
        let inside = |setting: &str| setting.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        settings.contains_key(name) || settings.keys().any(|setting| inside(setting))
    };
    let in_section = |name: &str| settings.keys().any(|setting| setting.split('.').next() == name.split('.').next());
    let paths = named.captures_iter(text).map(|found| found[1].to_owned()).filter(|name| in_section(name));
    let variables = variable.captures_iter(text).map(|found| found[1].to_lowercase().replace("__", "."));
    paths.chain(variables).filter(|name| !is_known(name)).collect()
}

/// Finds defaults, in parentheses after the setting or in the table of a section, that are not those of `default.toml`.
fn wrong_defaults(text: &str, settings: &BTreeMap<String, String>) -> Vec<String> {
    let in_parentheses = Regex::new(r"`([a-z_.]+)`\s+\((\d(?:[^),;]|,\d)*)").unwrap();
    let mut claims: Vec<(String, String)> =
        in_parentheses.captures_iter(text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    let (header, row) =
        (Regex::new(r"^\| `\[(.*)\]` \| default").unwrap(), Regex::new(r"^\| `(\w+)` \| (\d[^|]*) \|").unwrap());
    let mut section = String::new();
    for line in text.lines() {
        if let Some(found) = header.captures(line) {
            section = found[1].to_owned();
        } else if let Some(found) = row.captures(line).filter(|_| !section.is_empty()) {
            claims.push((format!("{section}.{}", &found[1]), found[2].to_owned()));
        } else if line.is_empty() {
            section.clear();
        }
    }
    claims.retain(|(name, claim)| {
        let is_it =
            |setting: &str| setting.strip_suffix(&**name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let mut defaults = settings.iter().filter(|(setting, _)| is_it(setting)).map(|(_, default)| default);
        let mut is_setting = false;
        let is_right = defaults.any(|default| {
            is_setting = true;
            spellings(default).contains(claim)
        });
        (is_setting || name.contains('.')) && !is_right
    });
    claims.into_iter().map(|(name, claim)| format!("{name} is not {claim}")).collect()
}

/// Finds quoted log messages that no source file has. A page leaves out what varies: `the lease is not renewed: …`.
fn unknown_log_messages(text: &str, sources: &str) -> Vec<String> {
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let rows =
        text.lines().skip_while(|line| !line.contains("| log |")).skip(2).take_while(|line| line.starts_with('|'));
    let cells: Vec<&str> = rows.filter_map(|row| row.split(" | ").nth(1)).collect();
    let messages = cells.iter().flat_map(|cell| quoted.captures_iter(cell)).map(|found| found[1].to_owned());
    messages.filter(|message| message.split('…').any(|part| !sources.contains(part.trim()))).collect()
}

#[test]
fn the_documents_name_settings_that_exist_with_their_defaults() {
    let settings = settings();
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let found = unknown_settings(&text, &settings).into_iter().map(|name| format!("{name} is no setting"));
        wrong.extend(found.chain(wrong_defaults(&text, &settings)).map(|found| format!("{page}: {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_about_several_nodes_quotes_the_log() {
    let rust = sources("src", "rs").into_iter().chain(sources("src", "lua"));
    let sources: String = rust.map(|path| fs::read_to_string(path).unwrap()).collect();
    let page = fs::read_to_string(root().join("docs/cluster.md")).unwrap();
    let wrong = unknown_log_messages(&page, &sources);
    assert!(wrong.is_empty(), "docs/cluster.md: {}", wrong.join("\n"));
}

#[test]
fn the_guard_finds_a_setting_a_default_and_a_log_message_that_are_wrong() {
    let settings = settings();
    let unknown = |text: &str| unknown_settings(text, &settings);
    assert_eq!(unknown("`cluster.rediss` and `HEREABOUTS_HTTP_API__KEYS=x`"), ["cluster.rediss", "http_api.keys"]);
    let known =
        "`cluster.*` `user.login` `webhook.shape = \"tencent\"` `centrifugo.client.token.*` HEREABOUTS_TENCENT__…";
    assert!(unknown(known).is_empty(), "{:?}", unknown(known));
    let wrong = |text: &str| wrong_defaults(text, &settings);
    assert_eq!(wrong("`server.drain_timeout` (11 s)"), ["server.drain_timeout is not 11 s"]);
    assert_eq!(
        wrong("| `[cluster]` | default | |\n|---|---|---|\n| `buckets` | 255 | |"),
        ["cluster.buckets is not 255"]
    );
    let right =
        "`retry_longest` (1 min), `webhook.queue` (10,000), `session.outbox_bytes` (64 KiB; then more), `kill` (9)";
    assert!(wrong(right).is_empty(), "{:?}", wrong(right));
    let page = "| what | log | metric |\n|---|---|---|\n| a | `the lease: …` or `gone` | `metric` |";
    assert_eq!(unknown_log_messages(page, "\"the lease: {why}\""), ["gone"]);
}

/// The rows of the map name the modules from the top down: no module imports one of a row above its own.
#[test]
fn the_map_has_the_order_of_the_imports() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `src/")).collect();
    let row_of = |module: &str| {
        let (folder, file) = (format!("`src/{module}/`"), format!("`src/{module}.rs`"));
        let found = rows.iter().position(|row| {
            let names = row.split('|').nth(1).unwrap();
            names.contains(&folder) || names.contains(&file)
        });
        found.unwrap_or_else(|| panic!("the map has no row for {module}"))
    };
    for (module, imported) in MAY_IMPORT {
        for below in *imported {
            assert!(row_of(below) >= row_of(module), "{module} imports {below}, which the map has above it");
        }
    }
}
