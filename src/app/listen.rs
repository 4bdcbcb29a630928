//! The HTTP listener: the options of every TCP connection, and the limits of the HTTP server.

use std::convert::Infallible;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request, Response, h1};
use actix_server::ServerBuilder;
use actix_service::{
    IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_factory, fn_service,
    map_config,
};
use actix_web::dev::{AppConfig, Server, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App as HttpApp, Error};
use anyhow::Context;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::Endpoints;
use super::proxy_protocol::{self, ProxyProtocol};
use crate::clock::Clock;
use crate::config::{Config, ServerConfig};
use crate::http::client_address::set_client_address;
use crate::http::connection::HttpConnection;
use crate::http::connection::phase::HttpTimeouts;
use crate::http::exchange::{Exchange, TimedBody, make_path_literal};
use crate::http::upgrade::{self, Scratch};
use crate::log_limit::{LogLimit, REFUSAL_INTERVAL};
use crate::metrics::Metrics;

/// How long the rest of a request is read after the response to it, so that the client can read the response.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The HTTP server. It accepts connections from its creation on and serves them when [`HttpListener::server`] is
/// polled.
///
/// It does what actix-web's own `HttpServer` does, and two things more. Every connection has the deadlines of
/// [`HttpConnection`]. Requests that ask for an upgrade are answered by the same routes and pumped by [`upgrade`], which
/// saves 16 KiB for each idle WebSocket.
pub struct HttpListener {
    /// The workers. The future ends when the server has stopped.
    pub server: Server,
    /// The addresses that it listens on.
    pub addresses: Vec<SocketAddr>,
    /// Refuses new connections when the server drains.
    pub accept_socket: AcceptSocket,
}

impl HttpListener {
    /// Binds the address and starts the workers.
    pub fn bind(config: &Config, endpoints: Endpoints, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        raise_file_limit(&config.server);
        let ServerConfig { address, workers, max_connections, backlog, .. } = config.server;
        let unbound = || format!("server.address = \"{address}\"");
        let listener = listen(address, backlog).with_context(unbound)?;
        let bound = listener.local_addr().with_context(unbound)?;
        let accept_socket = AcceptSocket(listener.try_clone().with_context(unbound)?);
        let builder = ServerBuilder::new()
            .workers(if workers == 0 { cores() } else { workers })
            .max_concurrent_connections(max_connections)
            .disable_signals();
        let signal = builder.graceful_shutdown_signal();
        let stall_timeout = config.session.stall_timeout.0;
        let timeouts = timeouts(&config.server);
        let proxies = ProxyProtocol::of(&config.server);
        let metrics = metrics.clone();
        let malformed = Arc::new(MalformedLog { clock: clock.clone(), limit: LogLimit::new(REFUSAL_INTERVAL) });
        let builder = builder.listen("http", listener, move || {
            let signal = signal.clone();
            let upgraded = endpoints.clone();
            let (metrics, counted) = (metrics.clone(), metrics.clone());
            let malformed = malformed.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let signal = signal.clone();
                    async move { signal.notified().await }
                })
                // The connection has timers of its own, for every request.
                .keep_alive(KeepAlive::Os)
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(bound)
                .on_connect_ext(|connection: &HttpConnection, extensions| {
                    extensions.insert(connection.timer().clone());
                })
                .upgrade(fn_factory(move || upgrades(upgraded.clone(), timeouts)))
                .h1(exchanges(endpoints.clone()));
            let proxies = proxies.clone();
            fn_service(move |stream: TcpStream| {
                set_options(&stream, stall_timeout);
                open(stream, proxies.clone(), timeouts, metrics.clone())
            })
            .and_then(http)
            .map_err(move |error| malformed.observe(&error, &counted))
        })?;
        Ok(Self { server: builder.run(), addresses: vec![bound], accept_socket })
    }
}

/// Returns a new connection with the address of its client.
async fn open(
    mut stream: TcpStream,
    proxies: Option<ProxyProtocol>,
    timeouts: HttpTimeouts,
    metrics: Metrics,
) -> Result<(HttpConnection, Option<SocketAddr>), DispatchError> {
    let peer = stream.peer_addr().ok();
    let client = match &proxies {
        Some(proxies) => proxies.client(&mut stream, peer).await.map_err(DispatchError::Io)?,
        None => peer,
    };
    Ok((HttpConnection::new(stream, timeouts, metrics), client))
}

