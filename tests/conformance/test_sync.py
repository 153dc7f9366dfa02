"""Lists: pages, filters, and sync tokens."""

import datetime

from googleapiclient.errors import HttpError

from simulated import ANA, BEN, Case, tea


class Pages(Case):
    def test_only_the_last_page_has_a_sync_token(self):
        """List/sync: stable paging under concurrent writes (pages)."""
        ids = [self.insert()["id"] for _ in range(5)]
        pages = self.pages(maxResults=2)
        self.assertEqual([item["id"] for page in pages for item in page["items"]], ids)
        self.assertEqual(["nextSyncToken" in page for page in pages], [False, False, True])
        self.assertEqual(["nextPageToken" in page for page in pages], [True, True, False])

    def test_what_changes_between_two_pages_is_never_missed(self):
        """List/sync: stable paging under concurrent writes."""
        ids = [self.insert()["id"] for _ in range(6)]
        request, seen, round_ = self.events.list(calendarId="primary", maxResults=2), {}, 0
        while request is not None:
            page = self.ask(request)
            seen.update({item["id"]: item.get("summary") for item in page["items"]})
            if round_ == 0:
                self.patch(ids[0], {"summary": "Changed after its page"})
                self.patch(ids[5], {"summary": "Changed before its page"})
                added = self.insert(summary="Added")["id"]
                self.delete(ids[4])
                self.delete(ids[1])
            round_ += 1
            request = self.events.list_next(request, page)
        for item in self.list(syncToken=page["nextSyncToken"])["items"]:
            seen.update({item["id"]: None if item["status"] == "cancelled" else item["summary"]})
        self.assertEqual({event: summary for event, summary in seen.items() if summary}, {
            ids[0]: "Changed after its page", ids[2]: "Tea", ids[3]: "Tea", ids[5]: "Changed before its page", added: "Added"})

    def test_a_page_can_be_empty(self):
        """List/sync: empty pages with token."""
        last = self.pages()[-1]
        self.assertEqual((last["items"], "nextPageToken" in last), ([], False))
        token = last["nextSyncToken"]
        again = self.list(syncToken=token)
        self.assertEqual(again["items"], [])
        self.assertIn("nextSyncToken", again)
        for number in range(4):
            self.insert(summary="Wanted" if number == 3 else "Other")
        # Filters may leave a page short; the reader goes on as long as there is a token.
        found = [item["summary"] for page in self.pages(q="Wanted", maxResults=1) for item in page["items"]]
        self.assertEqual(found, ["Wanted"])

    def test_sizes(self):
        """A page holds 250 unless asked otherwise, and 2500 at most."""
        for _ in range(251):
            self.events.insert(calendarId="primary", body=tea()).execute()
        page = self.list()
        self.assertEqual((len(page["items"]), "nextPageToken" in page), (250, True))
        self.assertEqual(len(self.list(maxResults=2500)["items"]), 251)
        self.assertEqual(len(self.list(maxResults=9999)["items"]), 251)

    def test_a_garbled_page_token(self):
        """A page token that nobody gave is refused."""
        self.refused(self.events.list(calendarId="primary", pageToken="garbled"), 400)

    def test_what_a_page_says_of_the_calendar(self):
        """A page carries the calendar's own members."""
        page = self.list()
        self.assertEqual((page["kind"], page["summary"], page["timeZone"], page["accessRole"], page["defaultReminders"]),
                         ("calendar#events", ANA, "Europe/Lisbon", "owner", page["defaultReminders"]))


class Filters(Case):
    def test_both_ends_are_exclusive(self):
        """`timeMin` bounds the end, `timeMax` the start, both exclusive."""
        self.insert()
        for bound, time, count in (
            ("timeMin", "2027-04-01T11:00:00+01:00", 0), ("timeMin", "2027-04-01T10:59:59+01:00", 1),
            ("timeMax", "2027-04-01T10:00:00+01:00", 0), ("timeMax", "2027-04-01T10:00:01+01:00", 1),
        ):
            with self.subTest((bound, time)):
                self.assertEqual(len(self.list(**{bound: time})["items"]), count)

    def test_words_and_ids(self):
        """`q` and `iCalUID` find what they name."""
        made = self.insert(summary="Green tea", location="Porto", attendees=[{"email": "guest@example.org"}])
        self.insert()
        for parameters in ({"q": "green"}, {"q": "porto"}, {"q": "guest@example.org"}, {"iCalUID": made["iCalUID"]}):
            with self.subTest(parameters):
                self.assertEqual(self.listed(**parameters), [made["id"]])

    def test_updated_min_and_order(self):
        """`updatedMin` shows what changed since, deletions among it; `orderBy=updated` orders by it."""
        first, second = self.insert()["id"], self.insert()["id"]
        self.google.advance(seconds=10)
        since = self.google.now().isoformat()
        self.google.advance(seconds=10)
        self.patch(first, {"summary": "Late"})
        self.delete(second)
        found = {item["id"]: item["status"] for item in self.list(updatedMin=since)["items"]}
        self.assertEqual(found, {first: "confirmed", second: "cancelled"})
        third = self.insert()["id"]
        self.google.advance(seconds=10)
        self.patch(first, {"summary": "Later"})
        self.assertEqual(self.listed(orderBy="updated"), [third, first])

    def test_updated_min_reaches_back_28_days(self):
        """List/sync: updatedMin 410 after 28 d."""
        now = self.google.now()
        near, far = (now - datetime.timedelta(days=days) for days in (14, 90))
        self.list(updatedMin=near.isoformat())
        told = self.refused(self.events.list(calendarId="primary", updatedMin=far.isoformat()), 410, "updatedMinTooLongAgo")
        self.assertEqual(told["errors"][0]["domain"], "calendar")


