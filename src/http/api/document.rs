//! `/api/openapi.json`, generated from the types and the routes, and `/api/docs/`, a page to browse and try the methods
//! that loads nothing from other servers. Both need no key: they say nothing that the source code does not.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::calls;
use crate::api::users::methods::for_each_method;

macro_rules! define_document {
    ($(
        $(#[$doc:meta])+
        $method:ident = $function:ident($parameters:ident) -> $result:ident,
        number: $number:expr $(, grpc: $response:ident)?;
    )+) => {
        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "hereabouts server API",
                description = "The API with which an application's backend asks about users, in the form of Centrifugo's server \
                               API: status 200 with `result` or `error`, 400 for a body that is not what the method takes, \
                               401 without the key."
            ),
            paths($(calls::$function,)+ calls::batch, calls::legacy),
            security(("header" = []), ("authorization" = []), ("query" = [])),
            modifiers(&KeyPlaces)
        )]
        struct OpenApiDocument;
    };
}

for_each_method!(define_document);

/// Describes the three places of the key.
struct KeyPlaces;

impl Modify for KeyPlaces {
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

/// Whether `/api/docs/` and the document are served (`http_api.swagger`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwaggerPage {
    /// They are served.
    Shown,
    /// They are not found.
    Hidden,
}

impl From<bool> for SwaggerPage {
    fn from(is_shown: bool) -> Self {
        if is_shown { Self::Shown } else { Self::Hidden }
    }
}

/// Adds the routes of the document and of the page.
pub fn configure(page: SwaggerPage, config: &mut web::ServiceConfig) {
    if page == SwaggerPage::Hidden {
        return;
    }
    let document = OpenApiDocument::openapi().to_json().expect("the document always serializes");
    config.route(
        PATH,
        web::get().to(move || {
            let document = document.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(document) }
        }),
    );
    let redirect = async || HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, "/api/docs/")).finish();
    config.route("/api/docs", web::get().to(redirect));
    // The validator of Swagger UI would send the document to another server.
    config.service(SwaggerUi::new("/api/docs/{_:.*}").config(Config::from(PATH).validator_url("none")));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: serde_json::Value = serde_json::from_str(&OpenApiDocument::openapi().to_json().unwrap()).unwrap();
        let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes: BTreeSet<&str> = calls::routes().iter().map(|(path, _)| *path).collect();
        assert_eq!(described, routes);
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    }
}
