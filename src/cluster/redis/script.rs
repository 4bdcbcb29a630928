//! The scripts. Each is one atomic change; they are named by their content, so versions can run side by side.

use redis::{Cmd, Script};

/// The scripts there are.
pub struct Scripts {
    /// What an incarnation has of a user.
    pub set: Script,
    /// Removes what is dead and what has lingered; ticks.
    pub sweep: Script,
    /// Gives out the number of an incarnation.
    pub begin: Script,
    /// Renews a lease and declares the dead.
    pub lease: Script,
    /// Gives a lease up.
    pub leave: Script,
    /// Declares unknown incarnations dead.
    pub condemn: Script,
    /// Takes a call of a window.
    pub window: Script,
}

impl Scripts {
    /// Hashes them.
    pub fn new() -> Self {
        Self {
            set: Script::new(include_str!("../scripts/set.lua")),
            sweep: Script::new(include_str!("../scripts/sweep.lua")),
            begin: Script::new(include_str!("../scripts/begin.lua")),
            lease: Script::new(include_str!("../scripts/lease.lua")),
            leave: Script::new(include_str!("../scripts/leave.lua")),
            condemn: Script::new(include_str!("../scripts/condemn.lua")),
            window: Script::new(include_str!("../scripts/window.lua")),
        }
    }
}

impl Default for Scripts {
    fn default() -> Self {
        Self::new()
    }
}

/// A script with its keys and arguments, or a plain command.
pub struct Call<'a> {
    /// For a script: to be loaded where the server does not know it.
    pub script: Option<&'a Script>,
    /// What is sent.
    pub command: Cmd,
}

impl<'a> Call<'a> {
    /// A call of a script.
    pub fn script(script: &'a Script, keys: &[String], arguments: &[&[u8]]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys).arg(arguments);
        Self { script: Some(script), command }
    }

    /// A command as it is.
    pub fn plain(command: Cmd) -> Self {
        Self { script: None, command }
    }
}
