"""What the run stands on is not taken away, and what schemathesis does not judge is judged here."""

import os

import schemathesis

KEPT = os.environ["KEPT"].split()
NOBODYS = "0" * 26
TAKES_AWAY = {
    ("DELETE", "/api/v1/api-keys/{id}"),
    ("DELETE", "/api/v1/connections/{id}"),
    ("POST", "/api/v1/connections/{id}/disconnect"),
}

# Headers that belong to every answer over HTTP, not to an operation.
TRANSPORT = {
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-frame-options",
}

# Of these members a schema cannot say all: whoever keeps to the schema may be told of them all the same.
UNTELLABLE = {
    # Days that no calendar has, an end before its start, times of both kinds, no zone at all.
    "start", "end", "at", "due", "from", "to", "until", "startDateTime", "endDateTime", "expires", "instance",
    # There is a list of zones; and they mean nothing without a time.
    "time_zone", "timeZone", "dst",
    # A grammar of their own, that must agree with the start.
    "recurrence",
    # No address twice, and of addresses the kind that HTML takes.
    "guests", "subject", "attendeeEmail", "expected_email",
    # Not beside `conference`, whose address must be one.
    "meet", "conference",
    # There must be such a thing.
    "category", "cursor", "calendar", "calendars", "default_calendar", "return_to", "after",
    # Who may be named depends on the caller.
    "user", "users", "everyone", "connection",
    # They must be short enough as Google shows them.
    "notes",
}  # fmt: skip
UNTELLABLE_OF = {
    # A search says whose events, and from when to when; a name is one owner's.
    "list_events": {"q", "external_id"},
    # A reminder has a moment of its own, or is told before one thing that is there.
    "create_reminder": {"minutes_before", "task", "event", "digest"},
    "change_reminder": {"minutes_before"},
    "list_reminders": {"task", "event"},
    # So many minutes, or until then.
    "snooze_reminder": {"minutes"},
    # The occurrence at hand of a task that recurs.
    "complete_task": {"occurrence"},
    "reopen_task": {"occurrence"},
    # Only beside `return_to`.
    "create_link": {"state"},
    "reconnect": {"state"},
}


@schemathesis.hook
def before_call(context, case, kwargs):
    takes_away = (case.method.upper(), case.operation.path) in TAKES_AWAY
    if takes_away and (case.path_parameters or {}).get("id") in KEPT:
        case.path_parameters["id"] = NOBODYS


@schemathesis.check
def headers_are_documented(ctx, response, case):
    told = case.operation.responses.find_by_status_code(response.status_code)
    if told is None:
        return
    known = TRANSPORT | {name.lower() for name, _ in told.headers.items()}
    unknown = sorted(set(response.headers) - known)
    assert not unknown, f"headers that the document does not know: {', '.join(unknown)}"


@schemathesis.check
def nothing_is_refused_that_the_schema_lets_in(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 422):
        return
    assert case.meta.phase.name != "examples", "an example of the document is refused"
    problem = response.json()
    if problem.get("code", "invalid") != "invalid":
        return
    pointers = [error["pointer"] for error in problem.get("errors", [])]
    named = {pointer.partition("/")[2].partition("/")[0] for pointer in pointers}
    untellable = UNTELLABLE | UNTELLABLE_OF.get(case.operation.definition.raw.get("operationId"), set())
    refused = sorted(named - untellable)
    assert not refused, f"the schema lets in what is refused: {', '.join(refused) or 'the whole'}"
