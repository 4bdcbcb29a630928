//! The methods and their parameters.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::code::{Code, Error};
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::session::command::Command;
use crate::session::member::{MemberCall, MemberCommand};

#[derive(Deserialize)]
struct Login {
    #[serde(rename = "SDKAppID")]
    app: u64,
    #[serde(rename = "userID")]
    user: String,
    #[serde(rename = "userSig")]
    user_sig: String,
    #[serde(default)]
    platform: Option<String>,
}

/// Maximum length of a platform name in bytes.
const MAX_PLATFORM_BYTES: usize = 64;

#[derive(Default, Deserialize)]
struct SelfStatus {
    #[serde(rename = "customStatus", default)]
    custom: Option<String>,
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "userIDList")]
    users: Vec<String>,
}

#[derive(Default, Deserialize)]
struct OptionalList {
    #[serde(rename = "userIDList", default)]
    users: Option<Vec<String>>,
}

/// Converts a call to the session's command.
pub(super) fn interpret(method: String, params: Option<&str>) -> Result<Command, Error> {
    let call = match method.as_str() {
        "heartbeat" => return Ok(Command::Member(MemberCommand::Heartbeat)),
        "login" => return read(params).map(|login| Command::Member(self::login(login))),
        "logout" => MemberCall::Logout,
        "setSelfStatus" => set_self_status(optional(params)?),
        "getUserStatus" => list(read::<List>(params)?.users, MemberCall::Query),
        "subscribeUserStatus" => list(read::<List>(params)?.users, MemberCall::Subscribe),
        "unsubscribeUserStatus" => match optional::<OptionalList>(params)?.users {
            Some(users) => list(users, |names| MemberCall::Unsubscribe(Some(names))),
            None => MemberCall::Unsubscribe(None),
        },
        _ => return Err(Error::of(Code::MethodNotFound)),
    };
    Ok(Command::Member(MemberCommand::Call(call)))
}

fn login(Login { app, user, user_sig, platform }: Login) -> MemberCommand {
    if platform.as_ref().is_some_and(|platform| platform.len() > MAX_PLATFORM_BYTES) {
        return MemberCommand::InvalidLogin(format!("platform: at most {MAX_PLATFORM_BYTES} bytes").into());
    }
    match MemberName::of_tencent(&user) {
        Ok(name) => MemberCommand::Login { app, name, user_sig: user_sig.into(), platform: platform.map(Into::into) },
        Err(error) => MemberCommand::InvalidLogin(format!("userID: {error}").into()),
    }
}

fn set_self_status(SelfStatus { custom }: SelfStatus) -> MemberCall {
    match custom.filter(|text| !text.is_empty()).map(|text| StatusText::new(&text)).transpose() {
        Ok(text) => MemberCall::SetCustomStatus(text),
        Err(error) => MemberCall::Invalid(format!("customStatus: {error}").into()),
    }
}

fn list(users: Vec<String>, call: impl FnOnce(Vec<MemberName>) -> MemberCall) -> MemberCall {
    let names: Result<Vec<MemberName>, _> = users.iter().map(|user| MemberName::of_tencent(user)).collect();
    names.map_or_else(|error| MemberCall::Invalid(format!("userIDList: {error}").into()), call)
}

fn read<T: DeserializeOwned>(params: Option<&str>) -> Result<T, Error> {
    let invalid = || Error::of(Code::InvalidParams);
    // serde also accepts lists for structs.
    let params = params.filter(|params| params.starts_with('{')).ok_or_else(invalid)?;
    serde_json::from_str(params).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line").next().unwrap_or_default();
        Error::new(Code::InvalidParams, format!("invalid params: {what}"))
    })
}

/// Parses parameters that may be left out as a whole.
fn optional<T: DeserializeOwned + Default>(params: Option<&str>) -> Result<T, Error> {
    match params {
        None | Some("null") => Ok(T::default()),
        Some(_) => read(params),
    }
}
