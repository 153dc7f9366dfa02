//! The administrator's password: what it must be, and its hash by argon2id (RFC 9106), salted and
//! keyed with the vault's index key, so that a stolen store alone lets nobody try passwords.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::super::{App, Error};
use crate::model::administrator::Administrator;
use crate::model::audit::Act;
use crate::model::invalid::Invalid;

/// In characters. Shorter ones can be guessed (NIST SP 800-63B, ASVS 6.2.1).
const SHORTEST: usize = 12;
/// In characters. A longer one is a mistake, or costs us work.
const LONGEST: usize = 128;
/// Long enough, and still the first that anybody tries: in small letters.
const OBVIOUS: [&str; 16] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "administrator",
    "administrator1",
    "calbridge1234",
    "calbridgecalbridge",
    "changemechangeme",
    "googlecalendar",
    "iloveyou1234",
    "letmeinletmein",
    "password1234",
    "password12345",
    "passwordpassword",
    "qwertyuiop123",
    "qwertyuiopasdfghjkl",
];

/// What OWASP's password storage cheat sheet asks of argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// So many are hashed at once.
const AT_ONCE: usize = 2;
/// And so many wait for that. A crowd beyond is sent away at once.
const WAITING: usize = 16;
/// Stands for a password that was never set: no password has it, and it takes as long to find that
/// out.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$\
                       AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where passwords are hashed, a few at once.
pub(super) struct Mill {
    door: Semaphore,
    places: Semaphore,
}

impl Default for Mill {
    fn default() -> Self {
        Self { door: Semaphore::new(AT_ONCE + WAITING), places: Semaphore::new(AT_ONCE) }
    }
}

impl Mill {
    /// Does `work`, which takes long, off the threads that serve requests.
    async fn grind<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _waiting = self.door.try_acquire().map_err(|_| Error::TooManyTries { secs: 1 })?;
        let _place = self.places.acquire().await.expect("the places are never closed");
        Ok(tokio::task::spawn_blocking(work).await.expect("hashing does not panic"))
    }
}

/// Refuses a password that could be guessed.
pub(super) fn check(password: &SecretString) -> Result<(), Invalid> {
    let password = password.expose_secret();
    if !(SHORTEST..=LONGEST).contains(&password.chars().count()) {
        return Err(Invalid::new("new_password", "12 to 128 characters, any you like"));
    }
    let small = password.to_lowercase();
    let mut distinct: Vec<char> = small.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if OBVIOUS.contains(&small.as_str()) || distinct.len() < 4 {
        let rule = "one that nobody would try first, such as four words by chance";
        return Err(Invalid::new("new_password", rule));
    }
    Ok(())
}

/// Voids the administrator's password, if one was set: `act` says why. A setup code sets another.
pub async fn void_password(app: &App, act: Act) -> Result<(), Error> {
    if app.store.administrator().await?.is_none() {
        return Ok(());
    }
    let nobody = Administrator { password: NOBODYS.to_owned(), set: app.clock.now() };
    Ok(app.store.put_administrator(nobody, act).await?)
}

/// What is stored of a password.
pub(super) async fn hash(app: &App, password: SecretString) -> Result<String, Error> {
    let (pepper, salt) = (pepper(app), app.random.bytes::<16>());
    let work = move || {
        let hash =
            argon(&pepper).hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
        hash.expect("a salt of 16 bytes and a short password can be hashed").to_string()
    };
    app.gate.mill.grind(work).await
}

/// Whether this is the account's password. Of an account that is not there, as much is worked out.
pub(super) async fn is_right(
    app: &App,
    account: Option<Administrator>,
    password: SecretString,
) -> Result<bool, Error> {
    let pepper = pepper(app);
    let work = move || {
        let stored = account.as_ref().map_or(NOBODYS, |account| &account.password);
        let right = PasswordHash::new(stored).is_ok_and(|stored| {
            argon(&pepper).verify_password(password.expose_secret().as_bytes(), &stored).is_ok()
        });
        right && account.is_some()
    };
    app.gate.mill.grind(work).await
}

fn argon(pepper: &[u8; 32]) -> Argon2<'_> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("they lie within argon2's bounds");
    Argon2::new_with_secret(pepper, argon2::Algorithm::Argon2id, Version::V0x13, params)
        .expect("32 bytes are no long secret")
}

fn pepper(app: &App) -> [u8; 32] {
    app.vault.tag("password", &[])
}
