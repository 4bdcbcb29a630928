//! The rules of a session: what it does with each thing that happens to it. DeliveredStatus the time; does nothing by itself.

mod handshake;
pub(super) mod member;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::action::{Action, Ask};
use super::command::{Command, Refusal, Reply, TaggedCommand};
use super::handshake::{Due, Handshake};
use super::member::{Member, MemberReply};
use super::protocol::{CloseFrame, CloseReason, Decoded, Incoming, Protocol};
use crate::config::{LimitsConfig, SessionConfig};
use crate::outbox::{CloseRequest, Drained, RequestTag};
use crate::presence::follows::{Added, Follows};
use crate::presence::id::{UserId, Username};
use crate::presence::quota::Quota;
use crate::presence::rate::SlidingWindow;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// How often the users of one request are asked again when their actors were lost.
const ATTEMPTS: u8 = 3;

/// The command under way.
#[derive(Debug)]
struct UnderWay {
    tag: RequestTag,
    attempts: u8,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Usernames are being looked up; these users were named by id.
    Resolving(Vec<UserId>),
    /// These were not followed before.
    Following(Vec<UserId>),
    Unfollowing,
    SettingStatus(Option<StatusText>),
    /// The connection is being made part of its user.
    Arriving,
    /// The user is being marked active, and says this of itself.
    MarkingActive(Option<StatusText>),
    /// A user's connections are being asked for.
    Showing,
    /// Something is being done for an account.
    Account,
    /// An account is being let in.
    Entering,
    /// The text of an account.
    SettingCustom(Option<StatusText>),
}

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The close frame is out; the client's is awaited until then.
    Closing(Timestamp),
    Stopped,
}

/// A session.
pub struct State {
    protocol: &'static dyn Protocol,
    /// None: the client said who it is before the connection opened.
    handshake: Option<Box<Handshake>>,
    /// Only where accounts log in.
    member: Option<Box<Member>>,
    timing: Timing,
    follows: Follows,
    /// None: no limit.
    rate: Option<(usize, SlidingWindow)>,
    /// What came while another was under way; bounded by the gate.
    waiting: VecDeque<Decoded>,
    under_way: Option<UnderWay>,
    /// The number of the last request.
    last_id: u32,
    /// When the client was heard last.
    heard: Timestamp,
    /// Until when it has to answer the ping that has gone out since then. By the ping, not by the silence: who stood still
    /// was heard by nobody.
    answer_until: Option<Timestamp>,
    phase: Phase,
    /// How it ends, if it ends now.
    ending: Ending,
}

/// How a session ends, as to its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The line broke: nobody closed it.
    Broken,
    /// Nothing was heard of the client.
    Silent,
    /// One side closed it.
    Closed,
    /// The server stops.
    Drained,
}

#[derive(Clone, Copy, Debug)]
struct Timing {
    ping_interval: Duration,
    pong_timeout: Duration,
    close_timeout: Duration,
}

impl State {
    /// A session of `user` that begins now.
    pub fn new(
        protocol: &'static dyn Protocol,
        user: UserId,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        let rate = (limits.commands > 0)
            .then(|| (limits.commands, SlidingWindow::new(limits.commands, limits.commands_window.0)));
        Self {
            protocol,
            handshake: None,
            member: None,
            timing: Timing {
                ping_interval: session.ping_interval.0,
                pong_timeout: session.pong_timeout.0,
                close_timeout: session.close_timeout.0,
            },
            follows: Follows::new(user, Quota::new(limits.follows_per_session)),
            rate,
            waiting: VecDeque::new(),
            under_way: None,
            last_id: 0,
            heard: now,
            answer_until: None,
            phase: Phase::Open,
            ending: Ending::Broken,
        }
    }

    /// A whole message came.
    pub fn received(&mut self, incoming: Incoming<'_>, now: Timestamp) -> Vec<Action> {
        self.heard(now);
        if self.phase != Phase::Open {
            return Vec::new();
        }
        self.take(self.protocol.decode(incoming), now)
    }

