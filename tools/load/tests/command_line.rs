//! The built program, without a server: its help, its errors, and a run against the floor.

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hereabouts-load")).args(arguments).output().unwrap()
}

#[test]
fn help_names_every_scenario_and_the_server() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for text in ["--server", "floor", "idle", "fanout", "overload", "attack", "nodes-herd", "Examples:"] {
        assert!(help.contains(text), "no {text} in:\n{help}");
    }
}

#[test]
fn an_unknown_scenario_is_an_error_that_names_the_known_ones() {
    let output = run(&["everything"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("fairness"), "{output:?}");
}

#[test]
fn a_server_that_does_not_start_is_an_error_that_names_the_option() {
    let output = run(&["--quick", "--without-floor", "--server", "/nonexistent/hereabouts", "fanout"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("--server PATH") && error.contains("/nonexistent/hereabouts"), "{error}");
}

#[test]
fn a_relative_path_of_the_server_starts_at_the_working_folder() {
    let output = run(&["--quick", "--without-floor", "--server", "nonexistent/hereabouts", "fanout"]);
    let path = std::path::absolute("nonexistent/hereabouts").unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(path.to_str().unwrap()), "{error}");
}

#[test]
fn a_run_against_the_floor_loses_nothing_and_writes_both_reports() {
    let folder = tempfile::tempdir().unwrap();
    let [json, html] = ["run.json", "run.html"].map(|name| folder.path().join(name));
    let output = run(&["--quick", "floor", "--json", json.to_str().unwrap(), "--report", html.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let outcome = &report["outcomes"][0];
    assert_eq!((&report["format"], &outcome["lost"], &outcome["dropped"]), (&1.into(), &0.into(), &0.into()));
    assert!(outcome["deliveries"].as_u64().unwrap() > 0, "{report}");
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("Latency by percentile"), "{page}");
}
