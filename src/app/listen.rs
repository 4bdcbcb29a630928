//! The listener: what every TCP connection is given, and the limits of the HTTP server.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App as HttpApp, HttpServer, web};
use anyhow::Context;
use socket2::{SockRef, TcpKeepalive};

use crate::config::{Config, ServerConfig};
use crate::http::api::{self, ServerApi};
use crate::http::nakama::{self, Nakama};
use crate::http::operation::{self, Readiness};
use crate::http::page;
use crate::metrics::Metrics;

/// What every worker serves.
#[derive(Clone)]
pub struct Served {
    /// Nakama's endpoints.
    pub nakama: web::Data<Nakama>,
    /// The server API.
    pub api: web::Data<ServerApi>,
    /// Show the page to browse the server API.
    pub swagger: bool,
    /// None: not shown.
    pub metrics: Option<Metrics>,
    /// Whether new clients are taken.
    pub readiness: Readiness,
    /// Largest request body, bytes.
    pub max_body_bytes: usize,
    /// Show the demo page.
    pub page: bool,
}

impl Served {
    /// Adds every route.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.nakama.clone())
            .app_data(self.api.clone())
            .app_data(web::PayloadConfig::new(self.max_body_bytes))
            .service(nakama::socket())
            .service(nakama::rest())
            .service(nakama::healthcheck())
            .configure(api::configure(self.swagger))
            .configure(operation::configure(self.metrics.clone(), self.readiness.clone()))
            .configure(if self.page { page::configure } else { nakama::root })
            .default_service(web::to(nakama::not_found));
    }
}

/// Binds the address and starts the workers.
pub fn serve(config: &Config, served: Served) -> anyhow::Result<(Server, Vec<SocketAddr>)> {
    raise_file_limit(&config.server);
    let stall_timeout = config.session.stall_timeout.0;
    let ServerConfig { address, workers, max_connections, backlog, .. } = config.server;
    let server = HttpServer::new(move || {
        let served = served.clone();
        HttpApp::new().configure(move |config| served.configure(config))
    });
    // `on_connect` counts only when it is set before `bind`.
    let server = server
        .on_connect(move |connection, _: &mut Extensions| prepare(connection, stall_timeout))
        .workers(if workers == 0 { cores() } else { workers })
        .max_connections(max_connections)
        .backlog(backlog)
        .tcp_nodelay(true)
        .keep_alive(Duration::from_secs(60))
        .client_request_timeout(Duration::from_secs(10))
        .disable_signals()
        .bind(address)
        .with_context(|| format!("server.address = \"{address}\""))?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

/// A peer that takes no byte for the stall timeout is cut by the kernel, since nothing else sees it: the session of a
/// client that does not read is not polled. Keep-alive finds peers that vanished while nothing was to be sent.
fn prepare(connection: &dyn Any, stall_timeout: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let set = socket.set_tcp_user_timeout(Some(stall_timeout)).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        log::warn!("a connection could not be given its timeouts: {error}");
    }
}

/// Every connection is an open file.
fn raise_file_limit(config: &ServerConfig) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < 10_000 => {
            log::warn!("only {limit} files may be open: raise the limit (ulimit -n) for more connections than that");
        }
        Ok(limit) => log::debug!("{limit} files may be open, {} connections a worker", config.max_connections),
        Err(error) => log::warn!("the limit of open files could not be raised: {error}"),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
