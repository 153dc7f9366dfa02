"""Single events: their shape, ids, times, changes and preconditions."""

import datetime

from googleapiclient.errors import HttpError

from simulated import ANA, BEN, Case, tea


class InsertShape(Case):
    def test_false_and_empty_members_are_left_out(self):
        """Events: insert shape: false and empty omitted."""
        made = self.insert(description="", location="", attendees=[], anyoneCanAddSelf=False, guestsCanModify=False,
                           extendedProperties={"private": {}}, recurrence=[])
        for name in ("description", "location", "attendees", "anyoneCanAddSelf", "guestsCanModify", "privateCopy",
                     "locked", "extendedProperties", "recurrence", "hangoutLink", "conferenceData", "attachments",
                     "transparency", "visibility", "endTimeUnspecified", "attendeesOmitted", "colorId"):
            self.assertNotIn(name, made)
        self.assertNotIn(None, made.values())
        self.assertEqual({name: made[name] for name in ("kind", "status", "summary", "sequence", "eventType", "reminders")}, {
            "kind": "calendar#event", "status": "confirmed", "summary": "Tea", "sequence": 0, "eventType": "default",
            "reminders": {"useDefault": True}})
        self.assertEqual(made["creator"], {"email": ANA, "self": True})
        self.assertEqual(made["organizer"], {"email": ANA, "self": True})
        self.assertRegex(made["htmlLink"], r"eid=[A-Za-z0-9%_+/=-]+$")

    def test_etag(self):
        """Events: insert shape: etag from updated."""
        made = self.insert()
        self.assertRegex(made["etag"], r'^"\d+"$')
        self.assertRegex(made["created"], r"T\d\d:\d\d:\d\d\.000Z$")
        self.assertRegex(made["updated"], r"T\d\d:\d\d:\d\d\.\d{3}Z$")
        updated = datetime.datetime.fromisoformat(made["updated"].replace("Z", "+00:00"))
        micros = int(updated.timestamp() * 1_000_000)
        self.assertLess(abs(int(made["etag"].strip('"')) // 2 - micros), 1_000_000)

    def test_generated_ids(self):
        """Events: insert shape: ids base32hex."""
        ids = [self.insert()["id"] for _ in range(20)]
        for made in ids:
            self.assertRegex(made, "^[0-9a-v]{26}$")
        self.assertEqual(len(set(ids)), 20)

    def test_ical_uid(self):
        """Events: insert shape: iCalUID."""
        made = self.insert()
        self.assertEqual(made["iCalUID"], made["id"] + "@google.com")
        self.assertEqual(self.insert(id="abcde12345")["iCalUID"], "abcde12345@google.com")
        own = self.insert(iCalUID="outlook-7f3a@example.org")
        self.assertEqual(own["iCalUID"], "outlook-7f3a@example.org")

    def test_order(self):
        """Events: insert shape: order-insensitive."""
        body = tea(location="Porto", description="Green", colorId="3", extendedProperties={"private": {"b": "1", "a": "2"}})
        turned = dict(reversed(body.items()))
        keep = lambda made: {name: made[name] for name in body}
        first = self.ask(self.events.insert(calendarId="primary", body=body))
        second = self.ask(self.events.insert(calendarId="primary", body=turned))
        self.assertEqual(keep(first), keep(second))
        self.assertEqual(keep(first)["extendedProperties"], body["extendedProperties"])

    def test_every_writable_member_comes_back(self):
        """A rich event is answered whole, and read as it was answered."""
        members = {
            "description": "Green", "location": "Porto", "colorId": "7", "transparency": "transparent",
            "visibility": "private", "status": "tentative", "guestsCanInviteOthers": False,
            "guestsCanSeeOtherGuests": False, "guestsCanModify": True,
            "source": {"title": "Booking", "url": "https://example.org/booking/7"},
            "attendees": [{"email": BEN, "optional": True, "displayName": "Ben", "comment": "late", "additionalGuests": 2}],
            "extendedProperties": {"private": {"a": "1"}, "shared": {"b": "2"}},
            "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]},
        }
        made = self.insert(**members)
        for name, value in members.items():
            if name == "attendees":
                value = [{**value[0], "responseStatus": "needsAction"}]
            self.assertEqual(made[name], value, name)
        self.assertEqual(self.get(made["id"]), made)


class Ids(Case):
    def insert_with(self, event):
        return self.events.insert(calendarId="primary", body=tea(id=event))

    def test_charset(self):
        """Events: id charset."""
        self.assertEqual(self.insert(id="0123456789abcdefghijklmnopqrstuv")["id"], "0123456789abcdefghijklmnopqrstuv")
        for bad in ("abcdw", "abcdz", "ABCDE", "abc-de", "abcd_", "abc de", "äbcde", "6ba7b810-9dad-11d1-80b4"):
            with self.subTest(bad):
                self.refused(self.insert_with(bad), 400, "invalid")

    def test_length(self):
        """Events: id length."""
        self.assertEqual(self.insert(id="abcde")["id"], "abcde")
        self.assertEqual(self.insert(id="a" * 1024)["id"], "a" * 1024)
        for bad in ("abcd", "a", "a" * 1025):
            with self.subTest(len(bad)):
                self.refused(self.insert_with(bad), 400, "invalid")

    def test_taken(self):
        """Events: 409."""
        self.insert(id="abcde12345")
        self.refused(self.insert_with("abcde12345"), 409, "duplicate", "The requested identifier already exists.", "global")
        ben = self.another(BEN).events()
        self.ask(ben.insert(calendarId="primary", body=tea(id="abcde12345")))

    def test_taken_by_a_deleted_event(self):
        """Events: 409 incl. deleted ids."""
        self.insert(id="abcde12345")
        self.delete("abcde12345")
        self.refused(self.insert_with("abcde12345"), 409, "duplicate")
        self.assertEqual(self.get("abcde12345")["status"], "cancelled")

    def test_the_event_stays_as_it_was(self):
        """Events: body unchanged on 409."""
        made = self.insert(id="abcde12345")
        other = tea(id="abcde12345", summary="Coffee", location="Elsewhere")
        self.refused(self.events.insert(calendarId="primary", body=other), 409, "duplicate")
        self.assertEqual(self.get("abcde12345"), made)
        self.assertEqual(self.listed(), ["abcde12345"])


class Refusals(Case):
    def bad(self, reason, message=None, domain=None, **members):
        told = self.refused(self.events.insert(calendarId="primary", body=tea(**members)), 400, reason, message, domain)
        self.assertNotIn("status", told)
        self.assertEqual(self.listed(), [])

    def test_required(self):
        """Events: 400 required."""
        self.bad("required", "Missing end time.", "global", end=None)
        self.bad("required", start=None)
        self.bad("required", end={})
        self.bad("required", attendees=[{"displayName": "Nobody"}])

    def test_invalid(self):
        """Events: 400 invalid."""
        self.bad("invalid", "Invalid resource id value.", "global", id="UPPER")
        self.bad("invalid", attendees=[{"email": "no address"}])
        self.bad("invalid", start={"dateTime": "2027-04-01T10:00:00", "timeZone": "Europe/Nowhere"})
        self.bad("invalid", colorId="99")

    def test_bad_request(self):
        """Events: 400 badRequest."""
        for parameters in ({"timeMin": "yesterday"}, {"timeMin": "2027-04-01T10:00:00"}, {"orderBy": "startTime"}):
            with self.subTest(parameters):
                self.refused(self.events.list(calendarId="primary", **parameters), 400, "badRequest")

    def test_time_range_empty(self):
        """Events: 400 timeRangeEmpty."""
        early = {"dateTime": "2027-04-01T09:00:00", "timeZone": "Europe/Lisbon"}
        self.bad("timeRangeEmpty", "The specified time range is empty.", "calendar", end=early)
        self.refused(self.events.list(calendarId="primary", timeMin="2027-04-02T00:00:00Z", timeMax="2027-04-01T00:00:00Z"), 400)

    def test_invalid_parameter(self):
        """Events: 400 invalidParameter."""
        # The official client checks these itself: the call goes out without it.
        for query in ("maxResults=none", "maxResults=0", "orderBy=nonsense"):
            with self.subTest(query):
                answer = self.raw("GET", "calendars/primary/events?" + query)
                self.assertEqual(answer.status_code, 400, answer.text)
                error = answer.json()["error"]["errors"][0]
                self.assertEqual((error["reason"], error["location"]), ("invalidParameter", query.split("=")[0]))

    def test_parse_error(self):
        """Events: 400 parseError."""
        for body in (b"{", b"nonsense", b'{"summary": }'):
            answer = self.raw("POST", "calendars/primary/events", data=body, headers={"content-type": "application/json"})
            self.assertEqual((answer.status_code, answer.json()["error"]["errors"][0]["reason"]), (400, "parseError"))

    def test_not_found(self):
        """Events and calendars that never were."""
        for request in (self.events.get(calendarId="primary", eventId="nosuchevent"),
                        self.events.patch(calendarId="primary", eventId="nosuchevent", body={}),
                        self.events.delete(calendarId="primary", eventId="nosuchevent"),
                        self.events.list(calendarId="nobody@example.com"),
                        self.events.list(calendarId=BEN),
                        self.events.insert(calendarId=BEN, body=tea())):
            self.refused(request, 404, "notFound", "Not Found", "global")


class Times(Case):
    def test_date_or_date_time(self):
        """Events: date/dateTime exclusivity."""
        day, moment = {"date": "2027-04-01"}, {"dateTime": "2027-04-01T10:00:00Z"}
        for start, end in ((day, moment), (moment, {"date": "2027-04-02"}), ({**day, **moment}, {"date": "2027-04-02"})):
            with self.subTest((start, end)):
                request = self.events.insert(calendarId="primary", body=tea(start=start, end=end))
                with self.assertRaises(HttpError) as caught:
                    request.execute()
                self.assertEqual(caught.exception.status_code, 400)
        made = self.insert(start=day, end={"date": "2027-04-02"})
        self.assertEqual((made["start"], made["end"]), (day, {"date": "2027-04-02"}))

    def test_a_patch_turns_an_event_into_whole_days(self):
        """Events: date/dateTime exclusivity (by patch)."""
        made = self.insert()
        body = {"start": {"date": "2027-04-01", "dateTime": None, "timeZone": None},
                "end": {"date": "2027-04-02", "dateTime": None, "timeZone": None}}
        self.assertEqual(self.patch(made["id"], body)["start"], {"date": "2027-04-01"})
        answer = self.raw("PATCH", "calendars/primary/events/" + made["id"],
                          json={"start": {"dateTime": "2027-04-01T10:00:00Z"}, "end": {"dateTime": "2027-04-01T11:00:00Z"}})
        self.assertEqual(answer.status_code, 400, "date and dateTime at once")

    def test_offset_of_the_calendar(self):
        """Events: offset rendering in calendar zone."""
        for given, shown in (
            ("2027-04-01T10:00:00Z", "2027-04-01T11:00:00+01:00"),
            ("2027-04-01T10:00:00-05:00", "2027-04-01T16:00:00+01:00"),
            ("2027-01-15T10:00:00+05:30", "2027-01-15T04:30:00Z"),
        ):
            made = self.insert(start={"dateTime": given}, end={"dateTime": "2027-04-03T00:00:00Z"})
            self.assertEqual(made["start"]["dateTime"], shown)
        ben = self.another(BEN).events()
        made = self.ask(ben.insert(calendarId="primary", body=tea()))
        self.assertEqual(made["start"]["dateTime"], "2027-04-01T05:00:00-04:00")

    def test_the_response_can_be_in_another_zone(self):
        """Events: offset rendering in calendar zone (timeZone parameter)."""
        made = self.insert()
        read = self.ask(self.events.get(calendarId="primary", eventId=made["id"], timeZone="Asia/Tokyo"))
        self.assertEqual(read["start"]["dateTime"], "2027-04-01T18:00:00+09:00")
        item, = self.list(timeZone="Asia/Tokyo")["items"]
        self.assertEqual(item["start"]["dateTime"], "2027-04-01T18:00:00+09:00")

    def test_zone_comes_back(self):
        """Events: timeZone echo."""
        made = self.insert(start={"dateTime": "2027-04-01T10:00:00", "timeZone": "America/Sao_Paulo"},
                           end={"dateTime": "2027-04-01T20:00:00", "timeZone": "Europe/Kiev"})
        self.assertEqual(made["start"], {"dateTime": "2027-04-01T14:00:00+01:00", "timeZone": "America/Sao_Paulo"})
        self.assertEqual(made["end"], {"dateTime": "2027-04-01T18:00:00+01:00", "timeZone": "Europe/Kiev"})
        bare = self.insert(start={"dateTime": "2027-04-01T10:00:00Z"}, end={"dateTime": "2027-04-01T11:00:00Z"})
        self.assertEqual(bare["start"]["timeZone"], "Europe/Lisbon")

    def test_gaps(self):
        """Events: DST gaps."""
        # Lisbon skips 01:00 to 02:00 on 28 March 2027, and has it twice on 31 October.
        made = self.insert(start={"dateTime": "2027-03-28T01:30:00", "timeZone": "Europe/Lisbon"},
                           end={"dateTime": "2027-03-28T03:00:00", "timeZone": "Europe/Lisbon"})
        self.assertEqual(made["start"]["dateTime"], "2027-03-28T02:30:00+01:00")
        twice = self.insert(start={"dateTime": "2027-10-31T01:30:00", "timeZone": "Europe/Lisbon"},
                            end={"dateTime": "2027-10-31T03:00:00", "timeZone": "Europe/Lisbon"})
        self.assertIn(twice["start"]["dateTime"], ("2027-10-31T01:30:00+01:00", "2027-10-31T01:30:00Z"))
        self.assertEqual(twice["end"]["dateTime"], "2027-10-31T03:00:00Z")


class Changes(Case):
    def test_patch_merges(self):
        """Events: patch merge."""
        made = self.insert(location="Porto", extendedProperties={"private": {"a": "1", "b": "2"}, "shared": {"c": "3"}})
        patched = self.patch(made["id"], {"description": "Green", "extendedProperties": {"private": {"b": "4", "d": "5"}}})
        self.assertEqual((patched["summary"], patched["location"], patched["description"]), ("Tea", "Porto", "Green"))
        self.assertEqual(patched["extendedProperties"], {"private": {"a": "1", "b": "4", "d": "5"}, "shared": {"c": "3"}})
        self.assertEqual((patched["start"], patched["end"]), (made["start"], made["end"]))

    def test_patch_removes(self):
        """Events: patch null."""
        made = self.insert(location="Porto", description="Green", extendedProperties={"private": {"a": "1", "b": "2"}})
        patched = self.patch(made["id"], {"location": None, "extendedProperties": {"private": {"a": None}}})
        self.assertNotIn("location", patched)
        self.assertEqual(patched["extendedProperties"], {"private": {"b": "2"}})
        self.assertEqual(patched["description"], "Green")
        self.assertEqual(self.get(made["id"]), patched)

    def test_patch_replaces_arrays(self):
        """Events: patch array replace."""
        made = self.insert(attendees=[{"email": "one@example.org"}, {"email": "two@example.org"}])
        patched = self.patch(made["id"], {"attendees": [{"email": "three@example.org"}]})
        self.assertEqual([guest["email"] for guest in patched["attendees"]], ["three@example.org"])
        self.assertNotIn("attendees", self.patch(made["id"], {"attendees": []}))

    def test_put_clears(self):
        """Events: put clears."""
        made = self.insert(location="Porto", description="Green", colorId="3", attendees=[{"email": BEN}],
                           extendedProperties={"private": {"a": "1"}, "shared": {"b": "2"}},
                           reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]})
        put = self.update(made["id"], {"summary": "Coffee", "start": made["start"], "end": made["end"]})
        for name in ("location", "description", "colorId", "attendees", "extendedProperties"):
            self.assertNotIn(name, put)
        self.assertEqual((put["summary"], put["id"], put["iCalUID"], put["created"]),
                         ("Coffee", made["id"], made["iCalUID"], made["created"]))
        self.refused(self.events.update(calendarId="primary", eventId=made["id"], body={"summary": "x"}), 400, "required")

    def test_sequence(self):
        """Events: sequence bumps."""
        made = self.insert()
        moved = self.patch(made["id"], {"start": {"dateTime": "2027-04-01T09:00:00", "timeZone": "Europe/Lisbon"}})
        self.assertEqual((made["sequence"], moved["sequence"]), (0, 1))
        self.assertEqual(self.patch(made["id"], {"colorId": "4"})["sequence"], 1)

    def test_updated(self):
        """Events: updated bumps."""
        made = self.insert()
        self.google.advance(seconds=5)
        patched = self.patch(made["id"], {"summary": "Coffee"})
        self.assertGreater(patched["updated"], made["updated"])
        self.assertEqual(patched["created"], made["created"])
        self.google.advance(seconds=5)
        self.assertEqual(self.get(made["id"])["updated"], patched["updated"])
        page = self.list()
        self.assertGreaterEqual(page["updated"], patched["updated"])

    def test_etags(self):
        """Events: etag bumps."""
        made = self.insert()
        etags, listed = [made["etag"]], [self.list()["etag"]]
        for summary in ("One", "Two", "Three"):
            etags.append(self.patch(made["id"], {"summary": summary})["etag"])
            self.assertEqual(self.get(made["id"])["etag"], etags[-1])
            listed.append(self.list()["etag"])
        self.assertEqual(len(set(etags)), 4)
        self.assertEqual(len(set(listed)), 4)

    def test_reminders_alone(self):
        """Events: reminders-only exception."""
        made = self.insert()
        self.google.advance(seconds=5)
        reminders = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 15}]}
        patched = self.patch(made["id"], {"reminders": reminders})
        self.assertEqual((patched["reminders"], patched["updated"]), (reminders, made["updated"]))
        both = self.patch(made["id"], {"reminders": {"useDefault": True, "overrides": None}, "summary": "x"})
        self.assertGreater(both["updated"], made["updated"])

    def test_tombstones(self):
        """Events: tombstones."""
        made = self.insert()
        answer = self.raw("DELETE", "calendars/primary/events/" + made["id"])
        self.assertEqual((answer.status_code, answer.content), (204, b""))
        self.refused(self.events.delete(calendarId="primary", eventId=made["id"]), 410, "deleted", "Resource has been deleted")
        self.assertEqual(self.get(made["id"])["status"], "cancelled")
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.listed(showDeleted=True), [made["id"]])

    def test_revive(self):
        """Events: revive."""
        made = self.insert()
        self.delete(made["id"])
        self.assertEqual(self.patch(made["id"], {"status": "confirmed"})["status"], "confirmed")
        self.assertEqual(self.listed(), [made["id"]])

    def test_cancel_by_patch(self):
        """Events: tombstones (by patch)."""
        made = self.insert()
        self.patch(made["id"], {"status": "cancelled"})
        self.assertEqual((self.listed(), self.get(made["id"])["status"]), ([], "cancelled"))

    def conditional(self, request, **headers):
        request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return request

    def test_if_match(self):
        """Events: If-Match."""
        made = self.insert()
        place = {"calendarId": "primary", "eventId": made["id"]}
        newer = self.ask(self.conditional(self.events.patch(**place, body={"summary": "Late"}), If_Match=made["etag"]))
        for request in (self.events.patch(**place, body={"summary": "Lost"}),
                        self.events.update(**place, body=tea(summary="Lost")), self.events.delete(**place)):
            self.refused(self.conditional(request, If_Match=made["etag"]), 412, "conditionNotMet")
        self.assertEqual(self.get(made["id"]), newer)
        self.conditional(self.events.delete(**place), If_Match=newer["etag"]).execute()
        self.assertEqual(self.get(made["id"])["status"], "cancelled")

    def test_if_none_match(self):
        """Events: If-None-Match."""
        made = self.insert()
        path = "calendars/primary/events/" + made["id"]
        same = self.raw("GET", path, headers={"If-None-Match": made["etag"]})
        self.assertEqual((same.status_code, same.content), (304, b""))
        self.patch(made["id"], {"summary": "Late"})
        self.assertEqual(self.raw("GET", path, headers={"If-None-Match": made["etag"]}).status_code, 200)


