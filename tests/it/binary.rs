//! The built binary, run as its users run it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::world::PATIENCE;

/// A running server process; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// What it logged before it listened.
    start: Vec<String>,
    /// What it logs after its start.
    log: Receiver<String>,
    folder: tempfile::TempDir,
}

/// The command with nothing of this process's environment that could change what it does.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hereabouts"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEREABOUTS_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end in an empty folder.
pub fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command().args(arguments).envs(variables.iter().copied()).current_dir(folder.path()).output().unwrap()
}

/// Runs it to its end in a folder that may hold the data of an earlier server.
pub fn run_in(folder: &std::path::Path, arguments: &[&str]) -> Output {
    command().args(arguments).current_dir(folder).output().unwrap()
}

impl Server {
    /// Starts it on a free port and waits until it listens.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), variables)
    }

    /// Starts it in a folder that may hold the data of an earlier server.
    pub fn start_in(folder: tempfile::TempDir, variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(), folder, variables)
    }

    /// Starts it there and accepts that records were lost.
    pub fn start_after_loss(folder: tempfile::TempDir) -> Self {
        let mut command = command();
        command.arg("--accept-loss");
        Self::spawn(command, folder, &[])
    }

    /// Starts it with its data on a file system of this many MiB, which is gone with the process. The file system is
    /// mounted in a mount namespace of the process, which root may make, and others within a user namespace.
    pub fn start_on_small_disk(mebibytes: u32, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let server = command();
        let mount = format!("mount -t tmpfs -o size={mebibytes}m tmpfs data && exec \"$0\" \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", &mount]).arg(server.get_program());
        for (name, _) in server.get_envs() {
            command.env_remove(name);
        }
        Self::spawn(command, folder, variables)
    }

    fn spawn(mut command: Command, folder: tempfile::TempDir, variables: &[(&str, &str)]) -> Self {
        let mut child = command
            .args(["--address", "127.0.0.1:0"])
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (line_to, log) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line_to.send(line).is_err() {
                    return;
                }
            }
        });
        let mut start = Vec::new();
        let address = loop {
            let line = log.recv_timeout(Duration::from_secs(20)).expect("the server did not say that it listens");
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.parse().unwrap();
            }
            start.push(line);
        };
        Self { child, address, start, log, folder }
    }

    /// The folder of its data, as the process sees it.
    pub fn data(&self) -> std::path::PathBuf {
        let folder = self.folder.path().join("data");
        std::path::Path::new("/proc")
            .join(self.child.id().to_string())
            .join("root")
            .join(folder.strip_prefix("/").unwrap())
    }

    /// Waits for a line of its log with all these texts.
    pub fn logs(&self, parts: &[&str]) {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with {parts:?}"));
            if parts.iter().all(|part| line.contains(part)) {
                return;
            }
        }
    }

    /// A development token, minted by the binary itself.
    pub fn token(name: &str) -> String {
        let output = run(&["token", "--user", name, "--username", name], &[]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What `/metrics` says of this one, over all dialects.
    pub async fn metric(&self, name: &str) -> i64 {
        let client = awc::Client::builder().timeout(PATIENCE).finish();
        let mut response = client.get(format!("http://{}/metrics", self.address)).send().await.unwrap();
        let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values: Vec<i64> =
            text.lines().filter(of_name).map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
        assert!(!values.is_empty(), "no {name} in {text}");
        values.iter().sum()
    }

    /// The address that it listens on for gRPC.
    pub fn grpc_address(&self) -> SocketAddr {
        let address = self.start.iter().find_map(|line| line.split_once("listening for gRPC on "));
        address.expect("no gRPC").1.parse().unwrap()
    }

    /// Sends it this signal, without `SIG`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Counts the lines with this text that it has logged since its start.
    pub fn count_lines(&self, text: &str) -> usize {
        self.log.try_iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for its end, and returns its exit code.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Bytes resident.
    pub fn memory(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    /// Kills it without a chance to say anything, and returns what it leaves behind.
    pub fn crash(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Sends SIGTERM, waits, and returns the exit code with what was logged at warning or above.
    pub fn stop(mut self) -> (Option<i32>, Vec<String>) {
        self.terminate()
    }

    /// Sends SIGTERM, waits, and returns the folder with its data.
    pub fn stop_and_leave(mut self) -> tempfile::TempDir {
        assert_eq!(self.terminate(), (Some(0), vec![]));
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    fn terminate(&mut self) -> (Option<i32>, Vec<String>) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        let is_trouble = |line: &String| line.contains(" WARN ") || line.contains(" ERROR ");
        // That is the machine's.
        let is_pause = |line: &String| line.contains("stood still");
        (status.code(), self.log.iter().filter(is_trouble).filter(|line| !is_pause(line)).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Stopped already: then there is nobody to kill.
        let _stopped = self.child.kill();
        let _reaped = self.child.wait();
    }
}
