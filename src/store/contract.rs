//! What every store promises, as tests that each store runs.
//!
//! A promise is a function that takes an empty store and panics if the store breaks it. A test file
//! says `calbridge::promises!(open)` once for each store, where `open` is an async function
//! that returns something with a member `store`, and gets a test of each promise.
#![expect(clippy::unwrap_used, reason = "a promise is broken by a panic")]

mod access;
mod administrator;
mod audit;
mod backup;
mod batches;
mod connections;
mod envelopes;
mod events;
pub mod examples;
mod forgetting;
mod hands;
mod items;
mod jobs;
mod leases;
mod lists;
mod periods;
mod upkeep;

pub use access::*;
pub use administrator::*;
pub use audit::*;
pub use backup::*;
pub use batches::*;
pub use connections::*;
pub use envelopes::*;
pub use events::*;
pub use forgetting::*;
pub use hands::*;
pub use items::*;
pub use jobs::*;
pub use leases::*;
pub use lists::*;
pub use periods::*;
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
            events_are_listed_in_the_order_in_which_they_were_taken_in
            a_list_holds_what_its_filter_lets_through
            an_event_that_moved_is_listed_by_its_new_times
            pages_have_no_gap_and_no_double
            a_forgotten_event_is_listed_no_more
            what_happened_to_an_event_is_kept
            what_changed_nothing_is_no_part_of_a_history
            the_oldest_of_a_long_history_make_room
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
            all_connections_are_found_page_by_page
            the_last_refresh_of_a_connection_is_known
            connections_are_told
            a_connection_too_large_is_refused
            keys_are_kept
            a_ticket_is_taken_once
            tickets_of_every_kind_are_told_apart
            a_ticket_replaces_its_namesake
            tickets_of_a_kind_are_dropped_together
            a_ticket_is_prolonged_where_it_still_is
            the_administrators_account_is_kept
            a_new_password_ends_every_session
            the_last_use_of_each_key_is_kept
            the_first_keystone_stays
            only_what_is_over_is_forgotten
            no_more_is_forgotten_than_asked
            a_used_store_is_writable
            a_batch_is_taken_in_in_its_order
            a_batch_of_a_thousand_is_taken_in_at_once
            a_batch_with_one_too_large_stores_nothing
            no_more_jobs_wait_than_may
            no_owner_has_more_jobs_waiting_than_may
            the_backlog_of_the_owner_with_most_is_told
            what_is_known_needs_no_room
            a_job_that_ended_makes_room
            a_renewed_claim_hides_the_job_for_longer
            a_renewal_names_the_jobs_that_were_lost
            a_lapsed_claim_is_renewed_if_nobody_else_has_the_job
            one_job_of_an_event_is_claimed_at_a_time
            an_event_is_claimed_in_one_line_at_a_time
            a_claim_of_an_events_other_job_voids_a_lapsed_one
            an_end_tells_the_line_of_the_job_it_hid
            what_follows_is_kept_with_the_end
            what_follows_finds_the_one_that_lives
            a_change_while_its_link_is_awaited_gets_its_own_job
            the_end_of_a_follow_gives_way_to_nothing
            jobs_about_no_event_run_side_by_side
            a_waiting_job_is_taken_back
            a_running_job_is_not_taken_back
            a_job_is_touched_where_its_state_allows
            a_job_that_is_not_there_is_missing
            a_job_put_off_waits_for_its_moment
            a_replayed_job_is_as_new
            a_replay_finds_the_job_that_lives
            an_event_names_the_job_that_was_replayed
            touched_jobs_are_told
            jobs_are_found_page_by_page
            the_first_turn_is_due_at_once
            turns_stay_on_their_grid
            a_turn_is_taken_once
            one_turn_leaves_the_others
            a_clock_set_back_stops_no_turns
            a_shorter_period_holds_at_once
            calls_are_tallied_by_day
            events_long_past_are_forgotten
            cancelled_events_are_forgotten_in_their_own_time
            an_event_that_moved_is_kept_for_longer
            an_event_with_a_live_job_is_never_forgotten
            a_request_whose_event_was_forgotten_is_a_new_one
            a_cancelled_job_is_kept_as_long_as_a_done_one
            a_dead_job_of_a_forgotten_event_is_not_replayed
            a_days_tally_is_kept_for_a_while
            a_process_alone_leads
            what_is_restored_is_exported_again
            what_is_restored_is_found_by_every_index
            a_restored_job_runs
            a_record_that_is_there_stays_as_it_is
            a_restored_event_with_a_live_job_is_not_forgotten
            envelopes_are_found_page_by_page
            an_envelope_is_put_in_place_of_another
            an_envelope_is_not_put_in_place_of_a_newer_one
            an_envelope_too_large_is_not_put_anywhere
            the_keystone_is_exchanged_by_whoever_knows_it
            acts_are_chained
            acts_beside_each_other_are_chained
            a_row_and_its_act_are_kept_together
            a_freeze_is_in_the_chains_end
            acts_are_told
            an_item_is_kept_whole
            an_item_is_replaced_by_the_next_version_alone
            items_are_listed_in_the_order_they_were_made
            an_item_is_listed_for_whom_it_was_given_to
            items_are_found_by_what_is_asked
            pages_hold_while_items_are_made_and_changed
            a_deleted_item_is_in_no_list
            items_are_found_by_what_they_belong_to
            a_delivery_is_found_by_its_reminder_alone
            a_reminders_job_waits_for_its_next_moment
            a_step_is_kept_whole
            a_step_that_is_overtaken_leaves_nothing
            a_repeated_request_finds_its_item
            a_request_that_changes_an_item_is_repeated_too
            steps_beside_each_other_are_judged_one_by_one
            a_step_has_room_for_all_its_events_or_none
            a_new_reminder_needs_room
            an_item_too_large_is_refused
            deleted_items_are_forgotten_in_their_own_time
            deliveries_are_forgotten_once_they_are_over
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
