//! The whole store, out and in.

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{MemoryStore, State};
use crate::store::{Backup, Record, StoreError};

#[async_trait]
impl Backup for MemoryStore {
    async fn export(&self, into: mpsc::Sender<Record>) -> Result<(), StoreError> {
        let records = self.state().records();
        for record in records {
            if into.send(record).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn restore(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let mut state = self.state();
        for record in records {
            state.keep(record);
        }
        Ok(())
    }
}

impl State {
    fn records(&self) -> Vec<Record> {
        let connections = self.connections.values().cloned().map(Record::Connection);
        let keys = self.keys.values().cloned().map(Record::Key);
        let tickets = self.tickets.values().cloned().map(Record::Ticket);
        let events = self.events.values().map(|event| {
            let history = self.histories.get(&event.id).cloned().unwrap_or_default();
            Record::Event(event.clone(), history)
        });
        let items = self.items.values().cloned().map(Record::Item);
        let requests =
            self.requests.values().map(|(request, event)| Record::Request(*request, *event));
        let jobs = self.jobs.values().map(|job| {
            let payload = self.payloads.get(&job.id).cloned();
            Record::Job(job.clone(), payload)
        });
        let periods = self.periods.iter().map(|(name, next)| Record::Period(name.clone(), *next));
        let tallies = self.tallies.iter().map(|(day, calls)| Record::Tally(*day, *calls));
        let audit = self.audit.values().cloned().map(Record::Audit);
        let keystone = self.keystone.iter().cloned().map(Record::Keystone);
        let before = connections.chain(keys).chain(tickets).chain(events).chain(items);
        let administrator = self.administrator.iter().cloned().map(Record::Administrator);
        let uses = self.key_uses.iter().map(|(id, at)| Record::KeyUse(*id, *at));
        let recurring = periods.chain(tallies).chain(audit).chain(administrator).chain(uses);
        before.chain(requests).chain(jobs).chain(recurring).chain(keystone).collect()
    }

    fn keep(&mut self, record: Record) {
        match record {
            Record::Connection(connection) => {
                self.connections.entry(connection.id).or_insert(connection);
            }
            Record::Key(key) => drop(self.keys.entry(key.id).or_insert(key)),
            Record::Ticket(ticket) => {
                self.tickets.entry((ticket.kind, ticket.digest)).or_insert(ticket);
            }
            Record::Event(event, history) => {
                if !self.events.contains_key(&event.id) {
                    self.histories.insert(event.id, history);
                    self.events.insert(event.id, event);
                }
            }
            Record::Item(item) => drop(self.items.entry(item.id).or_insert(item)),
            Record::Request(request, event) => {
                self.requests.entry(request.key).or_insert((request, event));
            }
            Record::Job(job, payload) => {
                if self.jobs.contains_key(&job.id) {
                    return;
                }
                self.payloads.extend(payload.map(|payload| (job.id, payload)));
                self.start(job);
            }
            Record::Period(name, next) => drop(self.periods.entry(name).or_insert(next)),
            Record::Tally(day, calls) => drop(self.tallies.entry(day).or_insert(calls)),
            Record::Administrator(account) => drop(self.administrator.get_or_insert(account)),
            Record::KeyUse(id, at) => drop(self.key_uses.entry(id).or_insert(at)),
            Record::Audit(entry) => self.keep_entry(entry),
            Record::Keystone(keystone) => drop(self.keystone.get_or_insert(keystone)),
        }
    }
}