class SyncTokens(Case):
    def token(self, **parameters):
        return self.pages(**parameters)[-1]["nextSyncToken"]

    def test_of_a_user(self):
        """List/sync: sync token bound to user."""
        token = self.token()
        ben = self.another(BEN).events()
        for calendar in ("primary", BEN):
            with self.assertRaises(HttpError) as caught:
                ben.list(calendarId=calendar, syncToken=token).execute()
            self.assertIn(caught.exception.status_code, (400, 410))

    def test_of_a_calendar(self):
        """List/sync: sync token bound to calendar."""
        second = self.ask(self.calendar.calendars().insert(body={"summary": "Second"}))["id"]
        token = self.token()
        with self.assertRaises(HttpError) as caught:
            self.list(second, syncToken=token)
        self.assertIn(caught.exception.status_code, (400, 410))
        self.list(ANA, syncToken=token)

    def test_of_parameters(self):
        """List/sync: sync token bound to params."""
        for first, later in (({}, {"singleEvents": True}), ({"singleEvents": True}, {}),
                             ({"eventTypes": ["default"]}, {"eventTypes": ["focusTime"]})):
            with self.subTest((first, later)):
                token = self.token(**first)
                self.refused(self.events.list(calendarId="primary", syncToken=token, **later), 400)
                self.list(syncToken=token, **first)

    def test_incompatible_parameters(self):
        """List/sync: incompatible params 400."""
        token, time = self.token(), "2027-04-01T00:00:00Z"
        for name, value in {
            "iCalUID": "x", "orderBy": "updated", "privateExtendedProperty": "a=b", "q": "x", "timeMin": time,
            "sharedExtendedProperty": "a=b", "timeMax": time, "updatedMin": time, "showDeleted": False,
        }.items():
            with self.subTest(name):
                self.refused(self.events.list(calendarId="primary", syncToken=token, **{name: value}), 400)

    def test_deletions(self):
        """List/sync: deletions as sparse cancelled."""
        kept, gone = self.insert()["id"], self.insert()["id"]
        token = self.token()
        self.delete(gone)
        added = self.insert()["id"]
        page = self.list(syncToken=token)
        self.assertEqual({item["id"]: item["status"] for item in page["items"]}, {gone: "cancelled", added: "confirmed"})
        sparse = next(item for item in page["items"] if item["id"] == gone)
        self.assertEqual(sorted(sparse), ["etag", "id", "kind", "status"])
        self.assertEqual(self.list(syncToken=page["nextSyncToken"])["items"], [])
        self.assertNotIn(kept, [item["id"] for item in page["items"]])

    def test_in_pages(self):
        """List/sync: stable paging under concurrent writes (of a sync)."""
        token = self.token()
        ids = [self.insert()["id"] for _ in range(5)]
        pages = self.pages(syncToken=token, maxResults=2)
        self.assertEqual([item["id"] for page in pages for item in page["items"]], ids)
        self.assertEqual(["nextSyncToken" in page for page in pages], [False, False, True])

    def test_expired(self):
        """List/sync: 410 on expiry."""
        token = self.token()
        self.google.control("expire", {"sync_tokens": True})
        told = self.refused(self.events.list(calendarId="primary", syncToken=token), 410, "fullSyncRequired")
        self.assertEqual((told["errors"][0]["domain"], told["errors"][0]["location"]), ("calendar", "syncToken"))
        self.list(syncToken=self.token())

    def test_access_changed(self):
        """List/sync: 410 on ACL change."""
        token = self.token()
        rule = {"role": "reader", "scope": {"type": "user", "value": BEN}}
        self.ask(self.calendar.acl().insert(calendarId="primary", body=rule))
        self.refused(self.events.list(calendarId="primary", syncToken=token), 410, "fullSyncRequired")

    def test_garbled(self):
        """List/sync: garbled 400."""
        self.refused(self.events.list(calendarId="primary", syncToken="garbled"), 400, "invalid", "Invalid sync token value.")
        token = self.token()
        with self.assertRaises(HttpError) as caught:
            self.list(syncToken=token[:len(token) // 2])
        self.assertIn(caught.exception.status_code, (400, 410))

    def test_of_calendar_lists(self):
        """List/sync: calendarList sync."""
        lists = self.calendar.calendarList()
        first = self.ask(lists.list())
        self.assertEqual([entry["id"] for entry in first["items"]], [ANA])
        made = self.ask(self.calendar.calendars().insert(body={"summary": "Second"}))["id"]
        page = self.ask(lists.list(syncToken=first["nextSyncToken"]))
        self.assertEqual([entry["id"] for entry in page["items"]], [made])
        self.ask(lists.patch(calendarId=made, body={"summaryOverride": "Mine"}))
        page = self.ask(lists.list(syncToken=page["nextSyncToken"]))
        self.assertEqual([entry["summaryOverride"] for entry in page["items"]], ["Mine"])
        self.calendar.calendars().delete(calendarId=made).execute()
        page = self.ask(lists.list(syncToken=page["nextSyncToken"]))
        self.assertEqual([(entry["id"], entry["deleted"]) for entry in page["items"]], [(made, True)])
        self.assertEqual(self.ask(lists.list(syncToken=page["nextSyncToken"]))["items"], [])

    def test_calendar_list_tokens_die_too(self):
        """List/sync: calendarList sync (expiry and misuse)."""
        lists = self.calendar.calendarList()
        token = self.ask(lists.list())["nextSyncToken"]
        self.refused(lists.list(syncToken=token, minAccessRole="owner"), 400)
        self.google.control("expire", {"sync_tokens": True})
        self.refused(lists.list(syncToken=token), 410, "fullSyncRequired")
