//! Assembles the server from its configuration, and owns its start and its drain.
//!
//! `Config` → [`App::build`] → [`App::run`] → drain. Nothing here is global: the same process can run many.

mod directory;
mod listen;
mod messenger;
mod nodes;
mod stores;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web;
use anyhow::Context;
use tokio::time::error::Elapsed;

use crate::api::accounts::Accounts;
use crate::api::online::Online;
use crate::api::users::{Node, Users};
use crate::auth::Auth;
use crate::auth::connection::ConnectionTokens;
use crate::auth::password::Passwords;
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::value::Period;
use crate::config::{Config, FollowPolicy, LimitsConfig, SessionConfig};
use crate::engine::{Accounts as LastingAccounts, Census, DeskRules, Engine, Nodes, Ports, Ticks, Veil};
use crate::grpc::{Grpc, Running};
use crate::http::api::ServerApi;
use crate::http::centrifugo::Centrifugo;
use crate::http::nakama::Nakama;
use crate::http::operation::Readiness;
use crate::http::tencent::Tencent;
use crate::metrics::Metrics;
use crate::outbox::Farewell;
use crate::presence::privacy::{Audience, Privacy};
use crate::presence::roster::RosterKind;
use crate::session::account::AccountRules;
use crate::session::authenticator::DatedTokens;
use crate::session::porter::Porter;
use crate::session::{ConnectionIds, EntranceRules, Linger, Lobby, Rounds, Services};
use crate::store::Store;
use crate::store::seen::SeenStore;
use crate::store::ties::TieStore;
use crate::webhook::Webhook;

use directory::StoreDirectory;
pub use listen::Served;
use listen::{Door, serve};
use messenger::Messenger;
use nodes::Watch;
use stores::Stores;

/// Everything but the listener: what a test server serves too.
pub struct Parts {
    /// What every worker serves.
    pub served: Served,
    /// The operations of the server API.
    pub users: Arc<Users>,
    /// The users.
    pub engine: Engine,
    /// The other nodes; none: there are none.
    pub nodes: Option<Nodes>,
    /// The accounts.
    pub store: Arc<dyn Store>,
    /// When users were last seen; none where that is switched off.
    pub seen: Option<Arc<dyn SeenStore>>,
    /// What ties users to one another.
    pub ties: Arc<dyn TieStore>,
    /// Receivers of logins, logouts and losses.
    pub webhook: Webhook,
    /// What is counted.
    pub metrics: Metrics,
}

impl Parts {
    /// Opens the store and starts the shards. Needs a running actix system.
    pub fn assemble(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        Self::assemble_with(config, clock, None)
    }

    /// Likewise; in place of the webhooks, this one is told of clients that come and go.
    pub fn assemble_with(config: &Config, clock: &Clock, porter: Option<Arc<dyn Porter>>) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let messenger = Messenger::of(&webhook, clock).map(|messenger| messenger as Arc<dyn Porter>);
        Self::assemble_among(None, config, clock, metrics, webhook, porter.or(messenger))
    }

    fn assemble_among(
        nodes: Option<Nodes>,
        config: &Config,
        clock: &Clock,
        metrics: Metrics,
        webhook: Webhook,
        porter: Option<Arc<dyn Porter>>,
    ) -> anyhow::Result<Self> {
        let Stores { accounts: store, seen, ties } = Stores::open(config, clock, &metrics)?;
        let interval = config.user_status.presence_update_interval.0;
        let ticks = Ticks::new(seen.clone(), interval, clock);
        let veil = veil(config, &*ties)?;
        let desk = DeskRules::new(ties.clone(), &config.tencent);
        let ports = Ports { ticks, veil: veil.clone(), desk, nodes: nodes.clone() };
        let engine = Engine::start(&config.engine, ports, clock, &metrics);
        let accounts = LastingAccounts::new(engine.clone(), ties.clone(), seen.clone(), veil, &config.tencent);
        let node = Node::new(config.server.address.to_string(), clock);
        let users = Arc::new(Users {
            engine: engine.clone(),
            seen: seen.clone(),
            states: config.user_status.state_regex.clone(),
            accounts: accounts.clone(),
            metrics: metrics.clone(),
            node,
        });
        let rounds = Rounds::start(clock);
        let services = || Services {
            porter: porter.clone(),
            ..services(config, clock, &metrics, &accounts, &engine, &store, &rounds)
        };
        let served = Served {
            nakama: web::Data::new(nakama(config, clock, &store, services())),
            centrifugo: web::Data::new(centrifugo(config, clock, services())?),
            tencent: tencent(config, services()).map(web::Data::new),
            api: web::Data::new(ServerApi::new(users.clone(), &config.http_api)),
            swagger: config.http_api.swagger,
            metrics: config.operation.metrics.then(|| metrics.clone()),
            readiness: Readiness::default(),
            max_body_bytes: config.server.max_body_bytes,
            page: config.operation.page,
        };
        Ok(Self { served, users, engine, nodes, store, seen, ties, webhook, metrics })
    }
}

