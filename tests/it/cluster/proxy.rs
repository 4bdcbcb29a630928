//! A proxy between a node and Redis that can go silent without closing, as when a network drops packets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;

/// Forwards connections to a server on loopback.
pub struct Proxy {
    pub port: u16,
    lines: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

impl Proxy {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let lines = Arc::<Mutex<Vec<Arc<AtomicBool>>>>::default();
        let known = lines.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let dead = Arc::<AtomicBool>::default();
                known.lock().push(dead.clone());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || forward(from, to, &AtomicBool::new(false)));
                thread::spawn(move || forward(server, client, &dead));
            }
        });
        Self { port: own, lines }
    }

    /// From now on, existing connections receive nothing more. New connections work.
    pub fn silence(&self) {
        self.lines.lock().drain(..).for_each(|dead| dead.store(true, Ordering::Relaxed));
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, dead: &AtomicBool) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !dead.load(Ordering::Relaxed) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either side may be gone already.
    let _gone = to.shutdown(Shutdown::Both);
}
