//! The demo page: the files of `static/`, embedded in the binary. Debug builds read them from the folder.

use actix_web::http::header::{self, EntityTag, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;

/// The page runs only scripts of this server and connects only to this server.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'";

#[derive(Embed)]
#[folder = "static/"]
struct Assets;

/// Adds the routes: one for each file, and `/` for `index.html`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(async |request| serve(&request, "index.html")));
    for path in Assets::iter() {
        let route = format!("/{path}");
        config.route(
            &route,
            web::get().to(move |request: HttpRequest| {
                let response = serve(&request, &path);
                async move { response }
            }),
        );
    }
}

fn serve(request: &HttpRequest, path: &str) -> HttpResponse {
    let Some(file) = Assets::get(path) else { return HttpResponse::NotFound().finish() };
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = EntityTag::new_strong(hash);
    if is_cached(request, &tag) {
        return HttpResponse::NotModified().insert_header(header::ETag(tag)).finish();
    }
    HttpResponse::Ok()
        .content_type(mime_guess::from_path(path).first_or_octet_stream().to_string())
        .insert_header(header::ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(file.data.into_owned())
}

/// Returns whether the browser has this version of the file.
fn is_cached(request: &HttpRequest, tag: &EntityTag) -> bool {
    match header::Header::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|held| held.weak_eq(tag)),
        Err(_) => false,
    }
}
