"""What the simulator tells about what happened; and that it happens the same way twice."""

import socket
import urllib.parse

from google.auth.transport.requests import Request

from simulated import ANA, BEN, PLAIN, Case, Simulator, consent, decide, query_of, tea

FIXED = PLAIN.replace('mode = "fixed"', 'mode = "fixed"\nstart = "2026-03-27T12:00:00Z"')


class Observability(Case):
    def test_requests(self):
        """Observability: request log with outcome."""
        made = self.insert()["id"]
        self.refused(self.events.get(calendarId="primary", eventId="nosuchevent"), 404)
        entries = self.google.ledger()
        calls = [(entry["method"], entry["user"], entry["answered"], entry["event"]) for entry in entries[-2:]]
        self.assertEqual(calls, [("calendar.events.insert", ANA, 200, made), ("calendar.events.get", ANA, 404, "nosuchevent")])
        self.assertEqual([entry["number"] for entry in entries], list(range(1, len(entries) + 1)))
        self.assertEqual(entries[-1]["calendar"], ANA)
        self.assertEqual([entry["grant_type"] for entry in entries if entry["method"] == "token"], ["authorization_code"])

    def test_faults(self):
        """Observability: request log with fault."""
        self.google.fault("server_error", times=1)
        self.refused(self.events.list(calendarId="primary"), 500)
        entry = self.google.ledger("calendar.events.list")[-1]
        self.assertEqual((entry["faults"], entry["answered"], entry["committed"]), (["server_error"], 500, False))

    def test_no_tokens(self):
        """Observability: tokens redacted."""
        secrets = [self.credentials.token, self.credentials.refresh_token]
        self.credentials.refresh(Request())
        self.insert(summary="Quokka")
        told = "".join(self.google.call("GET", "simulator/" + path).text for path in ("ledger", "dump"))
        for secret in [*secrets, self.credentials.token, "GOCSPX-known-to-everybody"]:
            self.assertNotIn(secret, told)
        self.assertNotIn("Quokka", self.google.call("GET", "simulator/ledger").text)

    def test_commits(self):
        """Observability: commit log."""
        self.google.fault("lost_answer", times=1, method="calendar.events.insert")
        with self.assertRaises(OSError):
            self.raw("POST", "calendars/primary/events", json=tea(id="abcde12345"))
        self.insert()
        self.refused(self.events.insert(calendarId="primary", body=tea(id="abcde12345")), 409)
        found = [(entry["committed"], entry["answered"]) for entry in self.google.ledger("calendar.events.insert")]
        self.assertEqual(found, [(True, "cut"), (True, 200), (False, 409)])

    def test_outbox(self):
        """Observability: outbox."""
        made = self.insert(attendees=[{"email": "guest@example.org"}], sendUpdates="all")["id"]
        mail, = self.google.mails()
        self.assertEqual((mail["to"], mail["kind"], mail["calendar"], mail["event"]),
                         ("guest@example.org", "invitation", ANA, made))

    def test_dump(self):
        """Observability: state dump."""
        made, gone = self.insert()["id"], self.insert()["id"]
        self.delete(gone)
        told = self.google.control("dump", method="GET")
        mine = next(calendar for calendar in told["calendars"] if calendar["id"] == ANA)
        self.assertEqual([event["id"] for event in mine["events"]], [made])
        self.assertEqual([event["id"] for event in mine["tombstones"]], [gone])

    def test_reset(self):
        """Observability: reset."""
        self.insert(attendees=[{"email": "guest@example.org"}], sendUpdates="all")
        self.google.fault("server_error")
        self.google.control("reset")
        self.assertEqual((self.google.ledger(), self.google.mails()), ([], []))
        self.assertEqual(self.raw("GET", "calendars/primary/events").status_code, 401)
        self.credentials = consent(self.google)
        self.assertEqual(self.raw("GET", "calendars/primary/events").json()["items"], [])

    def test_snapshot(self):
        """Observability: snapshot."""
        made = self.insert()["id"]
        kept = self.google.control("snapshot", method="GET")
        self.delete(made)
        self.insert()
        self.google.control("snapshot", kept, method="PUT")
        self.assertEqual(self.listed(), [made])

    def test_counters(self):
        """Observability: counters."""
        before = self.google.control("ledger", method="GET")["counters"]
        self.insert()
        after = self.google.control("ledger", method="GET")["counters"]
        self.assertNotEqual(before, after)


class Determinism(Case):
    def life(self, google):
        """Everything a short life on a simulator is told, byte for byte."""
        answers = []
        address = google.root + "o/oauth2/v2/auth?" + urllib.parse.urlencode({
            "client_id": "407408718192-simulator.apps.googleusercontent.com", "response_type": "code", "state": "s",
            "redirect_uri": "http://127.0.0.1:3001/oauth2callback", "access_type": "offline",
            "scope": "openid https://www.googleapis.com/auth/calendar"})
        answers.append(decide(google, address, user=ANA))
        code = query_of(answers[-1].headers["location"])["code"]
        answers.append(google.call("POST", "token", data={
            "grant_type": "authorization_code", "code": code, "redirect_uri": "http://127.0.0.1:3001/oauth2callback",
            "client_id": "407408718192-simulator.apps.googleusercontent.com", "client_secret": "GOCSPX-known-to-everybody"}))
        headers = {"Authorization": "Bearer " + answers[-1].json()["access_token"]}
        events = "calendar/v3/calendars/primary/events"
        for body in (tea(), tea(summary="Coffee", attendees=[{"email": BEN}])):
            answers.append(google.call("POST", events, json=body, headers=headers))
        answers.append(google.call("GET", events, headers=headers))
        return [(answer.status_code, answer.headers.get("location"), answer.text.replace(google.root, "ROOT/"))
                for answer in answers]

    def fresh(self, seed):
        google = Simulator(seed)
        self.addCleanup(google.stop)
        return google

    def test_ids(self):
        """Determinism: seedable ids."""
        first, second, other = (self.life(self.fresh(seed)) for seed in (FIXED, FIXED, FIXED.replace("seed = 7", "seed = 8")))
        self.assertEqual(first, second)
        self.assertNotEqual(first[2], other[2])

    def test_clock(self):
        """Determinism: seedable clock."""
        google = self.fresh(FIXED)
        self.assertEqual(google.now().isoformat(), "2026-03-27T12:00:00+00:00")
        self.life(google)
        self.assertEqual(google.now().isoformat(), "2026-03-27T12:00:00+00:00", "it stands still")

    def test_port(self):
        """Determinism: port 0."""
        first, second = self.fresh(FIXED), self.fresh(FIXED)
        self.assertRegex(first.first_line, r"http://127\.0\.0\.1:\d+\b")
        self.assertNotEqual(first.root, second.root)

    def test_loopback(self):
        """Determinism: loopback bind by default."""
        port = urllib.parse.urlsplit(self.google.root).port
        elsewhere = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for address in elsewhere - {"127.0.0.1"}:
            with self.subTest(address), self.assertRaises(OSError):
                socket.create_connection((address, port), 0.5).close()
        with socket.create_connection(("127.0.0.1", port), 0.5):
            pass

    def test_no_tls(self):
        """Determinism: no TLS needed."""
        self.assertTrue(self.google.root.startswith("http://"))
        self.assertTrue(self.insert()["htmlLink"].startswith(("http://", "https://")))

    def test_memory(self):
        """Determinism: state in memory or a file."""
        first = self.fresh(FIXED)
        self.life(first)
        first.stop()
        again = self.fresh(FIXED)
        self.assertEqual(again.ledger(), [])
