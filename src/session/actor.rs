//! The WebSocket actor of a session: carries out what its [`State`] decides.
//!
//! The actor lives in the response body ([`Output`](super::output::Output)): when the client stops reading it is not
//! polled, and its mailbox does not move. So nobody sends it anything but the body itself, and a stalled peer is cut by
//! the kernel (`session.stall_timeout`).

mod connection_events;
mod member;

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, Message, StreamHandler, WrapFuture};
use actix_http::Payload;
use actix_http::ws::{Frame as Received, ProtocolError};
use actix_web::web::Bytes;
use actix_web_actors::ws::{self, WebsocketContext};

use super::action::{Action, Arrival, Ask};
use super::connection_listener::ClientInfo;
use super::input::Input;
use super::input_gate::InputGate;
use super::protocol::{CloseFrame, CloseReason, Incoming};
use super::reassembler::{Reassembler, ReassemblyError, WholeMessage};
use super::services::Services;
use super::state::State;
use crate::engine::{ConnectionHandle, EngineError};
use crate::outbox::{Address, Drained, Frame};
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// One connection.
pub struct SessionActor {
    state: State,
    /// Ends when the connection closes, before the actor does; none before the client has said who it is.
    connection_handle: Option<ConnectionHandle>,
    address: Address,
    /// The connection is nobody's yet, and the lobby knows of it.
    in_lobby: bool,
    reassembler: Reassembler,
    input_gate: InputGate,
    /// Until the actor starts to read.
    input: Option<Box<Input<Payload>>>,
    /// When the session will be reminded; none: not at all.
    reminder: Option<Timestamp>,
    /// Only where somebody is told who comes and goes.
    client: Option<Arc<ClientInfo>>,
    services: Arc<Services>,
}

/// The outbox has been drained, and there is something to decide.
pub struct Wake(pub Drained);

impl Message for Wake {
    type Result = ();
}

type Context = WebsocketContext<SessionActor>;

impl SessionActor {
    /// The session of a connection that is part of its user already.
    pub fn new(
        state: State,
        connection_handle: ConnectionHandle,
        input: Input<Payload>,
        input_gate: InputGate,
        services: Arc<Services>,
    ) -> Self {
        let address = connection_handle.address().clone();
        let mut session = Self::unattached(state, address, input, input_gate, services);
        session.connection_handle = Some(connection_handle);
        session
    }

