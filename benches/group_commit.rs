//! The limit that stores are held against: one thread gathers the records that wait, appends them
//! to a file in one write, syncs it, and answers everybody.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// As many records as the store gathers for one sync.
const MOST_RECORDS: usize = 512;

type Waiting = (Vec<u8>, oneshot::Sender<()>);

/// A file that many append to.
pub struct GroupCommit {
    records: Option<Sender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl GroupCommit {
    /// Makes the file.
    pub fn create(path: &Path) -> Self {
        let file = File::create(path).expect("the file can be made");
        file.sync_all().expect("the file can be synced");
        let (records, waiting) = channel();
        let thread = std::thread::spawn(move || work(file, &waiting));
        Self { records: Some(records), thread: Some(thread) }
    }

    /// Appends a record, and returns once it is on disk.
    pub async fn append(&self, record: Vec<u8>) {
        let (answer, answered) = oneshot::channel();
        let records = self.records.as_ref().expect("it is open until it is dropped");
        records.send((record, answer)).expect("the thread works");
        answered.await.expect("the thread answers");
    }
}

impl Drop for GroupCommit {
    fn drop(&mut self) {
        self.records = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the thread ends in order");
        }
    }
}

fn work(mut file: File, waiting: &Receiver<Waiting>) {
    while let Ok((mut bytes, first)) = waiting.recv() {
        let mut answers = vec![first];
        while answers.len() < MOST_RECORDS
            && let Ok((record, answer)) = waiting.try_recv()
        {
            bytes.extend(record);
            answers.push(answer);
        }
        file.write_all(&bytes).expect("the disk takes it");
        file.sync_data().expect("the disk keeps it");
        for answer in answers {
            let _ = answer.send(());
        }
    }
}
