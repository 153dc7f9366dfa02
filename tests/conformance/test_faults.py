"""Scripted faults: every kind and every selector, as the official client meets them."""

import datetime
from unittest import mock

import httplib2
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError

from simulated import ANA, BEN, CALENDAR, Case, Simulator, Waiting, consent, meet, tea

LIST, INSERT, GET = "calendar.events.list", "calendar.events.insert", "calendar.events.get"


class FaultCase(Case):
    def statuses(self, count, events=None):
        """How so many lists are answered."""
        found = []
        for _ in range(count):
            try:
                self.ask((events or self.events).list(calendarId="primary"))
                found.append(200)
            except HttpError as error:
                found.append(error.status_code)
        return found

    def raw_list(self):
        return self.raw("GET", "calendars/primary/events")

    def raw_insert(self, **members):
        return self.raw("POST", "calendars/primary/events", json=tea(**members))

    def waiting_list(self):
        """A list on another thread and another connection."""
        headers = {"Authorization": "Bearer " + self.credentials.token}
        address = self.google.root + "calendar/v3/calendars/primary/events"
        return Waiting(lambda: requests.get(address, headers=headers, timeout=30))


class Status(FaultCase):
    def struck(self, status, reason, **members):
        self.google.fault("status", status=status, reason=reason, times=1, method=GET, **members)
        return self.refused(self.events.get(calendarId="primary", eventId=self.made), status, reason)

    def start(self):
        super().start()
        self.made = self.insert()["id"]

    def test_401(self):
        """Fault knobs: status 401."""
        self.google.fault("status", status=401, reason="authError", times=1, method=GET)
        before = self.credentials.token
        self.get(self.made)
        self.assertNotEqual(self.credentials.token, before, "the client refreshed and tried again")
        answers = [entry["answered"] for entry in self.google.ledger(GET)]
        self.assertEqual(answers, [401, 200])

    def test_403(self):
        """Fault knobs: status 403."""
        for reason in ("forbidden", "requiredAccessLevel", "dailyLimitExceeded", "rateLimitExceeded"):
            self.struck(403, reason)

    def test_404(self):
        """Fault knobs: status 404."""
        self.struck(404, "notFound")

    def test_409(self):
        """Fault knobs: status 409."""
        self.struck(409, "conflict")

    def test_410(self):
        """Fault knobs: status 410."""
        self.struck(410, "fullSyncRequired")

    def test_412(self):
        """Fault knobs: status 412."""
        self.struck(412, "conditionNotMet")

    def test_429(self):
        """Fault knobs: status 429."""
        self.struck(429, "rateLimitExceeded")

    def test_500(self):
        """Fault knobs: status 500."""
        self.struck(500, "backendError")

    def test_502(self):
        """Fault knobs: status 502."""
        self.struck(502, "backendError")

    def test_503(self):
        """Fault knobs: status 503."""
        self.struck(503, "backendError")

    def test_504(self):
        """Fault knobs: status 504."""
        self.struck(504, "backendError")

    def test_html(self):
        """Fault knobs: HTML body."""
        self.google.fault("status", status=503, body="html", times=1, method=GET)
        self.google.fault("html_error", times=1, method=GET)
        for status in (503, 502):
            with self.assertRaises(HttpError) as caught:
                self.events.get(calendarId="primary", eventId=self.made).execute()
            self.assertEqual(caught.exception.status_code, status)
            self.assertTrue(caught.exception.resp["content-type"].startswith("text/html"))
            self.assertIn(b"<", caught.exception.content)

    def test_retry_after(self):
        """Fault knobs: retry_after."""
        self.google.fault("rate_limited", times=1, retry_after=17)
        answer = self.raw_list()
        self.assertEqual((answer.status_code, answer.headers["retry-after"]), (429, "17"))
        self.assertNotIn("retry-after", self.raw_list().headers)

    def test_what_the_client_retries(self):
        """The official client retries what passes, and nothing else."""
        for fault in ("rate_limited", "user_rate_limited", "server_error", "html_error"):
            with self.subTest(fault), mock.patch("time.sleep") as slept:
                self.google.fault(fault, times=2, method=LIST)
                self.ask(self.events.list(calendarId="primary"), num_retries=3)
                self.assertEqual(slept.call_count, 2)
        with mock.patch("time.sleep") as slept:
            self.google.fault("quota_exceeded", times=1, method=LIST)
            with self.assertRaises(HttpError) as caught:
                self.events.list(calendarId="primary").execute(num_retries=3)
            self.assertEqual((caught.exception.status_code, slept.call_count), (403, 0))


