//! More updates than the machine can deliver.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{at_most, figure, growth, require_no_losses};
use crate::arguments::Arguments;
use crate::clock;
use crate::harness::Harness;
use crate::outcome::{Check, Outcome};
use crate::process::ServerKind;
use crate::scenario::fanout::{self, Shape};

/// Maximum number of unanswered updates per publisher. At the maximum no more are sent: the server need not deliver what
/// it has not accepted.
const MAX_UNANSWERED: u64 = 20;

/// Publishers that send at a fixed rate, independent of what the server does.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub publishers: u32,
    /// Updates of each publisher per second.
    pub rate: u32,
}

impl Stream {
    /// Publishes for this long and returns how many updates were sent.
    pub fn run(self, harness: &mut Harness, seconds: f64) -> anyhow::Result<u64> {
        let Self { publishers, rate } = self;
        let began = clock::micros();
        let total = (f64::from(publishers) * f64::from(rate) * seconds).round();
        let gap = seconds * 1e6 / total;
        let (mut due, mut sent) = (0.0, 0);
        let mut next = 0;
        while due < total {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a few minutes")]
            let passed = (clock::micros() - began) as f64;
            while due < total && due * gap <= passed {
                due += 1.0;
                if harness.unanswered() < MAX_UNANSWERED * u64::from(publishers) {
                    harness.publish(next);
                    sent += 1;
                }
                next = (next + 1) % publishers;
            }
            harness.poll_for(Duration::from_millis(1))?;
        }
        Ok(sent)
    }
}

/// Requests `/health` twice a second.
struct HealthProbe {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Health>,
}

#[derive(Default)]
struct Health {
    requests: u32,
    successes: u32,
    /// Milliseconds of the slowest reply.
    slowest: f64,
}

impl HealthProbe {
    fn start(address: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let thread = std::thread::spawn(move || {
            let mut health = Health::default();
            while !flag.load(Ordering::Relaxed) {
                let began = clock::seconds();
                health.requests += 1;
                health.successes += u32::from(is_healthy(address).unwrap_or(false));
                health.slowest = health.slowest.max((clock::seconds() - began) * 1000.0);
                std::thread::sleep(Duration::from_millis(500));
            }
            health
        });
        Self { over, thread }
    }

    fn stop(self) -> Health {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn is_healthy(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200")
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let publishers = arguments.publishers.unwrap_or(arguments.scaled(100));
    let followers = arguments.followers.unwrap_or(arguments.scaled(1_000));
    let rate = arguments.rate.unwrap_or(50);
    let seconds = arguments.seconds.unwrap_or(arguments.scaled_seconds(30));
    let shape = Shape { publishers, followers, updates: None };
    let mut harness = fanout::set_up(ServerKind::Hereabouts, shape, arguments, "overload")?;
    let before = harness.used().memory;
    let probe = HealthProbe::start(harness.servers.address(0));
    let stream = Stream { publishers, rate };
    harness.show("more than can be delivered");
    harness.start_measurement();
    stream.run(&mut harness, f64::from(seconds) / 2.0)?;
    let half = harness.used().memory;
    let sent = stream.run(&mut harness, f64::from(seconds) / 2.0)?;
    let end = harness.used().memory;
    let stopped = harness.elapsed();
    harness.settle()?;
    let settled = harness.elapsed() - stopped;
    let health = probe.stop();
    let accepted = f64::from(u32::try_from(sent)?) / f64::from(seconds) * 2.0;
    let figures = vec![
        figure("updates offered", f64::from(publishers * rate), "/s"),
        figure("updates accepted", accepted, "/s"),
        figure("deliveries of those", accepted * f64::from(followers), "/s"),
        figure("all at the latest state after", settled, "s"),
        figure("memory at the start", growth(before, 0) / 1048576.0, "MiB"),
        figure("memory after half the time", growth(half, 0) / 1048576.0, "MiB"),
        figure("memory at the end", growth(end, 0) / 1048576.0, "MiB"),
        figure("slowest answer to /health", health.slowest, "ms"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers", followers.to_string()),
        ("seconds", seconds.to_string()),
    ];
    let mut outcome = harness.finish("overload", parameters, figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(Check {
        what: "/health answered".to_owned(),
        wanted: health.requests.to_string(),
        measured: health.successes.to_string(),
        holds: health.requests == health.successes,
    });
    outcome.checks.push(at_most(
        "memory at the end, of that after half the time",
        growth(end, 0) / growth(half, 0),
        1.1,
        "",
    ));
    Ok(outcome)
}
