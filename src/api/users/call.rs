//! A call of any method, and its reply, for faces that read calls from JSON. Generated from the list in `methods.rs`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::methods::for_each_method;
use super::{Users, parameters, results};
use crate::api::ApiError;

/// The parameters of a call are not what the method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedParameters;

macro_rules! define_calls {
    ($(
        $(#[$doc:meta])+
        $method:ident = $function:ident($parameters:ident) -> $result:ident,
        number: $number:expr $(, grpc: $response:ident)?;
    )+) => {
        /// A method of the server API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ApiMethod {
            $($(#[$doc])+ $method,)+
        }

        impl ApiMethod {
            /// All methods, in the order in which Centrifugo looks through a command of a batch.
            pub const ALL: &[Self] = &[$(Self::$method,)+];

            /// Returns the name in paths, in batches and over the legacy endpoint.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => stringify!($function),)+
                }
            }

            /// Returns the number that callers of the legacy endpoint may send in place of the name.
            pub fn number(self) -> Option<u64> {
                match self {
                    $(Self::$method => $number,)+
                }
            }

            /// Reads a call of this method from its parameters in JSON.
            pub fn call(self, parameters: Value) -> Result<ApiCall, MalformedParameters> {
                Ok(match self {
                    $(Self::$method => ApiCall::$method(read_parameters(parameters)?),)+
                })
            }
        }

        /// A call of one method with its parameters.
        #[derive(Debug)]
        pub enum ApiCall {
            $($(#[$doc])+ $method(parameters::$parameters),)+
        }

        /// The reply to an [`ApiCall`]. Serializes as the result alone.
        #[derive(Debug, Serialize)]
        #[serde(untagged)]
        pub enum ApiReply {
            $($(#[$doc])+ $method(results::$result),)+
        }

        impl Users {
            /// Executes one call and counts it.
            pub async fn call(&self, call: ApiCall) -> Result<ApiReply, ApiError> {
                match call {
                    $(ApiCall::$method(parameters) => {
                        self.counted(self.$function(parameters)).await.map(ApiReply::$method)
                    })+
                }
            }
        }
    };
}

for_each_method!(define_calls);

impl Users {
    /// Executes a call of one of the methods and counts it. Faces that know the method call this with its function.
    pub async fn counted<T>(&self, call: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        self.metrics.api().calls.inc();
        let result = call.await;
        if result.is_err() {
            self.metrics.api().failures.inc();
        }
        result
    }
}

/// Reads parameters from a JSON object. `null` is an object without fields.
pub fn read_parameters<T: DeserializeOwned + Default>(value: Value) -> Result<T, MalformedParameters> {
    match value {
        Value::Null => Ok(T::default()),
        Value::Object(_) => serde_json::from_value(value).map_err(|_| MalformedParameters),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(MalformedParameters),
    }
}