/// A server that listens, but does not serve yet.
pub struct App {
    server: Server,
    /// None: not served.
    grpc: Option<Grpc>,
    addresses: Vec<SocketAddr>,
    watch: Watch,
    drain: Drain,
}

/// How long the accepting thread may take to hear that it is to pause.
const PAUSE_TAKES: Duration = Duration::from_millis(250);

/// What a drain needs.
struct Drain {
    server: ServerHandle,
    door: Door,
    engine: Engine,
    nodes: Option<Nodes>,
    store: Arc<dyn Store>,
    seen: Option<Arc<dyn SeenStore>>,
    ties: Arc<dyn TieStore>,
    webhook: Webhook,
    metrics: Metrics,
    readiness: Readiness,
    /// Where connections are that are nobody's yet.
    lobbies: Vec<Arc<Services>>,
    timeout: Duration,
    /// For so long other nodes show clients on that this one sent away.
    linger: Duration,
}

impl App {
    /// Assembles everything and binds the address. Needs a running actix system.
    pub async fn build(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let messenger = Messenger::of(&webhook, clock);
        let census = messenger.clone().map(|messenger| messenger as Arc<dyn Census>);
        let nodes = nodes::join(config, clock, &metrics, census).await?;
        let porter = messenger.map(|messenger| messenger as Arc<dyn Porter>);
        let parts = Parts::assemble_among(nodes, config, clock, metrics, webhook, porter)?;
        let Parts { served, users, engine, nodes, store, seen, ties, webhook, metrics } = parts;
        let grpc = &config.grpc_api;
        let bound = || Grpc::bind(grpc, users).with_context(|| format!("grpc_api.address = \"{}\"", grpc.address));
        let grpc = grpc.enabled.then(bound).transpose()?;
        let readiness = served.readiness.clone();
        let tencent = served.tencent.as_ref().map(|tencent| tencent.services.clone());
        let lobbies = tencent.into_iter().chain([served.centrifugo.services.clone()]).collect();
        let (server, addresses, door) = serve(config, served)?;
        let watch = Watch {
            nodes: nodes.clone(),
            engine: engine.clone(),
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            clock: clock.clone(),
            isolated_close: config.cluster.isolated_close.0,
        };
        let drain = Drain {
            server: server.handle(),
            door,
            engine,
            nodes,
            store,
            seen,
            ties,
            webhook,
            metrics,
            readiness,
            lobbies,
            timeout: config.server.drain_timeout.0,
            linger: config.presence.drain_linger.0,
        };
        Ok(Self { server, grpc, addresses, watch, drain })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens for gRPC.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(Grpc::address)
    }

