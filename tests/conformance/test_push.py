"""Push channels, with a receiver that listens as an application would."""

import calendar
import collections
import email.utils
import http.server
import threading

from google.auth.transport.requests import Request
from googleapiclient.errors import HttpError

from simulated import ANA, BEN, OTHER_ID, PLAIN, Case, tea

LOOPBACK = PLAIN + "\n[push]\nallow_http = true\n"
WEEK = 7 * 24 * 3600
Message = collections.namedtuple("Message", "headers body path")


class Receiver:
    """Keeps every message, and answers as it is told: the statuses in `answers`, then 200."""

    def __init__(self):
        self.messages, self.answers, self.news = [], [], threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with receiver.news:
                    status = receiver.answers.pop(0) if receiver.answers else 200
                    receiver.messages.append(Message(self.headers, body, self.path))
                    receiver.news.notify_all()
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/notify"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait(self, count, seconds=5):
        """The messages, once there are so many."""
        with self.news:
            self.news.wait_for(lambda: len(self.messages) >= count, seconds)
            return list(self.messages)

    def states(self, count):
        return [message.headers["X-Goog-Resource-State"] for message in self.wait(count)]

    def settled(self, seconds=0.2):
        """The messages, after one more had time to come."""
        return self.wait(len(self.messages) + 1, seconds)


class PushCase(Case):
    seed = LOOPBACK

    def start(self):
        super().start()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def channel(self, name="one", **members):
        return {"id": name, "type": "web_hook", "address": self.receiver.address, "token": "secret=7", **members}

    def watch(self, events=None, calendar="primary", **members):
        """A channel, after its first message."""
        before = len(self.receiver.messages)
        answer = self.ask((events or self.events).watch(calendarId=calendar, body=self.channel(**members)))
        self.receiver.wait(before + 1)
        return answer

    def stop(self, service, channel):
        return service.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]})


