// A worker that owns one WebSocket and nothing else. Off the page's thread, so that the times it notes
// are the server's and not those of our drawing; and because ending a worker is the nearest a browser
// comes to pulling the plug: the connection is gone at once, without waiting for a closing handshake.

/** @type {WebSocket | undefined} */
let socket;

/** The page sends `{open: url}` once, then `{text}` for each frame. */
self.addEventListener('message', ({ data }) => {
  if (data.open) {
    open(data.open);
  } else if (socket?.readyState === WebSocket.OPEN) {
    const at = now();
    socket.send(data.text);
    self.postMessage({ type: 'sent', text: data.text, at });
  }
});

function open(url) {
  socket = new WebSocket(url);
  socket.addEventListener('open', () => self.postMessage({ type: 'open' }));
  socket.addEventListener('message', ({ data }) => self.postMessage({ type: 'received', text: data, at: now() }));
  socket.addEventListener('close', ({ code, reason }) => self.postMessage({ type: 'close', code, reason }));
}

/** Milliseconds on a clock that all workers share. */
function now() {
  return performance.timeOrigin + performance.now();
}
