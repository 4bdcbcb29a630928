//! The record of an account.

use serde::{Deserialize, Serialize};

use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// What an account logs in with. Each kind is a name space of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LoginKey {
    /// An id of the application's own.
    Custom(String),
    /// A device.
    Device(String),
    /// An address, in lower case.
    Email(String),
}

impl LoginKey {
    /// A letter for its kind, then its text: what it is called in a table of all kinds.
    pub fn tagged(&self) -> String {
        let (kind, text) = match self {
            Self::Custom(text) => ('c', text),
            Self::Device(text) => ('d', text),
            Self::Email(text) => ('e', text),
        };
        format!("{kind}{text}")
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Names the account for ever.
    #[serde(with = "user_id")]
    pub id: UserId,
    /// Unique; case matters.
    #[serde(with = "username")]
    pub username: Username,
    /// Login by custom id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Login by e-mail address, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Argon2id in PHC string format; with an e-mail address only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// Login by device id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// What others are shown.
    #[serde(default)]
    pub profile: Profile,
    /// May not log in.
    #[serde(default)]
    pub disabled: bool,
    /// Whole seconds.
    #[serde(with = "seconds")]
    pub created: Timestamp,
    /// Of the last change, whole seconds.
    #[serde(with = "seconds")]
    pub updated: Timestamp,
}

/// The optional texts of a profile; empty is unset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// A name for display; need not be unique.
    pub display_name: String,
    /// Where a picture is.
    pub avatar_url: String,
    /// The language.
    pub lang_tag: String,
    /// Where the user says to be.
    pub location: String,
    /// The time zone.
    pub timezone: String,
}

impl Default for Profile {
    fn default() -> Self {
        let unset = String::new;
        Self { display_name: unset(), avatar_url: unset(), lang_tag: "en".into(), location: unset(), timezone: unset() }
    }
}

/// A change of a profile; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Must be free.
    pub username: Option<Username>,
    /// See [`Profile::display_name`].
    pub display_name: Option<String>,
    /// See [`Profile::avatar_url`].
    pub avatar_url: Option<String>,
    /// See [`Profile::lang_tag`].
    pub lang_tag: Option<String>,
    /// See [`Profile::location`].
    pub location: Option<String>,
    /// See [`Profile::timezone`].
    pub timezone: Option<String>,
    /// When it happens.
    pub at: Timestamp,
}

impl Account {
    /// A new account that logs in with one key; an e-mail address needs a password's hash.
    pub fn new(username: Username, key: LoginKey, password_hash: Option<String>, now: Timestamp) -> Self {
        let mut account = Self {
            id: UserId::random(),
            username,
            custom_id: None,
            email: None,
            password_hash,
            devices: Vec::new(),
            profile: Profile::default(),
            disabled: false,
            created: Timestamp::from_secs(now.as_secs()),
            updated: Timestamp::from_secs(now.as_secs()),
        };
        match key {
            LoginKey::Custom(id) => account.custom_id = Some(id),
            LoginKey::Device(id) => account.devices.push(id),
            LoginKey::Email(address) => account.email = Some(address),
        }
        account
    }

    /// Everything it logs in with.
    pub fn login_keys(&self) -> Vec<LoginKey> {
        let custom = self.custom_id.iter().cloned().map(LoginKey::Custom);
        let email = self.email.iter().cloned().map(LoginKey::Email);
        custom.chain(email).chain(self.devices.iter().cloned().map(LoginKey::Device)).collect()
    }

    /// Applies a change.
    pub fn change(&mut self, change: ProfileChange) {
        let profile = &mut self.profile;
        let texts = [
            (&mut profile.display_name, change.display_name),
            (&mut profile.avatar_url, change.avatar_url),
            (&mut profile.lang_tag, change.lang_tag),
            (&mut profile.location, change.location),
            (&mut profile.timezone, change.timezone),
        ];
        for (text, new) in texts {
            if let Some(new) = new {
                *text = new;
            }
        }
        if let Some(username) = change.username {
            self.username = username;
        }
        self.updated = Timestamp::from_secs(change.at.as_secs());
    }
}

mod user_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use uuid::Uuid;

    use super::UserId;

    pub fn serialize<S: Serializer>(user: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
        user.uuid().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UserId, D::Error> {
        Uuid::deserialize(deserializer).map(UserId::from_uuid)
    }
}

mod username {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Username;

    pub fn serialize<S: Serializer>(username: &Username, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(username.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Username, D::Error> {
        Username::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Timestamp;

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_secs)
    }
}