    /// Serves until `stop` completes, then drains.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, grpc, watch, drain, addresses } = self;
        if let Some(grpc) = &grpc {
            log::info!("listening for gRPC on {}", grpc.address());
        }
        let grpc = grpc.map(Grpc::start).transpose().context("gRPC could not be started")?;
        for address in &addresses {
            log::info!("listening on http://{address}");
        }
        drain.readiness.set(true);
        let mut serving = actix_web::rt::spawn(server);
        tokio::select! {
            ended = &mut serving => return ended.context("the HTTP server failed")?.context("the HTTP server failed"),
            () = stop => {}
            () = watch.run() => {}
        }
        drain.run(grpc).await?;
        serving.await.context("the HTTP server failed")?.context("the HTTP server failed")
    }
}

impl Drain {
    /// Takes no new clients, closes every connection with its dialect's word, tells webhook receivers, writes what is under way.
    async fn run(&self, grpc: Option<Running>) -> anyhow::Result<()> {
        log::info!(connections = self.metrics.connections(); "draining");
        self.readiness.set(false);
        self.server.pause().await;
        // The accepting thread is told, and does not say when it has heard: a listener that is shut before is an error to it.
        tokio::time::sleep(PAUSE_TAKES).await;
        self.door.close();
        self.engine.refuse_new();
        if self.close_all().await.is_err() {
            log::warn!(connections = self.metrics.connections(); "not every client took its close in time; cutting the rest");
        }
        if let Some(grpc) = grpc
            && tokio::time::timeout(self.timeout, grpc.stop()).await.is_err()
        {
            log::warn!("not every gRPC call ended in time");
        }
        self.server.stop(false).await;
        if let Some(nodes) = &self.nodes {
            self.engine.settle().await;
            if let Err(error) = nodes.backplane.close(self.linger).await {
                log::warn!("the other nodes could not be told of the stop: {error}");
            }
        }
        self.engine.stop();
        if tokio::time::timeout(self.timeout, self.webhook.drain()).await.is_err() {
            log::warn!(events = self.metrics.webhook().queued.get(); "webhook receivers did not take every event in time");
        }
        // Each is closed, whatever becomes of the others.
        let seen = match &self.seen {
            Some(seen) => stores::closed(seen.close().await, "the user statuses could not be written"),
            None => Ok(()),
        };
        let ties = stores::closed(self.ties.close().await, "the ties between users could not be written");
        let accounts = stores::closed(self.store.close().await, "the store could not be closed");
        seen.and(ties).and(accounts)?;
        log::info!("stopped");
        Ok(())
    }

    async fn close_all(&self) -> Result<(), Elapsed> {
        let mut left = self.timeout;
        if self.nodes.is_some() {
            let spread = self.timeout * 3 / 4;
            nodes::send_away(&self.engine, spread).await;
            left -= spread;
        }
        // By a clock of its own: whatever held up the spreading leaves time to those who take their close slowly.
        tokio::time::timeout(left, self.close_rest()).await
    }

