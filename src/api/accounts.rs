//! Signing in, staying signed in, signing out, and what accounts show.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;
use rand::RngExt;

use super::{ApiError, ErrorKind, validate};
use crate::auth::Auth;
use crate::auth::password::Passwords;
use crate::auth::token::{Claims, TokenPair};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::presence::id::{UserId, Username};
use crate::store::account::{Account, LoginKey, ProfileChange};
use crate::store::{Store, StoreError};

/// How somebody proves to be somebody.
pub enum Login {
    /// An id of the application's own.
    Custom(String),
    /// A device's id.
    Device(String),
    /// An e-mail address and a password; with an empty address, a username and a password.
    Email {
        /// Any case.
        email: String,
        /// In the clear; hashed at once.
        password: String,
    },
}

/// What a login wants besides.
pub struct LoginOptions {
    /// Make the account where there is none.
    pub create: bool,
    /// The name of a new account; none is a random one.
    pub username: Option<String>,
    /// Put into the tokens.
    pub vars: BTreeMap<String, String>,
}

/// Somebody is signed in.
pub struct Session {
    /// The account was made by this login.
    pub created: bool,
    /// To come back with.
    pub tokens: TokenPair,
}

/// A caller's own account, or another's.
pub struct AccountView {
    /// The record.
    pub account: Account,
    /// Visible on at least one connection.
    pub online: bool,
}

/// The operations on accounts.
pub struct Accounts {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Tokens.
    pub auth: Arc<Auth>,
    /// Passwords.
    pub passwords: Passwords,
    /// Who is online.
    pub engine: Engine,
    /// The time.
    pub clock: Clock,
}

