//! Opens a session on an HTTP upgrade: one function per role.
//!
//! The routes that call them, and the checks before the upgrade, are in `crate::http`.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, web};
use actix_web_actors::ws::WebsocketContext;
use futures_util::{Stream, stream};

use super::actor::SessionActor;
use super::handshake::HandshakeRules;
use super::http_handshake;
use super::input::Input;
use super::input_gate::InputGate;
use super::member_login::MemberRules;
use super::open_error::OpenError;
use super::output::Output;
use super::peer::Peer;
use super::protocol::Protocol;
use super::services::Services;
use super::state::SessionState;
use crate::outbox::{DirectSocket, Opening, OutboxReceiver};
use crate::presence::id::UserId;

/// Opens a session of `user`, which the HTTP request authenticated. The connection is attached to the user before the
/// response is made: followers that follow the user after the response see the connection.
pub async fn open_known_user(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    user: UserId,
    opening: Opening,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let mut response = http_handshake::respond(request)?;
    let outbox = new_outbox(request, protocol, opening, &services);
    let connection_handle = services.engine.attach(user, outbox.address().clone()).await?;
    let now = services.clock.now();
    let state = SessionState::for_known_user(protocol, user, &services.session, &services.limits, now);
    let input_gate = InputGate::default();
    let input = Input::new(payload.into_inner(), input_gate.clone(), services.session.max_message_bytes);
    let actor = SessionActor::attached_to(connection_handle, outbox.clone(), state, input, input_gate, services);
    let output = start(actor.with_peer(Peer::of(request)), outbox);
    Ok(response.streaming(output))
}

/// Opens a session of a client that has yet to authenticate by its first message.
pub fn open_in_band(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    rules: HandshakeRules,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let now = services.clock.now();
    let state = SessionState::for_in_band(protocol, rules, &services.session, &services.limits, now);
    open_unattached(request, payload, protocol, state, services)
}

/// Opens a session that belongs to no user until a member logs in.
pub fn open_member(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    rules: Arc<MemberRules>,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let now = services.clock.now();
    let state = SessionState::for_member(protocol, rules, &services.session, &services.limits, now);
    open_unattached(request, payload, protocol, state, services)
}

fn open_unattached(
    request: &HttpRequest,
    payload: web::Payload,
    protocol: &'static dyn Protocol,
    state: SessionState,
    services: Arc<Services>,
) -> Result<HttpResponse, OpenError> {
    let mut response = http_handshake::respond(request)?;
    let peer = Peer::of(request);
    let permit = services.pending_connections.admit(peer.ip)?;
    let connection = services.connection_ids.next(&services.clock);
    let outbox = new_outbox(request, protocol, Opening { connection, username: None, status: None }, &services);
    let input_gate = InputGate::default();
    let input = Input::new(payload.into_inner(), input_gate.clone(), services.session.max_message_bytes);
    let actor = SessionActor::pending(permit, outbox.clone(), state, input, input_gate, services);
    let output = start(actor.with_peer(peer), outbox);
    Ok(response.streaming(output))
}

/// Makes the outbox of the connection. Gives it the socket if the listener passed the socket with the request.
fn new_outbox(
    request: &HttpRequest,
    protocol: &'static dyn Protocol,
    opening: Opening,
    services: &Services,
) -> OutboxReceiver {
    let outbox = OutboxReceiver::new(opening, protocol.as_codec(), services.session.outbox_bytes, &services.metrics);
    if let Some(socket) = request.extensions_mut().remove::<DirectSocket>() {
        outbox.set_socket(socket);
    }
    outbox
}

/// Starts the actor inside the response body.
fn start(actor: SessionActor, outbox: OutboxReceiver) -> impl Stream<Item = Result<Bytes, Error>> {
    let (session, actor) = WebsocketContext::create_with_addr(actor, stream::empty());
    Output::new(outbox, session, Box::pin(actor))
}
