//! Carries out the actions for a Tencent member: login, logout, queries, subscriptions.

use std::collections::HashSet;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use bytestring::ByteString;

use super::{Context, SessionActor};
use crate::engine::ConnectionHandle;
use crate::members::{KnownExits, Login, MemberError, Members};
use crate::outbox::RequestTag;
use crate::presence::calls::Call;
use crate::presence::general_status::Exit;
use crate::presence::id::{UserId, Username};
use crate::presence::member_name::MemberName;
use crate::presence::member_record::MemberRecord;
use crate::presence::status::StatusText;
use crate::session::action::EngineRequest;
use crate::session::listing::{CatchUp, Listing, ListingKind, ListingReply, MemberFailure, MemberFailureReason};
use crate::session::member::{MemberAction, MemberReply};
use crate::session::state::member::statuses;

/// Subscriptions that are stored.
struct StoredSubscriptions {
    record: MemberRecord,
    names: Vec<MemberName>,
    failures: Vec<MemberFailure>,
    exits: KnownExits,
}

impl SessionActor {
    pub(super) fn carry_out_for_member(&mut self, action: MemberAction, context: &mut Context) {
        match action {
            MemberAction::LogIn { name, info } => self.log_in(name, info, context),
            MemberAction::SetCustomStatus { id, text, done } => {
                self.outbox.await_status(id, done);
                self.request(id, EngineRequest::SetCustomStatus(text));
            }
            MemberAction::Query { names, rate_limited } => self.call(context, async move |members, member| {
                let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
                if rate_limited {
                    members.count(member, Call::Query).await?;
                }
                let exits = members.exits(users.clone()).await?;
                let snapshots = members.views(Some(member), &users, &exits).await?;
                let found = statuses(names, &snapshots);
                if !members.is_strict() {
                    return Ok(MemberReply::Statuses(found, Vec::new()));
                }
                // Only what the member sees may tell a known user from an unknown one.
                let (known, unknown): (Vec<_>, Vec<_>) =
                    found.into_iter().zip(&snapshots).partition(|(_, snapshot)| snapshot.is_known());
                let no_account = |name: MemberName| MemberFailure { name, reason: MemberFailureReason::NoAccount };
                let failures = unknown.into_iter().map(|(status, _)| no_account(status.name)).collect();
                Ok(MemberReply::Statuses(known.into_iter().map(|(status, _)| status).collect(), failures))
            }),
            MemberAction::Subscribe { names, failures } => self.subscribe(names, failures, context),
            MemberAction::Unsubscribe(users) => self.call(context, async move |members, member| {
                members.count(member, Call::Unsubscribe).await?;
                members.unsubscribe(member, users).await?;
                Ok(MemberReply::Unsubscribed)
            }),
            MemberAction::LogOut => self.log_out(context),
        }
    }

