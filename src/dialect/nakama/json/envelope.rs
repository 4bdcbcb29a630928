//! Decodes an envelope in JSON.

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::dialect::nakama::message::{Body, Meaning, interpret, malformed};
use crate::dialect::nakama::scope::Scope;
use crate::outbox::RequestTag;

/// Decodes one text message.
pub(super) fn read(text: &str) -> Meaning {
    match serde_json::from_str::<Envelope>(text) {
        Ok(Envelope { tag, body }) => interpret(tag, body),
        // The error carries the cid of the request, if it can be read.
        Err(error) => {
            let tag = serde_json::from_str::<CidOnly>(text).ok().and_then(|envelope| envelope.cid);
            malformed(RequestTag(tag.map(ByteString::from)), &error.to_string())
        }
    }
}

#[derive(Deserialize)]
struct CidOnly {
    cid: Option<String>,
}

struct Envelope {
    tag: RequestTag,
    body: Option<Body>,
}

#[derive(Default, Deserialize)]
struct Update {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Default, Deserialize)]
struct Follow {
    #[serde(default, alias = "userIds")]
    user_ids: Option<Vec<String>>,
    #[serde(default)]
    usernames: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Unfollow {
    #[serde(default, alias = "userIds")]
    user_ids: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Empty {}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Envelope;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an envelope")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
                let mut cid: Option<Option<String>> = None;
                let mut body = None;
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    if name == "cid" {
                        if cid.replace(map.next_value()?).is_some() {
                            return Err(A::Error::duplicate_field("cid"));
                        }
                    } else if let Some(message) = read_message(&snake_case(&name), &mut map)?
                        && body.replace(message).is_some()
                    {
                        return Err(A::Error::custom("more than one message"));
                    }
                }
                Ok(Envelope { tag: RequestTag(cid.flatten().map(ByteString::from)), body })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Decodes the message with this name. Returns `None` if it is null or unknown.
fn read_message<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Body>, A::Error> {
    Ok(match name {
        "ping" => message::<Empty, A>(map)?.map(|Empty {}| Body::Ping),
        "pong" => message::<Empty, A>(map)?.map(|Empty {}| Body::Pong),
        "status_update" => message::<Update, A>(map)?.map(|update| Body::StatusUpdate(update.status)),
        "status_follow" => message::<Follow, A>(map)?.map(|follow| Body::StatusFollow {
            user_ids: follow.user_ids.unwrap_or_default(),
            usernames: follow.usernames.unwrap_or_default(),
        }),
        "status_unfollow" => message::<Unfollow, A>(map)?
            .map(|unfollow| Body::StatusUnfollow { user_ids: unfollow.user_ids.unwrap_or_default() }),
        _ => match Scope::of_name(name) {
            Some(scope) => map.next_value::<Option<IgnoredAny>>()?.map(|_| Body::OutOfScope(scope)),
            None => {
                map.next_value::<IgnoredAny>()?;
                None
            }
        },
    })
}

fn message<'de, T, A>(map: &mut A) -> Result<Option<T>, A::Error>
where
    T: DeserializeOwned + Default,
    A: MapAccess<'de>,
{
    Ok(map.next_value::<Option<Lenient<T>>>()?.map(|Lenient(message)| message))
}

/// A message that clients may also write as `[]` when it is empty.
struct Lenient<T>(T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned + Default> Visitor<'de> for Either<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a message")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
                match list.next_element::<IgnoredAny>()? {
                    None => Ok(T::default()),
                    Some(_) => Err(A::Error::invalid_type(de::Unexpected::Seq, &self)),
                }
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData)).map(Lenient)
    }
}

/// Converts a name to snake_case: `statusFollow` becomes `status_follow`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
