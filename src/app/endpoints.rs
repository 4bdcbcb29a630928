//! What the HTTP workers serve: the endpoints of the dialects, the server API, health, metrics and the demo page.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;

use super::directory::StoreDirectory;
use crate::api::accounts::Accounts;
use crate::api::online::OnlineStatusQuery;
use crate::api::token_authority::TokenAuthority;
use crate::auth::connection::ConnectionTokens;
use crate::auth::password::Passwords;
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::value::Period;
use crate::config::{Config, LimitsConfig, SessionConfig};
use crate::engine::Engine;
use crate::http::api::{self, ServerApi, SwaggerPage};
use crate::http::body::BodyReader;
use crate::http::centrifugo::{self, CentrifugoEndpoint};
use crate::http::client_address::ClientAddresses;
use crate::http::nakama::{self, NakamaEndpoints};
use crate::http::operation::{self, Readiness};
use crate::http::page;
use crate::http::tencent::{self, TencentEndpoints};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::refusals::Refusals;
use crate::session::authenticator::TokenAuthenticator;
use crate::session::connection_listener::ConnectionListener;
use crate::session::{
    ConnectionIds, DeadlineTimer, HandshakeRules, LingerTimes, MemberRules, PendingConnections, Services,
};
use crate::store::accounts::AccountStore;
use crate::store::revocations::RevocationStore;

/// What every HTTP worker serves. All workers share the parts.
#[derive(Clone)]
pub struct Endpoints {
    /// Nakama's endpoints.
    pub nakama: web::Data<NakamaEndpoints>,
    /// Centrifugo's endpoint.
    pub centrifugo: web::Data<CentrifugoEndpoint>,
    /// Tencent Chat's endpoints, or `None` when the dialect is switched off.
    pub tencent: Option<web::Data<TencentEndpoints>>,
    /// The server API.
    pub api: web::Data<ServerApi>,
    /// Whether the description of the server API and its page are served.
    pub swagger: SwaggerPage,
    /// The metrics, or `None` when `/metrics` is not served.
    pub metrics: Option<Metrics>,
    /// Whether the server accepts new clients.
    pub readiness: Readiness,
    /// How the address of a client is read.
    pub client_addresses: ClientAddresses,
    /// Whether the demo page is served.
    pub page: bool,
}

impl Endpoints {
    /// Adds every route.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        if let Some(tencent) = &self.tencent {
            config.app_data(tencent.clone()).service(tencent::socket()).service(tencent::rest());
        }
        config
            .app_data(self.nakama.clone())
            .app_data(self.centrifugo.clone())
            .app_data(self.api.clone())
            .service(nakama::socket())
            .service(centrifugo::socket())
            .service(nakama::rest())
            .service(nakama::healthcheck())
            .configure(api::configure(self.swagger))
            .configure(operation::configure(self.metrics.clone(), self.readiness.clone()))
            .configure(if self.page { page::configure } else { nakama::root })
            .default_service(web::to(nakama::not_found));
    }

    /// Returns the connections that have not authenticated yet, of all dialects.
    pub(super) fn pending_connections(&self) -> &PendingConnections {
        &self.centrifugo.services.pending_connections
    }
}

/// Builds the endpoints of the three dialects from the same parts.
pub struct EndpointBuilder<'a> {
    /// The settings of all dialects.
    pub config: &'a Config,
    /// The clock of sessions and tokens.
    pub clock: &'a Clock,
    /// Counts connections and commands.
    pub metrics: &'a Metrics,
    /// Records refusals.
    pub refusals: &'a Refusals,
    /// The operations of Tencent's members.
    pub members: &'a Members,
    /// The user actors.
    pub engine: &'a Engine,
    /// Nakama's accounts.
    pub accounts: &'a Arc<dyn AccountStore>,
    /// Revoked tokens of Nakama's accounts.
    pub revocations: &'a Arc<dyn RevocationStore>,
    /// The connections that have not authenticated yet.
    pub pending_connections: Arc<PendingConnections>,
    /// Reads request bodies.
    pub bodies: &'a BodyReader,
    /// One timer for all sessions.
    pub deadline_timer: Arc<DeadlineTimer>,
    /// Hears of every client that comes and goes, or `None`.
    pub connection_listener: Option<Arc<dyn ConnectionListener>>,
}

