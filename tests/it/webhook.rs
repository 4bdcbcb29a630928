//! What receivers of webhooks are told, and when.

mod client_address;
mod tls;

use actix_web::dev::ServerHandle;
use actix_web::{App as NodeContext, HttpRequest, HttpResponse, HttpServer, web};
use hereabouts::app::App;
use hereabouts::clock::Clock;
use hereabouts::config::{Config, WebhookShape};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::tencent::Device;
use crate::world::{PATIENCE, World, config, user};

/// A receiver that takes everything.
struct Receiver {
    port: u16,
    server: ServerHandle,
    /// Query and body of each event.
    taken: mpsc::UnboundedReceiver<(String, Value)>,
}

async fn take(
    request: HttpRequest,
    body: web::Json<Value>,
    taker: web::Data<mpsc::UnboundedSender<(String, Value)>>,
) -> HttpResponse {
    taker.send((request.query_string().to_owned(), body.into_inner())).unwrap();
    HttpResponse::Ok().finish()
}

impl Receiver {
    fn start() -> Self {
        let (taker, taken) = mpsc::unbounded_channel();
        let taker = web::Data::new(taker);
        let site = move || NodeContext::new().app_data(taker.clone()).route("/in", web::post().to(take));
        let server = HttpServer::new(site).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let port = server.addrs()[0].port();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { port, server: handle, taken }
    }

    /// A server of ours that tells this receiver, a loss after `grace_seconds`.
    fn config(&self, grace_seconds: u64) -> Config {
        let mut config = config();
        config.webhook.urls = vec![format!("http://127.0.0.1:{}/in", self.port).parse().unwrap()];
        config.webhook.grace_seconds = grace_seconds;
        config
    }

    async fn takes(&mut self) -> (String, Value) {
        let next = tokio::time::timeout(PATIENCE, self.taken.recv()).await;
        next.expect("nobody told it anything").unwrap()
    }

    /// Type and data of the next event, in our own shape.
    async fn hears(&mut self) -> (String, Value) {
        let (query, body) = self.takes().await;
        assert!(query.is_empty() && body["timestamp"].as_u64().unwrap() > 1_700_000_000_000, "{query} {body}");
        (body["type"].as_str().unwrap().to_owned(), body["data"].clone())
    }

    async fn stop(self) {
        self.server.stop(true).await;
    }
}

fn event(kind: &str, user: &str, reason: &str, platform: &str) -> (String, Value) {
    let data = json!({"user": user, "reason": reason, "platform": platform, "client_ip": "127.0.0.1"});
    (kind.to_owned(), data)
}

#[actix_web::test]
async fn logins_logouts_and_losses_of_each_world_are_told() {
    let mut receiver = Receiver::start();
    let world = World::of(receiver.config(0), Clock::system(), None);
    let nora = user("nora").to_string();
    let nakama = world.hidden("nora").await;
    assert_eq!(receiver.hears().await, event("user.login", &nora, "register", ""));
    drop(nakama);
    assert_eq!(receiver.hears().await, event("user.disconnect", &nora, "link_close", ""));
    let centrifugo = world.centrifugo("carl").await;
    assert_eq!(receiver.hears().await, event("user.login", "carl", "register", ""));
    drop(centrifugo);
    assert_eq!(receiver.hears().await, event("user.disconnect", "carl", "link_close", ""));
    let device = Device::logs_in(&world, "ian").await;
    assert_eq!(receiver.hears().await, event("user.login", "ian", "register", "Web"));
    device.logs_out().await;
    assert_eq!(receiver.hears().await, event("user.logout", "ian", "unregister", "Web"));
    receiver.stop().await;
}

#[actix_web::test]
async fn a_user_who_comes_back_within_the_grace_was_never_gone() {
    let mut receiver = Receiver::start();
    let world = World::of(receiver.config(3600), Clock::system(), None);
    let device = Device::logs_in(&world, "ian").await;
    assert_eq!(receiver.hears().await.0, "user.login");
    drop(device);
    world.until_connections(0).await;
    let device = Device::logs_in(&world, "ian").await;
    device.logs_out().await;
    assert_eq!(receiver.hears().await, event("user.logout", "ian", "unregister", "Web"));
    receiver.stop().await;
}

#[actix_web::test]
async fn tencents_shape_names_the_app_the_platform_and_the_account() {
    let mut receiver = Receiver::start();
    let mut config = receiver.config(0);
    config.webhook.shape = WebhookShape::Tencent;
    let world = World::of(config, Clock::system(), None);
    let device = Device::logs_in(&world, "ian").await;
    let (query, body) = receiver.takes().await;
    let expected =
        "SdkAppid=1400000000&CallbackCommand=State.StateChange&contenttype=json&ClientIP=127.0.0.1&OptPlatform=Web";
    assert_eq!(query, expected);
    assert_eq!(body["CallbackCommand"], "State.StateChange");
    assert_eq!(body["Info"], json!({"Action": "Login", "To_Account": "ian", "Reason": "Register"}));
    drop(device);
    receiver.stop().await;
}

#[actix_web::test]
async fn a_drain_tells_of_everybody_it_closed_before_it_ends() {
    let mut receiver = Receiver::start();
    let issuer = World::start();
    let mut config = receiver.config(3600);
    config.server.address = "127.0.0.1:0".parse().unwrap();
    let app = App::build(&config, &Clock::system()).await.unwrap();
    let address = app.addresses()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = actix_web::rt::spawn(app.run(async {
        stopped.await.ok();
    }));
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let mut sockets = Vec::new();
    for number in 0..20 {
        let token = issuer.token(&format!("person-{number}"));
        sockets.push(client.ws(format!("http://{address}/ws?token={token}")).connect().await.unwrap().1);
        assert_eq!(receiver.hears().await.0, "user.login");
    }
    stop.send(()).unwrap();
    drop(sockets);
    running.await.unwrap().unwrap();
    let mut gone = Vec::new();
    while let Ok((_, body)) = receiver.taken.try_recv() {
        assert_eq!(body["type"], "user.disconnect", "{body}");
        gone.push(body["data"]["user"].as_str().unwrap().to_owned());
    }
    gone.sort();
    let mut everybody: Vec<String> = (0..20).map(|number| user(&format!("person-{number}")).to_string()).collect();
    everybody.sort();
    assert_eq!(gone, everybody);
    receiver.stop().await;
}
