"""Free and busy times."""

from simulated import ANA, BEN, PREFIX, Case

DAY = {"timeMin": "2027-04-01T00:00:00Z", "timeMax": "2027-04-02T00:00:00Z"}
BUSY = [{"start": "2027-04-01T09:00:00Z", "end": "2027-04-01T10:00:00Z"}]


class FreeBusy(Case):
    def query(self, *calendars, calendar=None, **members):
        body = {**DAY, "items": [{"id": name} for name in calendars or (ANA,)], **members}
        return self.ask((calendar or self.calendar).freebusy().query(body=body))

    def busy(self, **members):
        return self.query(**members)["calendars"][ANA]["busy"]

    def test_busy(self):
        """An event makes its time busy, a whole day too."""
        self.assertEqual(self.busy(), [])
        self.insert()
        answer = self.query()
        self.assertEqual((answer["kind"], answer["timeMin"][:16], answer["timeMax"][:16]),
                         ("calendar#freeBusy", DAY["timeMin"][:16], DAY["timeMax"][:16]))
        self.assertEqual(answer["calendars"], {ANA: {"busy": BUSY}})
        self.assertEqual(self.busy(timeMin="2027-04-01T10:00:00Z"), [])
        self.insert(start={"date": "2027-04-03"}, end={"date": "2027-04-04"})
        self.assertEqual(len(self.busy(timeMin="2027-04-03T10:00:00Z", timeMax="2027-04-03T12:00:00Z")), 1)

    def test_primary(self):
        """The answer names the calendar as the question did."""
        self.insert()
        self.assertEqual(self.query("primary")["calendars"], {"primary": {"busy": BUSY}})

    def test_series(self):
        """Every instance of a series makes its time busy."""
        self.insert(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
        self.assertEqual([span["start"] for span in self.busy(timeMax="2027-04-10T00:00:00Z")],
                         ["2027-04-01T09:00:00Z", "2027-04-02T09:00:00Z", "2027-04-03T09:00:00Z"])

    def test_transparent(self):
        """FreeBusy: transparent ignored."""
        made = self.insert(transparency="transparent")
        self.assertEqual(self.busy(), [])
        self.patch(made["id"], {"transparency": "opaque"})
        self.assertEqual(self.busy(), BUSY)

    def test_cancelled(self):
        """FreeBusy: cancelled ignored."""
        made = self.insert()
        self.delete(made["id"])
        self.assertEqual(self.busy(), [])

    def test_declined(self):
        """FreeBusy: declined ignored."""
        calendar = self.another(BEN)
        ben = calendar.events()
        made = self.insert(attendees=[{"email": BEN}])
        for answer, busy in (("accepted", BUSY), ("declined", [])):
            guests = [{**guest, "responseStatus": answer} for guest in made["attendees"]]
            self.ask(ben.patch(calendarId="primary", eventId=made["id"], body={"attendees": guests}))
            self.assertEqual(self.query(BEN, calendar=calendar)["calendars"][BEN]["busy"], busy)
        self.assertEqual(self.busy(), BUSY)

    def test_errors(self):
        """FreeBusy: per-id errors."""
        self.insert()
        found = self.query(ANA, "nobody@example.com")["calendars"]
        self.assertEqual(found[ANA], {"busy": BUSY})
        self.assertEqual(found["nobody@example.com"]["errors"], [{"domain": "global", "reason": "notFound"}])

    def test_too_many(self):
        """FreeBusy: per-id errors (too many)."""
        names = [f"{number}@example.com" for number in range(60)]
        found = self.query(*names, calendarExpansionMax=50)["calendars"]
        reasons = {error["reason"] for name in names for error in found.get(name, {}).get("errors", [])}
        self.assertIn("tooManyCalendarsRequested", reasons)

    def test_zone(self):
        """FreeBusy: zone rendering."""
        self.insert()
        self.assertEqual(self.busy(timeZone="America/New_York"),
                         [{"start": "2027-04-01T05:00:00-04:00", "end": "2027-04-01T06:00:00-04:00"}])
        self.assertEqual(self.busy(timeZone="Europe/Lisbon"),
                         [{"start": "2027-04-01T10:00:00+01:00", "end": "2027-04-01T11:00:00+01:00"}])

    def test_range(self):
        """FreeBusy: range cap."""
        body = {"timeMin": "2027-01-01T00:00:00Z", "timeMax": "2028-01-01T00:00:00Z", "items": [{"id": ANA}]}
        self.refused(self.calendar.freebusy().query(body=body), 400, "timeRangeTooLong")
        self.query(timeMin="2027-04-01T00:00:00Z", timeMax="2027-05-01T00:00:00Z")
        empty = {"timeMin": "2027-04-02T00:00:00Z", "timeMax": "2027-04-01T00:00:00Z", "items": [{"id": ANA}]}
        self.refused(self.calendar.freebusy().query(body=empty), 400)
        self.refused(self.calendar.freebusy().query(body={"items": [{"id": ANA}]}), 400)

    def test_scopes(self):
        """FreeBusy: scope rule."""
        for scope in ("calendar.events", "calendar.events.readonly", "calendar.calendarlist"):
            calendar = self.another(ANA, scopes=[PREFIX + scope])
            body = {**DAY, "items": [{"id": ANA}]}
            self.refused(calendar.freebusy().query(body=body), 403, "insufficientPermissions")
        for scope in ("calendar.freebusy", "calendar.events.freebusy", "calendar.readonly"):
            self.query(calendar=self.another(ANA, scopes=[PREFIX + scope]))
