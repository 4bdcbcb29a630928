//! The server API over gRPC, spoken to by a plain client.

use hereabouts::app::App;
use hereabouts::clock::Clock;
use hereabouts::config::value::Secret;
use hereabouts::config::{Config, ErrorMode};
use hereabouts::grpc::proto::{
    self, BatchRequest, BatchResponse, Command, GetUserStatusRequest, GetUserStatusResponse, InfoRequest, InfoResponse,
    UpdateUserStatusRequest, UpdateUserStatusResponse,
};
use tokio::sync::oneshot;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::world::config;

/// A running server with gRPC.
struct Server {
    channel: Channel,
    stop: oneshot::Sender<()>,
    running: actix_web::rt::task::JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        config.server.address = "127.0.0.1:0".parse().unwrap();
        config.grpc_api.enabled = true;
        config.grpc_api.address = "127.0.0.1:0".parse().unwrap();
        change(&mut config);
        let app = App::build(&config, &Clock::system()).await.unwrap();
        let address = app.grpc_address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = actix_web::rt::spawn(app.run(async {
            stopped.await.ok();
        }));
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        Self { channel, stop, running }
    }

    async fn call<Q, A>(&self, method: &str, request: Request<Q>) -> Result<A, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let path = format!("/centrifugal.centrifugo.api.CentrifugoApi/{method}").parse().unwrap();
        client.unary(request, path, ProstCodec::<Q, A>::default()).await.map(tonic::Response::into_inner)
    }

    async fn stop(self) {
        drop(self.channel);
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

fn users(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn with<Q>(request: Q, name: &'static str, value: &'static str) -> Request<Q> {
    let mut request = Request::new(request);
    request.metadata_mut().insert(name, value.parse().unwrap());
    request
}

#[actix_web::test]
async fn statuses_are_updated_read_and_forgotten_alone_and_in_a_batch() {
    let server = Server::start(|_| {}).await;
    let update = UpdateUserStatusRequest { users: users(&["42"]), state: "dnd".into() };
    let answer: UpdateUserStatusResponse = server.call("UpdateUserStatus", Request::new(update.clone())).await.unwrap();
    assert!(answer.result.is_some() && answer.error.is_none(), "{answer:?}");
    let get = GetUserStatusRequest { users: users(&["42", "43"]) };
    let answer: GetUserStatusResponse = server.call("GetUserStatus", Request::new(get.clone())).await.unwrap();
    let statuses = answer.result.unwrap().statuses;
    assert_eq!((statuses[0].user.as_str(), statuses[0].state.as_str()), ("42", "dnd"));
    assert!(statuses[0].active > 1_750_000_000 && statuses[0].online == 0, "{statuses:?}");
    assert_eq!(statuses[1], proto::UserStatus { user: "43".into(), ..Default::default() });
    let delete = proto::DeleteUserStatusRequest { users: users(&["42"]) };
    let commands = vec![
        Command { delete_user_status: Some(delete), ..Default::default() },
        Command { get_user_status: Some(get), ..Default::default() },
        Command::default(),
        Command { update_user_status: Some(UpdateUserStatusRequest::default()), ..Default::default() },
        Command { info: Some(InfoRequest {}), ..Default::default() },
    ];
    let batch = with(BatchRequest { commands, parallel: false }, "x-centrifugo-error-mode", "transport");
    let answer: BatchResponse = server.call("Batch", batch).await.unwrap();
    let [deleted, read, unknown, wrong, info] = &answer.replies[..] else { panic!("{answer:?}") };
    assert!(deleted.delete_user_status.is_some());
    assert_eq!(read.get_user_status.as_ref().unwrap().statuses[0].active, 0);
    assert_eq!(unknown.error.as_ref().unwrap().code, 104);
    assert_eq!(wrong.error.as_ref().unwrap().code, 107);
    assert_eq!(info.info.as_ref().unwrap().nodes.len(), 1);
    server.stop().await;
}

#[actix_web::test]
async fn the_key_must_equal_the_metadata_exactly() {
    let server = Server::start(|config| config.grpc_api.key = Some(Secret::new("secret"))).await;
    let answer: InfoResponse =
        server.call("Info", with(InfoRequest {}, "authorization", "apikey secret")).await.unwrap();
    assert!(answer.result.is_some());
    for wrong in ["apikey  secret", "APIKEY secret", "secret", "apikey secrets", "apikey ", ""] {
        let refused = server.call::<_, InfoResponse>("Info", with(InfoRequest {}, "authorization", wrong)).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "unauthenticated"), "{wrong}");
    }
    let refused = server.call::<_, InfoResponse>("Info", Request::new(InfoRequest {})).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    server.stop().await;
}

#[actix_web::test]
async fn an_error_is_in_the_response_or_in_transport_mode_a_status_with_details() {
    let wrong = UpdateUserStatusRequest::default;
    for (mode, asked) in [(ErrorMode::InBand, false), (ErrorMode::InBand, true), (ErrorMode::Transport, false)] {
        let server = Server::start(|config| config.grpc_api.error_mode = mode).await;
        let request = if asked { with(wrong(), "x-centrifugo-error-mode", "transport") } else { Request::new(wrong()) };
        let answer = server.call::<_, UpdateUserStatusResponse>("UpdateUserStatus", request).await;
        if mode == ErrorMode::InBand && !asked {
            let answer = answer.unwrap();
            let expected = proto::Error { code: 107, message: "bad request".into() };
            assert_eq!((answer.error, answer.result), (Some(expected), None));
        } else {
            let status = answer.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "bad request"));
            let details = String::from_utf8_lossy(status.details()).into_owned();
            assert!(details.contains("type.googleapis.com/centrifugal.centrifugo.api.Error"), "{details}");
        }
        server.stop().await;
    }
}

#[actix_web::test]
async fn what_is_not_there_is_unimplemented_and_what_is_too_large_is_refused() {
    let server = Server::start(|config| config.grpc_api.max_receive_message_size = 1024).await;
    let publish = server.call::<_, InfoResponse>("Publish", Request::new(InfoRequest {})).await.unwrap_err();
    assert_eq!(publish.code(), Code::Unimplemented);
    let large = GetUserStatusRequest { users: vec!["x".repeat(2000)] };
    let refused = server.call::<_, GetUserStatusResponse>("GetUserStatus", Request::new(large)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    server.stop().await;
}
