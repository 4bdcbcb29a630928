socket.updateStatus("Hello everyone!");
