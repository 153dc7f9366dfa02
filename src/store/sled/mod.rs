//! TEMP
#![allow(missing_docs)]
use crate::store::memory::MemoryStore;
pub type SledStore = MemoryStore;
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("held")]
    Held {},
}
pub struct Options;
impl Options {
    pub fn new(_: u64, _: u64) -> Self {
        Self
    }
}
impl MemoryStore {
    pub fn open(
        _: &std::path::Path,
        _: Options,
        r: &dyn crate::random::Random,
    ) -> Result<Self, OpenError> {
        Ok(Self::new(crate::model::id::Id::random(r)))
    }
    pub async fn failed(&self) {
        std::future::pending().await
    }
    pub async fn close(self) {}
}
