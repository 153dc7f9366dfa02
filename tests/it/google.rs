//! The room that knows Google, against answers written by hand: what is sent, and what is made of
//! what comes back.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod answers;
mod credentials;
mod events;
mod inserts;
mod oauth;
mod simulated;
mod wire;
