//! The WebSocket actor of a session: carries out the actions of its [`SessionState`].
//!
//! The actor lives in the response body ([`Output`](super::output::Output)). While the client does not read, the body is
//! not polled and the actor's mailbox does not move. So only the body itself sends messages to the actor, and the kernel
//! cuts a stalled client (`session.stall_timeout`).
//!
//! Elsewhere: frames of the client are in [`frames`], actions for Tencent members in [`member`], reports to the connection
//! listener in [`connection_events`], refusals and ends for metrics and logs in [`observation`].

mod connection_events;
mod frames;
mod member;
mod observation;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Handler, Message, WrapFuture};
use actix_http::Payload;
use actix_web_actors::ws::WebsocketContext;

use super::action::{Action, AttachRequest, EngineRequest};
use super::connection_listener::ClientInfo;
use super::input::Input;
use super::input_gate::InputGate;
use super::peer::Peer;
use super::pending_connections::PendingPermit;
use super::protocol::CloseFrame;
use super::reassembler::Reassembler;
use super::services::Services;
use super::state::SessionState;
use crate::engine::{ConnectionHandle, EngineError};
use crate::metrics::ConnectionEnd;
use crate::outbox::{Drained, Frame, OutboxReceiver};
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// The actor of one connection.
pub struct SessionActor {
    state: SessionState,
    /// Attaches the connection to its user. `None` before the client is authenticated, and from the close frame on.
    connection_handle: Option<ConnectionHandle>,
    outbox: OutboxReceiver,
    /// Counts the connection among the pending connections. `None` if it belongs to a user, or has ended.
    pending: Option<Box<PendingPermit>>,
    reassembler: Reassembler,
    input_gate: InputGate,
    /// The client's frames, until the actor starts to read them.
    input: Option<Box<Input<Payload>>>,
    /// When the deadline timer wakes the session next. `None` means never.
    scheduled: Option<Timestamp>,
    /// When the deadline timer wakes the session after the client's last pause.
    resumes: Option<Timestamp>,
    /// `None` if there is no connection listener.
    client: Option<Arc<ClientInfo>>,
    peer: Peer,
    /// The end of the connection is counted.
    end_recorded: bool,
    services: Arc<Services>,
}

/// A drain of the outbox found news for the session.
pub struct Wake(pub Drained);

impl Message for Wake {
    type Result = ();
}

type Context = WebsocketContext<SessionActor>;

impl SessionActor {
    /// Returns the session of a connection that is attached to its user.
    pub fn attached_to(
        connection_handle: ConnectionHandle,
        outbox: OutboxReceiver,
        state: SessionState,
        input: Input<Payload>,
        input_gate: InputGate,
        services: Arc<Services>,
    ) -> Self {
        let mut session = Self::new(outbox, state, input, input_gate, services);
        session.connection_handle = Some(connection_handle);
        session
    }

    /// Returns the session of a connection that belongs to no user yet.
    pub fn pending(
        permit: PendingPermit,
        outbox: OutboxReceiver,
        state: SessionState,
        input: Input<Payload>,
        input_gate: InputGate,
        services: Arc<Services>,
    ) -> Self {
        let mut session = Self::new(outbox, state, input, input_gate, services);
        session.pending = Some(Box::new(permit));
        session
    }

