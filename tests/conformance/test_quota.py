"""Quotas: sliding minutes, costs, and Calendar's own use limits."""

from simulated import ANA, BEN, PLAIN, Case, tea
from test_service_account import ACCOUNTS, DELEGATED, ServiceCase


class QuotaCase(Case):
    def calls(self, count, path="calendars/primary/events?maxResults=1", credentials=None):
        """How so many calls are answered, in order: their statuses."""
        return [self.raw("GET", path, credentials).status_code for _ in range(count)]

    def limited(self, reason, status=403, credentials=None):
        answer = self.raw("GET", "calendars/primary/events", credentials)
        error = answer.json()["error"]["errors"][0]
        self.assertEqual((answer.status_code, error["reason"], error["domain"]), (status, reason, "usageLimits"))

    def batch(self, count, events=None):
        """The outcomes of one batch of so many lists."""
        outcomes = []
        batch = self.calendar.new_batch_http_request(
            callback=lambda _, answer, error: outcomes.append(200 if error is None else error.status_code))
        for _ in range(count):
            batch.add((events or self.events).list(calendarId="primary", maxResults=1))
        batch.execute()
        return outcomes


class Defaults(QuotaCase):
    def test_per_user(self):
        """Quota: per-user 600/min."""
        answers = self.calls(601)
        self.assertEqual((answers[:600], answers[600]), ([200] * 600, 403))
        self.limited("userRateLimitExceeded")
        self.ask(self.another(BEN).events().list(calendarId="primary"))


class Project(QuotaCase):
    seed = PLAIN + "\n[quota]\nper_user_per_minute = 100000\n"

    def test_per_project(self):
        """Quota: per-project 10,000/min."""
        # The official client would take longer to write such batches than the simulator to answer them.
        part = "--x\r\nContent-Type: application/http\r\n\r\nGET /calendar/v3/colors?fields=kind HTTP/1.1\r\n\r\n\r\n"
        headers = {"Authorization": "Bearer " + self.credentials.token, "Content-Type": "multipart/mixed; boundary=x"}
        for _ in range(10):
            answer = self.google.call("POST", "batch/calendar/v3", data=part * 1000 + "--x--\r\n", headers=headers)
            self.assertEqual(answer.text.count("HTTP/1.1 200"), 1000)
        self.limited("rateLimitExceeded")


class Low(QuotaCase):
    seed = PLAIN + "\n[quota]\nper_user_per_minute = 10\nper_project_per_minute = 15\n"

    def test_low(self):
        """Quota: configurable low."""
        self.assertEqual(self.calls(11), [200] * 10 + [403])
        ben = self.another(BEN)
        for _ in range(5):
            self.ask(ben.events().list(calendarId="primary"))
        self.refused(ben.events().list(calendarId="primary"), 403, "rateLimitExceeded", domain="usageLimits")

    def test_sliding(self):
        """Quota: sliding windows."""
        self.assertEqual(self.calls(5), [200] * 5)
        self.google.advance(seconds=40)
        self.assertEqual(self.calls(6), [200] * 5 + [403])
        self.google.advance(seconds=21)
        self.assertEqual(self.calls(6), [200] * 5 + [403])
        self.google.advance(seconds=61)
        self.assertEqual(self.calls(1), [200])

    def test_patch(self):
        """Quota: patch = 3."""
        made = self.insert()["id"]
        self.google.advance(seconds=61)
        for summary in ("One", "Two", "Three"):
            self.patch(made, {"summary": summary})
        self.refused(self.events.patch(calendarId="primary", eventId=made, body={"summary": "Four"}), 403, "userRateLimitExceeded")
        self.get(made)
        self.refused(self.events.get(calendarId="primary", eventId=made), 403, "userRateLimitExceeded")

    def test_update(self):
        """Quota: patch = 3 (and an update one)."""
        made = self.insert()["id"]
        self.google.advance(seconds=61)
        for number in range(10):
            self.update(made, tea(summary=str(number)))
        self.refused(self.events.update(calendarId="primary", eventId=made, body=tea()), 403, "userRateLimitExceeded")

    def test_batch(self):
        """Quota: batch parts singly."""
        self.assertEqual(sorted(self.batch(12)), [200] * 10 + [403] * 2)
        self.limited("userRateLimitExceeded")

    def test_forbidden(self):
        """Quota: 403 vs 429 choice (403)."""
        self.calls(10)
        self.limited("userRateLimitExceeded", 403)


class Low429(QuotaCase):
    seed = PLAIN + "\n[quota]\nper_user_per_minute = 10\nrefusal = 429\n"

    def test_too_many_requests(self):
        """Quota: 403 vs 429 choice."""
        self.calls(10)
        answer = self.raw("GET", "calendars/primary/events")
        self.assertEqual((answer.status_code, answer.json()["error"]["errors"][0]["domain"]), (429, "usageLimits"))


class Charged(ServiceCase):
    seed = PLAIN + ACCOUNTS + "\n[quota]\nper_user_per_minute = 10\n"

    def test_quota_user(self):
        """Quota: quotaUser."""
        services = [self.service(self.credentials_of(DELEGATED, user)) for user in (ANA, BEN)]
        # With delegation all calls are charged to the service account ..
        for number in range(10):
            self.ask(services[number % 2].events().list(calendarId="primary"))
        for service in services:
            self.refused(service.events().list(calendarId="primary"), 403, "userRateLimitExceeded")
        # .. unless they name whom to charge.
        for _ in range(10):
            self.ask(services[0].events().list(calendarId="primary", quotaUser=ANA))
        self.refused(services[0].events().list(calendarId="primary", quotaUser=ANA), 403, "userRateLimitExceeded")
        request = services[1].events().list(calendarId="primary")
        request.headers["x-goog-quota-user"] = BEN
        self.ask(request)


class Burst(QuotaCase):
    seed = PLAIN + "\n[quota]\nper_calendar_writes_per_minute = 5\n"

    def test_burst(self):
        """Quota: per-calendar write burst limiter."""
        second = self.ask(self.calendar.calendars().insert(body={"summary": "Second"}))["id"]
        for _ in range(5):
            self.insert()
        told = self.refused(self.events.insert(calendarId="primary", body=tea()), 403, "rateLimitExceeded")
        self.assertEqual(told["errors"][0]["domain"], "usageLimits")
        self.list()
        self.insert(second)
        self.google.advance(seconds=61)
        self.insert()


class UseLimit(QuotaCase):
    seed = PLAIN + "\n[quota]\nguest_mails = 3\ninvitations = 5\n"

    def invite(self, count):
        guests = [{"email": f"g{number}@example.org"} for number in range(count)]
        return self.events.insert(calendarId="primary", body=tea(attendees=guests), sendUpdates="all")

    def test_hours_of_refusal(self):
        """Quota: Calendar-use-limit mode."""
        self.ask(self.invite(3))
        self.refused(self.invite(1), 403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits")
        self.list()
        self.google.advance(minutes=5)
        self.refused(self.invite(1), 403, "quotaExceeded")


class Spam(UseLimit):
    seed = PLAIN + "\n[quota]\ninvitations = 5\n"

    def test_hours_of_refusal(self):
        """Quota: Calendar-use-limit mode (by invitations)."""
        self.ask(self.invite(5))
        self.refused(self.invite(1), 403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits")

    def test_spam(self):
        """Events: spam limit."""
        self.ask(self.invite(5))
        self.refused(self.invite(10), 403, "quotaExceeded")
        self.assertEqual(len(self.google.mails()), 5)
        self.assertEqual(len(self.listed()), 1)
