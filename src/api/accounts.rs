//! Nakama's accounts: sign-up, login, refresh, logout, and profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;
use rand::RngExt;

use super::token_authority::{TokenAuthority, TokenRejection};
use super::{ApiError, ErrorKind, validate};
use crate::auth::client_network::ClientNetwork;
use crate::auth::password::Passwords;
use crate::auth::token::{Claims, TokenPair};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::presence::id::{UserId, Username};
use crate::store::StoreError;
use crate::store::accounts::{Account, AccountStore, LoginKey, ProfileChange};

/// What a user logs in with.
pub enum Credentials {
    /// An id of the application's own.
    Custom(String),
    /// The id of a device.
    Device(String),
    /// An e-mail address and a password. An empty address means a login by username and password.
    Email {
        /// The address, in any case.
        email: String,
        /// The password as the user types it. Only its hash is stored.
        password: String,
    },
}

/// Options of a login.
pub struct LoginOptions {
    /// Whether an account is created when none has these credentials.
    pub create: bool,
    /// Username of a new account. `None` means a random one. A login by username and password needs it.
    pub username: Option<String>,
    /// What the client attaches to its tokens.
    pub vars: BTreeMap<String, String>,
    /// Where the client is.
    pub client: ClientNetwork,
}

/// The outcome of a login.
pub struct LoginResult {
    /// Whether this login created the account.
    pub created: bool,
    /// The tokens of the user.
    pub tokens: TokenPair,
}

/// An account and whether its user is online.
pub struct AccountView {
    /// The stored account.
    pub account: Account,
    /// Whether the user is visible on at least one connection.
    pub online: bool,
}

/// The operations on accounts.
pub struct Accounts {
    /// Stores the accounts.
    pub store: Arc<dyn AccountStore>,
    /// Issues and revokes tokens.
    pub auth: Arc<TokenAuthority>,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Knows which users are online.
    pub engine: Engine,
    /// The time of logins and changes.
    pub clock: Clock,
}

impl Accounts {
    /// Logs a user in. Creates the account when there is none and the options allow it.
    pub async fn authenticate(&self, credentials: Credentials, options: LoginOptions) -> Result<LoginResult, ApiError> {
        let (key, password) = match credentials {
            Credentials::Custom(id) => {
                validate::custom_id(&id)?;
                (LoginKey::Custom(id), None)
            }
            Credentials::Device(id) => {
                validate::device_id(&id)?;
                (LoginKey::Device(id), None)
            }
            Credentials::Email { email, password } if email.is_empty() => {
                return self.authenticate_by_username(password, options).await;
            }
            Credentials::Email { email, password } => {
                validate::email(&email)?;
                validate::password(&password)?;
                (LoginKey::Email(email.to_lowercase()), Some(password))
            }
        };
        options.username.as_deref().map(validate::username).transpose()?;
        validate::vars(&options.vars)?;
        // Two first logins may race to create the account. The slower one finds it in the next round.
        for _ in 0..3 {
            if let Some(account) = self.store.find(key.clone()).await? {
                return self.admit(account, password, options).await;
            }
            if !options.create {
                return Err(not_found());
            }
            let username = options.username.as_deref().map(validate::new_username).transpose()?;
            match self.create(key.clone(), username, password.as_ref(), options.client).await {
                Ok(account) => return Ok(self.issue_tokens(&account, options.vars, true)),
                Err(CreateError::Raced) => {}
                Err(CreateError::Failed(error)) => return Err(error),
            }
        }
        Err(StoreError::LoginTaken.into())
    }

    async fn authenticate_by_username(&self, password: String, options: LoginOptions) -> Result<LoginResult, ApiError> {
        let Some(username) = &options.username else {
            return Err(ApiError::invalid("Username is required when email address is not supplied."));
        };
        validate::password(&password)?;
        let mut names = vec![validate::username(username)?];
        validate::vars(&options.vars)?;
        // Accounts of earlier versions may have a name that is not in its normal form. Others are found by it.
        names.extend(validate::new_username(username).ok().filter(|normal| *normal != names[0]));
        let user = self.store.user_ids(names).await?.first().copied().ok_or_else(not_found)?;
        let account = self.store.account(user).await?.ok_or_else(not_found)?;
        self.admit(account, Some(password), options).await
    }

    async fn admit(
        &self,
        account: Account,
        password: Option<String>,
        options: LoginOptions,
    ) -> Result<LoginResult, ApiError> {
        if let Some(password) = password {
            let hash = account.password_hash.clone();
            self.passwords.verify(options.client, account.id, password, hash).await?;
        }
        refuse_disabled(&account)?;
        Ok(self.issue_tokens(&account, options.vars, false))
    }