    /// The session of a connection that is nobody's yet.
    pub fn unattached(
        state: State,
        address: Address,
        input: Input<Payload>,
        input_gate: InputGate,
        services: Arc<Services>,
    ) -> Self {
        services.metrics.dialect(address.dialect()).connections.inc();
        let reassembler = Reassembler::new(services.session.max_message_bytes);
        Self {
            state,
            connection_handle: None,
            address,
            in_lobby: false,
            reassembler,
            input_gate,
            input: Some(Box::new(input)),
            reminder: None,
            client: None,
            services,
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>, context: &mut Context) {
        for action in actions {
            self.carry_out_one(action, context);
        }
        self.input_gate.set_closed(self.state.is_behind());
    }

    fn carry_out_one(&mut self, action: Action, context: &mut Context) {
        match action {
            Action::Send(frames) => self.address.respond(&frames),
            Action::Refuse(frames) => {
                self.services.metrics.dialect(self.address.dialect()).refused.inc();
                self.address.respond(&frames);
            }
            Action::BatchReplies(answers) => self.address.gather(answers),
            Action::Member(action) => self.account(action, context),
            Action::Resolve(usernames) => self.resolve(usernames, context),
            Action::Follow { id, tag, users } => {
                self.address.await_follow(id, tag, &users);
                self.ask(id, Ask::Follow(users));
            }
            Action::Subscribe { id, tag, user, alias } => {
                self.address.await_subscription(id, tag, user, alias);
                self.ask(id, Ask::Subscribe(user));
            }
            Action::Attach(arrival) => self.attach(arrival, context),
            Action::MarkActive { id, state, done } => {
                self.address.await_status(id, done);
                self.ask(id, Ask::MarkActive(state));
            }
            Action::ListConnections(user) => self.show_connections(user, context),
            Action::Unfollow { id, users, done } => {
                self.address.await_unfollow(id, done, users.len());
                self.ask(id, Ask::Unfollow(users));
            }
            Action::SetStatus { id, status, done } => {
                self.address.await_status(id, done);
                self.ask(id, Ask::SetStatus(status));
            }
            Action::AskAgain { id, ask } => {
                let count = match &ask {
                    Ask::Follow(users) | Ask::Listed(users) | Ask::Unfollow(users) => users.len(),
                    Ask::Subscribe(_) | Ask::SetStatus(_) | Ask::MarkActive(_) | Ask::SetCustomStatus(_) => 1,
                };
                self.address.asked_again(count);
                self.ask(id, ask);
            }
            Action::GiveUp(frames) => self.address.give_up(&frames),
            Action::Leave(users) => {
                if let Some(connection_handle) = &self.connection_handle {
                    connection_handle.leave(users);
                }
            }
            Action::Ping => self.address.reply(&[Frame::ping()]),
            Action::Close(closing) => self.close(&closing),
            Action::Stop => context.stop(),
        }
    }

    /// Asks user actors. Where that is refused, the tickets say so to the outbox by themselves.
    fn ask(&self, id: u32, ask: Ask) {
        let Some(connection_handle) = &self.connection_handle else { return };
        let engine = &self.services.engine;
        let result: Result<(), EngineError> = match ask {
            Ask::Follow(users) => engine.follow(connection_handle.user(), &users, &self.address, id),
            Ask::Subscribe(user) => {
                engine.subscribe(connection_handle.user(), user, &self.address, id);
                Ok(())
            }
            Ask::Listed(users) => {
                self.services.members.ask_again(connection_handle.user(), &self.address, users, id);
                Ok(())
            }
            Ask::Unfollow(users) => engine.unfollow(&users, &self.address, id),
            Ask::SetStatus(status) => connection_handle.set_status(status, id),
            Ask::SetCustomStatus(text) => connection_handle.set_custom(text, id),
            Ask::MarkActive(state) => connection_handle.mark_active(state, id),
        };
        if let Err(error) = result {
            log::warn!("a command was not taken: {error}");
        }
    }

    fn resolve(&self, usernames: Vec<Username>, context: &mut Context) {
        let services = self.services.clone();
        let lookup = async move { services.directory.user_ids(usernames).await };
        context.spawn(lookup.into_actor(self).map(|found, actor, context| {
            let actions = actor.state.resolved(found.ok(), actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    fn attach(&self, arrival: Arrival, context: &mut Context) {
        let Arrival { user, username, status, info, most } = arrival;
        self.address.identify(username, status, info);
        // Whoever is nobody has a user of its own, which nobody knows.
        let user = user.unwrap_or_else(UserId::random);
        let (engine, address) = (self.services.engine.clone(), self.address.clone());
        let attach = async move { engine.attach_within(most, user, address).await };
        context.spawn(attach.into_actor(self).map(|attached, actor, context| actor.attached(attached, context)));
    }

    fn attached(&mut self, attached: Result<ConnectionHandle, EngineError>, context: &mut Context) {
        self.leave_pending();
        let connection = attached.map(|connection_handle| {
            // Where the connection has ended meanwhile, the hold on the user ends here.
            self.connection_handle = Some(connection_handle).filter(|_| self.state.is_open());
            self.came();
            self.address.connection()
        });
        let actions = self.state.attached(connection, self.services.clock.now());
        self.carry_out(actions, context);
        self.keep_reminded();
    }

    fn show_connections(&self, user: UserId, context: &mut Context) {
        let engine = self.services.engine.clone();
        let asker = self.connection_handle.as_ref().map(ConnectionHandle::user);
        let visible = async move { engine.visible(asker, user).await };
        context.spawn(visible.into_actor(self).map(|shown, actor, context| {
            let actions = actor.state.shown(shown, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    /// Closes once all that waits is out, and lets the user go: its followers are told now, not when the client has
    /// answered.
    fn close(&mut self, closing: &CloseFrame) {
        self.address.finish(Frame::close(closing.code, &closing.reason));
        self.let_go();
        self.keep_reminded();
    }

    fn leave_pending(&mut self) {
        if std::mem::take(&mut self.in_lobby) {
            self.services.pending_connections.leave(&self.address);
        }
    }

    fn let_go(&mut self) {
        self.leave_pending();
        match self.connection_handle.take() {
            Some(mut connection_handle) => {
                let linger = self.services.linger;
                connection_handle.stay(linger.after(self.state.ending(), self.services.engine.is_draining()));
                self.went(&connection_handle);
                connection_handle.leave(self.state.take_follows());
            }
            None => self.address.end(),
        }
    }

    /// Has itself reminded of its next deadline, unless that happens anyway.
    fn keep_reminded(&mut self) {
        let deadline = self.state.deadline();
        if self.reminder.is_none_or(|reminder| deadline < reminder) {
            self.services.deadline_timer.remind(&self.address, deadline);
            self.reminder = Some(deadline);
        }
    }

    fn reminded(&mut self, context: &mut Context) {
        let now = self.services.clock.now();
        self.reminder = self.reminder.filter(|&reminder| now < reminder);
        let actions = self.state.tick(now);
        self.carry_out(actions, context);
        self.keep_reminded();
    }

    fn message(&mut self, incoming: Incoming<'_>, context: &mut Context) {
        let counted = self.services.metrics.dialect(self.address.dialect());
        counted.commands.inc();
        let actions = self.state.received(incoming, self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn whole(&mut self, whole: WholeMessage, context: &mut Context) {
        match whole {
            WholeMessage::Binary(bytes) => self.message(Incoming::Binary(&bytes), context),
            WholeMessage::Text(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.message(Incoming::Text(text), context),
                Err(_) => self.fail(CloseReason::InvalidUtf8, context),
            },
        }
    }

    fn assembled(&mut self, result: Result<Option<WholeMessage>, ReassemblyError>, context: &mut Context) {
        match result {
            Ok(Some(whole)) => self.whole(whole, context),
            Ok(None) => self.state.heard(self.services.clock.now()),
            Err(ReassemblyError::TooLarge) => self.fail(CloseReason::MessageTooLarge, context),
            Err(ReassemblyError::OutOfOrder) => self.fail(CloseReason::ProtocolError, context),
        }
    }

    fn fail(&mut self, cause: CloseReason, context: &mut Context) {
        self.services.metrics.dialect(self.address.dialect()).refused.inc();
        let actions = self.state.close_because(cause, self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn unfragmented(&mut self, whole: WholeMessage, bytes: &Bytes, context: &mut Context) {
        let result = self.reassembler.whole(bytes.len()).map(|()| Some(whole));
        self.assembled(result, context);
    }
}

impl Actor for SessionActor {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        if let Some(input) = self.input.take() {
            context.add_stream(*input);
        }
        if self.connection_handle.is_none() {
            self.in_lobby = true;
            self.services.pending_connections.enter(&self.address);
        }
        self.came();
        self.keep_reminded();
    }
}

impl Handler<Wake> for SessionActor {
    type Result = ();

    fn handle(&mut self, Wake(drained): Wake, context: &mut Context) {
        let actions = self.state.drained(&drained, self.services.clock.now());
        self.carry_out(actions, context);
        if drained.timer_due {
            self.reminded(context);
        }
    }
}

/// What the client sends: see [`Input`].
impl StreamHandler<Result<Received, ProtocolError>> for SessionActor {
    fn handle(&mut self, item: Result<Received, ProtocolError>, context: &mut Context) {
        let now = self.services.clock.now();
        match item {
            Ok(Received::Text(bytes)) => self.unfragmented(WholeMessage::Text(bytes.clone()), &bytes, context),
            Ok(Received::Binary(bytes)) => self.unfragmented(WholeMessage::Binary(bytes.clone()), &bytes, context),
            Ok(Received::Continuation(item)) => {
                let result = self.reassembler.take(item);
                self.assembled(result, context);
            }
            Ok(Received::Ping(payload)) => {
                self.state.heard(now);
                self.address.reply(&[Frame::pong(&payload)]);
            }
            Ok(Received::Pong(_)) => self.state.heard(now),
            Ok(Received::Close(reason)) => {
                let actions = self.state.client_closes(reason.map(|reason| reason.code.into()), now);
                self.carry_out(actions, context);
            }
            Err(ProtocolError::Overflow) => self.fail(CloseReason::MessageTooLarge, context),
            Err(_) => self.fail(CloseReason::ProtocolError, context),
        }
    }

    /// The client sends nothing more: the connection is gone.
    fn finished(&mut self, context: &mut Context) {
        let actions = self.state.stop();
        self.carry_out(actions, context);
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        self.let_go();
        self.address.discard();
        self.services.metrics.dialect(self.address.dialect()).connections.dec();
    }
}

/// The context wants to read by itself; it is given an empty stream, and its end is not the client's.
impl StreamHandler<Result<ws::Message, ProtocolError>> for SessionActor {
    fn handle(&mut self, _: Result<ws::Message, ProtocolError>, _: &mut Context) {}

    fn finished(&mut self, _: &mut Context) {}
}
