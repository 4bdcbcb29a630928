//! Converts a configuration file of Centrifugo (version 5 or 6) into sections of a configuration file of hereabouts.
//!
//! A flat name of version 5 becomes its nested name of version 6, and that becomes a name of `default.toml`; [`names`]
//! has the rules. Each value is checked on top of the defaults, so that the output has only values that the server
//! accepts. The output names what is left out, with the reason.

mod names;

use std::collections::BTreeMap;
use std::fmt;

use config::{File, FileFormat};
use serde_json::Value;

use super::DEFAULT_FILE;
use super::load::{InvalidConfig, one_line, read};

/// The result of an import.
#[derive(Debug, Default)]
pub struct Imported {
    /// Values as TOML, by section and key.
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// Keys of the file that are left out, with the reason.
    left_out: Vec<(String, String)>,
}

/// Returns the format of a file by the extension of its name.
pub fn format(file_name: &str) -> Option<FileFormat> {
    match file_name.rsplit_once('.')?.1 {
        "json" => Some(FileFormat::Json),
        "yaml" | "yml" => Some(FileFormat::Yaml),
        "toml" => Some(FileFormat::Toml),
        _ => None,
    }
}

/// Converts the text of a file of Centrifugo.
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

/// Collects every value under its dotted name. An array is one value.
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
    /// Joins address and port, which are two settings of Centrifugo. A missing one has Centrifugo's default.
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

    /// Adds a value when the server accepts it.
    fn take(&mut self, key: String, target: &str, value: Value) {
        let value = names::duration(target, value);
        let Some(written) = toml(&value) else {
            return self.left_out.push((key, "no setting of this server has a value of this kind".into()));
        };
        if let Err(reason) = accept(target, &written) {
            return self.left_out.push((key, reason));
        }
        let (section, name) = target.rsplit_once('.').expect("every setting is in a section");
        self.sections.entry(section.to_owned()).or_default().insert(name.to_owned(), written);
    }
}

/// Checks that a configuration of the defaults and this value can be read.
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
        if text.contains("unknown field") { "this server has no such setting".into() } else { text }
    })
}

/// Formats a value as TOML. `None` means that no setting has a value of this kind.
fn toml(value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        // TOML's basic strings are JSON strings with one more character to escape.
        Value::String(_) => Some(value.to_string().replace('\u{7f}', "\\u007F")),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(toml).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Writes the sections, and comments with what is left out. The text contains keys: it is for a file, not for a log.
impl fmt::Display for Imported {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sections.is_empty() {
            writeln!(formatter, "# This server has no setting of the file.")?;
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

/// Removes control characters from a name of the file, so that it cannot end the comment that contains it.
fn comment(key: &str) -> String {
    key.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests;
