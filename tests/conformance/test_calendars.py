"""Calendars, the lists of them, and who may do what; and what else can be done with events."""

from googleapiclient.errors import HttpError

from simulated import ANA, BEN, CLEO, Case, tea


class Calendars(Case):
    def made(self, **members):
        return self.ask(self.calendar.calendars().insert(body={"summary": "Second", **members}))

    def shared(self, role, user=BEN):
        """A calendar of Ana's on which another user has this role."""
        made = self.made()["id"]
        rule = {"role": role, "scope": {"type": "user", "value": user}}
        self.ask(self.calendar.acl().insert(calendarId=made, body=rule))
        return made

    def test_life_of_a_calendar(self):
        """A secondary calendar is made, changed, cleared and deleted."""
        calendars = self.calendar.calendars()
        made = self.made(timeZone="Asia/Tokyo", description="Green")
        self.assertRegex(made["id"], r"^[^@]+@group\.calendar\.google\.com$")
        self.assertEqual((made["kind"], made["timeZone"], made["description"]), ("calendar#calendar", "Asia/Tokyo", "Green"))
        self.assertEqual(self.ask(calendars.get(calendarId=made["id"])), made)
        patched = self.ask(calendars.patch(calendarId=made["id"], body={"location": "Porto"}))
        self.assertEqual((patched["summary"], patched["location"]), ("Second", "Porto"))
        put = self.ask(calendars.update(calendarId=made["id"], body={"summary": "Third"}))
        self.assertEqual((put["summary"], put.get("location")), ("Third", None))
        event = self.insert(made["id"])
        self.assertEqual(event["organizer"]["email"], made["id"])
        self.assertEqual(event["start"]["dateTime"], "2027-04-01T18:00:00+09:00")
        calendars.delete(calendarId=made["id"]).execute()
        self.refused(calendars.get(calendarId=made["id"]), 404, "notFound")
        self.refused(calendars.insert(body={}), 400)

    def test_the_primary_calendar(self):
        """The primary calendar is cleared, never deleted."""
        self.insert()
        self.calendar.calendars().clear(calendarId="primary").execute()
        self.assertEqual(self.listed(), [])
        with self.assertRaises(HttpError) as caught:
            self.calendar.calendars().delete(calendarId="primary").execute()
        self.assertIn(caught.exception.status_code, (400, 403))

    def test_entries(self):
        """An entry of the list: its own members, hidden or not."""
        lists, made = self.calendar.calendarList(), self.made()["id"]
        entry = self.ask(lists.get(calendarId=made))
        self.assertEqual((entry["accessRole"], entry["summary"], "primary" in entry), ("owner", "Second", False))
        patched = self.ask(lists.patch(calendarId=made, body={"summaryOverride": "Mine", "colorId": "3", "selected": True}))
        self.assertEqual((patched["summaryOverride"], patched["colorId"], patched["selected"]), ("Mine", "3", True))
        self.assertEqual(self.ask(self.calendar.calendars().get(calendarId=made))["summary"], "Second")
        self.ask(lists.patch(calendarId=made, body={"hidden": True}))
        self.assertNotIn(made, [entry["id"] for entry in self.ask(lists.list())["items"]])
        self.assertIn(made, [entry["id"] for entry in self.ask(lists.list(showHidden=True))["items"]])

    def test_rules(self):
        """Access rules: inserted, read, changed, listed, deleted."""
        rules = self.calendar.acl()
        made = self.shared("reader")
        self.assertEqual(self.ask(rules.get(calendarId=made, ruleId="user:" + BEN))["role"], "reader")
        self.assertEqual(self.ask(rules.patch(calendarId=made, ruleId="user:" + BEN, body={"role": "writer"}))["role"], "writer")
        listed = {rule["id"]: rule["role"] for rule in self.ask(rules.list(calendarId=made))["items"]}
        self.assertEqual(listed, {"user:" + ANA: "owner", "user:" + BEN: "writer"})
        rules.delete(calendarId=made, ruleId="user:" + BEN).execute()
        self.refused(rules.get(calendarId=made, ruleId="user:" + BEN), 404)

    def test_roles(self):
        """A reader reads, a writer writes, a stranger finds nothing."""
        ben = self.another(BEN)
        for role, may_write in (("reader", False), ("writer", True)):
            calendar = self.shared(role)
            self.insert(calendar)
            page = self.ask(ben.events().list(calendarId=calendar))
            self.assertEqual((page["accessRole"], len(page["items"])), (role, 1))
            request = ben.events().insert(calendarId=calendar, body=tea())
            if may_write:
                self.ask(request)
            else:
                self.refused(request, 403)
        self.refused(self.another(CLEO).events().list(calendarId=calendar), 404, "notFound")

    def test_free_busy_readers_see_no_titles(self):
        """Who may see free times only sees no titles; a private event hides from a reader."""
        ben = self.another(BEN).events()
        calendar = self.shared("freeBusyReader")
        self.insert(calendar, summary="Secret", location="Porto")
        try:
            self.assertNotIn("Secret", str(self.ask(ben.list(calendarId=calendar))["items"]))
        except HttpError as error:
            self.assertEqual(error.status_code, 403)
        calendar = self.shared("reader")
        self.insert(calendar, summary="Secret", visibility="private")
        item, = self.ask(ben.list(calendarId=calendar))["items"]
        self.assertNotEqual(item.get("summary"), "Secret")


