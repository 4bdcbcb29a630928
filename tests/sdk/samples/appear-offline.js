socket.updateStatus();
