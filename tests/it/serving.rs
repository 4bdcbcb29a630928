//! Runs a whole server in the test process: with its own listener, or on actix's test server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use actix_web::rt::System;
use awc::ClientRequest;
use hereabouts::app::{App, Components};
use hereabouts::clock::Clock;
use hereabouts::config::Config;
use hereabouts::session::connection_listener::ConnectionListener;
use tokio::sync::oneshot;

/// A running server and an HTTP client for it. The server stops when this is dropped.
pub struct Serving {
    address: SocketAddr,
    client: awc::Client,
    host: Host,
}

/// What runs the server.
enum Host {
    /// The app, on a thread of its own. The sender starts its drain.
    App(Option<oneshot::Sender<()>>),
    /// The components of the app, on actix's test server.
    ActixTestServer { _server: actix_test::TestServer, components: Box<Components> },
}

impl Serving {
    /// Builds and runs the app on a free port: the production listener, pump and socket writes.
    pub fn app(mut config: Config, clock: &Clock, listener: Option<Arc<dyn ConnectionListener>>) -> (Self, Components) {
        config.server.address = "127.0.0.1:0".parse().unwrap();
        config.server.workers = 1;
        let (started, starting) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let clock = clock.clone();
        // The test does not wait for the end of the drain, which takes a quarter of a second.
        thread::spawn(move || {
            System::new().block_on(async move {
                let app = App::build_with(&config, &clock, listener).await.unwrap();
                started.send((app.addresses()[0], app.components().clone())).unwrap();
                let stopped = async {
                    stopped.await.ok();
                };
                app.run(stopped).await.expect("the drain failed");
            });
        });
        let (address, components) = starting.recv().expect("the server did not start");
        (Self::at(address, Host::App(Some(stop))), components)
    }

    /// Serves the same routes on actix's test server.
    pub fn actix_test_server(config: &Config, clock: &Clock) -> (Self, Components) {
        let components = Components::assemble(config, clock).unwrap();
        let endpoints = components.endpoints.clone();
        let server = actix_test::start(move || {
            let endpoints = endpoints.clone();
            actix_web::App::new().configure(move |config| endpoints.configure(config))
        });
        (
            Self::at(
                server.addr(),
                Host::ActixTestServer { _server: server, components: Box::new(components.clone()) },
            ),
            components,
        )
    }

    fn at(address: SocketAddr, host: Host) -> Self {
        let client = awc::Client::builder().timeout(Duration::from_secs(60)).finish();
        Self { address, client, host }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> ClientRequest {
        self.client.get(self.url(path))
    }

    pub fn post(&self, path: &str) -> ClientRequest {
        self.client.post(self.url(path))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        match &mut self.host {
            Host::App(stop) => drop(stop.take()),
            Host::ActixTestServer { components, .. } => components.engine.stop(),
        }
    }
}
