//! The Redis under measurement.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// The counters of Redis from its start.
#[derive(Debug, Default)]
pub struct Usage {
    /// Commands, without those inside scripts.
    pub calls: f64,
    /// Reads from connections: far fewer than commands when those share round trips.
    pub reads: f64,
    /// Microseconds superseded in commands.
    pub micros: f64,
    /// Microseconds of CPU time of the process, in user space and in the kernel.
    pub cpu_micros: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
}

impl Usage {
    /// Returns the difference to an earlier reading.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            reads: self.reads - before.reads,
            micros: self.micros - before.micros,
            cpu_micros: self.cpu_micros - before.cpu_micros,
            bytes_in: self.bytes_in - before.bytes_in,
            bytes_out: self.bytes_out - before.bytes_out,
        }
    }
}

/// A `redis-server` without persistence, which ends with the measurement.
pub struct Server {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--dir", folder.path().to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed (Debian's package redis-server)");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")), "redis-server ended");
        thread::spawn(move || lines.for_each(drop));
        Self { process, port, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Reads the counters.
    pub fn usage(&self) -> Usage {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let info: String = redis::cmd("INFO").arg("all").query(&mut connection).unwrap();
        let field = |name: &str| -> f64 {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
        };
        let mut usage = Usage {
            cpu_micros: (field("used_cpu_user") + field("used_cpu_sys")) * 1e6,
            reads: field("total_reads_processed"),
            bytes_in: field("total_net_input_bytes"),
            bytes_out: field("total_net_output_bytes"),
            ..Usage::default()
        };
        for (command, calls, micros) in info.lines().filter_map(read_command) {
            if NODE_COMMANDS.contains(&command) {
                usage.calls += calls;
                usage.micros += micros;
            }
        }
        usage
    }
}

/// Commands that nodes send. The others run inside scripts, and their time is part of `evalsha`.
const NODE_COMMANDS: [&str; 5] = ["evalsha", "hgetall", "ssubscribe", "xrange", "smembers"];

/// Reads `cmdstat_name:calls=1,usec=2,…`.
fn read_command(line: &str) -> Option<(&str, f64, f64)> {
    let (name, fields) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let field = |wanted: &str| {
        let value = fields.split(',').find_map(|field| field.strip_prefix(wanted)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok())
    };
    Some((name, field("calls")?, field("usec")?))
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}
