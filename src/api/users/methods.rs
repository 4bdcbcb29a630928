//! The list of the server API's methods. The calls, the HTTP routes, batches, the legacy endpoint, the OpenAPI document
//! and the gRPC service are generated from it.
//!
//! To add a method, add a row here and a function of the same name to [`Users`](super::Users). New parameters are a
//! struct in `parameters.rs`, a new result is one in `results.rs`. A method that gRPC serves needs its messages in
//! `proto/centrifugo.proto` and their conversion in `src/grpc/convert.rs`, too.

/// Calls the macro `$generate` with every row of the list. A row is
///
/// ```text
/// /// Documentation.
/// Variant = function(Parameters) -> Result, number: the method's number over the legacy endpoint, grpc: Response;
/// ```
///
/// `grpc` is present for methods that the gRPC service has. It names the response message of `proto/centrifugo.proto`;
/// the request message has the name of the parameters. The rows are in the order in which Centrifugo looks through a
/// command of a batch that names several methods.
macro_rules! for_each_method {
    ($generate:ident) => {
        $generate! {
            /// Closes connections of a user.
            Disconnect = disconnect(DisconnectRequest) -> EmptyResult, number: Some(3), grpc: DisconnectResponse;

            /// Returns the nodes of this server.
            Info = info(InfoRequest) -> InfoResult, number: Some(9), grpc: InfoResponse;

            /// Returns all connections of a user, the invisible ones included.
            Connections = connections(ConnectionsRequest) -> ConnectionsResult, number: Some(14);

            /// Records that users are active now, and the state that they give.
            UpdateUserStatus = update_user_status(UpdateUserStatusRequest) -> EmptyResult, number: Some(15),
                grpc: UpdateUserStatusResponse;

            /// Returns when users were last active and online, and the state that they gave last.
            GetUserStatus = get_user_status(GetUserStatusRequest) -> GetUserStatusResult, number: Some(16),
                grpc: GetUserStatusResponse;

            /// Deletes what is stored about users.
            DeleteUserStatus = delete_user_status(DeleteUserStatusRequest) -> EmptyResult, number: Some(17),
                grpc: DeleteUserStatusResponse;

            /// Returns the presence of users: their connections and statuses, and when each was last active and online.
            GetPresence = get_presence(GetPresenceRequest) -> GetPresenceResult, number: None;

            /// Adds friends of a user.
            FriendsAdd = friends_add(PeopleRequest) -> EmptyResult, number: None;

            /// Removes friends of a user.
            FriendsRemove = friends_remove(PeopleRequest) -> EmptyResult, number: None;

            /// Returns the friends of a user.
            FriendsList = friends_list(ListRequest) -> PeopleResult, number: None;

            /// Makes a user look absent to these people, in every API and at once.
            Block = block(PeopleRequest) -> EmptyResult, number: None;

            /// Makes a user visible to these people again.
            Unblock = unblock(PeopleRequest) -> EmptyResult, number: None;

            /// Returns the people that a user blocks, who see the user as absent.
            BlockList = block_list(ListRequest) -> PeopleResult, number: None;
        }
    };
}

pub(crate) use for_each_method;
