//! The data of an account: logins, profile, and their changes.

use serde::{Deserialize, Serialize};

use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// A login of an account. Each kind is a namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LoginKey {
    /// An id that the application chose.
    Custom(String),
    /// A device id.
    Device(String),
    /// An e-mail address, in lower case.
    Email(String),
}

impl LoginKey {
    /// Returns a letter for the kind, then the text: the key in a table of all kinds.
    pub fn tagged(&self) -> String {
        let (kind, text) = match self {
            Self::Custom(text) => ('c', text),
            Self::Device(text) => ('d', text),
            Self::Email(text) => ('e', text),
        };
        format!("{kind}{text}")
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Identifies the account. Never changes.
    #[serde(with = "user_id")]
    pub id: UserId,
    /// Unique. Case matters.
    #[serde(with = "username")]
    pub username: Username,
    /// Login by custom id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Login by e-mail address, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Argon2id in PHC string format. Only accounts with an e-mail address have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// Login by device id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// What other users see.
    #[serde(default)]
    pub profile: Profile,
    /// The account may not log in.
    #[serde(default)]
    pub disabled: bool,
    /// Time of the creation, whole seconds.
    #[serde(with = "seconds")]
    pub created: Timestamp,
    /// Time of the last change, whole seconds.
    #[serde(with = "seconds")]
    pub updated: Timestamp,
}

/// The optional texts of a profile. Empty means unset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// A name for display. Need not be unique.
    pub display_name: String,
    /// The address of a picture.
    pub avatar_url: String,
    /// The language.
    pub lang_tag: String,
    /// The location that the user entered.
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

/// A change of a profile. `None` leaves a value as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new username. Must be free.
    pub username: Option<Username>,
    /// The new [`Profile::display_name`].
    pub display_name: Option<String>,
    /// The new [`Profile::avatar_url`].
    pub avatar_url: Option<String>,
    /// The new [`Profile::lang_tag`].
    pub lang_tag: Option<String>,
    /// The new [`Profile::location`].
    pub location: Option<String>,
    /// The new [`Profile::timezone`].
    pub timezone: Option<String>,
    /// Time of the change.
    pub at: Timestamp,
}

impl Account {
    /// Makes a new account with one login. An e-mail address needs the hash of a password.
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

    /// Returns all logins of the account.
    pub fn login_keys(&self) -> Vec<LoginKey> {
        let custom = self.custom_id.iter().cloned().map(LoginKey::Custom);
        let email = self.email.iter().cloned().map(LoginKey::Email);
        custom.chain(email).chain(self.devices.iter().cloned().map(LoginKey::Device)).collect()
    }

    /// Applies a change to the account.
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
