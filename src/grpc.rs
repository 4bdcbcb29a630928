//! The gRPC face of the server API: Centrifugo's service on a port of its own.
//!
//! It runs on a thread of its own, apart from the HTTP workers, so that neither waits for the other. [`service`] has
//! the calls, generated from the list of methods in `api::users`; [`convert`] maps their messages, [`error`] their
//! errors. [`api_key`] checks the key, [`connection`] limits the connections: their number, their time, their frames. The schema is
//! `proto/centrifugo.proto`.

mod api_key;
mod connection;
mod convert;
mod error;
mod service;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tonic::transport::Server;

use crate::api::users::Users;
use crate::clock::Clock;
use crate::config::{Config, GrpcApiConfig};
use api_key::ApiKeyInterceptor;
use connection::meter::GrpcTimeouts;
use connection::{ConnectionRules, accept};
use proto::centrifugo_api_server::CentrifugoApiServer;
use service::GrpcService;

/// The messages and the service, generated from the schema.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod proto {
    tonic::include_proto!("centrifugal.centrifugo.api");

    /// The schema itself, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/centrifugo.bin"));
}

/// Why the server ended.
type ServeError = Box<dyn std::error::Error + Send + Sync>;

/// Maximum duration of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Maximum number of concurrent calls on one connection. Further ones wait.
const MAX_CALLS_PER_CONNECTION: u32 = 64;

/// A gRPC server that listens and does not serve yet.
pub struct GrpcServer {
    listener: TcpListener,
    address: SocketAddr,
    users: Arc<Users>,
    config: GrpcApiConfig,
    rules: ConnectionRules,
    /// Maximum duration of a drain.
    drain_timeout: Duration,
}

impl GrpcServer {
    /// Binds the address.
    pub fn bind(config: &Config, users: Arc<Users>, clock: &Clock) -> io::Result<Self> {
        let Config { server, grpc_api, .. } = config;
        let listener = TcpListener::bind(grpc_api.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let timeouts = GrpcTimeouts { request: server.request_timeout.0, keep_alive: server.keep_alive.0 };
        let rules = ConnectionRules::new(timeouts, users.metrics.clone(), clock.clone());
        let drain_timeout = server.drain_timeout.0;
        Ok(Self { listener, address, users, config: grpc_api.clone(), rules, drain_timeout })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve on a thread of its own.
    pub fn start(self) -> io::Result<RunningGrpcServer> {
        let (stop, draining) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("grpc".into()).spawn(move || {
            if let Err(error) = runtime.block_on(self.serve_and_drain(draining)) {
                log::error!("the gRPC server failed: {error}");
            }
        })?;
        Ok(RunningGrpcServer { stop, thread })
    }

    /// Serves, then drains. Cuts what is still connected at the end of the drain.
    async fn serve_and_drain(self, draining: watch::Receiver<bool>) -> Result<(), ServeError> {
        let (drain_timeout, stopped) = (self.drain_timeout, draining.clone());
        tokio::select! {
            served = self.serve(draining) => served,
            () = async { drained(stopped).await; tokio::time::sleep(drain_timeout).await } => {
                log::warn!("not every gRPC call ended in time; cutting the rest");
                Ok(())
            }
        }
    }

    async fn serve(self, draining: watch::Receiver<bool>) -> Result<(), ServeError> {
        let Self { listener, address: _, users, config, rules, drain_timeout: _ } = self;
        let key = ApiKeyInterceptor::new(config.key.as_ref(), &users.metrics);
        let service = GrpcService::new(users, config.error_mode);
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<CentrifugoApiServer<GrpcService>>().await;
        let api = CentrifugoApiServer::new(service).max_decoding_message_size(config.max_receive_message_size);
        let api = tonic::service::interceptor::InterceptedService::new(api, key);
        // Most clients still use the older version of reflection.
        let (reflection, older) = match config.reflection {
            true => (Some(reflection_schemas().build_v1()?), Some(reflection_schemas().build_v1alpha()?)),
            false => (None, None),
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stopped = draining.clone();
        let stop = async {
            drained(stopped).await;
            reporter.set_not_serving::<CentrifugoApiServer<GrpcService>>().await;
        };
        Server::builder()
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(MAX_CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(Duration::from_secs(60)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .add_service(health)
            .add_optional_service(reflection)
            .add_optional_service(older)
            .add_service(api)
            .serve_with_incoming_shutdown(accept(listener, rules, draining), stop)
            .await?;
        Ok(())
    }
}

/// Returns the schemas that reflection serves.
fn reflection_schemas() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Completes when the drain begins. A dropped sender is a drain, too.
async fn drained(mut draining: watch::Receiver<bool>) {
    let _dropped = draining.wait_for(|draining| *draining).await;
}

/// A gRPC server that serves.
pub struct RunningGrpcServer {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl RunningGrpcServer {
    /// Accepts no more calls and waits for the running ones, at most for the drain timeout.
    pub async fn stop(self) {
        // Fails when the server has failed before, which is in the log.
        let _failed = self.stop.send(true);
        let joined = tokio::task::spawn_blocking(move || self.thread.join());
        if !matches!(joined.await, Ok(Ok(()))) {
            log::error!("the gRPC thread panicked");
        }
    }
}
