//! Values and their rules: no I/O, no async, no clock, no serde.

pub mod administrator;
pub mod audit;
pub mod category;
pub mod connection;
pub mod delivery;
pub mod event;
pub mod fill;
pub mod history;
pub mod id;
pub mod invalid;
pub mod item;
pub mod job;
pub mod key;
pub mod owner;
pub mod recurrence;
pub mod reminder;
pub mod routine;
pub mod sealed;
pub mod task;
pub mod timing;
pub mod when;