    /// Executes a call of the member and replies with its result.
    fn call<F>(&self, context: &mut Context, work: F)
    where
        F: AsyncFnOnce(Members, UserId) -> Result<MemberReply, MemberError> + 'static,
    {
        let Some(member) = self.connection_handle.as_ref().map(ConnectionHandle::user) else { return };
        let members = self.services.members.clone();
        let work = async move { work(members, member).await };
        context.spawn(work.into_actor(self).map(|result, actor, context| {
            let actions = actor.state.member_call_done(result, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    fn fail_member_call(&mut self, error: MemberError, context: &mut Context) {
        let actions = self.state.member_call_done(Err(error), self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn log_in(&self, name: MemberName, info: Option<ByteString>, context: &mut Context) {
        let user = name.user();
        self.outbox.identify(Username::new(name.as_str()).ok(), Some(StatusText::empty()), info);
        let members = self.services.members.clone();
        let engine = self.services.engine.clone();
        let address = self.outbox.address().clone();
        let log_in = async move {
            let (login, device_guard) = members.log_in(user, &address).await?;
            let connection_handle = engine.attach(user, address).await?;
            Ok((login, connection_handle.holding(device_guard)))
        };
        context.spawn(log_in.into_actor(self).map(|result, actor, context| match result {
            Ok((login, connection_handle)) => actor.logged_in(name, login, connection_handle),
            Err(error) => actor.fail_member_call(error, context),
        }));
    }

    fn logged_in(&mut self, name: MemberName, login: Login, connection_handle: ConnectionHandle) {
        self.remove_pending();
        // If the connection has ended meanwhile, dropping the handle releases the user.
        let Some((id, tag)) = self.state.member_logged_in(name.clone()) else { return };
        let heartbeat = self.services.session.pong_timeout.0;
        let member = connection_handle.user();
        let listing = listing(name, heartbeat, &login);
        self.connection_handle = Some(connection_handle);
        self.report_connected();
        let users: Vec<UserId> = listing.names.iter().map(MemberName::user).collect();
        self.outbox.await_snapshots(id, self.listing_reply(tag, listing));
        self.services.members.activate(member, self.outbox.address(), login, &users, id);
        self.schedule_deadline();
    }

    fn subscribe(&self, names: Vec<MemberName>, failures: Vec<MemberFailure>, context: &mut Context) {
        let Some(member) = self.connection_handle.as_ref().map(ConnectionHandle::user) else { return };
        let members = self.services.members.clone();
        let subscribe = async move {
            members.count(member, Call::Subscribe).await?;
            let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
            let exits = members.exits(users.clone()).await?;
            let mut names = names;
            let mut failures = failures;
            if members.is_strict() {
                let snapshots = members.views(Some(member), &users, &exits).await?;
                let known: HashSet<UserId> =
                    snapshots.iter().filter(|snapshot| snapshot.is_known()).map(|snapshot| snapshot.user).collect();
                let (found, missing): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|name| known.contains(&name.user()));
                names = found;
                failures.extend(
                    missing.into_iter().map(|name| MemberFailure { name, reason: MemberFailureReason::NoAccount }),
                );
            }
            let record = members.subscribe(member, names.clone()).await?;
            Ok(StoredSubscriptions { record, names, failures, exits })
        };
        context.spawn(subscribe.into_actor(self).map(move |result, actor, context| match result {
            Ok(stored) => actor.subscribed(member, stored),
            Err(error) => actor.fail_member_call(error, context),
        }));
    }

    fn subscribed(&mut self, member: UserId, stored: StoredSubscriptions) {
        let StoredSubscriptions { record, mut names, failures, exits } = stored;
        let Some((id, tag)) = self.state.subscriptions_stored() else { return };
        // Past the maximum number of subscriptions, the store drops the earliest at once.
        let held: HashSet<UserId> = record.subscriptions.users().collect();
        names.retain(|name| held.contains(&name.user()));
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        let listing = Listing { kind: ListingKind::Subscription, names, failures };
        self.outbox.await_snapshots(id, self.listing_reply(tag, listing));
        self.services.members.follow(member, self.outbox.address(), record, &users, &exits, id);
    }

    fn listing_reply(&self, tag: RequestTag, listing: Listing) -> Box<ListingReply> {
        Box::new(ListingReply { protocol: self.state.protocol(), tag, listing })
    }

    fn log_out(&mut self, context: &mut Context) {
        if let Some(connection_handle) = &mut self.connection_handle {
            connection_handle.log_out();
        }
        let device = self.outbox.address().clone();
        self.call(context, async move |members, member| {
            members.log_out(member, &device, Exit::LoggedOut).await;
            Ok(MemberReply::LoggedOut)
        });
    }
}

/// Lists what a login follows: the member itself, its subscriptions, its friends. Each user once.
fn listing(own: MemberName, heartbeat: Duration, login: &Login) -> Listing {
    let subscriptions = login.record.subscriptions.as_slice();
    let subscribed: HashSet<UserId> = login.record.subscriptions.users().collect();
    let friends = login.friends.iter().filter(|name| !subscribed.contains(&name.user()));
    let subscribed_names = subscriptions
        .iter()
        .map(|subscription| (subscription.name.clone(), CatchUp::UnlessDelivered(subscription.delivered)));
    let friend_names = friends.map(|name| (name.clone(), CatchUp::IfOnline));
    let own = std::iter::once((own, CatchUp::Nothing));
    let (names, catch_up) = own.chain(subscribed_names).chain(friend_names).unzip();
    Listing { kind: ListingKind::Login { heartbeat, catch_up }, names, failures: Vec::new() }
}
