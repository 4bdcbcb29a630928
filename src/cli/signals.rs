//! The signals of the operating system, on a thread of its own: a second stop must work also while the server is busy.

use std::io;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Exit code when a second signal ends the server before its drain has ended.
const HURRIED: i32 = 1;

/// Returns a future that completes at the first SIGTERM or SIGINT. A second one ends the process at once. SIGHUP,
/// SIGQUIT, SIGUSR1 and SIGUSR2, which would kill the process, only write a line.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _context = runtime.enter();
        Signals::register()?
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(signals.handle(stop)))?;
    Ok(async move {
        if stopped.await.is_err() {
            log::error!("signals are not handled any more: only SIGKILL stops the server");
            std::future::pending::<()>().await;
        }
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
    user: [Signal; 2],
}

impl Signals {
    fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            user: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    async fn handle(self, stop: oneshot::Sender<()>) {
        let Self { mut terminate, mut interrupt, mut hang_up, mut quit, user: [mut first, mut second] } = self;
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = terminate.recv() => stop_or_exit(&mut stop, "SIGTERM"),
                _ = interrupt.recv() => stop_or_exit(&mut stop, "SIGINT"),
                _ = hang_up.recv() => log::warn!("SIGHUP: reload not yet supported"),
                _ = quit.recv() => log::warn!("SIGQUIT ignored: SIGTERM stops the server"),
                _ = first.recv() => log::info!("SIGUSR1 ignored"),
                _ = second.recv() => log::info!("SIGUSR2 ignored"),
            }
        }
    }
}

/// Begins the drain at the first signal, and ends the process at the second.
fn stop_or_exit(stop: &mut Option<oneshot::Sender<()>>, name: &str) {
    let Some(stop) = stop.take() else {
        log::error!("a second signal ({name}): stopping without waiting for clients");
        exit(HURRIED);
    };
    log::info!("{name}: stopping; a second signal stops at once");
    // Fails when the server has ended, and the process with it.
    let _ended = stop.send(());
}