    fn new(
        outbox: OutboxReceiver,
        state: SessionState,
        input: Input<Payload>,
        input_gate: InputGate,
        services: Arc<Services>,
    ) -> Self {
        services.metrics.dialect(outbox.address().dialect()).connections.inc();
        let reassembler = Reassembler::new(services.session.max_message_bytes);
        Self {
            state,
            connection_handle: None,
            outbox,
            pending: None,
            reassembler,
            input_gate,
            input: Some(Box::new(input)),
            scheduled: None,
            resumes: None,
            client: None,
            peer: Peer::default(),
            end_recorded: false,
            services,
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>, context: &mut Context) {
        self.record_refusals();
        for action in actions {
            self.carry_out_one(action, context);
        }
        self.update_input_gate();
    }

    /// Reads on, or stops reading until the command in flight is done or the client's pause is over.
    fn update_input_gate(&mut self) {
        if self.state.may_read() {
            return self.input_gate.open();
        }
        self.input_gate.close();
        // Apart from the session's other deadlines, which stay scheduled: a client that pauses often would leave an entry
        // of them behind each time.
        if let Some(until) = self.state.paused_until().filter(|&until| self.resumes != Some(until)) {
            self.services.deadline_timer.schedule(self.outbox.address(), until);
            self.resumes = Some(until);
        }
    }

    fn carry_out_one(&mut self, action: Action, context: &mut Context) {
        match action {
            Action::Send(frames) => self.outbox.respond(&frames),
            Action::BatchReplies(replies) => self.outbox.batch_replies(replies),
            Action::Member(action) => self.carry_out_for_member(action, context),
            Action::ResolveUsernames(usernames) => self.resolve_usernames(usernames, context),
            Action::Follow { id, tag, users } => {
                self.outbox.await_follow(id, tag, &users);
                self.request(id, EngineRequest::Follow(users));
            }
            Action::Subscribe { id, tag, user, alias } => {
                self.outbox.await_subscription(id, tag, user, alias);
                self.request(id, EngineRequest::Subscribe(user));
            }
            Action::Attach(request) => self.attach(request, context),
            Action::MarkActive { id, state, done } => {
                self.outbox.await_status(id, done);
                self.request(id, EngineRequest::MarkActive(state));
            }
            Action::ListConnections(user) => self.list_connections(user, context),
            Action::Unfollow { id, users, done } => {
                self.outbox.await_unfollow(id, done, users.len());
                self.request(id, EngineRequest::Unfollow(users));
            }
            Action::SetStatus { id, status, done } => {
                self.outbox.await_status(id, done);
                self.request(id, EngineRequest::SetStatus(status));
            }
            Action::Retry { id, request } => {
                self.outbox.asked_again(request.replies());
                self.request(id, request);
            }
            Action::RefuseInFlight(frames) => self.outbox.give_up(&frames),
            Action::UnfollowSilently(users) => {
                if let Some(connection_handle) = &self.connection_handle {
                    connection_handle.leave(users);
                }
            }
            Action::Ping => self.outbox.reply(&[Frame::ping()]),
            Action::Close(close_frame) => self.close(&close_frame),
            Action::Stop => context.stop(),
        }
    }

    /// Sends a request to user actors. If the engine refuses it, the request's tickets report that to the outbox.
    fn request(&self, id: u32, request: EngineRequest) {
        let Some(connection_handle) = &self.connection_handle else { return };
        let engine = &self.services.engine;
        let result: Result<(), EngineError> = match request {
            EngineRequest::Follow(users) => engine.follow(connection_handle.user(), &users, self.outbox.address(), id),
            EngineRequest::Subscribe(user) => {
                engine.subscribe(connection_handle.user(), user, self.outbox.address(), id);
                Ok(())
            }
            EngineRequest::FollowListed(users) => {
                self.services.members.ask_again(connection_handle.user(), self.outbox.address(), users, id);
                Ok(())
            }
            EngineRequest::Unfollow(users) => engine.unfollow(&users, self.outbox.address(), id),
            EngineRequest::SetStatus(status) => connection_handle.set_status(status, id),
            EngineRequest::SetCustomStatus(text) => connection_handle.set_custom(text, id),
            EngineRequest::MarkActive(state) => connection_handle.mark_active(state, id),
        };
        if let Err(error) = result {
            log::warn!("the engine refused a command: {error}");
        }
    }

    fn resolve_usernames(&self, usernames: Vec<Username>, context: &mut Context) {
        let services = self.services.clone();
        let lookup = async move { services.directory.user_ids(usernames).await };
        context.spawn(lookup.into_actor(self).map(|found, actor, context| {
            let actions = actor.state.usernames_resolved(found.ok(), actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    fn attach(&self, request: AttachRequest, context: &mut Context) {
        let AttachRequest { user, username, status, info, max_connections } = request;
        self.outbox.identify(username, status, info);
        // An anonymous client gets a user of its own, which nobody knows.
        let user = user.unwrap_or_else(UserId::random);
        let engine = self.services.engine.clone();
        let address = self.outbox.address().clone();
        let attach = async move { engine.attach_within(max_connections, user, address).await };
        context.spawn(attach.into_actor(self).map(|attached, actor, context| actor.attached(attached, context)));
    }

    fn attached(&mut self, attached: Result<ConnectionHandle, EngineError>, context: &mut Context) {
        self.remove_pending();
        let connection = attached.map(|connection_handle| {
            // If the connection has ended meanwhile, dropping the handle releases the user.
            self.connection_handle = Some(connection_handle).filter(|_| self.state.is_open());
            self.report_connected();
            self.outbox.address().connection()
        });
        let actions = self.state.attached(connection, self.services.clock.now());
        self.carry_out(actions, context);
        self.schedule_deadline();
    }

    fn list_connections(&self, user: UserId, context: &mut Context) {
        let engine = self.services.engine.clone();
        let asker = self.connection_handle.as_ref().map(ConnectionHandle::user);
        let visible = async move { engine.visible(asker, user).await };
        context.spawn(visible.into_actor(self).map(|connections, actor, context| {
            let actions = actor.state.connections_listed(connections, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    /// Sends the close frame after everything that waits, and releases the user: its followers see the end now, not when
    /// the client has answered.
    fn close(&mut self, close_frame: &CloseFrame) {
        self.record_end(ConnectionEnd::Server(close_frame.code));
        self.outbox.finish(Frame::close(close_frame.code, &close_frame.reason));
        self.release_user();
        self.schedule_deadline();
    }

    fn remove_pending(&mut self) {
        if self.pending.take().is_some() {
            self.services.pending_connections.remove(self.outbox.address());
        }
    }

    fn release_user(&mut self) {
        self.remove_pending();
        match self.connection_handle.take() {
            Some(mut connection_handle) => {
                connection_handle.set_linger(self.linger());
                self.report_disconnected(&connection_handle);
                connection_handle.leave(self.state.take_follows());
            }
            None => self.outbox.end(),
        }
    }

    fn linger(&self) -> Duration {
        let linger = self.services.linger;
        if self.services.engine.is_draining() {
            linger.after_during_drain(self.state.end())
        } else {
            linger.after(self.state.end())
        }
    }

    /// Schedules a wake at the next deadline, unless an earlier wake is scheduled already.
    fn schedule_deadline(&mut self) {
        let deadline = self.state.deadline();
        if self.scheduled.is_none_or(|scheduled| deadline < scheduled) {
            self.services.deadline_timer.schedule(self.outbox.address(), deadline);
            self.scheduled = Some(deadline);
        }
    }

    fn deadline_reached(&mut self, context: &mut Context) {
        let now = self.services.clock.now();
        self.scheduled = self.scheduled.filter(|&scheduled| now < scheduled);
        let actions = self.state.tick(now);
        self.carry_out(actions, context);
        self.schedule_deadline();
    }
}

impl EngineRequest {
    /// Returns the number of replies that the outbox waits for.
    fn replies(&self) -> usize {
        match self {
            Self::Follow(users) | Self::FollowListed(users) | Self::Unfollow(users) => users.len(),
            Self::Subscribe(_) | Self::SetStatus(_) | Self::MarkActive(_) | Self::SetCustomStatus(_) => 1,
        }
    }
}

impl Actor for SessionActor {
    type Context = Context;

    fn started(&mut self, context: &mut Context) {
        if let Some(input) = self.input.take() {
            context.add_stream(*input);
        }
        if self.pending.is_some() {
            self.services.pending_connections.add(self.outbox.address());
        }
        self.report_connected();
        self.schedule_deadline();
    }
}

impl Handler<Wake> for SessionActor {
    type Result = ();

    fn handle(&mut self, Wake(drained): Wake, context: &mut Context) {
        let actions = self.state.outbox_drained(&drained, self.services.clock.now());
        self.carry_out(actions, context);
        if drained.timer_due {
            self.deadline_reached(context);
        }
    }
}

impl Drop for SessionActor {
    fn drop(&mut self) {
        self.record_end(ConnectionEnd::Lost);
        self.release_user();
        self.outbox.discard();
        self.services.metrics.dialect(self.outbox.address().dialect()).connections.dec();
    }
}
