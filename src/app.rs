//! Assembles the server from its configuration, and owns its start and its drain.
//!
//! `Config` → [`App::build`] → [`App::run`] → drain. Nothing here is global: the same process can run many.

mod cluster;
mod directory;
mod listen;
mod stores;
#[cfg(test)]
mod tests;
mod webhook_bridge;

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
use crate::engine::{Census, ClusterHandle, Engine, LastSeenRecorder, Ports, SharedPrivacy};
use crate::grpc::{Grpc, Running};
use crate::http::api::ServerApi;
use crate::http::centrifugo::Centrifugo;
use crate::http::nakama::Nakama;
use crate::http::operation::Readiness;
use crate::http::tencent::Tencent;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::outbox::CloseRequest;
use crate::presence::privacy::{Audience, Privacy};
use crate::presence::roster::RosterKind;
use crate::session::authenticator::TokenAuthenticator;
use crate::session::connection_listener::ConnectionListener;
use crate::session::member::MemberRules;
use crate::session::{ConnectionIds, DeadlineTimer, HandshakeRules, LingerTimes, PendingConnections, Services};
use crate::store::Store;
use crate::store::last_seen::LastSeenStore;
use crate::store::relations::RelationStore;
use crate::webhook::Webhook;

use cluster::Watch;
use directory::StoreDirectory;
pub use listen::Served;
use listen::{Door, serve};
use stores::Stores;
use webhook_bridge::WebhookBridge;

/// Everything but the listener: what a test server serves too.
pub struct Parts {
    /// What every worker serves.
    pub served: Served,
    /// The operations of the server API.
    pub users: Arc<Users>,
    /// The users.
    pub engine: Engine,
    /// The other nodes; none: there are none.
    pub nodes: Option<ClusterHandle>,
    /// The accounts.
    pub store: Arc<dyn Store>,
    /// When users were last seen; none where that is switched off.
    pub last_seen: Option<Arc<dyn LastSeenStore>>,
    /// What ties users to one another.
    pub relations: Arc<dyn RelationStore>,
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
    pub fn assemble_with(
        config: &Config,
        clock: &Clock,
        connection_listener: Option<Arc<dyn ConnectionListener>>,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let webhook_bridge =
            WebhookBridge::of(&webhook, clock).map(|webhook_bridge| webhook_bridge as Arc<dyn ConnectionListener>);
        Self::assemble_among(None, config, clock, metrics, webhook, connection_listener.or(webhook_bridge))
    }

