"""Meet links: what asks for one, what keeps it, and how it comes."""

from simulated import BEN, Case, meet, tea

LINK = r"^https://meet\.google\.com/([a-z]{3}-[a-z]{4}-[a-z]{3})$"


class Meet(Case):
    def status(self, event):
        return event["conferenceData"]["createRequest"]["status"]["statusCode"]

    def without_version(self, **members):
        return self.ask(self.events.insert(calendarId="primary", body=tea(**members)))

    def test_version_0_ignores_the_wish(self):
        """Events: Meet version 0."""
        made = self.without_version(conferenceData=meet())
        self.assertNotIn("conferenceData", made)
        self.assertNotIn("hangoutLink", made)
        explicit = self.events.insert(calendarId="primary", body=tea(conferenceData=meet()), conferenceDataVersion=0)
        self.assertNotIn("conferenceData", self.ask(explicit))

    def test_version_0_keeps_a_conference(self):
        """Events: Meet version 0 (changes keep the conference)."""
        made = self.insert(conferenceData=meet())
        patched = self.patch(made["id"], {"summary": "Coffee", "conferenceData": None})
        self.assertEqual(patched["hangoutLink"], made["hangoutLink"])
        put = self.update(made["id"], tea())
        self.assertEqual(put["conferenceData"], made["conferenceData"])

    def test_version_1_makes_one(self):
        """Events: Meet version 1."""
        made = self.insert(conferenceData=meet())
        self.assertRegex(made["hangoutLink"], LINK)
        data = made["conferenceData"]
        self.assertEqual(self.status(made), "success")
        self.assertRegex("https://meet.google.com/" + data["conferenceId"], LINK)
        video = next(entry for entry in data["entryPoints"] if entry["entryPointType"] == "video")
        self.assertEqual(video["uri"], made["hangoutLink"])
        self.assertEqual(video["label"], "meet.google.com/" + data["conferenceId"])
        self.assertEqual((data["conferenceSolution"]["key"], data["conferenceSolution"]["name"]),
                         ({"type": "hangoutsMeet"}, "Google Meet"))
        self.assertEqual(self.get(made["id"]), made)
        self.assertNotEqual(self.insert(conferenceData=meet("two"))["hangoutLink"], made["hangoutLink"])

    def test_version_1_removes_one(self):
        """Events: Meet version 1 (removes)."""
        made = self.insert(conferenceData=meet())
        self.assertIn("hangoutLink", self.patch(made["id"], {"summary": "x"}, conferenceDataVersion=1))
        gone = self.patch(made["id"], {"conferenceData": None}, conferenceDataVersion=1)
        self.assertNotIn("conferenceData", gone)
        self.assertNotIn("hangoutLink", gone)
        made = self.insert(conferenceData=meet())
        self.assertNotIn("hangoutLink", self.update(made["id"], tea(), conferenceDataVersion=1))

    def test_by_patch(self):
        """Events: Meet version 1 (by patch)."""
        made = self.insert()
        patched = self.patch(made["id"], {"conferenceData": meet()}, conferenceDataVersion=1)
        self.assertRegex(patched["hangoutLink"], LINK)
        self.assertEqual(patched["summary"], "Tea")

    def test_what_was_read_can_be_put_back(self):
        """Events: Meet version 1 (the event as it was read)."""
        made = self.insert(conferenceData=meet())
        put = self.update(made["id"], {**made, "summary": "Coffee"}, conferenceDataVersion=1)
        self.assertEqual((put["summary"], put["hangoutLink"]), ("Coffee", made["hangoutLink"]))

    def test_the_same_request_id_is_ignored(self):
        """Events: Meet requestId dedupe."""
        made = self.insert(conferenceData=meet("same"))
        again = self.patch(made["id"], {"conferenceData": meet("same")}, conferenceDataVersion=1)
        self.assertEqual(again["hangoutLink"], made["hangoutLink"])
        other = self.patch(made["id"], {"conferenceData": meet("other")}, conferenceDataVersion=1)
        self.assertNotEqual(other["hangoutLink"], made["hangoutLink"])
        self.assertEqual(other["conferenceData"]["createRequest"]["requestId"], "other")

    def test_allowed_types(self):
        """Events: Meet allowed types."""
        entry = self.ask(self.calendar.calendarList().get(calendarId="primary"))
        self.assertEqual(entry["conferenceProperties"]["allowedConferenceSolutionTypes"], ["hangoutsMeet"])
        for kind in ("eventHangout", "eventNamedHangout", "nonsense"):
            request = self.events.insert(
                calendarId="primary", body=tea(conferenceData=meet(kind=kind)), conferenceDataVersion=1)
            self.refused(request, 400, "invalid", "Invalid conference type value.")
        self.assertEqual(self.listed(), [])

    def test_pending_then_success(self):
        """Events: Meet pending to success timer."""
        self.google.fault("meet_pending", times=1, for_secs=30)
        made = self.insert(conferenceData=meet())
        self.assertEqual(self.status(made), "pending")
        for name in ("hangoutLink", "entryPoints", "conferenceId"):
            self.assertNotIn(name, {**made, **made["conferenceData"]})
        token = self.list()["nextSyncToken"]
        self.google.advance(seconds=29)
        self.assertEqual(self.status(self.get(made["id"])), "pending")
        self.google.advance(seconds=2)
        ready = self.get(made["id"])
        self.assertEqual(self.status(ready), "success")
        self.assertRegex(ready["hangoutLink"], LINK)
        self.assertNotEqual(ready["etag"], made["etag"])
        self.assertEqual([item["id"] for item in self.list(syncToken=token)["items"]], [made["id"]])

    def test_pending_then_failure(self):
        """Events: Meet pending to failure timer."""
        self.google.fault("meet_failure", times=1)
        made = self.insert(conferenceData=meet())
        self.google.advance(minutes=5)
        failed = self.get(made["id"])
        self.assertEqual(self.status(failed), "failure")
        self.assertNotIn("hangoutLink", failed)
        healed = self.patch(made["id"], {"conferenceData": meet("another")}, conferenceDataVersion=1)
        self.assertEqual(self.status(healed), "success")

    def test_guests_see_the_link(self):
        """A guest's copy shows the same link."""
        made = self.insert(conferenceData=meet(), attendees=[{"email": BEN}])
        copy = self.get(made["id"], events=self.another(BEN).events())
        self.assertEqual(copy["hangoutLink"], made["hangoutLink"])
