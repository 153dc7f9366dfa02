//! The files that must not lie with the data: the master key, and the end of the audit.

use std::path::{Component, Path, PathBuf};

use super::reader::Reader;
use super::{AuditConfig, VaultConfig};

impl Reader {
    /// Where the master key lies.
    pub(super) fn vault(&mut self, data_dir: &Path) -> VaultConfig {
        let allowed = self.flag("insecure_key_location");
        let key_file = self.optional("vault.key_file").map_or_else(
            || {
                // Whole components only, or `data/` would put the key inside.
                let mut beside = data_dir.components().collect::<PathBuf>().into_os_string();
                beside.push(".key");
                PathBuf::from(beside)
            },
            PathBuf::from,
        );
        if lies_inside(data_dir, &key_file) {
            if allowed {
                self.raw.notes.push(
                    "the key file lies inside data_dir: a stolen copy of it can be read".to_owned(),
                );
            } else {
                self.fault(
                    "vault.key_file",
                    "lies inside data_dir, so whoever steals that directory can read it: put it \
                     elsewhere, or set insecure_key_location = true",
                );
            }
        }
        VaultConfig { key_file }
    }

    /// Where the audit's end is remembered.
    pub(super) fn audit(&mut self, data_dir: &Path, key_file: &Path) -> AuditConfig {
        let allowed = self.flag("insecure_key_location");
        let head_file = self.optional("audit.head_file").map_or_else(
            || {
                let mut beside = key_file.as_os_str().to_owned();
                beside.push(".audit-head");
                PathBuf::from(beside)
            },
            PathBuf::from,
        );
        // Of a key file inside it is told already, and its own head file lies beside it.
        let inside = lies_inside(data_dir, &head_file) && !lies_inside(data_dir, key_file);
        if inside && !allowed {
            self.fault(
                "audit.head_file",
                "lies inside data_dir, so whoever puts an old copy of that directory back puts it back too: put it \
                 elsewhere, or set insecure_key_location = true",
            );
        }
        AuditConfig { head_file }
    }
}

fn lies_inside(data_dir: &Path, file: &Path) -> bool {
    !data_dir.as_os_str().is_empty() && resolved(file).starts_with(resolved(data_dir))
}

/// The path without links, dots or a working directory to depend on, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            other => resolved.push(other),
        }
        if let Ok(real) = resolved.canonicalize() {
            resolved = real;
        }
    }
    resolved
}
