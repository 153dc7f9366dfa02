//! The tree that is read.

use std::sync::{PoisonError, RwLock};

use sled::Tree;

use crate::store::StoreError;

/// The tree that is read: another once the store was made anew, none once it is closed. Whoever has one
/// reads it to the end; what is in it by then is never changed again.
pub(super) struct Shown(RwLock<Option<Tree>>);

impl Shown {
    pub(super) fn new(tree: Tree) -> Self {
        Self(RwLock::new(Some(tree)))
    }

    /// The tree as it is now.
    pub(super) fn tree(&self) -> Result<Tree, StoreError> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone().ok_or_else(|| StoreError::Failed("it is closed".to_owned()))
    }

    /// Shows another tree, or none. Returns whether one was shown.
    pub(super) fn show(&self, tree: Option<Tree>) -> bool {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *shown, tree).is_some()
    }
}
