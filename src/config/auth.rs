//! The section `auth`: whose tokens are taken, and what proves that they are theirs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::check::travels_safely;
use super::reader::Reader;

/// Who may call.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    /// Tokens of the calling application's users; none are taken without.
    pub jwt: Option<JwtConfig>,
}

/// Tokens of the calling application's users.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// What their `iss` must be.
    pub issuer: String,
    /// What their `aud` must hold.
    pub audience: String,
    /// How they are signed.
    pub algorithm: JwtAlgorithm,
    /// What proves it.
    pub keys: JwtKeys,
    /// After so long the key set is read again.
    pub refresh: Duration,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// No token may be good for longer.
    pub longest_life: Duration,
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA with PKCS #1 v1.5 padding and SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// What proves that a token is the application's.
#[derive(Clone, Debug)]
pub enum JwtKeys {
    /// A secret that both sides know.
    Secret(SecretString),
    /// A JWK set in a file.
    File(PathBuf),
    /// A JWK set at an address.
    Url(Url),
}

const ISSUER: &str = "auth.jwt.issuer";
const ALGORITHM: &str = "auth.jwt.algorithm";
const AUDIENCE: &str = "auth.jwt.audience";
const SECRET_FILE: &str = "auth.jwt.secret_file";
const JWKS_FILE: &str = "auth.jwt.jwks_file";
const JWKS_URL: &str = "auth.jwt.jwks_url";

/// A shorter secret could be guessed from one token (RFC 7518 §3.2).
const SHORTEST_SECRET: usize = 32;
const LONGEST_SECRET: u64 = 4096;

impl Reader {
    pub(super) fn auth(&mut self) -> AuthConfig {
        let issuer = self.optional(ISSUER);
        let audience = self.optional(AUDIENCE);
        let algorithm = self.choice(
            ALGORITHM,
            &[
                ("RS256", JwtAlgorithm::Rs256),
                ("HS256", JwtAlgorithm::Hs256),
                ("ES256", JwtAlgorithm::Es256),
                ("EdDSA", JwtAlgorithm::EdDsa),
            ],
        );
        let sources = [SECRET_FILE, JWKS_FILE, JWKS_URL].map(|key| (key, self.optional(key)));
        let refresh = self.seconds("auth.jwt.jwks_refresh_secs", 60..=86_400);
        let leeway = self.seconds("auth.jwt.leeway_secs", 0..=300);
        let longest_life = self.seconds("auth.jwt.longest_life_secs", 60..=2_592_000);
        let Some(issuer) = issuer else {
            let said = sources.iter().find(|(_, value)| value.is_some()).map(|(key, _)| *key);
            if let Some(key) = said.or(audience.map(|_| AUDIENCE)) {
                self.fault(key, "means nothing without auth.jwt.issuer: write that too");
            }
            return AuthConfig { jwt: None };
        };
        let audience = audience.unwrap_or_else(|| {
            self.fault(
                AUDIENCE,
                "is needed where auth.jwt.issuer is written, or tokens for others would be taken; \
                 such as `calbridge`",
            );
            String::new()
        });
        let keys = self.keys(algorithm, sources);
        let jwt = keys.map(|keys| JwtConfig {
            issuer,
            audience,
            algorithm,
            keys,
            refresh,
            leeway,
            longest_life,
        });
        AuthConfig { jwt }
    }

    fn keys(
        &mut self,
        algorithm: JwtAlgorithm,
        sources: [(&'static str, Option<String>); 3],
    ) -> Option<JwtKeys> {
        let mut written = sources.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let shared = algorithm == JwtAlgorithm::Hs256;
        let Some((key, value)) = written.next() else {
            let rule = if shared {
                "needs auth.jwt.secret_file, the file of the secret that both sides know"
            } else {
                "needs the application's public keys: write auth.jwt.jwks_file or auth.jwt.jwks_url"
            };
            self.fault(ALGORITHM, rule);
            return None;
        };
        if let Some((second, _)) = written.next() {
            self.fault(second, format!("stands beside {key}: write one of them"));
            return None;
        }
        if shared != (key == SECRET_FILE) {
            let rule = if shared {
                "is of no use with HS256: write auth.jwt.secret_file, or another auth.jwt.algorithm"
            } else {
                "is for auth.jwt.algorithm = \"HS256\" alone: write auth.jwt.jwks_file or \
                 auth.jwt.jwks_url"
            };
            self.fault(key, rule);
            return None;
        }
        match key {
            SECRET_FILE => self.secret(Path::new(&value)).map(JwtKeys::Secret),
            JWKS_FILE => Some(JwtKeys::File(value.into())),
            _ => self.jwks_url(&value).map(JwtKeys::Url),
        }
    }

    fn secret(&mut self, file: &Path) -> Option<SecretString> {
        let fault = match std::fs::metadata(file) {
            Err(error) => Some(format!("cannot be read: {error}")),
            Ok(data) if !data.is_file() => Some("must be a file".to_owned()),
            Ok(data) if data.mode() & 0o077 != 0 => {
                Some(format!("can be read by others on this machine: chmod 600 {}", file.display()))
            }
            Ok(data) if data.len() > LONGEST_SECRET => {
                Some(format!("must hold at most {LONGEST_SECRET} bytes"))
            }
            Ok(_) => None,
        };
        if let Some(fault) = fault {
            self.fault(SECRET_FILE, fault);
            return None;
        }
        match std::fs::read_to_string(file) {
            Err(error) => {
                self.fault(SECRET_FILE, format!("cannot be read as text: {error}"));
                None
            }
            Ok(text) if text.trim().len() < SHORTEST_SECRET => {
                self.fault(
                    SECRET_FILE,
                    format!(
                        "must hold {SHORTEST_SECRET} bytes at least, or the secret could be guessed \
                         from a token; `openssl rand -base64 48` makes one"
                    ),
                );
                None
            }
            Ok(text) => Some(text.trim().into()),
        }
    }

    fn jwks_url(&mut self, written: &str) -> Option<Url> {
        let url = Url::parse(written).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        match url {
            Some(url) if travels_safely(&url) => Some(url),
            Some(_) => {
                self.fault(
                    JWKS_URL,
                    "must be https, or on this machine: whoever can change the keys on the way can \
                     be every user",
                );
                None
            }
            None => {
                self.fault(
                    JWKS_URL,
                    "must be an absolute https address, without a name or password",
                );
                None
            }
        }
    }
}
