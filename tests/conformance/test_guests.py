"""Guests: their copies, their answers, their mails."""

from simulated import ANA, BEN, CLEO, Case

STRANGER = "guest@example.org"


class Guests(Case):
    def start(self):
        super().start()
        self.ben = self.another(BEN).events()

    def of_ben(self, event):
        return self.ask(self.ben.get(calendarId="primary", eventId=event))

    def answered(self, event, answer):
        """Ben answers the invitation, by his own copy."""
        guests = [{**guest, "responseStatus": answer} if guest.get("self") else guest
                  for guest in self.of_ben(event)["attendees"]]
        return self.ask(self.ben.patch(calendarId="primary", eventId=event, body={"attendees": guests}))

    def guest(self, event, email):
        return next(guest for guest in event["attendees"] if guest["email"] == email)

    def mails_of(self, event):
        return [(mail["to"], mail["kind"]) for mail in self.google.mails() if mail["event"] == event]

    def test_a_copy_lies_in_the_guests_calendar(self):
        """Events: attendees copied."""
        made = self.insert(attendees=[{"email": BEN}, {"email": STRANGER}], location="Porto", description="Green",
                           extendedProperties={"private": {"a": "1"}, "shared": {"b": "2"}})
        copy = self.of_ben(made["id"])
        for name in ("id", "iCalUID", "summary", "location", "description", "status"):
            self.assertEqual(copy[name], made[name])
        self.assertEqual(copy["start"]["dateTime"], "2027-04-01T05:00:00-04:00")
        self.assertEqual((copy["organizer"]["email"], copy["creator"]["email"]), (ANA, ANA))
        self.assertNotIn("self", copy["organizer"])
        self.assertTrue(self.guest(copy, BEN)["self"])
        self.assertEqual(self.guest(copy, BEN)["responseStatus"], "needsAction")
        self.assertEqual(copy["extendedProperties"], {"shared": {"b": "2"}})
        self.assertEqual([item["id"] for item in self.ask(self.ben.list(calendarId="primary"))["items"]], [made["id"]])

    def test_changes_reach_the_copy(self):
        """Events: attendees copied (changes)."""
        made = self.insert(attendees=[{"email": BEN}])
        token = self.ask(self.ben.list(calendarId="primary"))["nextSyncToken"]
        self.patch(made["id"], {"summary": "Coffee", "start": {"dateTime": "2027-04-01T09:00:00+01:00"}})
        copy = self.of_ben(made["id"])
        self.assertEqual((copy["summary"], copy["start"]["dateTime"]), ("Coffee", "2027-04-01T04:00:00-04:00"))
        changed = self.ask(self.ben.list(calendarId="primary", syncToken=token))["items"]
        self.assertEqual([item["id"] for item in changed], [made["id"]])

    def test_a_cancelled_event_is_cancelled_for_all(self):
        """Events: attendees copied (deletion)."""
        made = self.insert(attendees=[{"email": BEN}])
        self.delete(made["id"])
        self.assertEqual(self.of_ben(made["id"])["status"], "cancelled")
        self.assertEqual(self.ask(self.ben.list(calendarId="primary"))["items"], [])

    def test_who_is_no_longer_invited_loses_the_copy(self):
        """Events: attendees copied (no longer invited)."""
        made = self.insert(attendees=[{"email": BEN}, {"email": CLEO}])
        self.patch(made["id"], {"attendees": [{"email": CLEO}]})
        self.assertEqual(self.ask(self.ben.list(calendarId="primary"))["items"], [])
        self.assertEqual([guest["email"] for guest in self.get(made["id"])["attendees"]], [CLEO])

    def test_an_answer_reaches_the_organizer(self):
        """Events: responses propagate."""
        made = self.insert(attendees=[{"email": BEN}, {"email": CLEO}])
        self.google.advance(seconds=5)
        for answer in ("accepted", "tentative", "declined"):
            self.answered(made["id"], answer)
            self.assertEqual(self.guest(self.get(made["id"]), BEN)["responseStatus"], answer)
            cleo = self.another(CLEO).events()
            self.assertEqual(self.guest(self.get(made["id"], events=cleo), BEN)["responseStatus"], answer)
        self.assertEqual(self.guest(self.get(made["id"]), CLEO)["responseStatus"], "needsAction")

    def test_a_guest_who_deletes_declines(self):
        """Events: responses propagate (deletion by a guest)."""
        made = self.insert(attendees=[{"email": BEN}])
        self.ben.delete(calendarId="primary", eventId=made["id"]).execute()
        mine = self.get(made["id"])
        self.assertEqual(mine["status"], "confirmed")
        self.assertEqual(self.guest(mine, BEN)["responseStatus"], "declined")

    def test_an_answer_survives_a_change(self):
        """Events: responses propagate (kept by a change)."""
        made = self.insert(attendees=[{"email": BEN}])
        self.answered(made["id"], "accepted")
        patched = self.patch(made["id"], {"summary": "Coffee"})
        self.assertEqual(self.guest(patched, BEN)["responseStatus"], "accepted")
        self.assertEqual(self.guest(self.of_ben(made["id"]), BEN)["responseStatus"], "accepted")

    def test_guest_permissions_are_the_organizers(self):
        """Only the organizer's copy takes guest permissions."""
        made = self.insert(attendees=[{"email": BEN}])
        request = self.ben.patch(calendarId="primary", eventId=made["id"], body={"guestsCanModify": True})
        told = self.refused(request, 403, "forbiddenForNonOrganizer")
        self.assertEqual(told["errors"][0]["domain"], "calendar")

    def test_the_organizer_among_the_guests(self):
        """The organizer's own entry is marked."""
        made = self.insert(attendees=[{"email": ANA, "responseStatus": "accepted"}, {"email": BEN}])
        mine = self.guest(made, ANA)
        self.assertEqual((mine["organizer"], mine["self"], mine["responseStatus"]), (True, True, "accepted"))
        self.assertEqual(len(self.listed()), 1)

    def test_max_attendees(self):
        """`maxAttendees` leaves the others out, and says so."""
        made = self.insert(attendees=[{"email": f"g{number}@example.org"} for number in range(5)])
        read = self.ask(self.events.get(calendarId="primary", eventId=made["id"], maxAttendees=2))
        self.assertTrue(read["attendeesOmitted"])
        self.assertLessEqual(len(read["attendees"]), 2)
        self.assertEqual(len(self.get(made["id"])["attendees"]), 5)

    def test_mails(self):
        """Events: sendUpdates recorded in an outbox."""
        guests = [{"email": BEN}, {"email": STRANGER}]
        everybody = self.insert(attendees=guests, sendUpdates="all")["id"]
        self.assertEqual(sorted(self.mails_of(everybody)), sorted([(BEN, "invitation"), (STRANGER, "invitation")]))
        self.patch(everybody, {"summary": "Coffee"}, sendUpdates="all")
        self.delete(everybody, sendUpdates="all")
        self.assertEqual([kind for to, kind in self.mails_of(everybody) if to == STRANGER], ["invitation", "update", "cancellation"])

    def test_no_mails_unless_asked_for(self):
        """Events: sendUpdates recorded in an outbox (none)."""
        for wish in (None, "none"):
            made = self.insert(attendees=[{"email": BEN}, {"email": STRANGER}], sendUpdates=wish)["id"]
            self.assertEqual(self.mails_of(made), [])

    def test_mails_to_those_outside(self):
        """Events: sendUpdates recorded in an outbox (externalOnly)."""
        made = self.insert(attendees=[{"email": BEN}, {"email": STRANGER}], sendUpdates="externalOnly")["id"]
        self.assertEqual(self.mails_of(made), [(STRANGER, "invitation")])

    def test_only_the_new_guest_is_invited(self):
        """Events: sendUpdates recorded in an outbox (nobody is invited twice)."""
        made = self.insert(attendees=[{"email": BEN}], sendUpdates="all")["id"]
        self.patch(made, {"attendees": [{"email": BEN}, {"email": STRANGER}]}, sendUpdates="all")
        invited = [to for to, kind in self.mails_of(made) if kind == "invitation"]
        self.assertEqual(invited, [BEN, STRANGER])