    async fn close_rest(&self) {
        // Again and again, for those that were in the middle of their handshake.
        while self.metrics.connections() > 0 {
            self.engine.close_all(Farewell::Drain);
            self.lobbies.iter().for_each(|services| services.lobby.close_all(Farewell::Drain));
            for _ in 0..25 {
                if self.metrics.connections() == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn nakama(config: &Config, clock: &Clock, store: &Arc<dyn Store>, services: Services) -> Nakama {
    let auth = Arc::new(Auth::new(&config.nakama, clock));
    let accounts = Accounts {
        store: store.clone(),
        auth: auth.clone(),
        passwords: Passwords::new(&config.limits),
        engine: services.engine.clone(),
        clock: clock.clone(),
    };
    Nakama { accounts, auth, server_key: config.nakama.server_key.clone(), services: Arc::new(services) }
}

fn centrifugo(config: &Config, clock: &Clock, services: Services) -> anyhow::Result<Centrifugo> {
    let client = &config.centrifugo.client;
    let (ping_interval, pong_timeout) = (client.ping_interval.0, client.pong_timeout.0);
    let rules = EntranceRules {
        authenticator: Arc::new(DatedTokens::new(ConnectionTokens::new(&client.token)?, clock)),
        nobody_without_token: client.allow_anonymous_connect_without_token,
        nobody_with_token: !client.disallow_anonymous_connection_tokens,
        connections_per_user: match client.user_connection_limit {
            0 => usize::MAX,
            limit => limit,
        },
        stale_after: client.stale_close_delay.0,
        expired_grace: client.expired_close_delay.0,
        may_mark_active: config.user_status.enabled && !config.user_status.disable_for_client,
        states: config.user_status.state_regex.clone(),
        answers_pings: true,
        ping_interval,
        pong_timeout,
        first_ping: ping_interval,
    };
    let services = Services {
        session: SessionConfig {
            // Where WebSocket's own pings take the place of the dialect's.
            ping_interval: client.ping_interval,
            pong_timeout: Period(ping_interval + pong_timeout),
            max_message_bytes: config.centrifugo.websocket.message_size_limit,
            ..config.session.clone()
        },
        limits: LimitsConfig { follows_per_session: client.channel_limit, ..config.limits.clone() },
        linger: Linger { broken: config.presence.linger_of(config.presence.linger_centrifugo), ..services.linger },
        ..services
    };
    Ok(Centrifugo { services: Arc::new(services), rules, allowed_origins: client.allowed_origins.clone() })
}

/// The lists of whom users hide from, as they are on disk.
fn veil(config: &Config, ties: &dyn TieStore) -> anyhow::Result<Veil> {
    let audience = match config.follow.policy {
        FollowPolicy::Anyone => Audience::Anyone,
        FollowPolicy::Friends => Audience::Friends,
    };
    let mut privacy = Privacy::new(audience);
    for kind in RosterKind::ALL {
        let rosters = ties.rosters(kind).context("the lists of friends and blocked users could not be read")?;
        rosters.iter().for_each(|(owner, roster)| privacy.set(kind, *owner, roster));
    }
    Ok(Veil::new(privacy))
}

/// None: there is no secret, so the dialect is off.
fn tencent(config: &Config, services: Services) -> Option<Tencent> {
    let user_sigs = Arc::new(UserSigs::new(config.tencent.sdk_app_id, config.tencent.secret_key.as_ref()?));
    let heartbeat = config.tencent.heartbeat_timeout.0;
    let services = Services {
        session: SessionConfig {
            // Several pings fit into the silence that is allowed.
            ping_interval: Period(heartbeat / 4),
            pong_timeout: Period(heartbeat),
            ..config.session.clone()
        },
        linger: Linger { broken: config.presence.linger_of(config.presence.linger_tencent), ..services.linger },
        ..services
    };
    let (engine, accounts, clock) = (services.engine.clone(), services.accounts.clone(), services.clock.clone());
    let online =
        Online { engine, accounts, user_sigs: user_sigs.clone(), config: config.tencent.clone(), clock: clock.clone() };
    let rules = Arc::new(AccountRules { user_sigs, config: config.tencent.clone(), clock });
    Some(Tencent { services: Arc::new(services), rules, online })
}

fn services(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    accounts: &LastingAccounts,
    engine: &Engine,
    store: &Arc<dyn Store>,
    rounds: &Arc<Rounds>,
) -> Services {
    // Where there are no others, nobody is left to be shown anything.
    let drained = if config.cluster.is_on() { config.presence.drain_linger.0 } else { Duration::ZERO };
    Services {
        engine: engine.clone(),
        directory: Arc::new(StoreDirectory(store.clone())),
        clock: clock.clone(),
        metrics: metrics.clone(),
        session: config.session.clone(),
        limits: config.limits.clone(),
        rounds: rounds.clone(),
        connection_ids: ConnectionIds::new(),
        lobby: Lobby::default(),
        accounts: accounts.clone(),
        porter: None,
        linger: Linger { broken: config.presence.linger_of(config.presence.linger_nakama), drained },
    }
}
