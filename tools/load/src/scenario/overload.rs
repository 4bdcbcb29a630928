//! More updates than the machine can deliver.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{at_most, figure, grown, unharmed};
use crate::arguments::Arguments;
use crate::clock;
use crate::outcome::{Check, Outcome};
use crate::process::Kind;
use crate::scenario::fanout::{self, Shape};
use crate::stage::Stage;

/// Updates without an answer, per publisher, past which no more are sent: what the server does not take it need not
/// deliver.
const UNANSWERED: u64 = 20;

/// Publishers that go on at their pace whatever becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub publishers: u32,
    /// Updates of each a second.
    pub rate: u32,
}

impl Stream {
    /// Publishes for that long; how many updates were sent.
    pub fn run(self, stage: &mut Stage, seconds: f64) -> anyhow::Result<u64> {
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
                if stage.unanswered() < UNANSWERED * u64::from(publishers) {
                    stage.publish(next);
                    sent += 1;
                }
                next = (next + 1) % publishers;
            }
            stage.turn_within(Duration::from_millis(1))?;
        }
        Ok(sent)
    }
}

/// Asks the server how it does, twice a second.
struct Doctor {
    over: Arc<AtomicBool>,
    asking: JoinHandle<Health>,
}

#[derive(Default)]
struct Health {
    asked: u32,
    answered: u32,
    /// Milliseconds.
    slowest: f64,
}

impl Doctor {
    fn visit(address: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let asking = std::thread::spawn(move || {
            let mut health = Health::default();
            while !flag.load(Ordering::Relaxed) {
                let began = clock::seconds();
                health.asked += 1;
                health.answered += u32::from(is_healthy(address).unwrap_or(false));
                health.slowest = health.slowest.max((clock::seconds() - began) * 1000.0);
                std::thread::sleep(Duration::from_millis(500));
            }
            health
        });
        Self { over, asking }
    }

    fn report(self) -> Health {
        self.over.store(true, Ordering::Relaxed);
        self.asking.join().unwrap_or_default()
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
    let shape = Shape { publishers, followers, rounds: None };
    let mut stage = fanout::set_up(Kind::Server, shape, arguments, "overload")?;
    let before = stage.used().memory;
    let doctor = Doctor::visit(stage.servers.address(0));
    let stream = Stream { publishers, rate };
    stage.say("more than can be delivered");
    stage.measure();
    stream.run(&mut stage, f64::from(seconds) / 2.0)?;
    let half = stage.used().memory;
    let sent = stream.run(&mut stage, f64::from(seconds) / 2.0)?;
    let end = stage.used().memory;
    let stopped = stage.elapsed();
    stage.settle()?;
    let settled = stage.elapsed() - stopped;
    let health = doctor.report();
    let taken = f64::from(u32::try_from(sent)?) / f64::from(seconds) * 2.0;
    let figures = vec![
        figure("updates offered", f64::from(publishers * rate), "/s"),
        figure("updates taken", taken, "/s"),
        figure("deliveries owed by those", taken * f64::from(followers), "/s"),
        figure("all at the latest state after", settled, "s"),
        figure("memory at the start", grown(before, 0) / 1048576.0, "MiB"),
        figure("memory after half the time", grown(half, 0) / 1048576.0, "MiB"),
        figure("memory at the end", grown(end, 0) / 1048576.0, "MiB"),
        figure("slowest answer to /health", health.slowest, "ms"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers", followers.to_string()),
        ("seconds", seconds.to_string()),
    ];
    let mut outcome = stage.outcome("overload", parameters, figures);
    unharmed(&mut outcome);
    outcome.checks.push(Check {
        what: "/health answered".to_owned(),
        wanted: health.asked.to_string(),
        measured: health.answered.to_string(),
        holds: health.asked == health.answered,
    });
    outcome.checks.push(at_most(
        "memory at the end, of that after half the time",
        grown(end, 0) / grown(half, 0),
        1.1,
        "",
    ));
    Ok(outcome)
}
