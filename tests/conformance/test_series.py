"""Recurring events: instances, exceptions, and how lists show them."""

from simulated import Case, tea

WEEKLY = {
    # Four Mondays at ten in Lisbon; the clocks go forward between the second and the third.
    "start": {"dateTime": "2027-03-15T10:00:00", "timeZone": "Europe/Lisbon"},
    "end": {"dateTime": "2027-03-15T11:00:00", "timeZone": "Europe/Lisbon"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
}
STARTS = ["2027-03-15T10:00:00Z", "2027-03-22T10:00:00Z", "2027-03-29T10:00:00+01:00", "2027-04-05T10:00:00+01:00"]
SUFFIXES = ["20270315T100000Z", "20270322T100000Z", "20270329T090000Z", "20270405T090000Z"]


class SeriesCase(Case):
    def series(self, **members):
        return self.insert(**{**WEEKLY, **members})

    def instances(self, event, **parameters):
        found, request = [], self.events.instances(calendarId="primary", eventId=event, **parameters)
        while request is not None:
            page = self.ask(request)
            found += page["items"]
            request = self.events.instances_next(request, page)
        return found

    def starts(self, items):
        return [item["start"].get("dateTime") or item["start"]["date"] for item in items]

    def refused_insert(self, reason=None, **members):
        self.refused(self.events.insert(calendarId="primary", body=tea(**{**WEEKLY, **members})), 400, reason)

    def with_exceptions(self):
        """A series whose second instance was moved and whose third was cancelled."""
        made = self.series()
        first, second, third, fourth = self.instances(made["id"])
        self.patch(second["id"], {"start": {"dateTime": "2027-03-23T15:00:00", "timeZone": "Europe/Lisbon"},
                                  "end": {"dateTime": "2027-03-23T16:00:00", "timeZone": "Europe/Lisbon"}})
        self.delete(third["id"])
        return made["id"], [item["id"] for item in (first, second, third, fourth)]

    def shown(self, **parameters):
        return {(item["id"], item["status"]) for page in self.pages(**parameters) for item in page["items"]}


class Rules(SeriesCase):
    def test_the_wall_time_stays(self):
        """Recurrence: RRULE across DST."""
        made = self.series()
        self.assertEqual(made["recurrence"], ["RRULE:FREQ=WEEKLY;COUNT=4"])
        self.assertEqual((made["start"]["timeZone"], made["sequence"]), ("Europe/Lisbon", 0))
        found = self.instances(made["id"])
        self.assertEqual(self.starts(found), STARTS)
        self.assertEqual([item["end"]["dateTime"] for item in found], [start.replace("T10", "T11") for start in STARTS])

    def test_another_zone_than_the_calendars(self):
        """Recurrence: RRULE across DST (in the zone of the event)."""
        made = self.series(start={"dateTime": "2027-03-08T10:00:00", "timeZone": "America/New_York"},
                           end={"dateTime": "2027-03-08T11:00:00", "timeZone": "America/New_York"},
                           recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"])
        # New York changes on 14 March, Lisbon on the 28th.
        self.assertEqual(self.starts(self.instances(made["id"])), [
            "2027-03-08T15:00:00Z", "2027-03-15T14:00:00Z", "2027-03-22T14:00:00Z", "2027-03-29T15:00:00+01:00"])

    def test_exdate(self):
        """Recurrence: EXDATE."""
        for line in ("EXDATE;TZID=Europe/Lisbon:20270329T100000", "EXDATE:20270329T090000Z"):
            made = self.series(recurrence=["RRULE:FREQ=WEEKLY;COUNT=4", line])
            self.assertEqual(self.starts(self.instances(made["id"])), [STARTS[0], STARTS[1], STARTS[3]])

    def test_rdate(self):
        """Recurrence: RDATE."""
        made = self.series(recurrence=["RRULE:FREQ=WEEKLY;COUNT=2", "RDATE;TZID=Europe/Lisbon:20270401T170000"])
        found = self.instances(made["id"])
        self.assertEqual(self.starts(found), [*STARTS[:2], "2027-04-01T17:00:00+01:00"])
        self.assertEqual(found[-1]["end"]["dateTime"], "2027-04-01T18:00:00+01:00")

    def test_ids(self):
        """Recurrence: instance ids."""
        made = self.series()
        found = self.instances(made["id"])
        self.assertEqual([item["id"] for item in found], [f"{made['id']}_{suffix}" for suffix in SUFFIXES])
        for item, start in zip(found, STARTS):
            self.assertEqual((item["recurringEventId"], item["originalStartTime"]["dateTime"]), (made["id"], start))
            self.assertEqual(item["iCalUID"], made["iCalUID"])
            self.assertNotIn("recurrence", item)
            self.assertEqual(self.get(item["id"]), item)
        day = self.insert(start={"date": "2027-03-27"}, end={"date": "2027-03-28"}, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
        found = self.instances(day["id"])
        self.assertEqual([item["id"] for item in found], [day["id"] + "_20270327", day["id"] + "_20270328"])
        self.assertEqual(found[1]["originalStartTime"], {"date": "2027-03-28"})

    def test_no_such_instance(self):
        """Recurrence: instance ids (none at another time)."""
        made = self.series()
        self.refused(self.events.get(calendarId="primary", eventId=made["id"] + "_20270316T100000Z"), 404, "notFound")

    def test_zone_is_needed(self):
        """Recurrence: 400 without zone."""
        self.refused_insert(start={"dateTime": "2027-03-15T10:00:00Z"}, end={"dateTime": "2027-03-15T11:00:00Z"})
        self.insert(start={"date": "2027-03-15"}, end={"date": "2027-03-16"}, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])

    def test_bad_rules(self):
        """Recurrence: 400 bad rule."""
        for rule in ("RRULE:FREQ=FORTNIGHTLY", "RRULE:COUNT=3", "FREQ=DAILY", "RRULE:FREQ=DAILY;COUNT=x", "nonsense",
                     "DTSTART:20270315T100000Z", "RRULE:FREQ=DAILY;BYDAY=XX", "EXDATE:yesterday",
                     "RRULE:FREQ=DAILY;COUNT=3;UNTIL=20270401T000000Z"):
            with self.subTest(rule):
                self.refused_insert(recurrence=[rule])
        self.assertEqual(self.listed(), [])


class Instances(SeriesCase):
    def test_instances(self):
        """Recurrence: instances()."""
        made = self.series()
        page = self.ask(self.events.instances(calendarId="primary", eventId=made["id"]))
        self.assertEqual((page["kind"], len(page["items"])), ("calendar#events", 4))
        within = self.instances(made["id"], timeMin="2027-03-22T11:00:00Z", timeMax="2027-04-05T09:00:00Z")
        self.assertEqual(self.starts(within), [STARTS[2]])
        self.assertEqual(self.starts(self.instances(made["id"], originalStart=STARTS[1])), [STARTS[1]])
        self.assertEqual(self.starts(self.instances(made["id"], timeZone="UTC"))[2], "2027-03-29T09:00:00Z")

    def test_pages(self):
        """Recurrence: instances() (pages)."""
        made = self.series(recurrence=["RRULE:FREQ=DAILY;COUNT=7"])
        first = self.ask(self.events.instances(calendarId="primary", eventId=made["id"], maxResults=3))
        self.assertIn("nextPageToken", first)
        self.assertEqual(len(self.instances(made["id"], maxResults=3)), 7)

    def test_of_endless_series(self):
        """Recurrence: instances() (of an endless series)."""
        made = self.series(recurrence=["RRULE:FREQ=WEEKLY"])
        found = self.instances(made["id"], timeMin="2030-01-01T00:00:00Z", timeMax="2030-02-01T00:00:00Z")
        self.assertEqual(len(found), 4)
        self.assertEqual(len(self.ask(self.events.instances(calendarId="primary", eventId=made["id"]))["items"]), 250)

    def test_of_a_single_event(self):
        """Recurrence: instances() (of no series)."""
        self.refused(self.events.instances(calendarId="primary", eventId="nosuchevent"), 404, "notFound")


class Exceptions(SeriesCase):
    def test_a_moved_instance(self):
        """Recurrence: moved exceptions."""
        master, (first, second, third, fourth) = self.with_exceptions()
        moved = self.get(second)
        self.assertEqual(moved["start"]["dateTime"], "2027-03-23T15:00:00Z")
        self.assertEqual((moved["originalStartTime"]["dateTime"], moved["recurringEventId"]), (STARTS[1], master))
        self.assertEqual(self.starts(self.instances(master)), [STARTS[0], "2027-03-23T15:00:00Z", STARTS[3]])

    def test_one_instance_is_changed_alone(self):
        """Recurrence: moved exceptions (of one instance the rest stays)."""
        made = self.series()
        second = self.instances(made["id"])[1]
        self.patch(second["id"], {"summary": "Coffee"})
        self.assertEqual([item["summary"] for item in self.instances(made["id"])], ["Tea", "Coffee", "Tea", "Tea"])
        self.assertEqual(self.get(made["id"])["summary"], "Tea")
        self.patch(made["id"], {"location": "Porto"})
        self.assertEqual(self.get(second["id"])["summary"], "Coffee")

    def test_a_cancelled_instance(self):
        """Recurrence: cancelled exceptions."""
        master, ids = self.with_exceptions()
        gone = self.get(ids[2])
        self.assertEqual((gone["status"], gone["recurringEventId"]), ("cancelled", master))
        self.assertEqual(gone["originalStartTime"]["dateTime"], STARTS[2])
        self.assertNotIn(ids[2], [item["id"] for item in self.instances(master)])
        shown = {item["id"]: item["status"] for item in self.instances(master, showDeleted=True)}
        self.assertEqual(shown[ids[2]], "cancelled")
        self.refused(self.events.delete(calendarId="primary", eventId=ids[2]), 410, "deleted")

    def test_a_deleted_master_takes_all_along(self):
        """Recurrence: cancelled exceptions (with their master)."""
        master, _ = self.with_exceptions()
        self.delete(master)
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.listed(singleEvents=True), [])

    def test_this_and_following(self):
        """The trimmed series and the new one stand side by side."""
        made = self.series()
        self.patch(made["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20270328T215959Z"]})
        self.series(start={"dateTime": STARTS[2], "timeZone": "Europe/Lisbon"}, summary="Later",
                    end={"dateTime": STARTS[2].replace("T10", "T11"), "timeZone": "Europe/Lisbon"},
                    recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"])
        found = self.list(singleEvents=True, orderBy="startTime")["items"]
        self.assertEqual(self.starts(found), STARTS)
        self.assertEqual([item["summary"] for item in found], ["Tea", "Tea", "Later", "Later"])

    def test_sync_tells_of_exceptions(self):
        """An incremental list tells of moved and cancelled instances."""
        made = self.series()
        token = self.list()["nextSyncToken"]
        second, third = self.instances(made["id"])[1:3]
        self.patch(second["id"], {"summary": "Coffee"})
        self.delete(third["id"])
        told = {item["id"]: item["status"] for item in self.list(syncToken=token)["items"]}
        self.assertEqual((told[second["id"]], told[third["id"]]), ("confirmed", "cancelled"))


class Matrix(SeriesCase):
    def test_masters_and_exceptions(self):
        """Recurrence: singleEvents=false, showDeleted=false."""
        master, ids = self.with_exceptions()
        wanted = {(master, "confirmed"), (ids[1], "confirmed"), (ids[2], "cancelled")}
        self.assertEqual(self.shown(), wanted)
        self.assertEqual(self.shown(singleEvents=False, showDeleted=False), wanted)

    def test_masters_exceptions_and_deletions(self):
        """Recurrence: singleEvents=false, showDeleted=true."""
        master, ids = self.with_exceptions()
        lone = self.insert()["id"]
        self.delete(lone)
        self.assertEqual(self.shown(singleEvents=False, showDeleted=True),
                         {(master, "confirmed"), (ids[1], "confirmed"), (ids[2], "cancelled"), (lone, "cancelled")})

    def test_instances_only(self):
        """Recurrence: singleEvents=true, showDeleted=false."""
        _, ids = self.with_exceptions()
        lone, gone = self.insert()["id"], self.insert()["id"]
        self.delete(gone)
        self.assertEqual(self.shown(singleEvents=True),
                         {(ids[0], "confirmed"), (ids[1], "confirmed"), (ids[3], "confirmed"), (lone, "confirmed")})

    def test_instances_and_deletions(self):
        """Recurrence: singleEvents=true, showDeleted=true."""
        _, ids = self.with_exceptions()
        gone = self.insert()["id"]
        self.delete(gone)
        self.assertEqual(self.shown(singleEvents=True, showDeleted=True), {
            (ids[0], "confirmed"), (ids[1], "confirmed"), (ids[2], "cancelled"), (ids[3], "confirmed"), (gone, "cancelled")})

    def test_by_start_time(self):
        """Recurrence: singleEvents=true, showDeleted=false (ordered, in a range)."""
        self.with_exceptions()
        found = self.list(singleEvents=True, orderBy="startTime", timeMin="2027-03-16T00:00:00Z", timeMax="2027-04-06T00:00:00Z")
        self.assertEqual(self.starts(found["items"]), ["2027-03-23T15:00:00Z", STARTS[3]])