class Delays(FaultCase):
    def test_fixed(self):
        """Fault knobs: latency fixed."""
        self.google.fault("slow", times=1, for_secs=30)
        call = self.waiting_list()
        self.assertTrue(call.is_held())
        self.google.advance(seconds=29)
        self.assertTrue(call.is_held(0.1))
        self.google.advance(seconds=1)
        self.assertEqual(call.end()[1].status_code, 200)

    def test_percentile(self):
        """Fault knobs: latency percentile."""
        self.google.fault("slow", latency_ms={"p50": 1000, "p99": 10000})
        calls = [self.waiting_list() for _ in range(12)]
        # The slowest of them may take twice the p99; half of all take at most a second.
        self.google.advance_until(lambda: not any(call.is_held(0.005) for call in calls), longest=21)
        self.assertEqual([call.end()[1].status_code for call in calls], [200] * 12)
        self.assertTrue(self.google.now().timestamp() > 0)

    def test_hang(self):
        """Fault knobs: hang."""
        self.google.fault("hang", times=1, method=LIST)
        http = httplib2.Http(timeout=0.3)
        with self.assertRaises((TimeoutError, OSError)), mock.patch("time.sleep"):
            address = self.google.root + "calendar/v3/calendars/primary/events"
            http.request(address, headers={"Authorization": "Bearer " + self.credentials.token})
        self.assertEqual(self.raw_list().status_code, 200)
        self.assertIn("hang", [fault for entry in self.google.ledger(LIST) for fault in entry["faults"]])

    def test_slow_body(self):
        """Fault knobs: slow_body."""
        self.google.fault("slow_body", times=1, for_secs=10, method=LIST)
        call = self.waiting_list()
        self.assertTrue(call.is_held(0.1))
        self.assertTrue(self.google.advance_until(lambda: not call.is_held(0.02), longest=30))
        kind, answer = call.end()
        self.assertEqual((kind, answer.json()["kind"]), ("answer", "calendar#events"))