    fn assemble_among(
        nodes: Option<ClusterHandle>,
        config: &Config,
        clock: &Clock,
        metrics: Metrics,
        webhook: Webhook,
        connection_listener: Option<Arc<dyn ConnectionListener>>,
    ) -> anyhow::Result<Self> {
        let Stores { accounts: store, last_seen, relations } = Stores::open(config, clock, &metrics)?;
        let interval = config.user_status.presence_update_interval.0;
        let recorder = LastSeenRecorder::new(last_seen.clone(), interval, clock);
        let shared_privacy = shared_privacy(config, &*relations)?;
        let ports = Ports { recorder, shared_privacy, nodes: nodes.clone() };
        let engine = Engine::start(&config.engine, ports, clock, &metrics);
        let members = Members::start(&engine, relations.clone(), last_seen.clone(), &config.tencent, clock);
        let node = Node::new(config.server.address.to_string(), clock);
        let users = Arc::new(Users {
            engine: engine.clone(),
            last_seen: last_seen.clone(),
            states: config.user_status.state_regex.clone(),
            members: members.clone(),
            metrics: metrics.clone(),
            node,
        });
        let deadline_timer = DeadlineTimer::start(clock);
        let services = || Services {
            connection_listener: connection_listener.clone(),
            ..services(config, clock, &metrics, &members, &engine, &store, &deadline_timer)
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
        Ok(Self { served, users, engine, nodes, store, last_seen, relations, webhook, metrics })
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
    nodes: Option<ClusterHandle>,
    store: Arc<dyn Store>,
    last_seen: Option<Arc<dyn LastSeenStore>>,
    relations: Arc<dyn RelationStore>,
    webhook: Webhook,
    metrics: Metrics,
    readiness: Readiness,
    /// Where connections are that are nobody's yet.
    pending_connections: Vec<Arc<Services>>,
    timeout: Duration,
    /// For so long other nodes show clients on that this one sent away.
    linger: Duration,
}

impl App {
    /// Assembles everything and binds the address. Needs a running actix system.
    pub async fn build(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let webhook_bridge = WebhookBridge::of(&webhook, clock);
        let census = webhook_bridge.clone().map(|webhook_bridge| webhook_bridge as Arc<dyn Census>);
        let nodes = cluster::join(config, clock, &metrics, census).await?;
        let connection_listener = webhook_bridge.map(|webhook_bridge| webhook_bridge as Arc<dyn ConnectionListener>);
        let parts = Parts::assemble_among(nodes, config, clock, metrics, webhook, connection_listener)?;
        let Parts { served, users, engine, nodes, store, last_seen, relations, webhook, metrics } = parts;
        let grpc = &config.grpc_api;
        let bound = || Grpc::bind(grpc, users).with_context(|| format!("grpc_api.address = \"{}\"", grpc.address));
        let grpc = grpc.enabled.then(bound).transpose()?;
        let readiness = served.readiness.clone();
        let tencent = served.tencent.as_ref().map(|tencent| tencent.services.clone());
        let pending_connections = tencent.into_iter().chain([served.centrifugo.services.clone()]).collect();
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
            last_seen,
            relations,
            webhook,
            metrics,
            readiness,
            pending_connections,
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
        let last_seen = match &self.last_seen {
            Some(last_seen) => stores::closed(last_seen.close().await, "the user statuses could not be written"),
            None => Ok(()),
        };
        let relations = stores::closed(self.relations.close().await, "the ties between users could not be written");
        let accounts = stores::closed(self.store.close().await, "the store could not be closed");
        last_seen.and(relations).and(accounts)?;
        log::info!("stopped");
        Ok(())
    }

    async fn close_all(&self) -> Result<(), Elapsed> {
        let mut left = self.timeout;
        if self.nodes.is_some() {
            let spread = self.timeout * 3 / 4;
            cluster::send_away(&self.engine, spread).await;
            left -= spread;
        }
        // By a clock of its own: whatever held up the spreading leaves time to those who take their close slowly.
        tokio::time::timeout(left, self.close_rest()).await
    }

    async fn close_rest(&self) {
        // Again and again, for those that were in the middle of their handshake.
        while self.metrics.connections() > 0 {
            self.engine.close_all(CloseRequest::Drain);
            self.pending_connections
                .iter()
                .for_each(|services| services.pending_connections.close_all(CloseRequest::Drain));
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
    let rules = HandshakeRules {
        authenticator: Arc::new(TokenAuthenticator::new(ConnectionTokens::new(&client.token)?, clock)),
        anonymous_without_token: client.allow_anonymous_connect_without_token,
        anonymous_with_token: !client.disallow_anonymous_connection_tokens,
        connections_per_user: match client.user_connection_limit {
            0 => usize::MAX,
            limit => limit,
        },
        handshake_timeout: client.stale_close_delay.0,
        expired_grace: client.expired_close_delay.0,
        may_mark_active: config.user_status.enabled && !config.user_status.disable_for_client,
        states: config.user_status.state_regex.clone(),
        dialect_pings: true,
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
        linger: LingerTimes { broken: config.presence.linger_of(config.presence.linger_centrifugo), ..services.linger },
        ..services
    };
    Ok(Centrifugo { services: Arc::new(services), rules, allowed_origins: client.allowed_origins.clone() })
}

/// The lists of whom users hide from, as they are on disk.
fn shared_privacy(config: &Config, relations: &dyn RelationStore) -> anyhow::Result<SharedPrivacy> {
    let audience = match config.follow.policy {
        FollowPolicy::Anyone => Audience::Anyone,
        FollowPolicy::Friends => Audience::Friends,
    };
    let mut privacy = Privacy::new(audience);
    for kind in RosterKind::ALL {
        let rosters = relations.rosters(kind).context("the lists of friends and blocked users could not be read")?;
        rosters.iter().for_each(|(owner, roster)| privacy.set(kind, *owner, roster));
    }
    Ok(SharedPrivacy::new(privacy))
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
        linger: LingerTimes { broken: config.presence.linger_of(config.presence.linger_tencent), ..services.linger },
        ..services
    };
    let (engine, members, clock) = (services.engine.clone(), services.members.clone(), services.clock.clone());
    let online =
        Online { engine, members, user_sigs: user_sigs.clone(), config: config.tencent.clone(), clock: clock.clone() };
    let rules = Arc::new(MemberRules { user_sigs, config: config.tencent.clone(), clock });
    Some(Tencent { services: Arc::new(services), rules, online })
}

fn services(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    members: &Members,
    engine: &Engine,
    store: &Arc<dyn Store>,
    deadline_timer: &Arc<DeadlineTimer>,
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
        deadline_timer: deadline_timer.clone(),
        connection_ids: ConnectionIds::new(),
        pending_connections: PendingConnections::default(),
        members: members.clone(),
        connection_listener: None,
        linger: LingerTimes { broken: config.presence.linger_of(config.presence.linger_nakama), drained },
    }
}
