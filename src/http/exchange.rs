//! What holds for every request and response on the dispatcher's path, whatever the route: the exact path, the phases of
//! the connection, the end of a connection after a request that was not read.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, ConnectionType, Payload, Request, Response, StatusCode, Uri};
use actix_web::web::Bytes;
use futures_util::Stream;

use super::connection::ExchangeTimer;

/// One request and its response.
pub struct Exchange {
    /// The timer of the connection, or `None` on actix's test server.
    timer: Option<Rc<ExchangeTimer>>,
    /// The request asked for another protocol.
    asks_upgrade: bool,
}

impl Exchange {
    /// Begins an exchange. Returns the request as the routes get it.
    pub fn begin(mut request: Request) -> (Self, Request) {
        make_path_literal(&mut request);
        let asks_upgrade = request.head().upgrade();
        let timer = request.conn_data::<Rc<ExchangeTimer>>().cloned();
        let exchange = Self { timer, asks_upgrade };
        let Some(timer) = exchange.timer.clone() else { return (exchange, request) };
        let payload = request.take_payload();
        let has_body = !matches!(payload, Payload::None);
        timer.begin(has_body);
        if has_body {
            let payload: BoxedPayloadStream = Box::pin(TimedPayload { payload, timer });
            request = request.replace_payload(Payload::Stream { payload }).0;
        }
        (exchange, request)
    }

    /// Returns the response as the dispatcher gets it.
    pub fn respond(self, mut response: Response<BoxBody>) -> Response<TimedBody> {
        let is_unread = self.timer.as_ref().is_some_and(|timer| timer.respond());
        let stays_http = self.asks_upgrade && response.status() != StatusCode::SWITCHING_PROTOCOLS;
        if is_unread || stays_http {
            // Without it the dispatcher answers an offer of another protocol with `connection: upgrade`.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let timer = self.timer;
        response.map_body(|_, body| TimedBody { body, timer })
    }
}

/// Escapes every percent sign of the path, so that the router does not decode it: each route has one spelling, which
/// filters of a proxy see too. No route of this server has a parameter or a character that needs an escape.
pub fn make_path_literal(request: &mut Request) {
    let uri = request.uri();
    if !uri.path().contains('%') {
        return;
    }
    let path = uri.path().replace('%', "%25");
    let literal = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    // Escapes can make a long path longer than a URI may be. No route has that path either.
    request.head_mut().uri = Uri::try_from(literal).unwrap_or_else(|_| Uri::from_static("/%25"));
}

/// A request body that tells the timer what the service takes.
struct TimedPayload {
    payload: Payload,
    timer: Rc<ExchangeTimer>,
}

impl Stream for TimedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(next) = Pin::new(&mut self.payload).poll_next(context) else {
            self.timer.taken(usize::MAX);
            return Poll::Pending;
        };
        match &next {
            Some(Ok(bytes)) => self.timer.taken(bytes.len()),
            Some(Err(_)) if self.timer.is_refused() => {
                return Poll::Ready(Some(Err(PayloadError::Io(std::io::ErrorKind::TimedOut.into()))));
            }
            Some(Err(_)) => {}
            None => self.timer.body_received(),
        }
        Poll::Ready(next)
    }
}

/// A response body that tells the timer when it ends.
pub struct TimedBody {
    body: BoxBody,
    timer: Option<Rc<ExchangeTimer>>,
}

impl MessageBody for TimedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(ready!(Pin::new(&mut self.body).poll_next(context)))
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.response_ended();
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_http::test::TestRequest;

    use super::*;

    #[test]
    fn a_path_keeps_its_escapes() {
        let literal = |uri: &str| {
            let mut request = TestRequest::with_uri(uri).finish();
            make_path_literal(&mut request);
            request.uri().to_string()
        };
        assert_eq!(literal("/metrics?a=%20"), "/metrics?a=%20");
        assert_eq!(literal("/%6detrics?a=%20"), "/%256detrics?a=%20");
        assert_eq!(literal("/a%2Fb%"), "/a%252Fb%25");
    }
}
