//! The disk as the system sees it: mounted through FUSE, so that real programs with real system
//! calls work on it. Nothing is cached on the way, or the disk would not know what it is to forget.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::disk::{Disk, Look, Refusal};

const NEVER_CACHED: Duration = Duration::ZERO;
const ONLY: Generation = Generation(0);
const NO_HANDLE: FileHandle = FileHandle(0);

/// A mounted disk, until it is dropped.
pub struct Mounted {
    session: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts the disk on an empty directory.
    pub fn new(disk: &Arc<Disk>, at: &Path) -> io::Result<Self> {
        let session = fuser::spawn_mount(Face(Arc::clone(disk)), at, &Config::default())?;
        Ok(Self { session: Some(session) })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let ended = self.session.take().map(BackgroundSession::umount_and_join);
        let ended = ended.is_none_or(|ended| ended.is_ok());
        assert!(ended || std::thread::panicking(), "the disk cannot be unmounted");
    }
}

struct Face(Arc<Disk>);

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Off => Self::EIO,
            Refusal::Missing => Self::ENOENT,
            Refusal::InTheWay => Self::EEXIST,
        }
    }
}

fn attributes(look: Look) -> FileAttr {
    let (kind, perm, nlink) = match look.bytes {
        Some(_) => (FileType::RegularFile, 0o600, 1),
        None => (FileType::Directory, 0o700, 2),
    };
    let size = look.bytes.unwrap_or_default();
    FileAttr {
        ino: INodeNo(look.number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn tell(done: Result<(), Refusal>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(refusal.into()),
    }
}

fn show(found: Result<Look, Refusal>, reply: ReplyEntry) {
    match found {
        Ok(look) => reply.entry(&NEVER_CACHED, &attributes(look), ONLY),
        Err(refusal) => reply.error(refusal.into()),
    }
}

impl Filesystem for Face {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        show(self.0.find(parent.0, name), reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.look(ino.0) {
            Ok(look) => reply.attr(&NEVER_CACHED, &attributes(look)),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let done = size.map_or(Ok(()), |size| self.0.set_length(ino.0, size));
        match done.and_then(|()| self.0.look(ino.0)) {
            Ok(look) => reply.attr(&NEVER_CACHED, &attributes(look)),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        show(self.0.make(parent.0, name, false), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        tell(self.0.remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        tell(self.0.remove(parent.0, name), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if parent != newparent {
            return reply.error(Errno::EXDEV);
        }
        tell(self.0.rename(parent.0, name, newname), reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(NO_HANDLE, FopenFlags::FOPEN_DIRECT_IO);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.0.make(parent.0, name, true) {
            Ok(look) => {
                let direct = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&NEVER_CACHED, &attributes(look), ONLY, NO_HANDLE, direct);
            }
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(ino.0, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.write(ino.0, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("one request")),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file brings nothing to the disk.
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, datasync: bool, reply: ReplyEmpty) {
        tell(self.0.sync(ino.0, datasync), reply);
    }

    fn fsyncdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        datasync: bool,
        reply: ReplyEmpty,
    ) {
        tell(self.0.sync(ino.0, datasync), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let names = match self.0.names(ino.0) {
            Ok(names) => names,
            Err(refusal) => return reply.error(refusal.into()),
        };
        for (place, (name, look)) in (1..).zip(names) {
            let kind = attributes(look).kind;
            if place > offset && reply.add(INodeNo(look.number), place, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
