//! The rules of one session: a state machine with a role. It takes the time as an argument, returns [`Action`]s and does
//! no IO.
//!
//! This page holds what all roles share: one command at a time, the news of the outbox, deadlines. Elsewhere:
//!
//! * [`role`]: the three roles; their rules and commands are in [`known_user`], [`in_band`] and [`member`];
//! * [`in_flight`]: the command that waits for user actors, its retries and its refusal;
//! * [`keepalive`]: WebSocket pings; [`command_rate`]: the rate limit of commands; [`close`]: the end of the connection;
//! * [`actor`](super::actor) carries the actions out.

pub(super) mod close;
mod command_rate;
mod in_band;
mod in_flight;
mod keepalive;
mod known_user;
pub(super) mod member;
mod role;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use self::close::{Phase, SessionEnd};
use self::command_rate::CommandRate;
use self::in_flight::{InFlight, Operation};
use self::keepalive::Keepalive;
use self::role::Role;
use super::action::Action;
use super::command::{Command, Reply, TaggedCommand};
use super::heartbeat::HeartbeatEvent;
use super::protocol::{CloseFrame, CloseReason, Decoded, Incoming, Protocol};
use super::tick_outcome::TickOutcome;
use super::work_units::work_units;
use crate::config::{LimitsConfig, SessionConfig};
use crate::metrics::RefusalReason;
use crate::outbox::{CloseRequest, Drained, Frame, RequestTag};
use crate::presence::follows::Follows;
use crate::presence::id::UserId;
use crate::presence::quota::Quota;
use crate::presence::time::Timestamp;
use crate::presence::work::{WorkBudget, WorkLimit};

/// The state machine of one session.
pub struct SessionState {
    /// Translates between the wire and commands, replies.
    protocol: &'static dyn Protocol,
    /// How the client authenticates.
    role: Role,
    keepalive: Keepalive,
    /// How long the session waits for the client's close frame.
    close_timeout: Duration,
    /// The users that this session follows. A member's subscriptions are not here: they belong to the user.
    follows: Follows,
    /// `None` means no limit.
    rate: Option<CommandRate>,
    /// The work that the client may cause, by frames of every kind.
    work: WorkBudget,
    /// The session reads nothing until this time, because the client exceeded its budget.
    paused_until: Option<Timestamp>,
    /// Messages that came while a command was in flight. Bounded: the input gate closes while this is not empty.
    backlog: VecDeque<Decoded>,
    /// The one command that waits for its result.
    in_flight: Option<InFlight>,
    /// The number of the last request to user actors.
    last_request: u32,
    phase: Phase,
    /// How the session ends if it ends now.
    end: SessionEnd,
    /// Refusals that the actor has not recorded yet. Bounded by the commands of one message.
    refusals: Vec<RefusalReason>,
}

impl SessionState {
    fn new(
        protocol: &'static dyn Protocol,
        role: Role,
        own: UserId,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        Self {
            protocol,
            role,
            keepalive: Keepalive::new(session, now),
            close_timeout: session.close_timeout.0,
            follows: Follows::new(own, Quota::new(limits.follows_per_session)),
            rate: CommandRate::new(limits),
            work: WorkBudget::new(WorkLimit { rate: limits.work, burst: limits.work_burst }),
            paused_until: None,
            backlog: VecDeque::new(),
            in_flight: None,
            last_request: 0,
            phase: Phase::Open,
            end: SessionEnd::Lost,
            refusals: Vec::new(),
        }
    }

