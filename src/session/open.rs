//! Opens a session on an HTTP upgrade.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, WebsocketContext};
use futures_util::stream;

use super::actor::SessionActor;
use super::handshake::HandshakeRules;
use super::input::Input;
use super::input_gate::InputGate;
use super::member::MemberRules;
use super::output::Output;
use super::protocol::Protocol;
use super::services::Services;
use super::state::State;
use crate::engine::EngineError;
use crate::outbox::{Address, Opening, Socket};
use crate::presence::id::UserId;

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The request is no WebSocket handshake (RFC 6455 section 4.2.1).
    #[error("not a websocket handshake")]
    Handshake,
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Answers a handshake with a session. When the response is made, the connection is part of its user: whoever follows
/// the user right after sees it.
pub async fn open_known_user(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    user: UserId,
    opening: Opening,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let mut response = ws::handshake(request).map_err(|_| OpenError::Handshake)?;
    let bound = services.session.outbox_bytes;
    let address = Address::new(opening, protocol.as_codec(), bound, &services.metrics);
    connect(&address, request);
    let connection_handle = services.engine.attach(user, address).await?;
    let state = State::new(protocol, user, &services.session, &services.limits, services.clock.now());
    let input_gate = InputGate::default();
    let input = Input::new(payload.into_inner(), input_gate.clone(), services.session.max_message_bytes);
    let address = connection_handle.address().clone();
    let actor = SessionActor::new(state, connection_handle, input, input_gate, services).arriving_from(ip(request));
    let (session, actor) = WebsocketContext::create_with_addr(actor, stream::empty());
    Ok(response.streaming(Output::new(address, session, Box::pin(actor))))
}

/// Answers a handshake with a session whose client has yet to say who it is.
pub fn open_in_band(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    rules: HandshakeRules,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let state = State::unidentified(protocol, rules, &services.session, &services.limits, services.clock.now());
    begin(request, payload, protocol, state, services)
}

/// Answers a handshake with a session of nobody, until an account logs in.
pub fn open_member(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    rules: Arc<MemberRules>,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let state = State::of_accounts(protocol, rules, &services.session, &services.limits, services.clock.now());
    begin(request, payload, protocol, state, services)
}

fn begin(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    state: State,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let mut response = ws::handshake(request).map_err(|_| OpenError::Handshake)?;
    let connection = services.connection_ids.next(&services.clock);
    let opening = Opening { connection, username: None, status: None };
    let address = Address::new(opening, protocol.as_codec(), services.session.outbox_bytes, &services.metrics);
    connect(&address, request);
    let input_gate = InputGate::default();
    let input = Input::new(payload.into_inner(), input_gate.clone(), services.session.max_message_bytes);
    let actor =
        SessionActor::unattached(state, address.clone(), input, input_gate, services).arriving_from(ip(request));
    let (session, actor) = WebsocketContext::create_with_addr(actor, stream::empty());
    Ok(response.streaming(Output::new(address, session, Box::pin(actor))))
}

/// Where the client is, as far as is known.
fn ip(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|address| address.ip())
}

/// Gives the outbox the socket, if the server says which one it is.
fn connect(address: &Address, request: &HttpRequest) {
    if let Some(line) = request.extensions().get::<Socket>() {
        address.set_line(line.clone());
    }
}
