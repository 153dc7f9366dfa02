//! The room that knows Google, against answers written by hand: what is sent, and what is made of
//! what comes back.

mod answers;
mod credentials;
mod events;
mod oauth;
mod wire;
