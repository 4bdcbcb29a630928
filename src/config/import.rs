//! Turns a configuration file of Centrifugo (version 5 or 6) into sections of this server's.
//!
//! A flat name of version 5 becomes its nested name of version 6 ([`names`] has the rules), then that becomes a name of
//! `default.toml`. Each value is tried on the defaults as if it had been written there, so that nothing is printed which
//! the server would not take; whatever is left out is named with the reason.

mod names;

use std::collections::BTreeMap;
use std::fmt;

use config::{File, FileFormat};
use serde_json::Value;

use super::DEFAULT_FILE;
use super::load::{InvalidConfig, one_line, read};

/// What became of a file.
#[derive(Debug, Default)]
pub struct Imported {
    /// By section, by key: the value as TOML.
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// The key in the file, and why it is left out.
    left_out: Vec<(String, String)>,
}

/// How a file is written, by the ending of its name.
pub fn format(file_name: &str) -> Option<FileFormat> {
    match file_name.rsplit_once('.')?.1 {
        "json" => Some(FileFormat::Json),
        "yaml" | "yml" => Some(FileFormat::Yaml),
        "toml" => Some(FileFormat::Toml),
        _ => None,
    }
}

/// Reads a file of Centrifugo.
pub fn import(text: &str, format: FileFormat) -> Result<Imported, InvalidConfig> {
    let file = config::Config::builder().add_source(File::from_str(text, format)).build();
    let tree = file.and_then(config::Config::try_deserialize::<Value>).map_err(|error| InvalidConfig::new(&error))?;
    let mut leaves = BTreeMap::new();
    flatten("", tree, &mut leaves);
    let mut imported = Imported::default();
    let mut known = BTreeMap::new();
    for (key, value) in leaves {
        known.insert(names::nested(&key), (key, value));
    }
    imported.join_address("http_server", "0.0.0.0", 8000, "server.address", &mut known);
    imported.join_address("grpc_api", "0.0.0.0", 10000, "grpc_api.address", &mut known);
    for (nested, (key, value)) in known {
        match names::ours(&nested) {
            Ok(target) => imported.take(key, &target, value),
            Err(reason) => imported.left_out.push((key, reason.to_owned())),
        }
    }
    Ok(imported)
}

/// Every value under its dotted name; an array is one value.
fn flatten(prefix: &str, value: Value, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                flatten(&key, value, leaves);
            }
        }
        Value::Null => {}
        plain @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            leaves.insert(prefix.to_owned(), plain);
        }
    }
}

type Leaves = BTreeMap<String, (String, Value)>;

impl Imported {
    /// Centrifugo has address and port apart, and its own defaults for the one that is missing.
    fn join_address(&mut self, section: &str, address: &str, port: u16, target: &str, known: &mut Leaves) {
        let given = [known.remove(&format!("{section}.address")), known.remove(&format!("{section}.port"))];
        if given.iter().all(Option::is_none) {
            return;
        }
        let keys: Vec<&str> = given.iter().flatten().map(|(key, _)| key.as_str()).collect();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let part = |given: &Option<(String, Value)>, default: &str| {
            let given = given.as_ref().map(|(_, value)| text(value)).filter(|text| !text.is_empty());
            given.unwrap_or_else(|| default.to_owned())
        };
        let host = part(&given[0], address);
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
        let joined = format!("{host}:{}", part(&given[1], &port.to_string()));
        self.take(keys.join(", "), target, Value::String(joined));
    }

    /// Takes a value over, if the server would take it.
    fn take(&mut self, key: String, target: &str, value: Value) {
        let value = names::duration(target, value);
        let Some(written) = toml(&value) else {
            return self.left_out.push((key, "there is nothing here that a value of this kind could set".into()));
        };
        if let Err(reason) = accept(target, &written) {
            return self.left_out.push((key, reason));
        }
        let (section, name) = target.rsplit_once('.').expect("every setting is in a section");
        self.sections.entry(section.to_owned()).or_default().insert(name.to_owned(), written);
    }
}

/// Whether a configuration of defaults and this one value can be read.
fn accept(target: &str, written: &str) -> Result<(), String> {
    let (section, name) = target.rsplit_once('.').expect("every setting is in a section");
    let line = format!("[{section}]\n{name} = {written}\n");
    let layers = config::Config::builder()
        .add_source(File::from_str(DEFAULT_FILE, FileFormat::Toml))
        .add_source(File::from_str(&line, FileFormat::Toml))
        .build()
        .map_err(|error| one_line(&error))?;
    read(layers).map(drop).map_err(|error| {
        let text = error.to_string();
        if text.contains("unknown field") { "there is no such setting here".into() } else { text }
    })
}

/// A value as TOML writes it; none for what no setting here holds.
fn toml(value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        // TOML's basic strings are JSON's, but for one more character that is to be escaped.
        Value::String(_) => Some(value.to_string().replace('\u{7f}', "\\u007F")),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(toml).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// The sections, and what is left out as comments. Holds keys: it is for a file, not for a log.
impl fmt::Display for Imported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sections.is_empty() {
            writeln!(formatter, "# Nothing in the file has a setting here.")?;
        }
        for (number, (section, keys)) in self.sections.iter().enumerate() {
            if number > 0 {
                writeln!(formatter)?;
            }
            writeln!(formatter, "[{section}]")?;
            keys.iter().try_for_each(|(key, value)| writeln!(formatter, "{key} = {value}"))?;
        }
        if !self.left_out.is_empty() {
            writeln!(formatter, "\n# Left out:")?;
        }
        self.left_out.iter().try_for_each(|(key, reason)| writeln!(formatter, "#   {}: {reason}", comment(key)))
    }
}

/// A name from the file cannot end the comment that it stands in.
fn comment(key: &str) -> String {
    key.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
