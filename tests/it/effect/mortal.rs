//! One process's hold on a store. The process dies at a chosen step, just before it or just after, and
//! then nothing of it reaches the store any more; what it left behind is for the next process.

use std::sync::{Arc, Mutex};

use calbridge::store::{Beat, Store, StoreError};

use crate::surrounded::{Around, Surrounded};

/// At which step a process may die, and how much of that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Nothing is stored.
    Before(&'static str),
    /// All is stored, and nobody told.
    After(&'static str),
    /// The end of a run is answered as stored, and the disk forgets it.
    Forgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    Doomed(Death),
    Dead,
}

/// The hold.
pub type MortalStore = Surrounded<Process>;

/// The process that has it.
pub struct Process {
    life: Mutex<Life>,
    /// What it is told when it says that it lives.
    beat: Mutex<Beat>,
}

impl MortalStore {
    pub fn over(store: Arc<dyn Store>) -> Arc<Self> {
        let (life, beat) = (Mutex::new(Life::Alive), Mutex::new(Beat::ALONE));
        Arc::new(Self { store, around: Process { life, beat } })
    }

    /// What the next process finds.
    pub fn left_behind(&self) -> Arc<dyn Store> {
        let life = *self.around.life.lock().expect("a life");
        assert_eq!(life, Life::Dead, "nothing killed the process");
        Arc::clone(&self.store)
    }
}

impl Process {
    /// The process dies when it comes to that.
    pub fn doom(&self, death: Death) {
        *self.life.lock().expect("a life") = Life::Doomed(death);
    }

    /// The process dies now.
    pub fn kill(&self) {
        *self.life.lock().expect("a life") = Life::Dead;
    }

    /// Others share the store from now on.
    pub fn share(&self, beat: Beat) {
        *self.beat.lock().expect("a beat") = beat;
    }

    fn alive(&self) -> Result<(), StoreError> {
        match *self.life.lock().expect("a life") {
            Life::Dead => Err(StoreError::Failed("the process is dead".into())),
            _ => Ok(()),
        }
    }

    fn meets(&self, death: Death) -> bool {
        let mut life = self.life.lock().expect("a life");
        let meets = *life == Life::Doomed(death);
        if meets {
            *life = Life::Dead;
        }
        meets
    }
}

impl Around for Process {
    async fn step<T: Send>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.meets(Death::Before(name));
        self.alive()?;
        let done = effect.await;
        self.meets(Death::After(name));
        self.alive()?;
        done
    }

    async fn look<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.alive()?;
        effect.await
    }

    fn forgets_an_end(&self) -> bool {
        self.meets(Death::Forgotten)
    }

    fn beat(&self, _beat: Beat) -> Beat {
        *self.beat.lock().expect("a beat")
    }
}
