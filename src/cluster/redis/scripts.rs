//! The scripts of the backplane. Each is one atomic change. Redis names a script by its content, so that several versions
//! of this program can run side by side.

use redis::Script;

/// The scripts of the backplane.
pub struct BackplaneScripts {
    /// Changes the record of a user under an incarnation.
    pub set: Script,
    /// Removes the records of dead incarnations and the expired lingering ones, or ticks.
    pub sweep: Script,
    /// Issues the number of an incarnation.
    pub begin: Script,
    /// Renews a lease and declares expired incarnations dead.
    pub lease: Script,
    /// Releases a lease.
    pub leave: Script,
    /// Declares unknown incarnations dead.
    pub condemn: Script,
    /// Takes a call of a rate limit's window.
    pub window: Script,
}

impl BackplaneScripts {
    /// Computes the hashes of the scripts.
    pub fn new() -> Self {
        Self {
            set: Script::new(include_str!("scripts/set.lua")),
            sweep: Script::new(include_str!("scripts/sweep.lua")),
            begin: Script::new(include_str!("scripts/begin.lua")),
            lease: Script::new(include_str!("scripts/lease.lua")),
            leave: Script::new(include_str!("scripts/leave.lua")),
            condemn: Script::new(include_str!("scripts/condemn.lua")),
            window: Script::new(include_str!("scripts/window.lua")),
        }
    }
}

impl Default for BackplaneScripts {
    fn default() -> Self {
        Self::new()
    }
}
