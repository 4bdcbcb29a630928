//! The listener: what every TCP connection is given, and the limits of the HTTP server.

use std::convert::Infallible;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::BoxBody;
use actix_http::{HttpService, Request, Response, h1};
use actix_server::ServerBuilder;
use actix_service::{
    IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service, map_config,
};
use actix_web::dev::{AppConfig, Server, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App as HttpApp, Error, web};
use anyhow::Context;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::config::{Config, ServerConfig};
use crate::http::api::{self, ServerApi};
use crate::http::centrifugo::{self, Centrifugo};
use crate::http::nakama::{self, Nakama};
use crate::http::operation::{self, Readiness};
use crate::http::page;
use crate::http::tencent::{self, Tencent};
use crate::http::upgrade::{self, Scratch};
use crate::metrics::Metrics;

/// What every worker serves.
#[derive(Clone)]
pub struct Served {
    /// Nakama's endpoints.
    pub nakama: web::Data<Nakama>,
    /// Centrifugo's endpoint.
    pub centrifugo: web::Data<Centrifugo>,
    /// Tencent Chat's endpoints; none: switched off.
    pub tencent: Option<web::Data<Tencent>>,
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
        if let Some(tencent) = &self.tencent {
            config.app_data(tencent.clone()).service(tencent::socket()).service(tencent::rest());
        }
        config
            .app_data(self.nakama.clone())
            .app_data(self.centrifugo.clone())
            .app_data(self.api.clone())
            .app_data(web::PayloadConfig::new(self.max_body_bytes))
            .service(nakama::socket())
            .service(centrifugo::socket())
            .service(nakama::rest())
            .service(nakama::healthcheck())
            .configure(api::configure(self.swagger))
            .configure(operation::configure(self.metrics.clone(), self.readiness.clone()))
            .configure(if self.page { page::configure } else { nakama::root })
            .default_service(web::to(nakama::not_found));
    }
}

/// Binds the address and starts the workers.
///
/// What actix-web's own `HttpServer` does, and one thing more: requests that ask for an upgrade are answered by the same
/// routes, but pumped by [`upgrade`], which costs an idle WebSocket 16 KiB less.
pub fn serve(config: &Config, served: Served) -> anyhow::Result<(Server, Vec<SocketAddr>, Door)> {
    raise_file_limit(&config.server);
    let ServerConfig { address, workers, max_connections, backlog, .. } = config.server;
    let unbound = || format!("server.address = \"{address}\"");
    let listener = listen(address, backlog).with_context(unbound)?;
    let bound = listener.local_addr().with_context(unbound)?;
    let door = Door(listener.try_clone().with_context(unbound)?);
    let builder = ServerBuilder::new()
        .workers(if workers == 0 { cores() } else { workers })
        .max_concurrent_connections(max_connections)
        .disable_signals();
    let signal = builder.graceful_shutdown_signal();
    let stall_timeout = config.session.stall_timeout.0;
    let builder = builder.listen("http", listener, move || {
        let signal = signal.clone();
        let upgraded = served.clone();
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let signal = signal.clone();
                async move { signal.notified().await }
            })
            .keep_alive(Duration::from_secs(60))
            .client_request_timeout(Duration::from_secs(10))
            .client_disconnect_timeout(Duration::from_secs(1))
            .local_addr(bound)
            .on_connect_ext(move |stream: &TcpStream, _| prepare(stream, stall_timeout))
            .upgrade(fn_factory(move || upgrades(upgraded.clone())))
            .h1(routes(served.clone()))
            .tcp()
    })?;
    Ok((builder.run(), vec![bound], door))
}

/// The way in for new connections.
pub struct Door(TcpListener);

impl Door {
    /// Has the kernel refuse new connections, and those that it holds already. A server that only stops accepting leaves
    /// them waiting for an answer; a proxy that is refused tries another node at once.
    pub fn close(&self) {
        if let Err(error) = SockRef::from(&self.0).shutdown(Shutdown::Both) {
            log::debug!("new connections wait until the server has stopped: {error}");
        }
    }
}

fn listen(address: SocketAddr, backlog: u32) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Every route, as a service for one worker.
fn routes(
    served: Served,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<BoxBody>,
    Error = Response<BoxBody>,
    InitError = (),
    Service: Service<Request, Future: 'static>,
> {
    let app = HttpApp::new().configure(move |config| served.configure(config)).into_factory();
    map_config(app, |()| AppConfig::default()).map_err(|error: Error| error.error_response().into())
}

/// The same routes for requests that ask for an upgrade.
async fn upgrades(
    served: Served,
) -> Result<impl Service<(Request, Framed<TcpStream, h1::Codec>), Response = (), Error = Infallible>, ()> {
    let routes = Rc::new(routes(served).new_service(()).await?);
    let scratch = Scratch::default();
    Ok(fn_service(move |(request, framed)| {
        let routes = routes.clone();
        let respond = async move |request| routes.call(request).await.map_or_else(|error| error, Response::from);
        let serving = upgrade::serve(request, framed, scratch.clone(), respond);
        async move {
            // A line that breaks has ended: the session knows.
            let _broken = serving.await;
            Ok(())
        }
    }))
}

/// Answers leave at once. A peer that takes no byte for the stall timeout is cut by the kernel, since nothing else sees it: the session of a
/// client that does not read is not polled. Keep-alive finds peers that vanished while nothing was to be sent.
fn prepare(stream: &TcpStream, stall_timeout: Duration) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let set = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_user_timeout(Some(stall_timeout)))
        .and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        log::warn!("a connection could not be given its options: {error}");
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