    /// Returns the client's dialect.
    pub fn protocol(&self) -> &'static dyn Protocol {
        self.protocol
    }

    /// Notes a frame of any kind with a payload of this many bytes, and charges it to the client.
    pub fn frame_received(&mut self, bytes: usize, now: Timestamp) {
        self.keepalive.note_activity(now);
        self.charge(WorkBudget::frame_units(bytes), now);
    }

    fn charge(&mut self, units: usize, now: Timestamp) {
        self.paused_until = self.work.charge(units, now);
    }

    /// Handles a whole message of the client, after its frames.
    pub fn message_received(&mut self, incoming: Incoming<'_>, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let decoded = self.protocol.decode(incoming);
        self.charge(work_units(&decoded), now);
        self.accept(decoded, now)
    }

    /// Applies the rate limit, then acts on a message or queues it behind the command in flight.
    fn accept(&mut self, decoded: Decoded, now: Timestamp) -> Vec<Action> {
        match decoded {
            Decoded::Batch(batch) => batch.into_iter().flat_map(|decoded| self.accept(decoded, now)).collect(),
            Decoded::Pong => self.pong(now),
            Decoded::Command(command) => match self.rate.as_mut().map_or(Ok(()), |rate| rate.count(now)) {
                Ok(()) => self.act_in_turn(Decoded::Command(command), now),
                Err(refusal) => {
                    let frames = self.protocol.reply(&command.tag, &Reply::Refused(refusal));
                    self.refusals.push(RefusalReason::RateLimit);
                    if self.role.orders_rate_refusals() {
                        self.act_in_turn(Decoded::Refused(frames), now)
                    } else {
                        vec![Action::Send(frames)]
                    }
                }
            },
            Decoded::Refused(_) => {
                // Otherwise the message ends the connection, which counts.
                if self.role.accepts_commands() {
                    self.refusals.push(RefusalReason::Message);
                }
                self.act_in_turn(decoded, now)
            }
            Decoded::Fatal(..) | Decoded::BatchReplies(_) => self.act_in_turn(decoded, now),
        }
    }

    fn act_in_turn(&mut self, decoded: Decoded, now: Timestamp) -> Vec<Action> {
        if self.in_flight.is_some() {
            self.backlog.push_back(decoded);
            return Vec::new();
        }
        self.act(decoded, now)
    }

    /// Acts on a message. No command is in flight.
    fn act(&mut self, decoded: Decoded, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let accepts_commands = self.role.accepts_commands();
        match decoded {
            Decoded::Command(command) if accepts_commands || command.command.is_connect() => self.execute(command, now),
            Decoded::Refused(frames) if accepts_commands => vec![Action::Send(frames)],
            Decoded::BatchReplies(replies) => vec![Action::BatchReplies(replies)],
            Decoded::Command(_) | Decoded::Refused(_) => self.close_because(CloseReason::BadRequest, now),
            Decoded::Fatal(frames, close_frame) => {
                self.refusals.push(RefusalReason::Message);
                let mut actions = vec![Action::Send(frames)];
                actions.extend(self.close(close_frame, SessionEnd::Closed, now));
                actions
            }
            // `accept` has split batches and handled pongs.
            Decoded::Batch(_) | Decoded::Pong => Vec::new(),
        }
    }

    fn execute(&mut self, command: TaggedCommand, now: Timestamp) -> Vec<Action> {
        let TaggedCommand { tag, command } = command;
        match command {
            Command::Nothing => Vec::new(),
            Command::Ping => vec![self.reply(&tag, &Reply::Pong)],
            Command::SetStatus(status) => self.set_status(tag, status),
            Command::Follow { users, usernames } if usernames.is_empty() => self.follow(tag, users),
            Command::Follow { users, usernames } => self.follow_by_name(tag, users, usernames),
            Command::Unfollow(users) => self.unfollow(tag, users),
            Command::Connect { token } => self.connect(tag, &token, now),
            Command::Refresh { token } => self.refresh(&tag, &token, now),
            Command::Subscribe { user, alias } => self.subscribe(tag, user, alias),
            Command::MarkActive(state) => self.mark_active(tag, state),
            Command::ListConnections(user) => self.list_connections(tag, user),
            Command::Member(command) => self.member_command(tag, command),
        }
    }

    fn unfollow(&mut self, tag: RequestTag, users: Vec<UserId>) -> Vec<Action> {
        let done = self.protocol.reply(&tag, &Reply::Done);
        let users = self.follows.remove(users);
        let id = self.begin(tag, Operation::Unfollow);
        vec![Action::Unfollow { id, users, done }]
    }

    /// Encodes a reply that took a question to other users, and charges its size.
    fn charged_reply(&mut self, tag: &RequestTag, reply: &Reply, now: Timestamp) -> Action {
        let action = self.reply(tag, reply);
        if let Action::Send(frames) = &action {
            self.charge(WorkBudget::reply_units(frames.iter().map(Frame::size).sum()), now);
        }
        action
    }

    fn reply(&mut self, tag: &RequestTag, reply: &Reply) -> Action {
        self.refusals.extend(reply.refusal_reason());
        Action::Send(self.protocol.reply(tag, reply))
    }

    /// Takes the refusals that were not recorded yet.
    pub fn take_refusals(&mut self) -> Vec<RefusalReason> {
        std::mem::take(&mut self.refusals)
    }

    /// Handles what a drain of the outbox found.
    pub fn outbox_drained(&mut self, drained: &Drained, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        if drained.completed {
            self.charge(WorkBudget::reply_units(drained.replied), now);
            self.in_flight = None;
            actions.extend(self.proceed(now));
        }
        if !drained.abandoned.is_empty() {
            actions.extend(self.retry(&drained.abandoned, now));
        }
        if let Some(close_request) = &drained.close_request {
            actions.extend(match close_request {
                CloseRequest::Drain => self.close_because(CloseReason::Drain, now),
                CloseRequest::Disconnected => self.close_because(CloseReason::Disconnected, now),
                CloseRequest::DisconnectWith(disconnect) => {
                    let close_frame = CloseFrame { code: disconnect.0, reason: disconnect.1.to_string().into() };
                    self.close(close_frame, SessionEnd::Closed, now)
                }
            });
        }
        actions
    }

    /// Acts on the backlog until a command is in flight.
    fn proceed(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.in_flight.is_none() && self.phase == Phase::Open {
            let Some(next) = self.backlog.pop_front() else { break };
            actions.extend(self.act(next, now));
        }
        actions
    }

    /// Handles a deadline that may have come.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        self.paused_until = self.paused_until.filter(|&until| until > now);
        match self.phase {
            Phase::Open => self.tick_open(now),
            Phase::Closing(until) if until <= now => self.stop(),
            Phase::Closing(_) | Phase::Stopped => Vec::new(),
        }
    }

    fn tick_open(&mut self, now: Timestamp) -> Vec<Action> {
        match self.role.tick(now) {
            TickOutcome::Nothing => Vec::new(),
            TickOutcome::Ping => self.protocol.ping().map(|ping| Action::Send(vec![ping])).into_iter().collect(),
            TickOutcome::Close(reason) => self.close_because(reason, now),
            TickOutcome::CheckKeepalive => match self.keepalive.tick(now) {
                HeartbeatEvent::NothingDue => Vec::new(),
                HeartbeatEvent::PingDue => vec![Action::Ping],
                HeartbeatEvent::Lost => self.close_because(CloseReason::PingTimeout, now),
            },
        }
    }

    /// Returns the time at which [`SessionState::tick`] is due next.
    pub fn deadline(&self) -> Timestamp {
        match self.phase {
            Phase::Closing(until) => until,
            Phase::Open | Phase::Stopped => self.role.deadline(self.keepalive.deadline()),
        }
    }

    /// Returns whether the session may read more input: no message waits for the command in flight, and the client keeps
    /// within its budget.
    pub fn may_read(&self) -> bool {
        self.backlog.is_empty() && self.paused_until.is_none()
    }

    /// Returns until when the client must pause, because it exceeded its budget. [`SessionState::tick`] is due then.
    pub fn paused_until(&self) -> Option<Timestamp> {
        self.paused_until
    }

    /// Takes the followed users out, when the session ends.
    pub fn take_follows(&mut self) -> Vec<UserId> {
        self.follows.take()
    }
}
