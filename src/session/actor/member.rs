//! Carries out what a session has to do for an account.

use std::collections::HashSet;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use bytestring::ByteString;

use super::{Context, SessionActor};
use crate::engine::ConnectionHandle;
use crate::members::{KnownExits, Login, MemberError, Members};
use crate::outbox::{CatchUp, Failure, FailureReason, Listing, ListingKind};
use crate::presence::calls::Call;
use crate::presence::general_status::{Exit, GeneralStatus};
use crate::presence::id::{UserId, Username};
use crate::presence::member_name::MemberName;
use crate::presence::member_record::MemberRecord;
use crate::presence::status::StatusText;
use crate::session::member::{MemberAction, MemberReply};
use crate::session::state::member::statuses;

/// Subscriptions that have been written down.
struct Subscribed {
    standing: MemberRecord,
    names: Vec<MemberName>,
    failures: Vec<Failure>,
    exits: KnownExits,
}

impl SessionActor {
    pub(super) fn account(&mut self, action: MemberAction, context: &mut Context) {
        match action {
            MemberAction::Arrive { name, info } => self.arrive(name, info, context),
            MemberAction::SetCustomStatus { id, text, done } => {
                self.address.await_status(id, done);
                self.ask(id, super::Ask::SetCustomStatus(text));
            }
            MemberAction::Query { names, counts } => self.answer(context, async move |members, account| {
                let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
                if counts {
                    members.count(account, Call::Query).await?;
                }
                let exits = members.exits(users.clone()).await?;
                let snapshots = members.views(Some(account), &users, &exits).await?;
                let mut found = statuses(names, &snapshots);
                let mut failures = Vec::new();
                if members.is_strict() {
                    found.retain(|status| {
                        let known =
                            status.general != GeneralStatus::Unlogined || exits.contains_key(&status.name.user());
                        if !known {
                            failures.push(Failure { name: status.name.clone(), reason: FailureReason::NoAccount });
                        }
                        known
                    });
                }
                Ok(MemberReply::Statuses(found, failures))
            }),
            MemberAction::Subscribe { names, failures } => self.subscribe(names, failures, context),
            MemberAction::Unsubscribe(users) => self.answer(context, async move |members, account| {
                members.count(account, Call::Unsubscribe).await?;
                members.unsubscribe(account, users).await?;
                Ok(MemberReply::Unsubscribed)
            }),
            MemberAction::Depart => self.depart(context),
        }
    }

    /// Does something for the account and answers with what came of it.
    fn answer<F>(&self, context: &mut Context, work: F)
    where
        F: AsyncFnOnce(Members, UserId) -> Result<MemberReply, MemberError> + 'static,
    {
        let Some(account) = self.connection_handle.as_ref().map(ConnectionHandle::user) else { return };
        let members = self.services.members.clone();
        let work = async move { work(members, account).await };
        context.spawn(work.into_actor(self).map(|result, actor, context| {
            let actions = actor.state.account_done(result, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    fn fail_account(&mut self, error: MemberError, context: &mut Context) {
        let actions = self.state.account_done(Err(error), self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn arrive(&self, name: MemberName, info: Option<ByteString>, context: &mut Context) {
        let user = name.user();
        self.address.identify(Username::new(name.as_str()).ok(), Some(StatusText::empty()), info);
        let (members, engine) = (self.services.members.clone(), self.services.engine.clone());
        let address = self.address.clone();
        let arrive = async move {
            let (arrived, seat) = members.log_in(user, &address).await?;
            let connection_handle = engine.attach(user, address).await?;
            Ok((arrived, connection_handle.holding(seat)))
        };
        context.spawn(arrive.into_actor(self).map(|result, actor, context| match result {
            Ok((arrived, connection_handle)) => actor.entered(name, arrived, connection_handle),
            Err(error) => actor.fail_account(error, context),
        }));
    }

    fn entered(&mut self, name: MemberName, arrived: Login, connection_handle: ConnectionHandle) {
        self.leave_pending();
        // Where the connection has ended meanwhile, the hold on the user ends here.
        let Some((id, tag)) = self.state.entered(name.clone()) else { return };
        let heartbeat = self.services.session.pong_timeout.0;
        let (account, listing) = (connection_handle.user(), listing(name, heartbeat, &arrived));
        self.connection_handle = Some(connection_handle);
        self.came();
        let users: Vec<UserId> = listing.names.iter().map(MemberName::user).collect();
        self.address.await_listing(id, tag, listing);
        self.services.members.activate(account, &self.address, arrived, &users, id);
        self.keep_reminded();
    }

    fn subscribe(&self, names: Vec<MemberName>, failures: Vec<Failure>, context: &mut Context) {
        let Some(account) = self.connection_handle.as_ref().map(ConnectionHandle::user) else { return };
        let members = self.services.members.clone();
        let subscribe = async move {
            members.count(account, Call::Subscribe).await?;
            let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
            let exits = members.exits(users.clone()).await?;
            let (mut names, mut failures) = (names, failures);
            if members.is_strict() {
                let snapshots = members.views(Some(account), &users, &exits).await?;
                let known: HashSet<UserId> =
                    snapshots.iter().filter(|one| one.is_known()).map(|one| one.user).collect();
                let (there, missing): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|name| known.contains(&name.user()));
                names = there;
                failures.extend(missing.into_iter().map(|name| Failure { name, reason: FailureReason::NoAccount }));
            }
            let standing = members.subscribe(account, names.clone()).await?;
            Ok(Subscribed { standing, names, failures, exits })
        };
        context.spawn(subscribe.into_actor(self).map(move |result, actor, context| match result {
            Ok(subscribed) => actor.subscribed(account, subscribed),
            Err(error) => actor.fail_account(error, context),
        }));
    }

    fn subscribed(&mut self, account: UserId, subscribed: Subscribed) {
        let Subscribed { standing, mut names, failures, exits } = subscribed;
        let Some((id, tag)) = self.state.listing() else { return };
        // Of more than may be held, the earliest are dropped at once.
        let held: HashSet<UserId> = standing.subscriptions.users().collect();
        names.retain(|name| held.contains(&name.user()));
        let users: Vec<UserId> = names.iter().map(MemberName::user).collect();
        self.address.await_listing(id, tag, Listing { kind: ListingKind::Subscription, names, failures });
        self.services.members.follow(account, &self.address, standing, &users, &exits, id);
    }

    fn depart(&mut self, context: &mut Context) {
        if let Some(connection_handle) = &mut self.connection_handle {
            connection_handle.log_out();
        }
        let device = self.address.clone();
        self.answer(context, async move |members, account| {
            members.log_out(account, &device, Exit::LoggedOut).await;
            Ok(MemberReply::LoggedOut)
        });
    }
}

/// What a login follows: itself, its subscriptions, its friends; each once.
fn listing(own: MemberName, heartbeat: Duration, arrived: &Login) -> Listing {
    let subscriptions = arrived.record.subscriptions.as_slice();
    let subscribed: HashSet<UserId> = arrived.record.subscriptions.users().collect();
    let friends = arrived.friends.iter().filter(|name| !subscribed.contains(&name.user()));
    let told = subscriptions.iter().map(|one| (one.name.clone(), CatchUp::UnlessTold(one.told)));
    let unasked = friends.map(|name| (name.clone(), CatchUp::IfOnline));
    let own = std::iter::once((own, CatchUp::Nothing));
    let (names, catch_up) = own.chain(told).chain(unasked).unzip();
    Listing { kind: ListingKind::Login { heartbeat, catch_up }, names, failures: Vec::new() }
}
