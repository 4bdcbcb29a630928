//! The command line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::app::App;
use crate::auth::Auth;
use crate::auth::token::Vars;
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_FILE, Overrides, import, load};
use crate::presence::id::{UserId, Username};
use crate::presence::member_name::MemberName;

/// Exit code for a configuration or argument that is not usable.
const UNUSABLE: u8 = 2;

/// Who is here, on which device, with what status, told at once to whoever follows.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// Configuration file [default: hereabouts.toml, if it is there].
    #[arg(long, global = true)]
    config: Option<PathBuf>,

    /// Where to listen, over `server.address`.
    #[arg(long, global = true)]
    address: Option<String>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (default).
    Serve,
    /// Say whether the configuration is usable.
    CheckConfig,
    /// Print the configuration file with every key, its meaning and its default.
    DefaultConfig,
    /// Print the sections that say what a configuration file of Centrifugo (version 5 or 6) says.
    ImportConfig {
        /// The file: JSON, YAML or TOML, by its ending.
        file: PathBuf,
    },
    /// Print a Nakama session token, for development.
    Token {
        /// The user's id: a UUID, or any text, of which a UUID is made.
        #[arg(long)]
        user: String,
        /// The name that others see.
        #[arg(long)]
        username: String,
    },
    /// Print a userSig of Tencent Chat's dialect, for development.
    UserSig {
        /// The userID.
        user: String,
        /// How long it is good.
        #[arg(long, default_value = "180days", value_parser = humantime::parse_duration)]
        expire: Duration,
    },
}

/// Does what the arguments say.
pub fn run(arguments: Arguments, environment: HashMap<String, String>) -> ExitCode {
    let Arguments { config, address, command } = arguments;
    let command = command.unwrap_or(Command::Serve);
    let load = || load(&Overrides { file: config, address }, environment);
    let done = match command {
        Command::DefaultConfig => Ok(print(DEFAULT_FILE)),
        Command::Serve => load().map(|config| serve(&config)).map_err(anyhow::Error::from),
        Command::CheckConfig => load().map(|_| print("the configuration is usable\n")).map_err(anyhow::Error::from),
        Command::ImportConfig { file } => imported(&file).map(|text| print(&text)),
        Command::Token { user, username } => load()
            .map_err(anyhow::Error::from)
            .and_then(|config| token(&config, &user, &username))
            .map(|token| print(&format!("{token}\n"))),
        Command::UserSig { user, expire } => load()
            .map_err(anyhow::Error::from)
            .and_then(|config| user_sig(&config, &user, expire))
            .map(|text| print(&format!("{text}\n"))),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

fn serve(config: &Config) -> ExitCode {
    let served = actix_web::rt::System::new().block_on(async {
        let app = App::build(config, &Clock::system()).await?;
        app.run(stop_signal()).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Completes at SIGTERM or SIGINT, also when they come before it is awaited.
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            log::error!("signals cannot be caught: the server stops only by being killed");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// The largest file that is read.
const MAX_IMPORT_BYTES: u64 = 4 * 1024 * 1024;

fn imported(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let format = path.to_str().and_then(import::format);
    let format =
        format.ok_or_else(|| anyhow::anyhow!("{name}: expected a file that ends in .json, .yaml, .yml or .toml"))?;
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_IMPORT_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    anyhow::ensure!(text.len() as u64 <= MAX_IMPORT_BYTES, "{name}: expected at most {MAX_IMPORT_BYTES} bytes");
    let sections = import::import(&text, format).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    Ok(format!("# What {name} says, for hereabouts.toml.\n\n{sections}"))
}

fn token(config: &Config, user: &str, username: &str) -> anyhow::Result<String> {
    let username = Username::new(username).map_err(|error| anyhow::anyhow!("--username {username:?}: {error}"))?;
    let auth = Auth::new(&config.nakama, &Clock::system());
    Ok(auth.issue(UserId::from_name(user), &username, Vars::new()).session)
}

fn user_sig(config: &Config, user: &str, expire: Duration) -> anyhow::Result<String> {
    let account = MemberName::new(user).map_err(|error| anyhow::anyhow!("{user:?}: {error}"))?;
    let secret = config.tencent.secret_key.as_ref().context("tencent.secret_key = \"\": a secret is needed to sign")?;
    Ok(UserSigs::new(config.tencent.sdk_app_id, secret).make(&account, expire, Clock::system().time_of_day()))
}

fn print(text: &str) -> ExitCode {
    // Whoever reads may have gone away (`| head`).
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    // Without a place to say it, the exit code says it.
    let _nobody_reads = writeln!(std::io::stderr(), "hereabouts: {error}");
    ExitCode::from(UNUSABLE)
}