impl EndpointBuilder<'_> {
    /// Builds Nakama's endpoints.
    pub fn nakama(&self) -> NakamaEndpoints {
        let Self { config, clock, engine, .. } = self;
        let auth = Arc::new(TokenAuthority::new(&config.nakama, self.revocations.clone(), clock));
        let accounts = Accounts {
            store: self.accounts.clone(),
            auth: auth.clone(),
            passwords: Passwords::new(&config.limits, clock),
            engine: (*engine).clone(),
            clock: (*clock).clone(),
        };
        let server_key = config.nakama.server_key.clone();
        let bodies = self.bodies.clone();
        NakamaEndpoints { accounts, auth, server_key, bodies, services: Arc::new(self.services()) }
    }

    /// Builds Centrifugo's endpoint. Fails when a key of the configuration cannot be used.
    pub fn centrifugo(&self) -> anyhow::Result<CentrifugoEndpoint> {
        let config = self.config;
        let client = &config.centrifugo.client;
        let (ping_interval, pong_timeout) = (client.ping_interval.0, client.pong_timeout.0);
        let rules = HandshakeRules {
            authenticator: Arc::new(TokenAuthenticator::new(ConnectionTokens::new(&client.token)?, self.clock)),
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
        let services = self.services();
        let services = Services {
            session: SessionConfig {
                // For clients that ask for WebSocket pings in place of the dialect's own.
                ping_interval: client.ping_interval,
                pong_timeout: Period(ping_interval + pong_timeout),
                max_message_bytes: config.centrifugo.websocket.message_size_limit,
                ..config.session.clone()
            },
            limits: LimitsConfig { follows_per_session: client.channel_limit, ..config.limits.clone() },
            linger: LingerTimes {
                lost: config.presence.linger_of(config.presence.linger_centrifugo),
                ..services.linger
            },
            ..services
        };
        Ok(CentrifugoEndpoint { services: Arc::new(services), rules, allowed_origins: client.allowed_origins.clone() })
    }

    /// Builds Tencent Chat's endpoints. `None` means that there is no secret, so the dialect is off.
    pub fn tencent(&self) -> Option<TencentEndpoints> {
        let config = self.config;
        let user_sigs = Arc::new(UserSigs::new(config.tencent.sdk_app_id, config.tencent.secret_key.as_ref()?));
        let heartbeat = config.tencent.heartbeat_timeout.0;
        let services = self.services();
        let services = Services {
            session: SessionConfig {
                // Four pings fit into the silence that is allowed.
                ping_interval: Period(heartbeat / 4),
                pong_timeout: Period(heartbeat),
                ..config.session.clone()
            },
            linger: LingerTimes { lost: config.presence.linger_of(config.presence.linger_tencent), ..services.linger },
            ..services
        };
        let online = OnlineStatusQuery {
            engine: self.engine.clone(),
            members: self.members.clone(),
            user_sigs: user_sigs.clone(),
            config: config.tencent.clone(),
            clock: self.clock.clone(),
        };
        let rules = Arc::new(MemberRules { user_sigs, config: config.tencent.clone(), clock: self.clock.clone() });
        Some(TencentEndpoints { services: Arc::new(services), rules, online, bodies: self.bodies.clone() })
    }

    /// Builds what sessions need, with the settings that hold for every dialect without its own.
    fn services(&self) -> Services {
        let config = self.config;
        // A node that runs alone has no other node to show its clients after a stop.
        let drained = if config.cluster.is_enabled() { config.presence.drain_linger.0 } else { Duration::ZERO };
        Services {
            engine: self.engine.clone(),
            directory: Arc::new(StoreDirectory(self.accounts.clone())),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            refusals: self.refusals.clone(),
            session: config.session.clone(),
            limits: config.limits.clone(),
            deadline_timer: self.deadline_timer.clone(),
            connection_ids: ConnectionIds::new(),
            pending_connections: self.pending_connections.clone(),
            members: self.members.clone(),
            connection_listener: self.connection_listener.clone(),
            linger: LingerTimes { lost: config.presence.linger_of(config.presence.linger_nakama), drained },
        }
    }
}
