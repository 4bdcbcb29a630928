//! The check of a WebSocket handshake (RFC 6455 section 4.2.1), stricter than actix-web-actors: version 13 only, a key of
//! 16 bytes, no further protocol, no body.

use actix_http::ws::{HandshakeError, verify_handshake};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use actix_web::{HttpRequest, HttpResponseBuilder};
use actix_web_actors::ws;

use super::open_error::OpenError;

/// Checks the handshake. Returns the response to it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors")]
pub fn respond(request: &HttpRequest) -> Result<HttpResponseBuilder, OpenError> {
    verify_handshake(request.head()).map_err(|error| match error {
        HandshakeError::UnsupportedVersion => OpenError::Version,
        _ => OpenError::Handshake,
    })?;
    if !offers_only_websocket(request) || has_body(request) {
        return Err(OpenError::Handshake);
    }
    ws::handshake(request).map_err(|_| OpenError::Handshake)
}

/// Returns whether the request offers WebSocket and nothing else. The dispatcher knows no other offer.
fn offers_only_websocket(request: &HttpRequest) -> bool {
    let mut offers = request.headers().get_all(UPGRADE);
    let first = offers.next().and_then(|offer| offer.to_str().ok());
    first.is_some_and(|offer| offer.trim().eq_ignore_ascii_case("websocket")) && offers.next().is_none()
}

/// Returns whether a body follows the head. Its bytes would be taken for frames.
fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// A handshake that is as it should be.
    fn handshake() -> TestRequest {
        TestRequest::get()
            .insert_header(("Upgrade", "WebSocket"))
            .insert_header(("Connection", "keep-alive, Upgrade"))
            .insert_header(("Sec-WebSocket-Version", "13"))
            .insert_header(("Sec-WebSocket-Key", KEY))
    }

    fn refusal(request: TestRequest) -> Option<OpenError> {
        let mut request = request.to_srv_request();
        // The parser does this.
        let is_upgrade = request.headers().contains_key("connection");
        let kind = if is_upgrade { actix_http::ConnectionType::Upgrade } else { actix_http::ConnectionType::Close };
        request.head_mut().set_connection_type(kind);
        respond(request.request()).err()
    }

    #[test]
    fn a_handshake_of_version_13_with_a_key_of_16_bytes_is_accepted() {
        assert!(refusal(handshake()).is_none());
        assert!(refusal(handshake().insert_header(("Content-Length", "0"))).is_none());
    }

    #[test]
    fn another_version_is_told_apart_from_what_is_no_handshake() {
        for version in ["7", "8", "12", "14", "013", ""] {
            let request = handshake().insert_header(("Sec-WebSocket-Version", version));
            assert!(matches!(refusal(request), Some(OpenError::Version)), "{version}");
        }
        for key in ["x", "", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSE=", "!!!!!!!!!!!!!!!!!!!!!!=="] {
            let request = handshake().insert_header(("Sec-WebSocket-Key", key));
            assert!(matches!(refusal(request), Some(OpenError::Handshake)), "{key}");
        }
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        let wrong = [
            handshake().method(Method::POST),
            handshake().insert_header(("Upgrade", "h2c")),
            handshake().insert_header(("Upgrade", "websocket, h2c")),
            handshake().append_header(("Upgrade", "h2c")),
            handshake().insert_header(("Content-Length", "5")),
            handshake().insert_header(("Transfer-Encoding", "chunked")),
        ];
        for (number, request) in wrong.into_iter().enumerate() {
            assert!(matches!(refusal(request), Some(OpenError::Handshake)), "{number}");
        }
    }
}
