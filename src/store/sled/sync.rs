//! Makes sled's syncs real.
//!
//! On Linux sled 0.34.7 ends a flush in `sync_file_range`, which flushes neither the file's length
//! nor the disk's cache: 39 of 40 simulated power cuts damaged such a store. This module defines
//! that symbol for the whole binary, so that the linker prefers it to the C library's, and calls
//! `fdatasync` instead. Whether the linker did is seen at every start: see [`calls`].

use std::sync::atomic::{AtomicU64, Ordering};

static CALLS: AtomicU64 = AtomicU64::new(0);
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// How often sled synced through this module since the process began.
pub(super) fn calls() -> u64 {
    CALLS.load(Ordering::SeqCst)
}

/// How many of those syncs failed. One is enough: the kernel forgets what it could not write, and
/// the next sync succeeds without it.
pub(super) fn failures() -> u64 {
    FAILURES.load(Ordering::SeqCst)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "docs/decisions/0004-interposed-sync.md: the one place, and why")]
mod interposed {
    use std::ffi::{c_int, c_uint};

    unsafe extern "C" {
        // Of the C library, which leaves the cause of a failure where sled looks for it.
        safe fn fdatasync(file: c_int) -> c_int;
    }

    /// Stands in for the C library's function of this name; the range and the flags do not matter.
    #[unsafe(no_mangle)]
    extern "C" fn sync_file_range(file: c_int, _from: i64, _bytes: i64, _flags: c_uint) -> c_int {
        let answer = fdatasync(file);
        super::CALLS.fetch_add(1, super::Ordering::SeqCst);
        if answer != 0 {
            super::FAILURES.fetch_add(1, super::Ordering::SeqCst);
        }
        answer
    }
}
