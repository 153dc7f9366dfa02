"""gcsa, a high-level client of others' making, which builds on Google's own."""

import datetime
import unittest.mock
import zoneinfo

import googleapiclient.discovery
from gcsa.conference import ConferenceSolutionCreateRequest, SolutionType
from gcsa.event import Event
from gcsa.google_calendar import GoogleCalendar
from gcsa.recurrence import DAILY, Recurrence

from simulated import BEN, Case

LISBON = zoneinfo.ZoneInfo("Europe/Lisbon")


class Gcsa(Case):
    def start(self):
        super().start()
        build = lambda *_, credentials=None, **__: googleapiclient.discovery.build_from_document(
            self.google.document, credentials=credentials)
        patched = unittest.mock.patch("googleapiclient.discovery.build", build)
        patched.start()
        self.addCleanup(patched.stop)
        self.gcsa = GoogleCalendar(credentials=self.credentials)

    def event(self, **members):
        return Event("Tea", start=datetime.datetime(2027, 4, 1, 10, tzinfo=LISBON),
                     end=datetime.datetime(2027, 4, 1, 11, tzinfo=LISBON), timezone="Europe/Lisbon", **members)

    def between(self):
        return list(self.gcsa.get_events(
            datetime.datetime(2027, 3, 31, tzinfo=LISBON), datetime.datetime(2027, 4, 30, tzinfo=LISBON),
            order_by="startTime", single_events=True))

    def test_create_list_and_delete_with_meet(self):
        """An event with a Meet link is created, listed and deleted."""
        wish = ConferenceSolutionCreateRequest(solution_type=SolutionType.HANGOUTS_MEET)
        made = self.gcsa.add_event(self.event(conference_solution=wish, attendees=[BEN], minutes_before_popup_reminder=10))
        self.assertEqual(made.conference_solution.solution_type, "hangoutsMeet")
        self.assertTrue(made.conference_solution.entry_points[0].uri.startswith("https://meet.google.com/"))
        found, = self.between()
        self.assertEqual((found.event_id, found.summary, found.start), (made.event_id, "Tea", made.start))
        self.assertEqual([guest.email for guest in found.attendees], [BEN])
        self.gcsa.delete_event(found)
        self.assertEqual(self.between(), [])

    def test_update_and_move(self):
        """An event is changed and read again."""
        made = self.gcsa.add_event(self.event())
        made.summary, made.location = "Coffee", "Porto"
        self.gcsa.update_event(made)
        read = self.gcsa.get_event(made.event_id)
        self.assertEqual((read.summary, read.location), ("Coffee", "Porto"))

    def test_series(self):
        """A series and its instances."""
        made = self.gcsa.add_event(self.event(recurrence=[Recurrence.rule(freq=DAILY, count=3)]))
        self.assertEqual([event.start.day for event in self.between()], [1, 2, 3])
        self.assertEqual(len(list(self.gcsa.get_instances(made))), 3)

    def test_calendars_and_free_busy(self):
        """Calendars, the list of them, colours, settings and free times."""
        from gcsa.calendar import Calendar
        made = self.gcsa.add_calendar(Calendar("Second", timezone="Europe/Lisbon"))
        names = [entry.summary for entry in self.gcsa.get_calendar_list()]
        self.assertIn("Second", names)
        self.gcsa.delete_calendar(made)
        self.gcsa.add_event(self.event())
        busy = self.gcsa.get_free_busy(time_min=datetime.datetime(2027, 4, 1, tzinfo=LISBON),
                                       time_max=datetime.datetime(2027, 4, 2, tzinfo=LISBON))
        self.assertEqual(len(list(busy)), 1)
        self.assertIn("1", self.gcsa.list_event_colors())
        self.assertTrue(self.gcsa.get_settings().timezone)
