//! Carries out what a session has to do for an account.

use std::collections::HashSet;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, WrapFuture};
use bytestring::ByteString;

use super::{Context, SessionActor};
use crate::engine::{AccountError, Accounts, Arrived, Attachment, Exits};
use crate::outbox::{CatchUp, Failure, FailureReason, Listing, ListingKind};
use crate::presence::account::AccountName;
use crate::presence::calls::Call;
use crate::presence::general::{Exit, GeneralStatus};
use crate::presence::id::{UserId, Username};
use crate::presence::standing::Standing;
use crate::presence::status::StatusText;
use crate::session::account::{AccountAction, AccountReply};
use crate::session::state::account::statuses;

/// Subscriptions that have been written down.
struct Subscribed {
    standing: Standing,
    names: Vec<AccountName>,
    failures: Vec<Failure>,
    exits: Exits,
}

impl SessionActor {
    pub(super) fn account(&mut self, action: AccountAction, context: &mut Context) {
        match action {
            AccountAction::Arrive { name, info } => self.arrive(name, info, context),
            AccountAction::SetCustom { id, text, done } => {
                self.address.await_status(id, done);
                self.ask(id, super::Ask::SetCustom(text));
            }
            AccountAction::Query { names, counts } => self.answer(context, async move |accounts, account| {
                let users: Vec<UserId> = names.iter().map(AccountName::user).collect();
                if counts {
                    accounts.count(account, Call::Query).await?;
                }
                let exits = accounts.exits(users.clone()).await?;
                let snapshots = accounts.views(Some(account), &users, &exits).await?;
                let mut found = statuses(names, &snapshots);
                let mut failures = Vec::new();
                if accounts.is_strict() {
                    found.retain(|status| {
                        let known =
                            status.general != GeneralStatus::Unlogined || exits.contains_key(&status.name.user());
                        if !known {
                            failures.push(Failure { name: status.name.clone(), reason: FailureReason::NoAccount });
                        }
                        known
                    });
                }
                Ok(AccountReply::Statuses(found, failures))
            }),
            AccountAction::Subscribe { names, failures } => self.subscribe(names, failures, context),
            AccountAction::Unsubscribe(users) => self.answer(context, async move |accounts, account| {
                accounts.count(account, Call::Unsubscribe).await?;
                accounts.unsubscribe(account, users).await?;
                Ok(AccountReply::Unsubscribed)
            }),
            AccountAction::Depart => self.depart(context),
        }
    }

    /// Does something for the account and answers with what came of it.
    fn answer<F>(&self, context: &mut Context, work: F)
    where
        F: AsyncFnOnce(Accounts, UserId) -> Result<AccountReply, AccountError> + 'static,
    {
        let Some(account) = self.attachment.as_ref().map(Attachment::user) else { return };
        let accounts = self.services.accounts.clone();
        let work = async move { work(accounts, account).await };
        context.spawn(work.into_actor(self).map(|result, actor, context| {
            let actions = actor.state.account_done(result, actor.services.clock.now());
            actor.carry_out(actions, context);
        }));
    }

    fn fail_account(&mut self, error: AccountError, context: &mut Context) {
        let actions = self.state.account_done(Err(error), self.services.clock.now());
        self.carry_out(actions, context);
    }

    fn arrive(&self, name: AccountName, info: Option<ByteString>, context: &mut Context) {
        let user = name.user();
        self.address.identify(Username::new(name.as_str()).ok(), Some(StatusText::empty()), info);
        let (accounts, engine) = (self.services.accounts.clone(), self.services.engine.clone());
        let address = self.address.clone();
        let arrive = async move {
            let (arrived, seat) = accounts.arrive(user, &address).await?;
            let attachment = engine.attach(user, address).await?;
            Ok((arrived, attachment.of_account(seat)))
        };
        context.spawn(arrive.into_actor(self).map(|result, actor, context| match result {
            Ok((arrived, attachment)) => actor.entered(name, arrived, attachment),
            Err(error) => actor.fail_account(error, context),
        }));
    }

    fn entered(&mut self, name: AccountName, arrived: Arrived, attachment: Attachment) {
        self.leave_lobby();
        // Where the connection has ended meanwhile, the hold on the user ends here.
        let Some((id, tag)) = self.state.entered(name.clone()) else { return };
        let heartbeat = self.services.session.pong_timeout.0;
        let (account, listing) = (attachment.user(), listing(name, heartbeat, &arrived));
        self.attachment = Some(attachment);
        self.came();
        let users: Vec<UserId> = listing.names.iter().map(AccountName::user).collect();
        self.address.await_listing(id, tag, listing);
        self.services.accounts.enter(account, &self.address, arrived, &users, id);
        self.keep_reminded();
    }

    fn subscribe(&self, names: Vec<AccountName>, failures: Vec<Failure>, context: &mut Context) {
        let Some(account) = self.attachment.as_ref().map(Attachment::user) else { return };
        let accounts = self.services.accounts.clone();
        let subscribe = async move {
            accounts.count(account, Call::Subscribe).await?;
            let users: Vec<UserId> = names.iter().map(AccountName::user).collect();
            let exits = accounts.exits(users.clone()).await?;
            let (mut names, mut failures) = (names, failures);
            if accounts.is_strict() {
                let snapshots = accounts.views(Some(account), &users, &exits).await?;
                let known: HashSet<UserId> =
                    snapshots.iter().filter(|one| one.is_known()).map(|one| one.user).collect();
                let (there, missing): (Vec<_>, Vec<_>) =
                    names.into_iter().partition(|name| known.contains(&name.user()));
                names = there;
                failures.extend(missing.into_iter().map(|name| Failure { name, reason: FailureReason::NoAccount }));
            }
            let standing = accounts.subscribe(account, names.clone()).await?;
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
        let users: Vec<UserId> = names.iter().map(AccountName::user).collect();
        self.address.await_listing(id, tag, Listing { kind: ListingKind::Subscription, names, failures });
        self.services.accounts.follow(account, &self.address, standing, &users, &exits, id);
    }

    fn depart(&mut self, context: &mut Context) {
        if let Some(attachment) = &mut self.attachment {
            attachment.log_out();
        }
        let device = self.address.clone();
        self.answer(context, async move |accounts, account| {
            accounts.depart(account, &device, Exit::LoggedOut).await;
            Ok(AccountReply::LoggedOut)
        });
    }
}

/// What a login follows: itself, its subscriptions, its friends; each once.
fn listing(own: AccountName, heartbeat: Duration, arrived: &Arrived) -> Listing {
    let subscriptions = arrived.standing.subscriptions.as_slice();
    let subscribed: HashSet<UserId> = arrived.standing.subscriptions.users().collect();
    let friends = arrived.friends.iter().filter(|name| !subscribed.contains(&name.user()));
    let told = subscriptions.iter().map(|one| (one.name.clone(), CatchUp::UnlessTold(one.told)));
    let unasked = friends.map(|name| (name.clone(), CatchUp::IfOnline));
    let own = std::iter::once((own, CatchUp::Nothing));
    let (names, catch_up) = own.chain(told).chain(unasked).unzip();
    Listing { kind: ListingKind::Login { heartbeat, catch_up }, names, failures: Vec::new() }
}
