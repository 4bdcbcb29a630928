//! The server under load: started, measured from outside, stopped by its process id.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

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

impl Process {
    /// Starts a server of this kind on a free port, or takes the one that was named.
    pub fn start(kind: Kind, arguments: &Arguments) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        if let (Kind::Server, Some(address)) = (kind, arguments.address) {
            return Ok(Self { child: None, pid: arguments.pid, address, _folder: folder });
        }
        let mut command = match kind {
            Kind::Server => Command::new(env!("CARGO_BIN_EXE_hereabouts")),
            Kind::Floor => Command::new(std::env::current_exe()?),
        };
        match kind {
            Kind::Server => command.args(["--address", "127.0.0.1:0"]).env("RUST_LOG", "warn,hereabouts=info"),
            Kind::Floor => command.arg("--floor-server"),
        };
        let mut child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server does not start")?;
        let stderr = child.stderr.take().context("the server has no stderr")?;
        let pid = child.id();
        match listening(stderr) {
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

/// Waits for the line that says where the server listens, and passes on what it says afterwards.
fn listening(stderr: impl Read + Send + 'static) -> anyhow::Result<SocketAddr> {
    let mut lines = BufReader::new(stderr).lines();
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let line = line?;
        if let Some((_, address)) = line.split_once("listening on http://") {
            let address = address.trim().parse()?;
            std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("server: {line}")));
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
