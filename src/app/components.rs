//! What the server is made of, apart from its listeners.

use std::sync::Arc;

use actix_web::web;
use anyhow::Context;

use super::endpoints::{EndpointBuilder, Endpoints};
use super::stores::Stores;
use super::webhook_bridge::WebhookBridge;
use crate::api::users::{OwnNode, Users};
use crate::clock::Clock;
use crate::config::{Config, FollowPolicy};
use crate::engine::{ClusterHandle, Engine, LastSeenRecorder, Ports, SharedPrivacy};
use crate::http::api::ServerApi;
use crate::http::body::BodyReader;
use crate::http::client_address::ClientAddresses;
use crate::http::operation::Readiness;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::presence::privacy::{Audience, Privacy};
use crate::presence::roster::RosterKind;
use crate::refusals::Refusals;
use crate::session::connection_listener::ConnectionListener;
use crate::session::{DeadlineTimer, PendingConnections};
use crate::store::relations::RelationStore;
use crate::webhook::Webhook;

/// What the server is made of, apart from its listeners. The app owns it from its start to the end of its drain; a test
/// server serves it, too. Clones share everything.
#[derive(Clone)]
pub struct Components {
    /// What every HTTP worker serves.
    pub endpoints: Endpoints,
    /// The methods of the server API.
    pub users: Arc<Users>,
    /// The user actors.
    pub engine: Engine,
    /// The other nodes, or `None` when the node runs alone.
    pub cluster: Option<ClusterHandle>,
    /// Accounts, last-seen records, relations, revoked tokens.
    pub stores: Stores,
    /// Receivers of logins, logouts and lost connections.
    pub webhook: Webhook,
    /// The metrics of this server.
    pub metrics: Metrics,
}

impl Components {
    /// Opens the stores and starts the shards, without a cluster. Needs a running actix system.
    pub fn assemble(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let bridge = WebhookBridge::new(&webhook, clock).map(|bridge| bridge as Arc<dyn ConnectionListener>);
        Self::assemble_in(None, config, clock, metrics, webhook, bridge)
    }

    /// Opens the stores and starts the shards of a node of this cluster.
    pub(super) fn assemble_in(
        cluster: Option<ClusterHandle>,
        config: &Config,
        clock: &Clock,
        metrics: Metrics,
        webhook: Webhook,
        connection_listener: Option<Arc<dyn ConnectionListener>>,
    ) -> anyhow::Result<Self> {
        let stores = Stores::open(config, clock, &metrics)?;
        let engine = start_engine(config, clock, &metrics, &stores, cluster.clone())?;
        let (relations, last_seen) = (stores.relations.clone(), stores.last_seen.clone());
        let members = Members::start(&engine, relations, last_seen, &config.tencent, clock);
        let users = Arc::new(Users {
            engine: engine.clone(),
            last_seen: stores.last_seen.clone(),
            states: config.user_status.state_regex.clone(),
            members: members.clone(),
            metrics: metrics.clone(),
            node: OwnNode::new(config.server.address.to_string(), clock),
        });
        let refusals = Refusals::new(&config.log, clock, &metrics);
        let bodies = BodyReader::new(&config.server, &metrics);
        let builder = EndpointBuilder {
            refusals: &refusals,
            config,
            clock,
            metrics: &metrics,
            members: &members,
            engine: &engine,
            accounts: &stores.accounts,
            revocations: &stores.revocations,
            pending_connections: Arc::new(PendingConnections::new(&config.limits)),
            bodies: &bodies,
            deadline_timer: DeadlineTimer::start(clock),
            connection_listener,
        };
        let endpoints = Endpoints {
            nakama: web::Data::new(builder.nakama()),
            centrifugo: web::Data::new(builder.centrifugo()?),
            tencent: builder.tencent().map(web::Data::new),
            api: web::Data::new(ServerApi::new(users.clone(), bodies.clone(), &config.http_api)),
            swagger: config.http_api.swagger.allows(config.server.address).into(),
            metrics: config.operation.metrics.allows(config.server.address).then(|| metrics.clone()),
            readiness: Readiness::new(stores.health.flag()),
            client_addresses: ClientAddresses::new(config),
            page: config.operation.page,
        };
        Ok(Self { endpoints, users, engine, cluster, stores, webhook, metrics })
    }
}

fn start_engine(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    stores: &Stores,
    cluster: Option<ClusterHandle>,
) -> anyhow::Result<Engine> {
    let interval = config.user_status.presence_update_interval.0;
    let ports = Ports {
        recorder: LastSeenRecorder::new(stores.last_seen.clone(), interval, clock),
        shared_privacy: shared_privacy(config, &*stores.relations)?,
        nodes: cluster,
    };
    Ok(Engine::start(&config.engine, ports, clock, metrics))
}

/// Reads the friends and blocked users of all users from the store.
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