class Messages(PushCase):
    def test_sync(self):
        """Push: sync message."""
        self.watch()
        message, = self.receiver.wait(1)
        self.assertEqual((message.headers["X-Goog-Resource-State"], message.headers["X-Goog-Message-Number"]), ("sync", "1"))
        self.assertEqual(len(self.receiver.settled()), 1)

    def test_sync_does_not_wait_for_the_answer(self):
        """Push: sync before the answer."""
        self.google.fault("lost_answer", times=1, method="calendar.events.watch")
        try:
            self.raw("POST", "calendars/primary/events/watch", json=self.channel())
            self.fail("the answer was not lost")
        except OSError:
            pass
        self.assertEqual(self.receiver.states(1), ["sync"])

    def test_sync_comes_early(self):
        """Push: sync before the answer (by a fault)."""
        self.google.fault("push_early_sync", times=1)
        self.ask(self.events.watch(calendarId="primary", body=self.channel()))
        self.assertEqual([message.headers["X-Goog-Resource-State"] for message in self.receiver.messages], ["sync"])

    def test_insert(self):
        """Push: exists on insert."""
        self.watch()
        self.insert()
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])

    def test_every_change(self):
        """Push: exists on change."""
        made = self.insert()["id"]
        self.watch()
        for count, change in enumerate((
            lambda: self.patch(made, {"summary": "Coffee"}), lambda: self.update(made, tea(summary="Milk")),
            lambda: self.ask(self.events.quickAdd(calendarId="primary", text="Lunch")),
            lambda: self.ask(self.events.import_(calendarId="primary", body=tea(iCalUID="x@example.org"))),
        ), 2):
            change()
            self.assertEqual(self.receiver.states(count)[count - 1:], ["exists"])

    def test_delete(self):
        """Push: exists on delete."""
        made = self.insert()["id"]
        self.watch()
        self.delete(made)
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])

    def test_what_fails_is_not_told(self):
        """Push: exists on change (and on nothing else)."""
        made = self.insert(id="abcde12345")
        self.watch()
        self.get(made["id"])
        self.list()
        self.refused(self.events.insert(calendarId="primary", body=tea(id="abcde12345")), 409)
        self.assertEqual(len(self.receiver.settled()), 1)

    def test_copies(self):
        """Push: exists for attendee copies."""
        ben = self.another(BEN).events()
        self.watch(events=ben)
        made = self.insert(attendees=[{"email": BEN}])["id"]
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])
        self.patch(made, {"summary": "Coffee"})
        self.assertEqual(self.receiver.states(3)[2], "exists")
        self.delete(made)
        self.assertEqual(self.receiver.states(4)[3], "exists")

    def test_headers(self):
        """Push: headers exact."""
        channel = self.watch()
        self.insert()
        sync, exists = self.receiver.wait(2)
        for message, state in ((sync, "sync"), (exists, "exists")):
            told = {name.lower(): value for name, value in message.headers.items()}
            told = {name: value for name, value in told.items() if name.startswith("x-goog-")}
            self.assertRegex(told.pop("x-goog-message-number"), r"^\d+$")
            expiration = told.pop("x-goog-channel-expiration")
            self.assertRegex(expiration, r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")
            seconds = calendar.timegm(email.utils.parsedate(expiration))
            self.assertEqual(seconds, int(channel["expiration"]) // 1000)
            self.assertEqual(told, {
                "x-goog-channel-id": "one", "x-goog-channel-token": "secret=7", "x-goog-resource-state": state,
                "x-goog-resource-id": channel["resourceId"], "x-goog-resource-uri": channel["resourceUri"]})
            self.assertEqual(message.path, "/notify")

    def test_without_a_token(self):
        """Push: headers exact (no token, no header)."""
        body = self.channel()
        del body["token"]
        self.ask(self.events.watch(calendarId="primary", body=body))
        message, = self.receiver.wait(1)
        self.assertNotIn("X-Goog-Channel-Token", message.headers)

    def test_numbers(self):
        """Push: increasing numbers."""
        self.watch()
        for count in range(12):
            self.insert()
            self.receiver.wait(count + 2)
        numbers = [int(message.headers["X-Goog-Message-Number"]) for message in self.receiver.wait(13)]
        self.assertEqual((numbers[0], len(numbers)), (1, 13))
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertGreater(numbers[-1], 13, "not one after the other")

    def test_body(self):
        """Push: no body."""
        self.watch()
        self.insert()
        self.assertEqual([message.body for message in self.receiver.wait(2)], [b"", b""])


class Channels(PushCase):
    def lives(self, channel):
        return int(channel["expiration"]) / 1000 - self.google.now().timestamp()

    def test_answer(self):
        """Push: 7-day default."""
        channel = self.watch()
        self.assertEqual(sorted(channel), ["expiration", "id", "kind", "resourceId", "resourceUri"] + (["token"] if "token" in channel else []))
        self.assertEqual((channel["kind"], channel["id"]), ("api#channel", "one"))
        self.assertAlmostEqual(self.lives(channel), WEEK, delta=1)

    def test_ttl(self):
        """Push: ttl."""
        self.assertAlmostEqual(self.lives(self.watch(params={"ttl": "3600"})), 3600, delta=1)
        moment = int(self.google.now().timestamp() + 7200) * 1000
        self.assertEqual(int(self.watch(name="two", expiration=str(moment))["expiration"]), moment)

    def test_cap(self):
        """Push: cap."""
        channel = self.watch(params={"ttl": str(400 * 24 * 3600)})
        self.assertLess(self.lives(channel), 60 * 24 * 3600)
        moment = int(self.google.now().timestamp() + 400 * 24 * 3600) * 1000
        self.assertLess(self.lives(self.watch(name="two", expiration=str(moment))), 60 * 24 * 3600)

    def test_expiry(self):
        """Push: expiry stops."""
        self.watch(params={"ttl": "3600"})
        self.google.advance(seconds=3590)
        self.insert()
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])
        self.google.advance(seconds=20)
        self.credentials.refresh(Request())
        self.insert()
        self.assertEqual(len(self.receiver.settled()), 2)

    def test_duplicate_id(self):
        """Push: duplicate id 400."""
        self.watch()
        self.refused(self.events.watch(calendarId="primary", body=self.channel()), 400, "channelIdNotUnique")
        self.refused(self.another(BEN).events().watch(calendarId="primary", body=self.channel()), 400, "channelIdNotUnique")

    def test_several_channels(self):
        """Channels of one calendar overlap; each gets the message."""
        first, second = self.watch(), self.watch(name="two")
        self.assertEqual(first["resourceId"], second["resourceId"])
        self.insert()
        names = [message.headers["X-Goog-Channel-ID"] for message in self.receiver.wait(4)]
        self.assertEqual(sorted(names[2:]), ["one", "two"])

    def test_lengths(self):
        """An id has at most 64 characters, a token at most 256."""
        self.watch(name="i" * 64, token="t" * 256)
        self.refused(self.events.watch(calendarId="primary", body=self.channel("i" * 65)), 400)
        self.refused(self.events.watch(calendarId="primary", body=self.channel("three", token="t" * 257)), 400)

    def test_needs(self):
        """Id, type and address are needed."""
        for missing in ("id", "type", "address"):
            body = self.channel()
            del body[missing]
            with self.subTest(missing):
                self.refused(self.events.watch(calendarId="primary", body=body), 400)
        self.refused(self.events.watch(calendarId="primary", body=self.channel(type="carrier_pigeon")), 400)
        self.refused(self.events.watch(calendarId="nobody@example.com", body=self.channel()), 404)

    def test_stop(self):
        """Push: stop 204."""
        channel = self.watch()
        answer = self.raw("POST", "channels/stop", json={"id": "one", "resourceId": channel["resourceId"]})
        self.assertEqual((answer.status_code, answer.content), (204, b""))
        self.insert()
        self.assertEqual(len(self.receiver.settled()), 1)

    def test_stop_unknown(self):
        """Push: stop 404."""
        channel = self.watch()
        self.refused(self.stop(self.calendar, {**channel, "id": "two"}), 404, "notFound")
        self.refused(self.stop(self.calendar, {**channel, "resourceId": "elsewhere"}), 404, "notFound")
        self.stop(self.calendar, channel).execute()
        self.refused(self.stop(self.calendar, channel), 404)

    def test_stop_foreign(self):
        """Push: stop foreign 403."""
        channel = self.watch()
        self.refused(self.stop(self.another(BEN), channel), 403)
        other = self.another(ANA, client=OTHER_ID, secret="GOCSPX-another")
        with self.assertRaises(HttpError) as caught:
            self.stop(other, channel).execute()
        self.assertIn(caught.exception.status_code, (403, 404))
        self.insert()
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])

    def test_retry(self):
        """Push: retry on 5xx."""
        self.watch()
        for status in (500, 502, 503, 504):
            with self.subTest(status):
                before = len(self.receiver.messages)
                self.receiver.answers = [status]
                self.insert()
                self.receiver.wait(before + 1)
                came = self.google.advance_until(lambda: len(self.receiver.wait(before + 2, 0.005)) >= before + 2)
                self.assertTrue(came, "no second try")
                first, second = self.receiver.messages[before:before + 2]
                self.assertEqual(first.headers["X-Goog-Message-Number"], second.headers["X-Goog-Message-Number"])

    def test_no_retry(self):
        """Push: no retry on others."""
        self.watch()
        for status in (400, 404, 410, 429, 501):
            before = len(self.receiver.messages)
            self.receiver.answers = [status]
            self.insert()
            self.receiver.wait(before + 1)
            self.google.advance(minutes=5)
            self.assertEqual(len(self.receiver.settled(0.1)), before + 1, status)

    def test_success(self):
        """Push: no retry on others (every success)."""
        self.watch()
        for status in (201, 202, 204):
            before = len(self.receiver.messages)
            self.receiver.answers = [status]
            self.insert()
            self.receiver.wait(before + 1)
            self.google.advance(minutes=5)
            self.assertEqual(len(self.receiver.settled(0.1)), before + 1, status)

    def test_loopback(self):
        """Push: loopback http by a flag."""
        self.assertTrue(self.receiver.address.startswith("http://127.0.0.1:"))
        self.watch()

    def test_other_resources(self):
        """The calendar list, access rules and settings can be watched too."""
        self.ask(self.calendar.calendarList().watch(body=self.channel("lists")))
        self.ask(self.calendar.acl().watch(calendarId="primary", body=self.channel("rules")))
        self.ask(self.calendar.settings().watch(body=self.channel("settings")))
        self.receiver.wait(3)
        self.ask(self.calendar.calendars().insert(body={"summary": "Second"}))
        names = [message.headers["X-Goog-Channel-ID"] for message in self.receiver.wait(4)[3:]]
        self.assertIn("lists", names)


