//! Receivers behind TLS: the built binary trusts what its machine trusts, here a certificate authority of the test's own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::binary::Server;
use crate::raw::RawClient;

struct Receiver {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    folder: tempfile::TempDir,
}

impl Receiver {
    /// A receiver with a certificate that an authority signed. The authority is in a file of the folder.
    async fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), folder }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/in", self.listener.local_addr().unwrap().port())
    }

    fn authority(&self) -> String {
        self.folder.path().join("authority.pem").to_str().unwrap().to_owned()
    }

    /// A server that tells this receiver, and trusts the authorities in this file.
    fn server(&self, trusted: &str) -> Server {
        Server::start(&[("HEREABOUTS_WEBHOOK__URLS", &self.url()), ("SSL_CERT_FILE", trusted)])
    }

    /// The body of the next request; an error where the other side does not want to talk.
    async fn takes(&self) -> std::io::Result<Value> {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut stream = self.acceptor.accept(stream).await?;
        let mut request = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut request).await?, 0, "the request broke off");
            let text = String::from_utf8_lossy(&request);
            if let Some((_, body)) = text.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str(body)
            {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
                return Ok(body);
            }
        }
    }
}

#[actix_web::test]
async fn a_receiver_with_a_certificate_that_the_machine_trusts_gets_events() {
    let receiver = Receiver::start().await;
    let server = receiver.server(&receiver.authority());
    let _alice = RawClient::connect(server.address, &format!("token={}&status=true", Server::token("alice"))).await;
    let told = tokio::time::timeout(PATIENCE, receiver.takes()).await.expect("nobody told it anything").unwrap();
    assert_eq!(told["type"], "user.login", "{told}");
    assert_eq!(told["data"]["user"], user("alice").to_string());
}

#[actix_web::test]
async fn a_receiver_of_another_authority_is_told_nothing() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let server = receiver.server(&other.authority());
    let _alice = RawClient::connect(server.address, &format!("token={}&status=true", Server::token("alice"))).await;
    let told = tokio::time::timeout(PATIENCE, receiver.takes()).await.expect("nobody tried");
    let refusal = told.expect_err("it was told all the same").to_string();
    assert!(refusal.contains("fatal alert"), "{refusal}");
}