    async fn create(
        &self,
        key: LoginKey,
        username: Option<Username>,
        password: Option<&String>,
        client: ClientNetwork,
    ) -> Result<Account, CreateError> {
        let hash = match password {
            Some(password) => Some(self.passwords.hash(client, password.clone()).await.map_err(ApiError::from)?),
            None => None,
        };
        let is_chosen = username.is_some();
        let mut account = Account::new(username.unwrap_or_else(random_username), key, hash, self.clock.time_of_day());
        for _ in 0..10 {
            match self.store.create(account.clone()).await {
                Ok(()) => return Ok(account),
                Err(StoreError::LoginTaken) => return Err(CreateError::Raced),
                Err(StoreError::UsernameTaken) if !is_chosen => account.username = random_username(),
                Err(error) => return Err(CreateError::Failed(error.into())),
            }
        }
        Err(CreateError::Failed(StoreError::UsernameTaken.into()))
    }

    fn issue_tokens(&self, account: &Account, vars: BTreeMap<String, String>, created: bool) -> LoginResult {
        LoginResult { created, tokens: self.auth.issue(account.id, &account.username, vars) }
    }

    /// Issues a new pair of tokens for a refresh token.
    pub async fn refresh(&self, token: &str, vars: BTreeMap<String, String>) -> Result<TokenPair, ApiError> {
        if token.is_empty() {
            return Err(ApiError::invalid("Refresh token is required."));
        }
        validate::vars(&vars)?;
        let claims = self.auth.verify_refresh(token).await;
        let claims = claims.map_err(|rejection| rejection.into_error("Refresh token invalid or expired."))?;
        let account = self.store.account(claims.user).await?.ok_or_else(not_found)?;
        refuse_disabled(&account)?;
        Ok(self.auth.reissue(&claims, &account.username, vars))
    }

    /// Revokes the given tokens, which must be the caller's. Without tokens, revokes all tokens that the caller got
    /// before.
    pub async fn logout(&self, caller: &Claims, session: &str, refresh: &str) -> Result<(), ApiError> {
        if session.is_empty() && refresh.is_empty() {
            return Ok(self.auth.revoke_all(caller.user).await?);
        }
        let own = |verified: Result<Claims, TokenRejection>, message: &'static str| match verified {
            Ok(claims) if claims.user == caller.user => Ok(Some(claims)),
            Ok(_) | Err(TokenRejection::Invalid) => Err(ApiError::invalid(message)),
            Err(TokenRejection::Unchecked(error)) => Err(error.into()),
        };
        let session = match session {
            "" => None,
            token => own(self.auth.verify_session(token).await, "Session token invalid.")?,
        };
        let refresh = match refresh {
            "" => None,
            token => own(self.auth.verify_refresh(token).await, "Refresh token invalid.")?,
        };
        Ok(self.auth.revoke(caller.user, session.as_ref(), refresh.as_ref()).await?)
    }

    /// Returns the caller's own account.
    pub async fn account(&self, caller: UserId) -> Result<AccountView, ApiError> {
        let account = self.store.account(caller).await?.ok_or(StoreError::NoAccount)?;
        let online = !self.engine.online(None, vec![caller]).await?.is_empty();
        Ok(AccountView { account, online })
    }

    /// Changes the caller's profile.
    pub async fn update(&self, caller: UserId, update: ProfileUpdate) -> Result<(), ApiError> {
        let username = match &update.username {
            None => None,
            Some(username) => Some(self.changed_username(caller, username).await?),
        };
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

    /// Checks the username in a change of the profile. The name that the account has already may stay as it is.
    async fn changed_username(&self, caller: UserId, text: &str) -> Result<Username, ApiError> {
        let name = validate::username(text)?;
        let account = self.store.account(caller).await?.ok_or(StoreError::NoAccount)?;
        if account.username == name { Ok(name) } else { validate::new_username(text) }
    }

    /// Returns accounts by id and by username, each once. Ignores unknown ones. A user who blocks the caller looks
    /// offline.
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
        let mut listed = HashSet::new();
        users.retain(|&user| listed.insert(user));
        let online = self.engine.online(Some(caller), users.clone()).await?;
        let mut views = Vec::new();
        for user in users {
            if let Some(account) = self.store.account(user).await? {
                views.push(AccountView { account, online: online.contains(&user) });
            }
        }
        Ok(views)
    }
}

/// Changes of a profile. `None` leaves a value as it is.
#[derive(Default)]
pub struct ProfileUpdate {
    /// The username, which no other account may have.
    pub username: Option<String>,
    /// The display name.
    pub display_name: Option<String>,
    /// The URL of a picture.
    pub avatar_url: Option<String>,
    /// The language tag.
    pub lang_tag: Option<String>,
    /// The location, as the user writes it.
    pub location: Option<String>,
    /// The time zone.
    pub timezone: Option<String>,
}

enum CreateError {
    /// Another login with the same credentials created the account first.
    Raced,
    /// Any other failure.
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

/// Returns ten random letters, as Nakama's random usernames are.
fn random_username() -> Username {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = rand::rng();
    let text: String = (0..10).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    Username::new(&text).expect("ten letters are a username")
}
