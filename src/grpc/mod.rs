//! The gRPC face of the server API: Centrifugo's service on a port of its own.
//!
//! It runs on one thread of its own, apart from the HTTP workers, so that neither waits for the other. [`service`]
//! converts, [`error`] says how calls fail, [`connection`] bounds how many there are. The schema is `proto/centrifugo.proto`.

mod connection;
mod error;
mod service;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tonic::transport::Server;

use crate::api::users::Users;
use crate::config::GrpcApiConfig;
use connection::accept;
use proto::centrifugo_api_server::CentrifugoApiServer;
use service::{Key, Service};

/// The messages and the service, made from the schema.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod proto {
    tonic::include_proto!("centrifugal.centrifugo.api");

    /// For reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/centrifugo.bin"));
}

/// Longest a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Calls under way at once on one connection; further ones wait there.
const CALLS_PER_CONNECTION: u32 = 64;

/// A listener that does not serve yet.
pub struct Grpc {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
    config: GrpcApiConfig,
}

impl Grpc {
    /// Binds the address.
    pub fn bind(config: &GrpcApiConfig, users: Arc<Users>) -> io::Result<Self> {
        let listener = TcpListener::bind(config.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let service = Service::new(users, config.error_mode);
        Ok(Self { listener, address, service, config: config.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own.
    pub fn start(self) -> io::Result<Running> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("grpc".into()).spawn(move || {
            if let Err(error) = runtime.block_on(self.serve(stopped)) {
                log::error!("gRPC failed: {error}");
            }
        })?;
        Ok(Running { stop, thread })
    }

    async fn serve(self, stopped: oneshot::Receiver<()>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Self { listener, address: _, service, config } = self;
        let key = Key::new(config.key.as_ref(), service.metrics());
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<CentrifugoApiServer<Service>>().await;
        let api = CentrifugoApiServer::new(service).max_decoding_message_size(config.max_receive_message_size);
        let api = tonic::service::interceptor::InterceptedService::new(api, key);
        // Most clients still ask in the older version.
        let (reflection, older) = match config.reflection {
            true => (Some(describe().build_v1()?), Some(describe().build_v1alpha()?)),
            false => (None, None),
        };
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let stop = async {
            // Dropped or sent: either way it is the end.
            let _dropped = stopped.await;
            reporter.set_not_serving::<CentrifugoApiServer<Service>>().await;
        };
        Server::builder()
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(Duration::from_secs(60)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .add_service(health)
            .add_optional_service(reflection)
            .add_optional_service(older)
            .add_service(api)
            .serve_with_incoming_shutdown(accept(listener), stop)
            .await?;
        Ok(())
    }
}

/// What reflection tells.
fn describe() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// A server that serves.
pub struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Takes no more calls, and waits for those under way as long as the caller waits for this.
    pub async fn stop(self) {
        // Refused when it has failed already, which has been said.
        let _failed = self.stop.send(());
        let joined = tokio::task::spawn_blocking(move || self.thread.join());
        if !matches!(joined.await, Ok(Ok(()))) {
            log::error!("the gRPC thread panicked");
        }
    }
}