fn timeouts(config: &ServerConfig) -> HttpTimeouts {
    HttpTimeouts { request: config.request_timeout.0, keep_alive: config.keep_alive.0 }
}

/// Counts requests that are not HTTP, in place of the line per request that actix's dispatcher logs.
struct MalformedLog {
    clock: Clock,
    limit: LogLimit<()>,
}

impl MalformedLog {
    /// Counts why a connection ended, if a malformed request is the reason.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors")]
    fn observe(&self, error: &DispatchError, metrics: &Metrics) {
        match error {
            DispatchError::Parse(reason) => {
                metrics.http().malformed.inc();
                if let Some(omitted) = self.limit.admit((), self.clock.now()) {
                    log::info!(omitted; "a malformed HTTP request was refused: {reason}");
                }
            }
            DispatchError::Io(reason) if proxy_protocol::is_refusal(reason) => {
                metrics.http().malformed.inc();
                if let Some(omitted) = self.limit.admit((), self.clock.now()) {
                    log::info!(omitted; "a connection was refused: {reason}");
                }
            }
            other => log::debug!("an HTTP connection failed: {other}"),
        }
    }
}

/// The listening socket.
pub struct AcceptSocket(TcpListener);

impl AcceptSocket {
    /// Makes the kernel refuse new connections, and those that it holds in the backlog. A server that only stops
    /// accepting leaves them without an answer; a proxy that is refused tries another node at once.
    pub fn close(&self) {
        if let Err(error) = SockRef::from(&self.0).shutdown(Shutdown::Both) {
            log::debug!("the listening socket could not be shut down, new connections wait for the stop: {error}");
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

/// Returns every route as a service for one worker.
fn routes(
    endpoints: Endpoints,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<BoxBody>,
    Error = Response<BoxBody>,
    InitError = (),
    Service: Service<Request, Future: 'static>,
> {
    let addresses = Rc::new(endpoints.client_addresses.clone());
    let app = HttpApp::new()
        .wrap(from_fn(move |request, next| set_client_address(addresses.clone(), request, next)))
        .configure(move |config| endpoints.configure(config))
        .into_factory();
    map_config(app, |()| AppConfig::default()).map_err(|error: Error| error.error_response().into())
}

/// Returns the routes for the requests on the dispatcher's path.
fn exchanges(
    endpoints: Endpoints,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<TimedBody>,
    Error = Response<BoxBody>,
    InitError = (),
    Service: Service<Request, Future: 'static>,
> {
    apply_fn_factory(routes(endpoints), |request, routes| {
        let (exchange, request) = Exchange::begin(request);
        let responding = routes.call(request);
        async move { Ok(exchange.respond(responding.await.map_or_else(|error| error, Response::from))) }
    })
}

/// Returns the same routes for requests that ask for an upgrade.
async fn upgrades(
    endpoints: Endpoints,
    timeouts: HttpTimeouts,
) -> Result<impl Service<(Request, Framed<HttpConnection, h1::Codec>), Response = (), Error = Infallible>, ()> {
    let routes = Rc::new(routes(endpoints).new_service(()).await?);
    let scratch = Scratch::default();
    Ok(fn_service(move |(mut request, framed)| {
        make_path_literal(&mut request);
        let routes = routes.clone();
        let respond = async move |request| routes.call(request).await.map_or_else(|error| error, Response::from);
        let serving = upgrade::serve(request, framed, scratch.clone(), timeouts, respond);
        async move {
            // The session notices a broken connection itself.
            let _broken = serving.await;
            Ok(())
        }
    }))
}

/// Sets the options of a new connection. Without delay, responses leave at once. The user timeout lets the kernel cut a
/// peer that accepts no byte for the stall timeout: nothing else notices, because the session of a client that does not
/// read is not polled. Keep-alive finds peers that vanished while there was nothing to send.
fn set_options(stream: &TcpStream, stall_timeout: Duration) {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    let set = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_user_timeout(Some(stall_timeout)))
        .and_then(|()| socket.set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        log::warn!("the options of a connection could not be set: {error}");
    }
}

/// Raises the limit of open files as far as the system allows: every connection is an open file.
fn raise_file_limit(config: &ServerConfig) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < 10_000 => {
            log::warn!("only {limit} files may be open: raise the limit (ulimit -n) for more connections");
        }
        Ok(limit) => log::debug!("{limit} files may be open, {} connections a worker", config.max_connections),
        Err(error) => log::warn!("the limit of open files could not be raised: {error}"),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
