//! One call to Redis: a script with its keys and arguments, or a plain command.

use redis::{Cmd, FromRedisValue, Script, Value};

use super::error::CallError;

/// A script with its keys and arguments, or a plain command.
pub struct RedisCall<'a> {
    /// The script, to load it where the server does not know it.
    pub script: Option<&'a Script>,
    /// The command that is sent.
    pub command: Cmd,
}

impl<'a> RedisCall<'a> {
    /// Calls a script by its hash.
    pub fn script(script: &'a Script, keys: &[String], arguments: &[&[u8]]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys).arg(arguments);
        Self { script: Some(script), command }
    }

    /// Sends a command as it is.
    pub fn plain(command: Cmd) -> Self {
        Self { script: None, command }
    }
}

/// Reads a reply as the expected type. Anything else is [`CallError::Refused`].
pub fn parse_reply<T: FromRedisValue>(reply: Value) -> Result<T, CallError> {
    redis::from_redis_value(reply).map_err(|error| CallError::Refused(error.to_string()))
}
