socket.unfollowUsers(["<user id>"]);
