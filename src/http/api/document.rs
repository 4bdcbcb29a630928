//! `/api/openapi.json`, made from the types and handlers themselves, and a page to browse and try it that loads nothing
//! from elsewhere. Both are served without the key: they tell nothing that this source does not.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::calls;
use super::response::ErrorBody;

/// Either a result or an error.
#[derive(Serialize, ToSchema)]
pub struct Answer<T> {
    /// Where it went well.
    #[schema(inline = false)]
    result: Option<T>,
    /// Where it did not.
    error: Option<ErrorBody>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "hereabouts server API",
        description = "What an application's backend asks about users. After Centrifugo's server API: \
                       200 with `result` or `error`; 400 for a body that is not what the method takes, 401 without the key."
    ),
    paths(
        calls::update_user_status,
        calls::get_user_status,
        calls::delete_user_status,
        calls::get_presence,
        calls::connections,
        calls::disconnect,
        calls::info,
        calls::friends_add,
        calls::friends_remove,
        calls::friends_list,
        calls::block,
        calls::unblock,
        calls::block_list,
        calls::batch,
        calls::legacy
    ),
    security(("header" = []), ("authorization" = []), ("query" = [])),
    modifiers(&Keys)
)]
struct Document;

/// The three places of the key.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let key = |place| SecurityScheme::ApiKey(place);
        let authorization = ApiKeyValue::with_description("Authorization", "`apikey KEY`");
        components.add_security_scheme("header", key(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
        components.add_security_scheme("authorization", key(ApiKey::Header(authorization)));
        components.add_security_scheme("query", key(ApiKey::Query(ApiKeyValue::new("api_key"))));
    }
}

const PATH: &str = "/api/openapi.json";

/// Adds the document, and the page if it is wanted.
pub fn configure(swagger: bool, config: &mut web::ServiceConfig) {
    let document = Document::openapi().to_json().expect("the document always serializes");
    config.route(
        PATH,
        web::get().to(move || {
            let document = document.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(document) }
        }),
    );
    if swagger {
        let there = async || HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "/api/docs/")).finish();
        config.route("/api/docs", web::get().to(there));
        // The validator would be somebody else's server.
        config.service(SwaggerUi::new("/api/docs/{_:.*}").config(Config::from(PATH).validator_url("none")));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(&Document::openapi().to_json().unwrap()).unwrap();
        let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes: BTreeSet<&str> = calls::routes().iter().map(|(path, _)| *path).collect();
        assert_eq!(described, routes);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    }
}