class Cuts(FaultCase):
    def test_before(self):
        """Fault knobs: reset_before."""
        self.google.fault("cut_before", times=1, method=INSERT)
        with self.assertRaises(requests.ConnectionError):
            self.raw_insert(id="abcde12345")
        self.assertEqual(self.listed(), [])

    def test_after(self):
        """Fault knobs: reset_after_commit."""
        self.google.fault("lost_answer", times=1, method=INSERT)
        with self.assertRaises(requests.ConnectionError):
            self.raw_insert(id="abcde12345")
        self.assertEqual(self.listed(), ["abcde12345"])
        self.refused(self.events.insert(calendarId="primary", body=tea(id="abcde12345")), 409, "duplicate")

    def test_the_official_client_sends_again(self):
        """Fault knobs: reset_after_commit (httplib2 sends again by itself)."""
        self.insert()
        self.google.fault("lost_answer", times=1, method=INSERT)
        self.refused(self.events.insert(calendarId="primary", body=tea(id="abcde12345")), 409, "duplicate")
        self.assertEqual(self.get("abcde12345")["summary"], "Tea")

    def test_timeout_after(self):
        """Fault knobs: 504_after_commit."""
        self.google.fault("timeout_after_commit", times=1, method=INSERT)
        self.assertEqual(self.raw_insert(id="abcde12345").status_code, 504)
        self.assertEqual(self.listed(), ["abcde12345"])

    def test_truncated(self):
        """Fault knobs: truncate_body."""
        self.google.fault("truncated", times=1, method=INSERT)
        with self.assertRaises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            self.raw_insert(id="abcde12345")
        self.assertEqual(self.listed(), ["abcde12345"])

    def test_content_type(self):
        """Fault knobs: wrong_content_type."""
        self.google.fault("wrong_content_type", times=1, method=INSERT)
        answer = self.raw_insert(id="abcde12345")
        self.assertEqual((answer.status_code, answer.headers["content-type"].split(";")[0]), (200, "text/html"))
        self.assertEqual(self.listed(), ["abcde12345"])

    def test_twice(self):
        """Fault knobs: duplicate_commit."""
        self.google.fault("duplicate_commit", times=1, method=INSERT)
        made = self.raw_insert().json()
        ids = self.listed()
        self.assertEqual(len(ids), 2)
        self.assertIn(made["id"], ids)

    def test_stale_get(self):
        """Fault knobs: stale_read on get."""
        made = self.insert()
        self.google.fault("stale_read", for_secs=10)
        self.patch(made["id"], {"summary": "Coffee"})
        self.assertEqual(self.get(made["id"])["summary"], "Tea")
        self.google.advance(seconds=11)
        self.assertEqual(self.get(made["id"])["summary"], "Coffee")

    def test_stale_list(self):
        """Fault knobs: stale_read on list."""
        made = self.insert()
        self.google.advance(seconds=60)
        self.google.fault("stale_read", for_secs=10)
        self.patch(made["id"], {"summary": "Coffee"})
        new = self.insert()["id"]
        self.assertEqual([(item["id"], item["summary"]) for item in self.list()["items"]], [(made["id"], "Tea")])
        self.google.advance(seconds=11)
        self.assertEqual([(item["id"], item["summary"]) for item in self.list()["items"]],
                         [(made["id"], "Coffee"), (new, "Tea")])

    def test_meet_pending(self):
        """Fault knobs: meet_pending."""
        self.google.fault("meet_pending", times=1, for_secs=5)
        made = self.insert(conferenceData=meet())
        self.assertNotIn("hangoutLink", made)
        self.google.advance(seconds=6)
        self.assertIn("hangoutLink", self.get(made["id"]))
        self.assertIn("hangoutLink", self.insert(conferenceData=meet()))

    def test_meet_failure(self):
        """Fault knobs: meet_failure."""
        self.google.fault("meet_failure", times=1)
        made = self.insert(conferenceData=meet())
        self.assertEqual(self.get(made["id"])["conferenceData"]["createRequest"]["status"]["statusCode"], "failure")


