//! The command line. [`signals`] has the signals of a running server.

mod signals;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::app::App;
use crate::auth::token::{Tokens, Vars};
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_FILE, LossPolicy, Overrides, import, load};
use crate::presence::id::Username;
use crate::presence::member_name::MemberName;

/// Exit code when the configuration or an argument is not usable.
const UNUSABLE: u8 = 2;

/// A presence engine: which users are online, on which device, with what status, pushed at once to their followers.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// Configuration file [default: hereabouts.toml, if it exists].
    #[arg(long, global = true)]
    config: Option<PathBuf>,

    /// Address to listen on, in place of `server.address`.
    #[arg(long, global = true)]
    address: Option<String>,

    /// Start although the store on disk has lost records. Needed once, after a start that the loss refused.
    #[arg(long, global = true)]
    accept_loss: bool,

    #[command(subcommand)]
    command: Option<CliCommand>,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run the server (default).
    Serve,
    /// Check the configuration without a start.
    CheckConfig,
    /// Print the configuration file with every key, its documentation and its default.
    DefaultConfig,
    /// Convert a configuration file of Centrifugo (version 5 or 6), and print the sections.
    ImportConfig {
        /// The file: JSON, YAML or TOML, by its extension.
        file: PathBuf,
    },
    /// Print a Nakama session token, for development.
    Token {
        /// Id of the user: a UUID, or any text, from which a UUID is made.
        #[arg(long)]
        user: String,
        /// Name that other users see.
        #[arg(long)]
        username: String,
    },
    /// Print a userSig of Tencent Chat, for development.
    UserSig {
        /// userID of the user.
        user: String,
        /// How long the userSig is valid.
        #[arg(long, default_value = "180days", value_parser = humantime::parse_duration)]
        expire: Duration,
    },
}

/// Executes the command of the arguments. `environment` are the variables of the process.
pub fn run(arguments: Arguments, environment: HashMap<String, String>) -> ExitCode {
    let Arguments { config, address, accept_loss, command } = arguments;
    let loss_policy = if accept_loss { LossPolicy::Accept } else { LossPolicy::Refuse };
    let command = command.unwrap_or(CliCommand::Serve);
    let load = || load(&Overrides { file: config, address }, environment);
    let done = match command {
        CliCommand::DefaultConfig => Ok(print(DEFAULT_FILE)),
        CliCommand::Serve => load().map(|config| serve(config, loss_policy)).map_err(anyhow::Error::from),
        CliCommand::CheckConfig => load().map(|_| print("the configuration is usable\n")).map_err(anyhow::Error::from),
        CliCommand::ImportConfig { file } => imported(&file).map(|text| print(&text)),
        CliCommand::Token { user, username } => load()
            .map_err(anyhow::Error::from)
            .and_then(|config| token(&config, &user, &username))
            .map(|token| print(&format!("{token}\n"))),
        CliCommand::UserSig { user, expire } => load()
            .map_err(anyhow::Error::from)
            .and_then(|config| user_sig(&config, &user, expire))
            .map(|text| print(&format!("{text}\n"))),
    };
    done.unwrap_or_else(|error| refuse(&error))
}

fn serve(mut config: Config, loss_policy: LossPolicy) -> ExitCode {
    config.store.loss_policy = loss_policy;
    // What the server writes, its data above all, is for its own user only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let served = actix_web::rt::System::new().block_on(async {
        let stop = signals::stop_signal().context("signals cannot be handled")?;
        let app = App::build(&config, &Clock::system()).await?;
        app.run(stop).await
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Maximum size of a file to import.
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
    Ok(format!("# Settings of {name}, for hereabouts.toml.\n\n{sections}"))
}

fn token(config: &Config, user: &str, username: &str) -> anyhow::Result<String> {
    let username = Username::new(username).map_err(|error| anyhow::anyhow!("--username {username:?}: {error}"))?;
    let user = MemberName::new(user).map_err(|error| anyhow::anyhow!("--user {user:?}: {error}"))?.user();
    let (tokens, now) = (Tokens::new(&config.nakama), Clock::system().time_of_day());
    Ok(tokens.issue(user, &username, Vars::new(), now).session)
}

fn user_sig(config: &Config, user: &str, expire: Duration) -> anyhow::Result<String> {
    let member = MemberName::of_tencent(user).map_err(|error| anyhow::anyhow!("{user:?}: {error}"))?;
    let secret = config.tencent.secret_key.as_ref().context("tencent.secret_key = \"\": a secret is needed to sign")?;
    Ok(UserSigs::new(config.tencent.sdk_app_id, secret).make(&member, expire, Clock::system().time_of_day()))
}

fn print(text: &str) -> ExitCode {
    // The reader may have closed the pipe (`| head`).
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    // When stderr is closed, only the exit code tells.
    let _ignored = writeln!(std::io::stderr(), "hereabouts: {error}");
    ExitCode::from(UNUSABLE)
}
