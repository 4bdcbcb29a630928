//! One process under load, a server or Redis: start, measurement from outside, stop.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, bail};

use crate::arguments::Arguments;

/// Which server is under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// hereabouts.
    Hereabouts,
    /// The bare server of [`crate::floor`].
    Floor,
}

/// A running process, which ends when this is dropped.
pub struct Process {
    /// `None` for a server that `--address` names: it goes on.
    child: Option<Child>,
    /// `None` when CPU time and memory cannot be measured.
    pid: Option<u32>,
    address: SocketAddr,
    /// The working folder, which is removed with the process.
    _folder: tempfile::TempDir,
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time of all threads from the start of the process.
    pub cpu_seconds: f64,
    /// Resident bytes.
    pub memory: u64,
}

impl Usage {
    /// Returns the CPU time after `before`, and the memory at the end.
    pub fn since(self, before: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds - before.cpu_seconds, memory: self.memory }
    }
}

impl Process {
    /// Starts a server of this kind on a free port, or takes the one at `--address`.
    pub fn start(kind: ServerKind, arguments: &Arguments) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if let (ServerKind::Hereabouts, Some(address)) = (kind, arguments.address) {
            return Ok(Self { child: None, pid: arguments.pid, address, _folder: folder });
        }
        match kind {
            ServerKind::Hereabouts => Self::launch(server(arguments), folder, listening).context(SERVER),
            ServerKind::Floor => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--floor-server");
                Self::launch(command, folder, listening)
            }
        }
    }

    /// Starts one of several nodes with this Redis.
    pub fn start_node(number: usize, redis: SocketAddr, arguments: &Arguments) -> anyhow::Result<Self> {
        let mut command = server(arguments);
        command.env("HEREABOUTS_CLUSTER__REDIS", format!("redis://{redis}"));
        command.env("HEREABOUTS_CLUSTER__NODE", format!("node{number}"));
        Self::launch(command, tempfile::tempdir()?, listening).context(SERVER)
    }

    /// Starts a Redis without persistence.
    pub fn start_redis() -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""]);
        let ready = move |line: &str| line.contains("Ready to accept connections").then_some(address);
        Self::launch(command, tempfile::tempdir()?, ready)
            .context("redis-server is needed (Debian's package redis-server)")
    }

    /// Starts a process and waits for the output line from which `ready` reads the address.
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
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let stdout = child.stdout.take().context("the process has no stdout")?;
        let stderr = child.stderr.take().context("the process has no stderr")?;
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

    /// Returns the address at which the process listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what the process has used so far, or zeros when that cannot be read.
    pub fn usage(&self) -> Usage {
        self.pid.and_then(usage).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing of it is kept, so it need not drain. Both fail if it has ended already.
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}

/// What an error about the server adds.
const SERVER: &str = "the server did not start (--server PATH names its executable)";

fn server(arguments: &Arguments) -> Command {
    let mut command = Command::new(arguments.server.as_deref().unwrap_or(Path::new("hereabouts")));
    command.args(["--address", "127.0.0.1:0"]).env("RUST_LOG", "warn,hereabouts=info");
    command
}

/// Reads the address from the line in which a server logs it.
fn listening(line: &str) -> Option<SocketAddr> {
    line.split_once("listening on http://")?.1.trim().parse().ok()
}

/// Returns the lines of both outputs in order of arrival.
fn lines_of(stdout: impl Read + Send + 'static, stderr: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let outputs: [Box<dyn Read + Send>; 2] = [Box::new(stdout), Box::new(stderr)];
    for output in outputs {
        let sender = sender.clone();
        std::thread::spawn(move || {
            // Ends early when nothing receives the lines.
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
    }
    lines
}

/// Waits for the line that holds the address and prints the lines that follow it.
fn wait_for(lines: Receiver<String>, ready: impl Fn(&str) -> Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    let mut before = Vec::new();
    while let Ok(line) = lines.recv() {
        if let Some(address) = ready(&line) {
            std::thread::spawn(move || lines.iter().for_each(|line| eprintln!("server: {line}")));
            return Ok(address);
        }
        before.push(line);
    }
    bail!("the process ended before it listened:\n{}", before.join("\n"))
}

/// Returns the bytes that the kernel holds for all TCP sockets of this machine, or zero when that cannot be read.
pub fn socket_memory() -> u64 {
    let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let pages = tcp.split_whitespace().skip_while(|&word| word != "mem").nth(1);
    pages.and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// Reads `proc(5)`: the fields after the command's closing parenthesis. Ticks are hundredths of a second on Linux.
fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(Usage { cpu_seconds: f64::from(ticks) / 100.0, memory: pages * 4096 })
}