    /// Takes a message in: what needs a command's turn waits while another is under way.
    fn take(&mut self, decoded: Decoded, now: Timestamp) -> Vec<Action> {
        match decoded {
            Decoded::Batch(batch) => batch.into_iter().flat_map(|one| self.take(one, now)).collect(),
            Decoded::Pong => self.pong(now),
            Decoded::Command(_) | Decoded::Refused(_) | Decoded::Fatal(..) | Decoded::BatchReplies(_) => {
                let mut decoded = decoded;
                if let Decoded::Command(request) = &decoded
                    && let Some(refusal) = self.refused_by_rate(now)
                {
                    let frames = self.protocol.reply(&request.tag, &Reply::Refused(refusal));
                    if self.member.is_none() {
                        return vec![Action::Refuse(frames)];
                    }
                    // It may be part of a batch, whose answers keep their order.
                    decoded = Decoded::Refused(frames);
                }
                if self.under_way.is_some() {
                    self.waiting.push_back(decoded);
                    return Vec::new();
                }
                self.act(decoded, now)
            }
        }
    }

    /// Acts on what has its turn.
    fn act(&mut self, decoded: Decoded, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let inside = self.handshake.as_ref().is_none_or(|handshake| handshake.is_open());
        match decoded {
            Decoded::Command(request) if inside || request.command.connects() => self.begin(request, now),
            Decoded::Refused(frames) if inside => vec![Action::Refuse(frames)],
            Decoded::BatchReplies(answers) => vec![Action::BatchReplies(answers)],
            Decoded::Command(_) | Decoded::Refused(_) => self.close_because(CloseReason::BadRequest, now),
            Decoded::Fatal(frames, closing) => {
                let mut actions = vec![Action::Refuse(frames)];
                actions.extend(self.close(closing, Ending::Closed, now));
                actions
            }
            // Taken apart, or not a matter of turns.
            Decoded::Batch(_) | Decoded::Pong => Vec::new(),
        }
    }

    /// Anything came from the client: it lives.
    pub fn heard(&mut self, now: Timestamp) {
        self.heard = now;
        self.answer_until = None;
    }

    fn refused_by_rate(&mut self, now: Timestamp) -> Option<Refusal> {
        let (limit, window) = self.rate.as_mut()?;
        let again = window.try_acquire(now).err()?;
        Some(Refusal::RateLimited { limit: *limit, retry_after: again.since(now) })
    }

    fn begin(&mut self, request: TaggedCommand, now: Timestamp) -> Vec<Action> {
        let TaggedCommand { tag, command } = request;
        match command {
            Command::Nothing => Vec::new(),
            Command::Connect { token } => self.connect(tag, &token, now),
            Command::Refresh { token } => self.refresh(&tag, &token, now),
            Command::Subscribe { user, alias } => self.subscribe(tag, user, alias),
            Command::MarkActive(status) => self.mark_active(tag, status),
            Command::ListConnections(user) => {
                self.under_way(tag, Kind::Showing);
                vec![Action::ListConnections(user)]
            }
            Command::Member(command) => self.account(tag, command),
            Command::Ping => vec![self.reply(&tag, &Reply::Pong)],
            Command::SetStatus(status) => {
                let done = self.protocol.reply(&tag, &Reply::Done);
                let id = self.under_way(tag, Kind::SettingStatus(status.clone()));
                vec![Action::SetStatus { id, status, done }]
            }
            Command::Follow { users, usernames } if usernames.is_empty() => self.follow(tag, users),
            Command::Follow { users, usernames } => self.resolve(tag, users, usernames),
            Command::Unfollow(users) => {
                let done = self.protocol.reply(&tag, &Reply::Done);
                let users = self.follows.remove(users);
                let id = self.under_way(tag, Kind::Unfollowing);
                vec![Action::Unfollow { id, users, done }]
            }
        }
    }

