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

    /// Whether one is shown.
    pub(super) fn is_open(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Shows another tree of the same rows, unless it was closed meanwhile.
    pub(super) fn go_on_with(&self, tree: Tree) {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if shown.is_some() {
            *shown = Some(tree);
        }
    }

    /// Shows none from now on. Returns whether one was shown.
    pub(super) fn close(&self) -> bool {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        shown.take().is_some()
    }
}
