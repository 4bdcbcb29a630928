//! A Redis server for one test. It ends with the test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use redis::{Client, Connection, FromRedisValue, ToRedisArgs};
use tempfile::TempDir;

/// A `redis-server` process with its folder.
pub struct RedisServer {
    process: Option<Child>,
    folder: TempDir,
    pub port: u16,
    arguments: Vec<String>,
    password: Option<String>,
}

/// Distance from a cluster server's port to the port of its bus.
const BUS: u16 = 10_000;

/// Ports below the kernel's ephemeral range, buses included, so that a free port stays free.
const FIRST_PORT: u16 = 11_000;
const PORTS: u16 = 11_000;

/// Returns a port that is free, with the port of its bus. Each port is returned once.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(101).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = FIRST_PORT + u16::try_from(number % u32::from(PORTS)).unwrap();
        if [port, port + BUS].iter().all(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
}

impl RedisServer {
    /// Starts a server without persistence.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with additional arguments.
    pub fn with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let password = arguments.iter().position(|argument| argument == "--requirepass");
        let password = password.map(|index| arguments[index + 1].clone());
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self { process: None, folder, port: free_port(), arguments, password };
        server.start_again();
        server
    }

    /// Starts the process again on the same port, with the data in its folder, and waits until it accepts connections.
    pub fn start_again(&mut self) {
        let fixed = ["--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes"];
        self.launch(&fixed, "Ready to accept connections");
    }

    fn launch(&mut self, fixed: &[&str], ready: &str) {
        // The settings file must be the first argument.
        let (file, arguments) = match self.arguments.split_first() {
            Some((file, rest)) if file.ends_with(".conf") => (Some(file), rest),
            Some(_) | None => (None, &self.arguments[..]),
        };
        let mut process = Command::new("redis-server")
            .args(file)
            .args(["--port", &self.port.to_string(), "--dir", self.folder.path().to_str().unwrap()])
            .args(fixed)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed (Debian's package redis-server)");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut last_seen = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("redis-server ended:\n{last_seen}")).unwrap();
            last_seen = format!("{last_seen}{line}\n");
            if line.contains(ready) {
                break;
            }
        }
        // Later output is read too, so that the server never waits for a reader.
        thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
    }

    /// Starts a sentinel that monitors this server as `main` and replaces it after `patience` milliseconds without it.
    pub fn sentinel(&self, patience: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let lines = [
            format!("sentinel monitor main 127.0.0.1 {} 1", self.port),
            format!("sentinel down-after-milliseconds main {patience}"),
            "sentinel failover-timeout main 5000".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let arguments = vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()];
        let mut sentinel = Self { process: None, folder, port: free_port(), arguments, password: None };
        sentinel.launch(&[], "+monitor master main");
        sentinel
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs");
        assert!(Command::new("kill").args([name, &process.id().to_string()]).status().unwrap().success());
    }

    /// Returns the server's address for the configuration.
    pub fn url(&self) -> String {
        let login = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{login}127.0.0.1:{}", self.port)
    }

    /// Opens a connection for the test.
    pub fn connection(&self) -> Connection {
        Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Sends one command. A server that changes its role drops its connections; then the command is sent once more.
    pub fn command<T: FromRedisValue>(&self, words: &[impl ToRedisArgs]) -> T {
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word);
        });
        let client = Client::open(self.url()).unwrap();
        let send = || client.get_connection().and_then(|mut connection| command.query(&mut connection));
        send().or_else(|_| send()).unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