    fn resolve(&mut self, tag: RequestTag, users: Vec<UserId>, mut usernames: Vec<Username>) -> Vec<Action> {
        usernames.sort_unstable();
        usernames.dedup();
        // Each name costs a look-up, also one that nobody has.
        match self.follows.may_ask(users.len() + usernames.len()) {
            Ok(()) => {
                self.under_way(tag, Kind::Resolving(users));
                vec![Action::Resolve(usernames)]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }

    fn follow(&mut self, tag: RequestTag, users: Vec<UserId>) -> Vec<Action> {
        match self.follows.add(users) {
            Ok(Added { asked, fresh }) => {
                let id = self.under_way(tag.clone(), Kind::Following(fresh));
                vec![Action::Follow { id, tag, users: asked }]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }

    fn under_way(&mut self, tag: RequestTag, kind: Kind) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.under_way = Some(UnderWay { tag, attempts: 1, kind });
        self.last_id
    }

    /// The usernames have been looked up; none: the look-up failed.
    pub fn resolved(&mut self, found: Option<Vec<UserId>>, now: Timestamp) -> Vec<Action> {
        let Some(UnderWay { tag, kind: Kind::Resolving(mut users), .. }) = self.under_way.take() else {
            return Vec::new();
        };
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let mut actions = match found {
            Some(found) => {
                users.extend(found);
                self.follow(tag, users)
            }
            None => vec![self.reply(&tag, &Reply::Refused(Refusal::Busy))],
        };
        actions.extend(self.proceed(now));
        actions
    }

    /// The outbox has been drained.
    pub fn drained(&mut self, drained: &Drained, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        if drained.completed {
            self.under_way = None;
            actions.extend(self.proceed(now));
        }
        if !drained.abandoned.is_empty() {
            actions.extend(self.abandoned(&drained.abandoned, now));
        }
        if let Some(close_request) = &drained.close_request {
            actions.extend(match close_request {
                CloseRequest::Drain => self.close_because(CloseReason::Drain, now),
                CloseRequest::Disconnected => self.close_because(CloseReason::Disconnected, now),
                CloseRequest::DisconnectWith(told) => {
                    let closing = CloseFrame { code: told.0, reason: told.1.to_string().into() };
                    self.close(closing, Ending::Closed, now)
                }
            });
        }
        actions
    }

    /// These users' actors were lost before they answered.
    fn abandoned(&mut self, users: &[UserId], now: Timestamp) -> Vec<Action> {
        let Some(under_way) = self.under_way.as_mut() else { return Vec::new() };
        if under_way.attempts >= ATTEMPTS {
            return self.give_up(users, now);
        }
        under_way.attempts += 1;
        let ask = match &under_way.kind {
            Kind::Resolving(_) | Kind::Arriving | Kind::Showing => return Vec::new(),
            Kind::Account | Kind::Entering => Ask::Listed(users.to_vec()),
            Kind::Following(_) => match users {
                // Whoever says by a message who it is subscribes to one at a time.
                &[user] if self.handshake.is_some() => Ask::Subscribe(user),
                users => Ask::Follow(users.to_vec()),
            },
            Kind::SettingCustom(text) => Ask::SetCustomStatus(text.clone()),
            Kind::Unfollowing => Ask::Unfollow(users.to_vec()),
            Kind::SettingStatus(status) => Ask::SetStatus(status.clone()),
            Kind::MarkingActive(state) => Ask::MarkActive(state.clone()),
        };
        vec![Action::AskAgain { id: self.last_id, ask }]
    }

    /// Refuses the command under way, of which these users' part cannot be done, and takes back what was done of a
    /// follow. `under_way` ends when the answer is out. Half a login is none: the connection ends with it.
    fn give_up(&mut self, users: &[UserId], now: Timestamp) -> Vec<Action> {
        let Some(under_way) = &mut self.under_way else { return Vec::new() };
        let mut actions = vec![Action::GiveUp(self.protocol.reply(&under_way.tag, &Reply::Refused(Refusal::Busy)))];
        match &mut under_way.kind {
            Kind::Following(fresh) => {
                let fresh = std::mem::take(fresh);
                self.follows.remove(fresh.iter().copied());
                actions.push(Action::Leave(fresh));
            }
            // Their actors tell still; the client may ask again.
            Kind::Unfollowing => self.follows.restore(users),
            Kind::Resolving(_)
            | Kind::SettingStatus(_)
            | Kind::Arriving
            | Kind::MarkingActive(_)
            | Kind::Showing
            | Kind::Account
            | Kind::SettingCustom(_) => {}
            Kind::Entering => actions.extend(self.close_because(CloseReason::Busy, now)),
        }
        actions
    }

    /// Acts on what waits, until a command is under way.
    fn proceed(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.under_way.is_none() && self.phase == Phase::Open {
            let Some(next) = self.waiting.pop_front() else { break };
            actions.extend(self.act(next, now));
        }
        actions
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Action {
        let frames = self.protocol.reply(tag, reply);
        match reply {
            Reply::Pong | Reply::Done | Reply::Connected(_) | Reply::Refreshed { .. } | Reply::Connections(_) => {
                Action::Send(frames)
            }
            Reply::Member(MemberReply::Refused(_)) | Reply::Refused(_) => Action::Refuse(frames),
            Reply::Member(_) => Action::Send(frames),
        }
    }

    /// A deadline has come, or may have.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        if self.phase == Phase::Open
            && let Some(handshake) = &mut self.handshake
        {
            match handshake.tick(now) {
                Due::Nothing if handshake.leaves_pings_to_websocket() => {}
                Due::Nothing => return Vec::new(),
                Due::Ping => return self.protocol.ping().map(|ping| Action::Send(vec![ping])).into_iter().collect(),
                Due::Close(cause) => return self.close_because(cause, now),
            }
        }
        let stranger = self.member.as_ref().and_then(|member| member.login_by());
        if self.phase == Phase::Open && stranger.is_some_and(|until| until <= now) {
            return self.close_because(CloseReason::HandshakeTimeout, now);
        }
        match self.phase {
            Phase::Stopped => Vec::new(),
            Phase::Closing(until) if now < until => Vec::new(),
            Phase::Closing(_) => self.stop(),
            Phase::Open => match self.answer_until {
                Some(until) if until <= now => self.close_because(CloseReason::PingTimeout, now),
                None if now >= self.heard + self.timing.ping_interval => {
                    self.answer_until = Some(now + self.timing.pong_timeout.saturating_sub(self.timing.ping_interval));
                    vec![Action::Ping]
                }
                Some(_) | None => Vec::new(),
            },
        }
    }

    /// When [`State::tick`] is due next.
    pub fn deadline(&self) -> Timestamp {
        let silence = self.answer_until.unwrap_or(self.heard + self.timing.ping_interval);
        match (self.phase, &self.handshake) {
            (Phase::Closing(until), _) => until,
            (Phase::Open | Phase::Stopped, None) => {
                let stranger = self.member.as_ref().and_then(|member| member.login_by());
                stranger.map_or(silence, |until| until.min(silence))
            }
            (Phase::Open | Phase::Stopped, Some(handshake)) => {
                let timer_due = handshake.deadline();
                let other = handshake.leaves_pings_to_websocket().then_some(silence);
                timer_due.into_iter().chain(other).min().unwrap_or(silence)
            }
        }
    }

    /// The session closes the connection by itself.
    pub fn close_because(&mut self, cause: CloseReason, now: Timestamp) -> Vec<Action> {
        let ending = if cause == CloseReason::PingTimeout {
            Ending::Silent
        } else if cause == CloseReason::Drain {
            Ending::Drained
        } else {
            Ending::Closed
        };
        let word = self.protocol.closing_message(cause).filter(|_| self.phase == Phase::Open);
        let close = self.close(self.protocol.close_frame(cause), ending, now);
        word.map(|word| Action::Send(vec![word])).into_iter().chain(close).collect()
    }

    /// How it ends, if it ends now.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    fn close(&mut self, closing: CloseFrame, ending: Ending, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        self.ending = ending;
        self.phase = Phase::Closing(now + self.timing.close_timeout);
        self.waiting.clear();
        vec![Action::Close(closing)]
    }

    /// The client's close frame came: the first, to be echoed, or the answer to the session's own.
    pub fn client_closes(&mut self, code: Option<u16>, now: Timestamp) -> Vec<Action> {
        let mut actions = match code {
            Some(code) => self.close(CloseFrame { code, reason: "".into() }, Ending::Closed, now),
            None => self.close(CloseFrame::new(1000, ""), Ending::Closed, now),
        };
        actions.extend(self.stop());
        actions
    }

    /// The connection has ended, or has to.
    pub fn stop(&mut self) -> Vec<Action> {
        self.phase = Phase::Stopped;
        vec![Action::Stop]
    }

    /// Whether the session has not begun to close.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Commands wait for the one under way: no more should be read.
    pub fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whom the session followed; for its end.
    pub fn take_follows(&mut self) -> Vec<UserId> {
        self.follows.take()
    }
}
