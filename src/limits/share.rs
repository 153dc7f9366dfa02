//! What part of the project's quota is this process's own, of several on one store.

use std::time::Duration;

/// A part falls at once. It rises only after the others had time to hear that theirs has fallen, so
/// that together they never spend more than there is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Of how many processes this is one; none before the first word.
    nodes: Option<u64>,
    /// Of fewer, from this moment on.
    fewer: Option<(u64, Duration)>,
}

impl Share {
    /// One part of how many, at `passed`.
    pub(super) fn nodes(&self, passed: Duration) -> u64 {
        match self.fewer {
            Some((fewer, from)) if from <= passed => fewer,
            _ => self.nodes.unwrap_or(1),
        }
    }

    /// There are `nodes` processes now, each of which hears that within `lease`. Returns whether
    /// this one joins others, who have yet to make room for it.
    pub(super) fn tell(&mut self, nodes: u32, lease: Duration, passed: Duration) -> bool {
        let told = u64::from(nodes.max(1));
        let Some(_) = self.nodes else {
            self.nodes = Some(told);
            return told > 1;
        };
        let now = self.nodes(passed);
        let announced = self.fewer.filter(|(_, from)| *from > passed);
        self.nodes = Some(now.max(told));
        self.fewer = match announced {
            Some((fewer, from)) if fewer == told => Some((fewer, from)),
            _ if told < now => Some((told, passed + lease)),
            _ => None,
        };
        false
    }
}