class MoreOfEvents(Case):
    def test_move(self):
        """An event moves to another calendar with its id; only plain events do."""
        second = self.ask(self.calendar.calendars().insert(body={"summary": "Second"}))["id"]
        made = self.insert()
        moved = self.ask(self.events.move(calendarId="primary", eventId=made["id"], destination=second))
        self.assertEqual((moved["id"], moved["organizer"]["email"]), (made["id"], second))
        self.assertEqual(self.get(made["id"], second)["summary"], "Tea")
        self.assertEqual(self.listed(), [])
        focus = self.insert(eventType="focusTime")
        self.refused(self.events.move(calendarId="primary", eventId=focus["id"], destination=second), 400)

    def test_import(self):
        """An imported event keeps its UID, and invites nobody."""
        body = tea(iCalUID="outlook-7@example.org", organizer={"email": "boss@example.org"},
                   attendees=[{"email": BEN}, {"email": "guest@example.org"}])
        made = self.ask(self.events.import_(calendarId="primary", body=body))
        self.assertEqual(made["iCalUID"], "outlook-7@example.org")
        self.assertEqual(self.google.mails(), [])
        self.assertEqual(self.listed(iCalUID="outlook-7@example.org"), [made["id"]])
        self.refused(self.events.import_(calendarId="primary", body=tea()), 400, "required")

    def test_quick_add(self):
        """`quickAdd` makes an event of a text."""
        made = self.ask(self.events.quickAdd(calendarId="primary", text="Lunch with Ben tomorrow 12:00"))
        self.assertIn("Lunch", made["summary"])
        self.assertEqual(self.listed(), [made["id"]])

    def test_attachments(self):
        """Attachments need `supportsAttachments`; there are 25 at most."""
        file = {"fileUrl": "https://drive.google.com/open?id=1", "title": "Notes", "mimeType": "text/plain"}
        self.assertNotIn("attachments", self.insert(attachments=[file]))
        insert = lambda files: self.events.insert(calendarId="primary", body=tea(attachments=files), supportsAttachments=True)
        self.assertEqual(self.ask(insert([file]))["attachments"][0]["fileUrl"], file["fileUrl"])
        self.refused(insert([file] * 26), 400)


class Settings(Case):
    def test_colors(self):
        """Eleven colours of events, twenty-four of calendars."""
        colors = self.ask(self.calendar.colors().get())
        self.assertEqual(sorted(colors["event"], key=int), [str(number) for number in range(1, 12)])
        self.assertEqual(sorted(colors["calendar"], key=int), [str(number) for number in range(1, 25)])

    def test_settings(self):
        """A user's settings, one by one and listed."""
        settings = self.calendar.settings()
        zone = self.ask(settings.get(setting="timezone"))
        self.assertEqual((zone["id"], zone["value"]), ("timezone", "Europe/Lisbon"))
        listed = self.ask(settings.list())
        self.assertIn("timezone", [setting["id"] for setting in listed["items"]])
        self.assertEqual(self.ask(settings.list(syncToken=listed["nextSyncToken"]))["items"], [])
        self.refused(settings.get(setting="nonsense"), 404)
