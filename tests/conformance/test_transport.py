"""What is the same for every call: batches, parts of answers, compression, other methods."""

from simulated import ANA, Case, tea


class Transport(Case):
    def test_batch(self):
        """A batch has its own answer for each part."""
        made = self.insert()["id"]
        outcomes = {}
        keep = lambda name, answer, error: outcomes.update({name: (answer or {}).get("summary") if error is None else error.status_code})
        batch = self.calendar.new_batch_http_request(callback=keep)
        batch.add(self.events.get(calendarId="primary", eventId=made), request_id="get")
        batch.add(self.events.get(calendarId="primary", eventId="nosuchevent"), request_id="missing")
        batch.add(self.events.insert(calendarId="primary", body=tea(summary="Coffee")), request_id="insert")
        batch.execute()
        self.assertEqual(outcomes, {"get": "Tea", "missing": 404, "insert": "Coffee"})

    def test_a_batch_that_is_too_large(self):
        """A batch has 1000 parts at most."""
        batch = self.calendar.new_batch_http_request()
        for _ in range(1000):
            batch.add(self.events.get(calendarId="primary", eventId="nosuchevent"))
        with self.assertRaises(Exception):
            batch.add(self.events.get(calendarId="primary", eventId="nosuchevent"))

    def test_fields(self):
        """`fields` leaves the rest out."""
        made = self.insert(attendees=[{"email": "guest@example.org"}])
        part = self.ask(self.events.get(calendarId="primary", eventId=made["id"], fields="id,start/dateTime,attendees(email)"))
        self.assertEqual(part, {"id": made["id"], "start": {"dateTime": made["start"]["dateTime"]},
                                "attendees": [{"email": "guest@example.org"}]})
        page = self.ask(self.events.list(calendarId="primary", fields="items(id,summary),nextSyncToken"))
        self.assertEqual((page["items"], sorted(page)), ([{"id": made["id"], "summary": "Tea"}], ["items", "nextSyncToken"]))
        self.refused(self.events.list(calendarId="primary", fields="items(nonsense"), 400)

    def test_gzip(self):
        """An answer is compressed for who asks for it."""
        self.insert()
        headers = {"Accept-Encoding": "gzip", "User-Agent": "bridge (gzip)"}
        answer = self.raw("GET", "calendars/primary/events", headers=headers)
        self.assertEqual((answer.headers.get("content-encoding"), len(answer.json()["items"])), ("gzip", 1))
        plain = self.raw("GET", "calendars/primary/events", headers={"Accept-Encoding": "identity"})
        self.assertNotIn("content-encoding", plain.headers)

    def test_method_override(self):
        """`X-HTTP-Method-Override` says what a POST means."""
        made = self.insert()["id"]
        path = "calendars/primary/events/" + made
        answer = self.raw("POST", path, json={"summary": "Coffee"}, headers={"X-HTTP-Method-Override": "PATCH"})
        self.assertEqual((answer.status_code, answer.json()["summary"]), (200, "Coffee"))
        answer = self.raw("POST", path, headers={"X-HTTP-Method-Override": "DELETE"})
        self.assertEqual(answer.status_code, 204)

    def test_ids_in_paths(self):
        """Ids are percent-encoded in paths."""
        made = self.insert()["id"]
        self.assertEqual(self.raw("GET", f"calendars/{ANA.replace('@', '%40')}/events/{made}").status_code, 200)

    def test_unicode(self):
        """Texts come back to the letter."""
        text = "Tē ☕ 日本語 \U0001f375 \"quoted\" \\ / <b> & \n second line\ttab"
        made = self.insert(summary=text, description=text * 50)
        self.assertEqual((self.get(made["id"])["summary"], self.get(made["id"])["description"]), (text, text * 50))
        self.assertEqual(self.listed(q="日本語"), [made["id"]])

    def test_unknown_paths(self):
        """A path Google does not know is a page of HTML."""
        answer = self.raw("GET", "nonsense")
        self.assertEqual((answer.status_code, answer.headers["content-type"].split(";")[0]), (404, "text/html"))
