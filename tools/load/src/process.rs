//! A server under load, or its Redis: started, measured from outside, stopped by its process id.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, bail};

use crate::arguments::Arguments;

/// Which server is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// hereabouts.
    Server,
    /// The bare one.
    Floor,
}

/// A running server.
pub struct Process {
    child: Option<Child>,
    /// None: not to be measured.
    pid: Option<u32>,
    address: SocketAddr,
    /// Its working folder, removed with it.
    _folder: tempfile::TempDir,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Of all its threads since its start.
    pub cpu_seconds: f64,
    /// Bytes resident.
    pub memory: u64,
}

impl Usage {
    /// What came after `before`; the memory is that of the end.
    pub fn since(self, before: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, memory: self.memory }
    }
}

impl Process {
    /// Starts a server of this kind on a free port, or takes the one that was named.
    pub fn start(kind: Kind, arguments: &Arguments) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if let (Kind::Server, Some(address)) = (kind, arguments.address) {
            return Ok(Self { child: None, pid: arguments.pid, address, _folder: folder });
        }
        match kind {
            Kind::Server => Self::launch(server(arguments), folder, listening),
            Kind::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--floor-server");
                Self::launch(command, folder, listening)
            }
        }
    }

    /// Starts one of several nodes, which meet at this Redis.
    pub fn start_node(number: usize, redis: SocketAddr, arguments: &Arguments) -> anyhow::Result<Self> {
        let mut command = server(arguments);
        command.env("HEREABOUTS_CLUSTER__REDIS", format!("redis://{redis}"));
        command.env("HEREABOUTS_CLUSTER__NODE", format!("node{number}"));
        Self::launch(command, tempfile::tempdir()?, listening)
    }

    /// Starts a Redis that writes nothing to disk.
    pub fn start_redis() -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        let ready = move |line: &str| line.contains("Ready to accept connections").then_some(address);
        Self::launch(command, tempfile::tempdir()?, ready).context("no redis-server (Debian's package redis-server)")
    }

    /// Starts a process and waits until a line that it says tells where it listens.
    fn launch(
        mut command: Command,
        folder: tempfile::TempDir,
        ready: impl Fn(&str) -> Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server does not start")?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let stderr = child.stderr.take().context("the server has no stderr")?;
        let pid = child.id();
        match wait_for(lines_of(stdout, stderr), ready) {
            Ok(address) => Ok(Self { child: Some(child), pid: Some(pid), address, _folder: folder }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has used so far; zeros where that cannot be read.
    pub fn usage(&self) -> Usage {
        self.pid.and_then(usage).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing of it is kept: no need to drain. What fails here has ended by itself.
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}

fn server(arguments: &Arguments) -> Command {
    let mut command = Command::new(arguments.server.as_deref().unwrap_or(Path::new("hereabouts")));
    command.args(["--address", "127.0.0.1:0"]).env("RUST_LOG", "warn,hereabouts=info");
    command
}

/// Where a server says that it listens.
fn listening(line: &str) -> Option<SocketAddr> {
    line.split_once("listening on http://")?.1.trim().parse().ok()
}

/// What a process says, on either of its outputs.
fn lines_of(stdout: impl Read + Send + 'static, stderr: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let outputs: [Box<dyn Read + Send>; 2] = [Box::new(stdout), Box::new(stderr)];
    for output in outputs {
        let sender = sender.clone();
        std::thread::spawn(move || {
            // Who reads them may have ended.
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
    }
    lines
}

/// Waits for the line that says where the server listens, and passes on what it says afterwards.
fn wait_for(lines: Receiver<String>, ready: impl Fn(&str) -> Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    let mut said = Vec::new();
    while let Ok(line) = lines.recv() {
        if let Some(address) = ready(&line) {
            std::thread::spawn(move || lines.iter().for_each(|line| eprintln!("server: {line}")));
            return Ok(address);
        }
        said.push(line);
    }
    bail!("the server ended before it listened:\n{}", said.join("\n"))
}

/// `proc(5)`: the fields after the command's closing parenthesis; ticks are hundredths of a second on Linux.
fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(Usage { cpu_seconds: f64::from(ticks) / 100.0, memory: pages * 4096 })
}
