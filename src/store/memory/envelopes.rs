//! What is sealed, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::model::sealed::Sealed;
use crate::store::{Bound, Envelope, EnvelopeStore, Keystone, Reseal, Spot, StoreError, fits};

#[async_trait]
impl EnvelopeStore for MemoryStore {
    async fn envelopes(
        &self,
        after: Option<Spot>,
        most: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        let mut found = self.state().envelopes();
        found.retain(|envelope| after.is_none_or(|after| envelope.spot > after));
        found.sort_by_key(|envelope| envelope.spot);
        found.truncate(most);
        Ok(found)
    }

    async fn reseal(&self, reseals: Vec<Reseal>) -> Result<usize, StoreError> {
        for Reseal { now, .. } in &reseals {
            fits([now])?;
        }
        let mut state = self.state();
        let mut resealed = 0;
        for Reseal { spot, was, now } in reseals {
            if let Some(lies) = state.envelope(spot)
                && *lies == was
            {
                *lies = now;
                resealed += 1;
            }
        }
        Ok(resealed)
    }

    async fn relay_keystone(&self, was: &Keystone, now: Keystone) -> Result<bool, StoreError> {
        fits([&now.canary, &now.index_key])?;
        let mut state = self.state();
        let same = state.keystone.as_ref() == Some(was);
        if same {
            state.keystone = Some(now);
        }
        Ok(same)
    }
}

impl State {
    /// Every envelope, in no order.
    fn envelopes(&self) -> Vec<Envelope> {
        let connections = self.connections.values().flat_map(|connection| {
            let bound = Bound::Record(connection.owner.clone(), connection.version);
            let token = connection.token.as_ref();
            [
                envelope(Spot::Profile(connection.id), bound.clone(), Some(&connection.profile)),
                envelope(Spot::Token(connection.id), bound, token),
            ]
        });
        let tickets = self.tickets.values().map(|ticket| {
            let spot = Spot::Ticket(ticket.kind, ticket.digest);
            envelope(spot, Bound::Spot, ticket.payload.as_ref())
        });
        let events = self.events.values().flat_map(|event| {
            let (wanted, known) = (&event.wanted, &event.known);
            let bound = |version| Bound::Record(event.owner.clone(), version);
            let content = Some(&wanted.content);
            [
                envelope(Spot::Content(event.id), bound(wanted.revision), content),
                envelope(Spot::Links(event.id), bound(known.version), known.links.as_ref()),
            ]
        });
        let payloads = self.payloads.iter().map(|(id, payload)| {
            let job = self.jobs.get(id)?;
            let bound = Bound::Work(job.line.owner.clone(), job.kind.clone());
            envelope(Spot::Payload(*id), bound, Some(payload))
        });
        let details = self.audit.values().map(|entry| {
            envelope(Spot::Detail(entry.seq), Bound::Act(entry.act.tag), entry.act.detail.as_ref())
        });
        let items = self.items.values().map(|item| {
            let bound = Bound::Record(item.owner.clone(), item.version);
            envelope(Spot::Item(item.id), bound, item.sealed.as_ref())
        });
        let before = connections.chain(tickets).chain(events);
        let all = before.chain(payloads).chain(details).chain(items);
        all.flatten().collect()
    }

    /// What lies at a spot.
    fn envelope(&mut self, spot: Spot) -> Option<&mut Sealed> {
        match spot {
            Spot::Profile(id) => self.connections.get_mut(&id).map(|found| &mut found.profile),
            Spot::Token(id) => self.connections.get_mut(&id)?.token.as_mut(),
            Spot::Ticket(kind, digest) => self.tickets.get_mut(&(kind, digest))?.payload.as_mut(),
            Spot::Content(id) => self.events.get_mut(&id).map(|event| &mut event.wanted.content),
            Spot::Links(id) => self.events.get_mut(&id)?.known.links.as_mut(),
            Spot::Payload(id) => self.payloads.get_mut(&id),
            Spot::Detail(seq) => self.audit.get_mut(&seq)?.act.detail.as_mut(),
            Spot::Item(id) => self.items.get_mut(&id)?.sealed.as_mut(),
        }
    }
}

fn envelope(spot: Spot, bound: Bound, sealed: Option<&Sealed>) -> Option<Envelope> {
    sealed.map(|sealed| Envelope { spot, bound, sealed: sealed.clone() })
}