class Accounts(FaultCase):
    def test_revoke(self):
        """Fault knobs: revoke_token(user)."""
        ben = self.another(BEN).events()
        self.google.control("expire", {"user": ANA})
        with self.assertRaises(RefreshError) as caught:
            self.list()
        self.assertEqual(caught.exception.args[1]["error"], "invalid_grant")
        self.ask(ben.list(calendarId="primary"))

    def test_revoked_in_the_middle(self):
        """Fault knobs: revoke_token(user) (grant_revoked)."""
        self.google.fault("grant_revoked", times=1, user=ANA)
        with self.assertRaises(RefreshError):
            self.list()

    def test_expire(self):
        """Fault knobs: expire_access_tokens."""
        before = self.credentials.token
        self.google.control("expire", {"access_tokens": True})
        self.assertEqual(self.raw_list().status_code, 401)
        self.list()
        self.assertNotEqual(self.credentials.token, before)

    def test_narrow(self):
        """Fault knobs: narrow_scopes(user)."""
        kept = self.credentials
        self.google.fault("scopes_narrowed", times=1, user=ANA)
        # Credentials as a server keeps them: without the list of scopes once asked for.
        credentials = Credentials(None, refresh_token=kept.refresh_token, token_uri=kept.token_uri,
                                  client_id=kept.client_id, client_secret=kept.client_secret)
        self.refused(self.service(credentials).events().list(calendarId="primary"), 403, "insufficientPermissions")
        answer = self.google.call("POST", "token", data={
            "grant_type": "refresh_token", "refresh_token": kept.refresh_token, "client_id": kept.client_id,
            "client_secret": kept.client_secret})
        self.assertNotIn(CALENDAR, answer.json()["scope"].split())

    def test_disable(self):
        """Fault knobs: disable_account."""
        self.google.control("accounts", {"user": BEN, "change": "deleted"})
        self.list()
        with self.assertRaises(AssertionError):
            consent(self.google, BEN)

    def test_disable_ends_grants(self):
        """Fault knobs: disable_account (its grants end)."""
        self.google.control("accounts", {"user": ANA, "change": "deleted"})
        with self.assertRaises(RefreshError) as caught:
            self.credentials.refresh(Request())
        self.assertEqual(caught.exception.args[1]["error"], "invalid_grant")

    def test_rotate(self):
        """Fault knobs: rotate_jwks."""
        keys = lambda: {key["kid"] for key in self.google.call("GET", "oauth2/v3/certs").json()["keys"]}
        before = keys()
        self.google.control("rotate-keys")
        self.assertNotEqual(keys(), before)

    def test_token_endpoint_5xx(self):
        """Fault knobs: token-endpoint 5xx."""
        for fault in ({"fault": "token_endpoint_error"}, {"fault": "status", "status": 503, "method": "token"}):
            self.google.control("faults", {**fault, "times": 2})
            with mock.patch("time.sleep"):
                self.credentials.refresh(Request())
        answered = [entry["answered"] for entry in self.google.ledger("token")][1:]
        self.assertEqual(answered, [500, 500, 200, 503, 503, 200])

    def test_token_endpoint_429(self):
        """Fault knobs: token-endpoint 429."""
        self.google.fault("status", status=429, method="token", times=1)
        with mock.patch("time.sleep"):
            self.credentials.refresh(Request())
        self.assertEqual([entry["answered"] for entry in self.google.ledger("token")][1:], [429, 200])

    def test_token_endpoint_latency(self):
        """Fault knobs: token-endpoint latency."""
        self.google.fault("slow", method="token", times=1, for_secs=20)
        call = Waiting(lambda: self.credentials.refresh(Request()))
        self.assertTrue(call.is_held())
        self.google.advance(seconds=20)
        self.assertEqual(call.end(), ("answer", None))


class Tokens(FaultCase):
    def test_sync_tokens(self):
        """Fault knobs: expire_sync_tokens."""
        token = self.list()["nextSyncToken"]
        self.google.control("expire", {"sync_tokens": True})
        self.refused(self.events.list(calendarId="primary", syncToken=token), 410, "fullSyncRequired")

    def test_page_tokens(self):
        """Fault knobs: invalidate_page_tokens."""
        for _ in range(3):
            self.insert()
        token = self.list(maxResults=1)["nextPageToken"]
        self.google.control("expire", {"page_tokens": True})
        self.refused(self.events.list(calendarId="primary", maxResults=1, pageToken=token), 400)
        self.assertEqual(len(self.listed(maxResults=1)), 3)

    def test_clock_set(self):
        """Fault knobs: clock set."""
        made = self.insert()["id"]
        moment = self.google.now() + datetime.timedelta(days=90)
        self.google.control("clock", {"set": moment.isoformat()})
        self.assertEqual(self.google.now(), moment)
        self.credentials.refresh(Request())
        self.assertEqual(self.patch(made, {"summary": "x"})["updated"][:19], moment.isoformat()[:19])

    def test_clock_advance(self):
        """Fault knobs: clock advance."""
        before = self.google.now()
        self.google.advance(hours=1, seconds=1)
        self.assertEqual((self.google.now() - before).total_seconds(), 3601)
        self.assertEqual(self.raw_list().status_code, 401, "the access token is over")


