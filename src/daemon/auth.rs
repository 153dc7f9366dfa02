//! From the section `auth` of the settings to whose tokens are taken.

use super::delta;
use crate::app::access::{Algorithm, Keys, Terms};
use crate::config::{JwtAlgorithm, JwtConfig, JwtKeys};

/// What is expected of users' tokens.
pub fn terms(config: JwtConfig) -> Terms {
    Terms {
        issuer: config.issuer,
        audience: config.audience,
        algorithm: match config.algorithm {
            JwtAlgorithm::Hs256 => Algorithm::Hs256,
            JwtAlgorithm::Rs256 => Algorithm::Rs256,
            JwtAlgorithm::Es256 => Algorithm::Es256,
            JwtAlgorithm::EdDsa => Algorithm::EdDsa,
        },
        keys: match config.keys {
            JwtKeys::Secret(secret) => Keys::Secret(secret),
            JwtKeys::File(file) => Keys::File(file),
            JwtKeys::Url(address) => Keys::Url(address),
        },
        refresh: delta(config.refresh),
        leeway: delta(config.leeway),
        longest_life: delta(config.longest_life),
    }
}
