//! What is sealed, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::model::owner::Owner;
use crate::model::sealed::Sealed;
use crate::store::{Envelope, EnvelopeStore, Keystone, Reseal, Spot, StoreError, fits};

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
            let of = |spot, sealed: &Sealed| Envelope {
                spot,
                owner: connection.owner.clone(),
                version: connection.version,
                kind: None,
                sealed: sealed.clone(),
            };
            let token = connection.token.as_ref();
            let profile = of(Spot::Profile(connection.id), &connection.profile);
            [Some(profile), token.map(|token| of(Spot::Token(connection.id), token))]
        });
        let tickets = self.tickets.values().map(|ticket| {
            let spot = Spot::Ticket(ticket.kind, ticket.digest);
            let sealed = ticket.payload.clone()?;
            Some(Envelope { spot, owner: Owner::Application, version: 1, kind: None, sealed })
        });
        let events = self.events.values().flat_map(|event| {
            let of = |spot, version, sealed: &Sealed| Envelope {
                spot,
                owner: event.owner.clone(),
                version,
                kind: None,
                sealed: sealed.clone(),
            };
            let (wanted, known) = (&event.wanted, &event.known);
            let content = of(Spot::Content(event.id), wanted.revision, &wanted.content);
            let links = known.links.as_ref();
            let links = links.map(|links| of(Spot::Links(event.id), known.version, links));
            [Some(content), links]
        });
        let payloads = self.payloads.iter().map(|(id, payload)| {
            let job = self.jobs.get(id)?;
            Some(Envelope {
                spot: Spot::Payload(*id),
                owner: job.line.owner.clone(),
                version: 1,
                kind: Some(job.kind.clone()),
                sealed: payload.clone(),
            })
        });
        connections.chain(tickets).chain(events).chain(payloads).flatten().collect()
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
        }
    }
}
