//! What the documents must keep in step with: settings, paths, the map, the version of Rust.

use std::fs;

use crate::{root, sources};

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
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|page| root.join(page));
    for path in pages.into_iter().chain(sources("docs", "md")) {
        let page = path.strip_prefix(root).unwrap().display();
        let text = fs::read_to_string(&path).unwrap();
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