impl Accounts {
    /// Signs somebody in, making the account if asked to.
    pub async fn authenticate(&self, login: Login, options: LoginOptions) -> Result<Session, ApiError> {
        let (key, password) = match login {
            Login::Custom(id) => {
                validate::custom_id(&id)?;
                (LoginKey::Custom(id), None)
            }
            Login::Device(id) => {
                validate::device_id(&id)?;
                (LoginKey::Device(id), None)
            }
            Login::Email { email, password } if email.is_empty() => {
                return self.authenticate_by_username(password, options).await;
            }
            Login::Email { email, password } => {
                validate::email(&email)?;
                validate::password(&password)?;
                (LoginKey::Email(email.to_lowercase()), Some(password))
            }
        };
        let username = options.username.as_deref().map(validate::username).transpose()?;
        validate::vars(&options.vars)?;
        // Whoever loses the race for a new login finds it made.
        for _ in 0..3 {
            if let Some(account) = self.store.find(key.clone()).await? {
                return self.admit(account, password, options.vars).await;
            }
            if !options.create {
                return Err(not_found());
            }
            match self.create(key.clone(), username.clone(), password.as_ref()).await {
                Ok(account) => return Ok(self.session(&account, options.vars, true)),
                Err(CreateError::Raced) => {}
                Err(CreateError::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::LoginTaken.into())
    }

    async fn authenticate_by_username(&self, password: String, options: LoginOptions) -> Result<Session, ApiError> {
        let Some(username) = options.username else {
            return Err(ApiError::invalid("Username is required when email address is not supplied."));
        };
        validate::password(&password)?;
        let username = validate::username(&username)?;
        validate::vars(&options.vars)?;
        let user = self.store.user_ids(vec![username]).await?.first().copied().ok_or_else(not_found)?;
        let account = self.store.account(user).await?.ok_or_else(not_found)?;
        self.admit(account, Some(password), options.vars).await
    }

    async fn admit(
        &self,
        account: Account,
        password: Option<String>,
        vars: BTreeMap<String, String>,
    ) -> Result<Session, ApiError> {
        if let Some(password) = password {
            let wrong = || ApiError::new(ErrorKind::Unauthenticated, "Invalid credentials.");
            let hash = account.password_hash.clone().ok_or_else(wrong)?;
            self.passwords.verify(account.id, password, hash, self.clock.now()).await?;
        }
        refuse_disabled(&account)?;
        Ok(self.session(&account, vars, false))
    }

    async fn create(
        &self,
        key: LoginKey,
        username: Option<Username>,
        password: Option<&String>,
    ) -> Result<Account, CreateError> {
        let hash = match password {
            Some(password) => Some(self.passwords.hash(password.clone()).await.map_err(ApiError::from)?),
            None => None,
        };
        let chosen = username.is_some();
        let mut account = Account::new(username.unwrap_or_else(random_username), key, hash, self.clock.time_of_day());
        for _ in 0..10 {
            match self.store.create(account.clone()).await {
                Ok(()) => return Ok(account),
                Err(StoreError::LoginTaken) => return Err(CreateError::Raced),
                Err(StoreError::UsernameTaken) if !chosen => account.username = random_username(),
                Err(error) => return Err(CreateError::Failed(error.into())),
            }
        }
        Err(CreateError::Failed(StoreError::UsernameTaken.into()))
    }

    fn session(&self, account: &Account, vars: BTreeMap<String, String>, created: bool) -> Session {
        Session { created, tokens: self.auth.issue(account.id, &account.username, vars) }
    }

    /// A new pair of tokens for a refresh token.
    pub async fn refresh(&self, token: &str, vars: BTreeMap<String, String>) -> Result<TokenPair, ApiError> {
        if token.is_empty() {
            return Err(ApiError::invalid("Refresh token is required."));
        }
        validate::vars(&vars)?;
        let invalid = |_| ApiError::new(ErrorKind::Unauthenticated, "Refresh token invalid or expired.");
        let claims = self.auth.verify_refresh(token).map_err(invalid)?;
        let account = self.store.account(claims.user).await?.ok_or_else(not_found)?;
        refuse_disabled(&account)?;
        Ok(self.auth.reissue(&claims, &account.username, vars))
    }

    /// Revokes the tokens given, which must be the caller's; with none given, all of the caller's older ones.
    pub fn logout(&self, caller: &Claims, session: &str, refresh: &str) -> Result<(), ApiError> {
        if session.is_empty() && refresh.is_empty() {
            return Ok(self.auth.revoke_all(caller.user)?);
        }
        let own = |claims: &Claims| claims.user == caller.user;
        let given = |token: &str, verified: Option<Claims>, message: &'static str| match verified.filter(own) {
            None if !token.is_empty() => Err(ApiError::invalid(message)),
            claims => Ok(claims),
        };
        let session = given(session, self.auth.verify_session(session).ok(), "Session token invalid.")?;
        let refresh = given(refresh, self.auth.verify_refresh(refresh).ok(), "Refresh token invalid.")?;
        if let Some(claims) = session {
            self.auth.revoke_session(&claims)?;
        }
        if let Some(claims) = refresh {
            self.auth.revoke_refresh(&claims)?;
        }
        Ok(())
    }

    /// The caller's own account.
    pub async fn account(&self, caller: UserId) -> Result<AccountView, ApiError> {
        let account = self.store.account(caller).await?.ok_or(StoreError::NoAccount)?;
        let online = !self.engine.online(None, vec![caller]).await?.is_empty();
        Ok(AccountView { account, online })
    }

    /// Changes the caller's profile.
    pub async fn update(&self, caller: UserId, update: ProfileUpdate) -> Result<(), ApiError> {
        let username = update.username.as_deref().map(validate::username).transpose()?;
        let texts = [
            ("display name", &update.display_name),
            ("avatar URL", &update.avatar_url),
            ("language tag", &update.lang_tag),
            ("location", &update.location),
            ("timezone", &update.timezone),
        ];
        for (what, text) in texts {
            validate::profile_text(what, text.as_deref().unwrap_or_default())?;
        }
        let change = ProfileChange {
            username,
            display_name: update.display_name,
            avatar_url: update.avatar_url,
            lang_tag: update.lang_tag,
            location: update.location,
            timezone: update.timezone,
            at: self.clock.time_of_day(),
        };
        self.store.update(caller, change).await?;
        Ok(())
    }

    /// Accounts by id and by username; unknown ones are passed over, each comes once. Whoever looks absent to the caller is
    /// not online.
    pub async fn users(
        &self,
        caller: UserId,
        ids: &[String],
        usernames: &[String],
    ) -> Result<Vec<AccountView>, ApiError> {
        let mut users = Vec::new();
        for id in ids {
            let invalid = || ApiError::invalid(format!("ID '{id}' is not a valid system ID."));
            users.push(UserId::parse(id).ok_or_else(invalid)?);
        }
        let usernames = usernames.iter().filter_map(|name| Username::new(name).ok()).collect();
        users.extend(self.store.user_ids(usernames).await?);
        let mut last_seen = HashSet::new();
        users.retain(|&user| last_seen.insert(user));
        let online = self.engine.online(Some(caller), users.clone()).await?;
        let mut found = Vec::new();
        for user in users {
            if let Some(account) = self.store.account(user).await? {
                found.push(AccountView { account, online: online.contains(&user) });
            }
        }
        Ok(found)
    }
}

/// What a caller wants to change; what is none stays.
#[derive(Default)]
pub struct ProfileUpdate {
    /// A new username, which must be free.
    pub username: Option<String>,
    /// A name for display.
    pub display_name: Option<String>,
    /// Where a picture is.
    pub avatar_url: Option<String>,
    /// The language.
    pub lang_tag: Option<String>,
    /// Where the user says to be.
    pub location: Option<String>,
    /// The time zone.
    pub timezone: Option<String>,
}

enum CreateError {
    /// Somebody else made the same login meanwhile.
    Raced,
    Failed(ApiError),
}

impl From<ApiError> for CreateError {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

fn not_found() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "User account not found.")
}

fn refuse_disabled(account: &Account) -> Result<(), ApiError> {
    if account.disabled {
        return Err(ApiError::new(ErrorKind::PermissionDenied, "User account banned."));
    }
    Ok(())
}

/// Ten random letters, as Nakama makes them.
fn random_username() -> Username {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    let text: String = (0..10).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
    Username::new(&text).expect("ten letters are a username")
}