class Members(Case):
    def test_long_keys_are_dropped(self):
        """Events: ext props limits: drop."""
        made = self.insert(extendedProperties={"private": {"k" * 44: "kept", "l" * 45: "dropped"}})
        self.assertEqual(made["extendedProperties"], {"private": {"k" * 44: "kept"}})

    def test_long_values_are_cut(self):
        """Events: ext props limits: cut."""
        made = self.insert(extendedProperties={"shared": {"a": "v" * 1025, "b": "w" * 1024}})
        self.assertEqual(made["extendedProperties"], {"shared": {"a": "v" * 1024, "b": "w" * 1024}})

    def test_at_most_300_properties(self):
        """Events: ext props limits: cut (300 properties)."""
        self.insert(extendedProperties={"private": {f"k{number}": "v" for number in range(300)}})
        many = tea(extendedProperties={"private": {f"k{number}": "v" for number in range(301)}})
        with self.assertRaises(HttpError) as caught:
            self.events.insert(calendarId="primary", body=many).execute()
        self.assertEqual(caught.exception.status_code, 400)

    def test_query(self):
        """Events: ext props query."""
        made = self.insert(extendedProperties={"private": {"bridge_request_id": "7", "x": "y=z"}, "shared": {"b": "2"}})["id"]
        self.insert(extendedProperties={"private": {"bridge_request_id": "8"}})
        self.assertEqual(self.listed(privateExtendedProperty="bridge_request_id=7"), [made])
        self.assertEqual(self.listed(privateExtendedProperty="x=y=z"), [made])
        self.assertEqual(self.listed(sharedExtendedProperty="b=2"), [made])
        self.assertEqual(self.listed(sharedExtendedProperty="bridge_request_id=7"), [])
        self.assertEqual(self.listed(privateExtendedProperty="bridge_request_id=7", sharedExtendedProperty="b=3"), [])
        self.delete(made)
        self.assertEqual(self.listed(privateExtendedProperty="bridge_request_id=7"), [])

    def test_reminders(self):
        """Events: >5 reminders."""
        five = [{"method": "popup", "minutes": minutes} for minutes in range(5)]
        self.assertEqual(len(self.insert(reminders={"useDefault": False, "overrides": five})["reminders"]["overrides"]), 5)
        six = [*five, {"method": "email", "minutes": 40}]
        for overrides in (six, [{"method": "popup", "minutes": 40321}], [{"method": "popup", "minutes": -1}],
                          [{"method": "pigeon", "minutes": 5}]):
            body = tea(reminders={"useDefault": False, "overrides": overrides})
            with self.subTest(overrides), self.assertRaises(HttpError) as caught:
                self.events.insert(calendarId="primary", body=body).execute()
            self.assertEqual(caught.exception.status_code, 400)

    def test_event_types(self):
        """Events: eventTypes."""
        default = self.insert()["id"]
        focus = self.insert(eventType="focusTime", focusTimeProperties={"autoDeclineMode": "declineNone", "chatStatus": "doNotDisturb"})
        away = self.insert(eventType="outOfOffice", outOfOfficeProperties={"autoDeclineMode": "declineNone"})
        self.assertEqual((focus["eventType"], away["eventType"]), ("focusTime", "outOfOffice"))
        self.assertEqual(focus["focusTimeProperties"]["chatStatus"], "doNotDisturb")
        self.assertEqual(self.listed(eventTypes=["focusTime"]), [focus["id"]])
        self.assertEqual(set(self.listed(eventTypes=["default", "outOfOffice"])), {default, away["id"]})
        self.assertEqual(len(self.listed()), 3)

    def test_event_type_is_immutable(self):
        """Events: eventTypes (immutable)."""
        made = self.insert()["id"]
        body = {"eventType": "focusTime"}
        with self.assertRaises(HttpError) as caught:
            self.events.patch(calendarId="primary", eventId=made, body=body).execute()
        self.assertEqual(caught.exception.status_code, 400)
        unknown = self.events.insert(calendarId="primary", body=tea(eventType="nonsense"))
        self.refused(unknown, 400)

    def test_working_location_and_birthday(self):
        """Events: eventTypes (working location, birthday)."""
        day = {"start": {"date": "2027-04-01"}, "end": {"date": "2027-04-02"}, "transparency": "transparent"}
        place = self.insert(**day, eventType="workingLocation", visibility="public", workingLocationProperties={
            "type": "homeOffice", "homeOffice": {}})
        self.assertEqual(place["workingLocationProperties"]["type"], "homeOffice")
        born = self.insert(**day, eventType="birthday", visibility="private", recurrence=["RRULE:FREQ=YEARLY"],
                           birthdayProperties={"type": "birthday"})
        self.assertEqual(born["birthdayProperties"]["type"], "birthday")
