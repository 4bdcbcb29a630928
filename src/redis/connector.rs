//! Opens connections to the servers of one configured Redis.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};

use super::error::StartError;
use crate::config::{ClusterConfig, RedisAddress, RedisKind, RedisLogin};

/// The address of a server: name or IP address, and port.
pub type Host = (String, u16);

/// Opens connections with the configured login, TLS and timeouts.
pub struct Connector {
    address: RedisAddress,
    /// PEM certificates to trust in place of the system's certificate store.
    trusted: Option<Vec<u8>>,
    timeout: Duration,
}

impl Connector {
    /// Reads the configured certificates. `timeout` is the deadline for a connection and for each reply.
    pub fn new(address: &RedisAddress, config: &ClusterConfig, timeout: Duration) -> Result<Self, StartError> {
        let mut trusted = None;
        if address.tls {
            // Another part of the program may have installed a provider before. Either provider works.
            let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
            if config.tls_ca.as_os_str().is_empty() {
                log::debug!("TLS to redis uses the system's certificate store");
            } else {
                let read = std::fs::read(&config.tls_ca);
                let unreadable = |error| StartError::Certificates { path: config.tls_ca.clone(), error };
                trusted = Some(read.map_err(unreadable)?);
            }
        }
        Ok(Self { address: address.clone(), trusted, timeout })
    }

    /// Returns the configured address.
    pub fn address(&self) -> &RedisAddress {
        &self.address
    }

    /// Opens a connection for commands.
    pub async fn for_commands(&self, host: &Host) -> RedisResult<MultiplexedConnection> {
        let settings = settings(&self.address.login).set_db(i64::from(self.address.database));
        let mut connection = self.open(host, settings, self.config()).await?;
        if matches!(self.address.kind, RedisKind::Sentinel { .. }) {
            check_role(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Opens a connection for subscriptions. `push` is called for every message, on the connection's own task.
    pub async fn for_subscriptions(
        &self,
        host: &Host,
        push: impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static,
    ) -> RedisResult<MultiplexedConnection> {
        let settings = settings(&self.address.login).set_protocol(ProtocolVersion::RESP3);
        self.open(host, settings, self.config().set_push_sender(push)).await
    }

    /// Opens a connection to a sentinel.
    pub async fn to_sentinel(&self, host: &Host, login: &RedisLogin) -> RedisResult<MultiplexedConnection> {
        self.open(host, settings(login), self.config()).await
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new().set_connection_timeout(Some(self.timeout)).set_response_timeout(Some(self.timeout))
    }

    async fn open(
        &self,
        (name, port): &Host,
        settings: RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let host = name.clone();
        let address = if self.address.tls {
            ConnectionAddr::TcpTls { host, port: *port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, *port)
        };
        let info = address.into_connection_info()?;
        let tcp = info.tcp_settings().clone().set_nodelay(true).set_user_timeout(self.timeout * 4);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        let client = match &self.trusted {
            Some(pem) => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) })?
            }
            None => Client::open(info)?,
        };
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

fn settings(login: &RedisLogin) -> RedisConnectionInfo {
    let mut settings = RedisConnectionInfo::default();
    if let Some(user) = &login.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(String::from_utf8_lossy(password.expose()));
    }
    settings
}

/// Refuses a replica. A master that the sentinels have replaced may not know it yet; a server that knows says so.
async fn check_role(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let role: Vec<Value> = redis::cmd("ROLE").query_async(connection).await?;
    match role.first() {
        Some(Value::BulkString(name)) if name == b"master" => Ok(()),
        Some(_) | None => Err(RedisError::from((ErrorKind::Client, "this server is a replica"))),
    }
}
