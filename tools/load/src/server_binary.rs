//! Finds the server's executable where `--server` does not name it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

const NAME: &str = "hereabouts";

/// Returns the release build of the workspace when `cargo run` started this program, otherwise the executable in this
/// program's folder, otherwise the name alone, which the PATH resolves.
///
/// The release build is brought up to date first: a measurement of an old build misleads.
///
/// # Errors
///
/// If the build fails.
pub fn find() -> anyhow::Result<PathBuf> {
    // Cargo sets both for the programs that it runs, and nothing else does.
    if let (Some(cargo), Some(manifest)) = (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR")) {
        return build(Path::new(&cargo), Path::new(&manifest));
    }
    let neighbour = std::env::current_exe()?.with_file_name(NAME);
    Ok(if neighbour.is_file() { neighbour } else { PathBuf::from(NAME) })
}

/// A line of cargo's `--message-format=json`, as far as it is needed.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn build(cargo: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", NAME, "--bin", NAME])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "the server does not build");
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo did not name the server's executable")
}

fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == NAME))
        .find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_the_executable() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"anyhow"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"hereabouts"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"build-script-build"},"executable":"/t/release/build"}
{"reason":"compiler-artifact","target":{"name":"hereabouts"},"executable":"/t/release/hereabouts"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/release/hereabouts")));
        assert_eq!(executable(""), None);
    }
}
