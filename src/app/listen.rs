//! The HTTP listener: the options of every TCP connection, and the limits of the HTTP server.

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
use actix_web::{App as HttpApp, Error};
use anyhow::Context;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::Endpoints;
use crate::config::{Config, ServerConfig};
use crate::http::upgrade::{self, Scratch};

/// The HTTP server. It accepts connections from its creation on and serves them when [`HttpListener::server`] is
/// polled.
///
/// It does what actix-web's own `HttpServer` does, and one thing more: requests that ask for an upgrade are answered by
/// the same routes and pumped by [`upgrade`], which saves 16 KiB for each idle WebSocket.
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
    pub fn bind(config: &Config, endpoints: Endpoints) -> anyhow::Result<Self> {
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
        let builder = builder.listen("http", listener, move || {
            let signal = signal.clone();
            let upgraded = endpoints.clone();
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let signal = signal.clone();
                    async move { signal.notified().await }
                })
                .keep_alive(Duration::from_secs(60))
                .client_request_timeout(Duration::from_secs(10))
                .client_disconnect_timeout(Duration::from_secs(1))
                .local_addr(bound)
                .on_connect_ext(move |stream: &TcpStream, _| set_options(stream, stall_timeout))
                .upgrade(fn_factory(move || upgrades(upgraded.clone())))
                .h1(routes(endpoints.clone()))
                .tcp()
        })?;
        Ok(Self { server: builder.run(), addresses: vec![bound], accept_socket })
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
    let app = HttpApp::new().configure(move |config| endpoints.configure(config)).into_factory();
    map_config(app, |()| AppConfig::default()).map_err(|error: Error| error.error_response().into())
}

/// Returns the same routes for requests that ask for an upgrade.
async fn upgrades(
    endpoints: Endpoints,
) -> Result<impl Service<(Request, Framed<TcpStream, h1::Codec>), Response = (), Error = Infallible>, ()> {
    let routes = Rc::new(routes(endpoints).new_service(()).await?);
    let scratch = Scratch::default();
    Ok(fn_service(move |(request, framed)| {
        let routes = routes.clone();
        let respond = async move |request| routes.call(request).await.map_or_else(|error| error, Response::from);
        let serving = upgrade::serve(request, framed, scratch.clone(), respond);
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