class Knobs(PushCase):
    def test_drop(self):
        """Push: drop."""
        self.watch()
        self.google.fault("push_drop", times=1)
        self.insert()
        self.google.advance(minutes=5)
        self.assertEqual(len(self.receiver.settled()), 1)
        self.insert()
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])

    def test_duplicate(self):
        """Push: duplicate."""
        self.watch()
        self.google.fault("push_duplicate", times=1)
        self.insert()
        first, second = self.receiver.wait(3)[1:]
        self.assertEqual(first.headers["X-Goog-Message-Number"], second.headers["X-Goog-Message-Number"])

    def test_reorder(self):
        """Push: reorder."""
        self.watch()
        self.google.fault("push_reorder", times=1)
        self.insert()
        self.insert()
        self.google.advance_until(lambda: len(self.receiver.wait(3, 0.005)) >= 3)
        numbers = [int(message.headers["X-Goog-Message-Number"]) for message in self.receiver.wait(3)]
        self.assertGreater(numbers[1], numbers[2])

    def test_delay(self):
        """Push: delay."""
        self.watch()
        self.google.fault("push_delay", times=1, for_secs=60)
        self.insert()
        self.google.advance(seconds=50)
        self.assertEqual(len(self.receiver.settled()), 1)
        self.google.advance(seconds=11)
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])

    def test_wrong_token(self):
        """Fault knobs: push wrong-token."""
        self.watch()
        self.google.fault("push_wrong_token", times=1)
        self.insert()
        self.assertNotEqual(self.receiver.wait(2)[1].headers["X-Goog-Channel-Token"], "secret=7")

    def test_fault_drop(self):
        """Fault knobs: push drop."""
        self.watch()
        self.google.fault("push_drop", times=2)
        for _ in range(3):
            self.insert()
        self.assertEqual(self.receiver.states(2), ["sync", "exists"])
        self.assertEqual(len(self.receiver.settled()), 2)

    def test_fault_duplicate(self):
        """Fault knobs: push dup."""
        self.watch()
        self.google.fault("push_duplicate", times=1)
        self.insert()
        self.insert()
        self.assertEqual(self.receiver.states(4), ["sync", "exists", "exists", "exists"])

    def test_fault_delay(self):
        """Fault knobs: push delay."""
        self.watch()
        self.google.fault("push_delay", times=1, for_secs=30)
        self.insert()
        self.assertEqual(len(self.receiver.settled()), 1)
        self.google.advance(seconds=31)
        self.assertEqual(len(self.receiver.wait(2)), 2)


class Https(Case):
    seed = PLAIN + "\n[push]\nallow_http = false\n"

    def test_https_alone(self):
        """Push: HTTPS rule."""
        for address in ("http://example.org/notify", "http://127.0.0.1:1/notify"):
            body = {"id": "one", "type": "web_hook", "address": address}
            told = self.refused(self.events.watch(calendarId="primary", body=body), 400, "push.webhookUrlNotHttps")
            self.assertEqual(told["errors"][0]["domain"], "global")
