//! What every store promises, as tests that each store runs.
//!
//! A promise is a function that takes an empty store and panics if the store breaks it. A test file
//! says `calbridge::promises!(open)` once for each store, where `open` is an async function
//! that returns something with a member `store`, and gets a test of each promise.
#![expect(clippy::unwrap_used, reason = "a promise is broken by a panic")]

mod access;
mod connections;
mod events;
pub mod examples;
mod jobs;
mod upkeep;

pub use access::*;
pub use connections::*;
pub use events::*;
pub use jobs::*;
pub use upkeep::*;

/// Makes a test of each promise; see [`contract`](crate::store::contract).
#[macro_export]
macro_rules! promises {
    ($open:path) => {
        $crate::promises! { $open =>
            an_accepted_event_is_there_with_its_job
            a_repeated_request_finds_what_the_first_made
            a_repeated_request_shows_the_event_as_it_is_now
            a_repeated_request_with_another_body_is_told_so
            a_request_repeated_after_its_time_is_a_new_one
            an_event_of_the_same_id_is_not_stored_twice
            a_change_replaces_what_is_wanted
            a_change_that_comes_second_is_overtaken
            a_change_of_no_event_is_missing
            a_change_makes_the_live_job_due
            a_change_after_the_job_ended_gets_a_new_job
            an_event_too_large_is_refused
            events_are_told
            lines_with_live_jobs_are_listed
            the_job_due_first_comes_first
            a_job_waits_until_it_is_due
            a_claim_hides_the_job_until_the_lease_ends
            a_claim_takes_no_more_than_asked
            a_claim_of_one_line_leaves_the_others
            a_claim_brings_what_the_job_carries
            a_lapsed_claim_settles_nothing
            a_lapsed_claim_settles_if_nobody_else_has_the_job
            a_claim_settles_once
            a_done_job_is_done
            a_job_runs_again_when_told
            a_job_handed_back_keeps_its_place
            a_dead_job_keeps_its_cause
            what_a_run_learned_is_kept_with_its_end
            an_end_gives_way_to_a_newer_revision
            there_is_one_live_job_of_a_kind_and_thing
            a_job_made_due_while_it_runs_stays_hidden
            settled_jobs_are_told
            a_connection_is_kept_whole
            a_connection_is_replaced_by_the_next_version_alone
            a_connection_and_its_job_are_kept_together
            connections_are_listed_last_linked_first
            connections_to_an_account_are_found
            connections_are_told
            a_connection_too_large_is_refused
            keys_are_kept
            a_ticket_is_taken_once
            a_ticket_replaces_its_namesake
            tickets_of_a_kind_are_dropped_together
            the_first_keystone_stays
            only_what_is_over_is_forgotten
            no_more_is_forgotten_than_asked
            a_used_store_is_writable
        }
    };
    ($open:path => $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let opened = $open().await;
                $crate::store::contract::$promise(&*opened.store).await;
            }
        )*
    };
}