class Selectors(FaultCase):
    def test_method(self):
        """Fault knobs: selector method."""
        self.google.fault("server_error", times=1, method=INSERT)
        self.list()
        self.refused(self.events.insert(calendarId="primary", body=tea()), 500)
        self.google.fault("server_error", times=1, method="calendar.events.*")
        self.ask(self.calendar.calendarList().list())
        self.assertEqual(self.statuses(2), [500, 200])

    def test_calendar(self):
        """Fault knobs: selector calendar."""
        ben = self.another(BEN).events()
        self.google.fault("server_error", times=1, calendar=BEN)
        self.assertEqual((self.statuses(1), self.statuses(2, ben)), ([200], [500, 200]))

    def test_user(self):
        """Fault knobs: selector user."""
        ben = self.another(BEN).events()
        self.google.fault("server_error", times=1, user=BEN)
        self.assertEqual((self.statuses(1), self.statuses(2, ben)), ([200], [500, 200]))

    def test_nth(self):
        """Fault knobs: selector nth call."""
        self.google.fault("server_error", times=1, after=2, method=LIST)
        self.assertEqual(self.statuses(4), [200, 200, 500, 200])
        self.google.fault("server_error", nth=3, method=LIST)
        self.assertEqual(self.statuses(4), [200, 200, 500, 200])

    def test_probability(self):
        """Fault knobs: selector probability."""
        self.google.fault("server_error", probability=0.3, method=LIST)
        struck = self.statuses(200).count(500)
        self.assertTrue(30 <= struck <= 90, struck)

    def test_window(self):
        """Fault knobs: selector time window."""
        self.google.fault("server_error", from_secs=60, for_secs=30, method=LIST)
        found = []
        for _ in range(5):
            found += self.statuses(1)
            self.google.advance(seconds=25)
        self.assertEqual(found, [200, 200, 200, 500, 200])

    def test_times(self):
        """Fault knobs: times."""
        self.google.fault("server_error", times=3, method=LIST)
        unused = self.google.control("faults", method="GET")["unused"]
        self.assertEqual(len(unused), 1)
        self.assertEqual(self.statuses(5), [500, 500, 500, 200, 200])
        self.assertEqual(self.google.control("faults", method="GET")["unused"], [])
        self.google.fault("server_error", method=LIST)
        self.assertEqual(self.statuses(4), [500] * 4)
        self.google.control("faults", method="DELETE")
        self.assertEqual(self.statuses(1), [200])

    def test_by_seed(self):
        """Fault knobs: deterministic by seed."""
        rounds = []
        for _ in range(2):
            self.google.reset()
            self.start()
            self.google.fault("server_error", probability=0.5, method=LIST)
            rounds.append(self.statuses(40))
        self.assertEqual(rounds[0], rounds[1])
        self.assertIn(500, rounds[0])
        self.assertIn(200, rounds[0])


class Restart(FaultCase):
    def test_state_outlives_the_process(self):
        """Fault knobs: drain/restart with kept state."""
        made = self.insert(attendees=[{"email": BEN}])
        token = self.list()["nextSyncToken"]
        kept = self.google.control("snapshot", method="GET")
        other = Simulator(self.seed)
        self.addCleanup(other.stop)
        other.control("snapshot", kept, method="PUT")
        self.google, self.credentials._token_uri = other, other.root + "token"
        self.events = self.service(self.credentials).events()
        self.assertEqual(self.get(made["id"])["etag"], made["etag"])
        added = self.insert()["id"]
        self.assertEqual([item["id"] for item in self.list(syncToken=token)["items"]], [added])
        self.credentials.refresh(Request())
