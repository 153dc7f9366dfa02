"""What a calendar bridge depends on at Google, by name; each must have a check of its own.

A check names what it checks in the first line of its docstring, `OAuth: state echo.`; one for Node's
client in its title. Words in brackets tell checks of the same behaviour apart. `python3 checklist.py`
prints which check stands for what.
"""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).parent

BEHAVIOURS = {
    "OAuth": [
        "exact redirect match", "HTML 400 without redirect", "state echo", "deny", "account chooser",
        "per-scope checkboxes", "reduced scope", "offline and consent rules for refresh_token", "PKCE S256",
        "PKCE plain", "code single use", "code TTL", "code bound to client", "code bound to redirect",
        "code bound to verifier", "Basic client auth", "form client auth", "3599 s", "no rotation",
        "invalid_grant texts", "revoke by form", "revoke by query", "whole grant dies",
        "401 with WWW-Authenticate", "scope 403 with details", "id_token", "JWKS", "nonce", "userinfo",
        "discovery", "Cache-Control: no-store",
    ],
    "Service account": [
        "RS256 verification with registered key", "aud both forms", "iat/exp window", "skew",
        "sub must exist", "scope allow-list", "propagation delay", "error texts", "no-DWD attendee refusal",
        "no-DWD Meet refusal", "own primary",
    ],
    "Events": [
        "insert shape: false and empty omitted", "insert shape: etag from updated",
        "insert shape: ids base32hex", "insert shape: iCalUID", "insert shape: order-insensitive",
        "id charset", "id length", "409", "409 incl. deleted ids", "body unchanged on 409", "400 required",
        "400 invalid", "400 badRequest", "400 timeRangeEmpty", "400 invalidParameter", "400 parseError",
        "date/dateTime exclusivity", "offset rendering in calendar zone", "timeZone echo", "DST gaps",
        "patch merge", "patch null", "patch array replace", "put clears", "sequence bumps", "updated bumps",
        "etag bumps", "reminders-only exception", "tombstones", "revive", "If-Match", "If-None-Match",
        "sendUpdates recorded in an outbox", "spam limit", "attendees copied", "responses propagate",
        "ext props limits: drop", "ext props limits: cut", "ext props query", ">5 reminders",
        "Meet version 0", "Meet version 1", "Meet requestId dedupe", "Meet allowed types",
        "Meet pending to success timer", "Meet pending to failure timer", "eventTypes",
    ],
    "Recurrence": [
        "RRULE across DST", "EXDATE", "RDATE", "instance ids", "moved exceptions", "cancelled exceptions",
        "instances()", "singleEvents=false, showDeleted=false", "singleEvents=false, showDeleted=true",
        "singleEvents=true, showDeleted=false", "singleEvents=true, showDeleted=true", "400 without zone",
        "400 bad rule",
    ],
    "List/sync": [
        "stable paging under concurrent writes", "empty pages with token", "sync token bound to user",
        "sync token bound to calendar", "sync token bound to params", "incompatible params 400",
        "deletions as sparse cancelled", "410 on expiry", "410 on ACL change", "garbled 400",
        "updatedMin 410 after 28 d", "calendarList sync",
    ],
    "Push": [
        "sync message", "sync before the answer", "exists on insert", "exists on change",
        "exists on delete", "exists for attendee copies", "headers exact", "increasing numbers", "no body",
        "7-day default", "ttl", "cap", "expiry stops", "duplicate id 400", "stop 204", "stop 404",
        "stop foreign 403", "retry on 5xx", "no retry on others", "drop", "duplicate", "reorder", "delay",
        "loopback http by a flag", "HTTPS rule",
    ],
    "FreeBusy": [
        "transparent ignored", "cancelled ignored", "declined ignored", "per-id errors", "zone rendering",
        "range cap", "scope rule",
    ],
    "Quota": [
        "per-user 600/min", "per-project 10,000/min", "sliding windows", "configurable low", "patch = 3",
        "batch parts singly", "quotaUser", "403 vs 429 choice", "per-calendar write burst limiter",
        "Calendar-use-limit mode",
    ],
    "Fault knobs": [
        *(f"status {status}" for status in (401, 403, 404, 409, 410, 412, 429, 500, 502, 503, 504)),
        "HTML body", "retry_after", "latency fixed", "latency percentile", "hang", "reset_before",
        "reset_after_commit", "504_after_commit", "truncate_body", "slow_body", "wrong_content_type",
        "duplicate_commit", "stale_read on get", "stale_read on list", "meet_pending", "meet_failure",
        "revoke_token(user)", "expire_access_tokens", "narrow_scopes(user)", "disable_account",
        "rotate_jwks", "token-endpoint 5xx", "token-endpoint 429", "token-endpoint latency",
        "expire_sync_tokens", "invalidate_page_tokens", "push drop", "push dup", "push delay",
        "push wrong-token", "clock set", "clock advance", "drain/restart with kept state",
        "selector method", "selector calendar", "selector user", "selector nth call",
        "selector probability", "selector time window", "times", "deterministic by seed",
    ],
    "Observability": [
        "request log with outcome", "request log with fault", "tokens redacted", "commit log", "outbox",
        "state dump", "reset", "snapshot", "counters",
    ],
    "Determinism": [
        "seedable ids", "seedable clock", "port 0", "loopback bind by default", "no TLS needed",
        "state in memory or a file",
    ],
}


def python_checks():
    """Which Python tests say that they check what: (line, behaviour) to their names."""
    def cases(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from cases(test)
            else:
                yield test
    return collected((getattr(test, test._testMethodName).__doc__, test.id()) for test in cases(
        unittest.defaultTestLoader.discover(str(HERE))) if hasattr(test, test._testMethodName))


def node_checks():
    """The same of the tests for Node's client."""
    def titles():
        for file in sorted((HERE / "node").glob("*.test.mjs")):
            for title in re.findall(r'^\s*(?:check|test)\("([^"]+)"', file.read_text(encoding="utf-8"), re.M):
                yield title, file.name
    return collected(titles())


def collected(checks):
    found = {}
    for text, name in checks:
        first = (text or "").strip().splitlines()[:1]
        line, _, rest = (first[0] if first else "").partition(": ")
        if line in BEHAVIOURS:
            found.setdefault((line, rest.split(" (")[0].rstrip(".")), []).append(name)
    return found


def wanted():
    return [(line, behaviour) for line, behaviours in BEHAVIOURS.items() for behaviour in behaviours]


def listing():
    python, node = python_checks(), node_checks()
    for line, behaviour in wanted():
        yield f"{line}: {behaviour}"
        for name in python.get((line, behaviour), ["(no check)"]) + node.get((line, behaviour), []):
            yield f"    {name}"


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    print("\n".join(listing()))
