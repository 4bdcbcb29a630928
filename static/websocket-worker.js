// A worker that owns one WebSocket. It runs off the page's thread, so that the times that it notes do not include the
// page's drawing. Terminating a worker closes its connection at once, without a closing handshake: the nearest that a
// browser comes to a lost connection.

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

/** Returns milliseconds on a clock that all workers share. */
function now() {
  return performance.timeOrigin + performance.now();
}
