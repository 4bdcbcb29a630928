//! The WebSocket actor of a session: carries out what its [`State`] decides.
//!
//! The actor lives in the response body ([`Output`](super::output::Output)): when the client stops reading it is not
//! polled, and its mailbox does not move. So nobody sends it anything but the body itself, and a stalled peer is cut by
//! the kernel (`session.stall_timeout`).

mod account;
mod passage;

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, Message, StreamHandler, WrapFuture};
use actix_http::Payload;
use actix_http::ws::{Frame as Received, ProtocolError};
use actix_web::web::Bytes;
use actix_web_actors::ws::{self, WebsocketContext};

use super::action::{Action, Arrival, Ask};
use super::assembly::{Assembly, AssemblyError, Whole};
use super::gate::Gate;
use super::input::Input;
use super::porter::Visitor;
use super::protocol::{CloseCause, Closing, Incoming};
use super::services::Services;
use super::state::State;
use crate::engine::{Attachment, EngineError};
use crate::outbox::{Address, Drained, Frame};
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// One connection.
pub struct SessionActor {
    state: State,
    /// Ends when the connection closes, before the actor does; none before the client has said who it is.
    attachment: Option<Attachment>,
    address: Address,
    /// The connection is nobody's yet, and the lobby knows of it.
    in_lobby: bool,
    assembly: Assembly,
    gate: Gate,
    /// Until the actor starts to read.
    input: Option<Box<Input<Payload>>>,
    /// When the session will be reminded; none: not at all.
    reminder: Option<Timestamp>,
    /// Only where somebody is told who comes and goes.
    visitor: Option<Arc<Visitor>>,
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
        attachment: Attachment,
        input: Input<Payload>,
        gate: Gate,
        services: Arc<Services>,
    ) -> Self {
        let address = attachment.address().clone();
        let mut session = Self::unattached(state, address, input, gate, services);
        session.attachment = Some(attachment);
        session
    }

    /// The session of a connection that is nobody's yet.
    pub fn unattached(
        state: State,
        address: Address,
        input: Input<Payload>,
        gate: Gate,
        services: Arc<Services>,
    ) -> Self {
        services.metrics.dialect(address.dialect()).connections.inc();
        let assembly = Assembly::new(services.session.max_message_bytes);
        Self {
            state,
            attachment: None,
            address,
            in_lobby: false,
            assembly,
            gate,
            input: Some(Box::new(input)),
            reminder: None,
            visitor: None,
            services,
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>, context: &mut Context) {
        for action in actions {
            self.carry_out_one(action, context);
        }
        self.gate.set_closed(self.state.is_behind());
    }

    fn carry_out_one(&mut self, action: Action, context: &mut Context) {
        match action {
            Action::Send(frames) => self.address.respond(&frames),
            Action::Refuse(frames) => {
                self.services.metrics.dialect(self.address.dialect()).refused.inc();
                self.address.respond(&frames);
            }
            Action::Gather(answers) => self.address.gather(answers),
            Action::Account(action) => self.account(action, context),
            Action::Resolve(usernames) => self.resolve(usernames, context),
            Action::Follow { id, tag, users } => {
                self.address.await_follow(id, tag, &users);
                self.ask(id, Ask::Follow(users));
            }
            Action::Subscribe { id, tag, user, topic } => {
                self.address.await_subscription(id, tag, user, topic);
                self.ask(id, Ask::Subscribe(user));
            }
            Action::Attach(arrival) => self.attach(arrival, context),
            Action::MarkActive { id, says, done } => {
                self.address.await_status(id, done);
                self.ask(id, Ask::MarkActive(says));
            }
            Action::ShowConnections(user) => self.show_connections(user, context),
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
                    Ask::Subscribe(_) | Ask::SetStatus(_) | Ask::MarkActive(_) | Ask::SetCustom(_) => 1,
                };
                self.address.asked_again(count);
                self.ask(id, ask);
            }
            Action::GiveUp(frames) => self.address.give_up(&frames),
            Action::Leave(users) => {
                if let Some(attachment) = &self.attachment {
                    attachment.leave(users);
                }
            }
            Action::Ping => self.address.reply(&[Frame::ping()]),
            Action::Close(closing) => self.close(&closing),
            Action::Stop => context.stop(),
        }
    }

    /// Asks user actors. Where that is refused, the tickets say so to the outbox by themselves.
    fn ask(&self, id: u32, ask: Ask) {
        let Some(attachment) = &self.attachment else { return };
        let engine = &self.services.engine;
        let result: Result<(), EngineError> = match ask {
            Ask::Follow(users) => engine.follow(attachment.user(), &users, &self.address, id),
            Ask::Subscribe(user) => {
                engine.subscribe(attachment.user(), user, &self.address, id);
                Ok(())
            }
            Ask::Listed(users) => {
                self.services.accounts.ask_again(attachment.user(), &self.address, users, id);
                Ok(())
            }
            Ask::Unfollow(users) => engine.unfollow(&users, &self.address, id),
            Ask::SetStatus(status) => attachment.set_status(status, id),
            Ask::SetCustom(text) => attachment.set_custom(text, id),
            Ask::MarkActive(says) => attachment.mark_active(says, id),
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

    fn attached(&mut self, attached: Result<Attachment, EngineError>, context: &mut Context) {
        self.leave_lobby();
        let connection = attached.map(|attachment| {
            // Where the connection has ended meanwhile, the hold on the user ends here.
            self.attachment = Some(attachment).filter(|_| self.state.is_open());
            self.came();
            self.address.connection()
        });
        let actions = self.state.attached(connection, self.services.clock.now());
        self.carry_out(actions, context);
        self.keep_reminded();
    }

    fn show_connections(&self, user: UserId, context: &mut Context) {
        let engine = self.services.engine.clone();
        let asker = self.attachment.as_ref().map(Attachment::user);
        let visible = async move { engine.visible(asker, user).await };
        context.spawn(visible.into_actor(self).map(|shown, actor, context| {
            let actions = actor.state.shown(shown, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    /// Closes once all that waits is out, and lets the user go: its followers are told now, not when the client has
    /// answered.
    fn close(&mut self, closing: &Closing) {
        self.address.finish(Frame::close(closing.code, &closing.reason));
        self.let_go();
        self.keep_reminded();
    }

    fn leave_lobby(&mut self) {
        if std::mem::take(&mut self.in_lobby) {
            self.services.lobby.leave(&self.address);
        }
    }

    fn let_go(&mut self) {
        self.leave_lobby();
        match self.attachment.take() {
            Some(mut attachment) => {
                attachment.stay(self.services.linger.after(self.state.ending()));
                self.went(&attachment);
                attachment.leave(self.state.take_follows());
            }
            None => self.address.end(),
        }
    }

    /// Has itself reminded of its next deadline, unless that happens anyway.
    fn keep_reminded(&mut self) {
        let deadline = self.state.deadline();
        if self.reminder.is_none_or(|reminder| deadline < reminder) {
            self.services.rounds.remind(&self.address, deadline);
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

    fn whole(&mut self, whole: Whole, context: &mut Context) {
        match whole {
            Whole::Binary(bytes) => self.message(Incoming::Binary(&bytes), context),
            Whole::Text(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.message(Incoming::Text(text), context),
                Err(_) => self.fail(CloseCause::BrokenText, context),
            },
        }
    }

    fn assembled(&mut self, result: Result<Option<Whole>, AssemblyError>, context: &mut Context) {
        match result {
            Ok(Some(whole)) => self.whole(whole, context),
            Ok(None) => self.state.heard(self.services.clock.now()),
            Err(AssemblyError::TooLarge) => self.fail(CloseCause::MessageTooLarge, context),
            Err(AssemblyError::OutOfOrder) => self.fail(CloseCause::BrokenFrames, context),
        }
    }

    fn fail(&mut self, cause: CloseCause, context: &mut Context) {
        self.services.metrics.dialect(self.address.dialect()).refused.inc();
        let actions = self.state.close_because(cause, self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn unfragmented(&mut self, whole: Whole, bytes: &Bytes, context: &mut Context) {
        let result = self.assembly.whole(bytes.len()).map(|()| Some(whole));
        self.assembled(result, context);
    }
}

impl Actor for SessionActor {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        if let Some(input) = self.input.take() {
            context.add_stream(*input);
        }
        if self.attachment.is_none() {
            self.in_lobby = true;
            self.services.lobby.enter(&self.address);
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
        if drained.due {
            self.reminded(context);
        }
    }
}

/// What the client sends: see [`Input`].
impl StreamHandler<Result<Received, ProtocolError>> for SessionActor {
    fn handle(&mut self, item: Result<Received, ProtocolError>, context: &mut Context) {
        let now = self.services.clock.now();
        match item {
            Ok(Received::Text(bytes)) => self.unfragmented(Whole::Text(bytes.clone()), &bytes, context),
            Ok(Received::Binary(bytes)) => self.unfragmented(Whole::Binary(bytes.clone()), &bytes, context),
            Ok(Received::Continuation(item)) => {
                let result = self.assembly.take(item);
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
            Err(ProtocolError::Overflow) => self.fail(CloseCause::MessageTooLarge, context),
            Err(_) => self.fail(CloseCause::BrokenFrames, context),
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
