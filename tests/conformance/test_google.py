"""The simulated Google, judged by Google's own Python client.

SIMULATOR names the base address of a running simulator. Every resource it returns is held against
the schemas of the discovery document that comes with the client.
"""

import importlib.resources
import json
import os
import re
import unittest
import urllib.error
import urllib.parse
import urllib.request
from unittest import mock

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

ROOT = os.environ["SIMULATOR"].rstrip("/") + "/"
REDIRECT = "http://127.0.0.1:3001/oauth2callback"
SCOPES = ["openid", "https://www.googleapis.com/auth/calendar"]
CLIENT = {"web": {
    "client_id": "407408718192-simulator.apps.googleusercontent.com",
    "client_secret": "GOCSPX-known-to-everybody",
    "auth_uri": ROOT + "o/oauth2/v2/auth",
    "token_uri": ROOT + "token",
    "redirect_uris": [REDIRECT],
}}
DOCUMENT = json.loads(
    (importlib.resources.files("googleapiclient") / "discovery_cache/documents/calendar.v3.json").read_text())
DOCUMENT.update(rootUrl=ROOT, baseUrl=ROOT + "calendar/v3/")


def control(path, body):
    request = urllib.request.Request(
        ROOT + "simulator/" + path, json.dumps(body).encode(), {"content-type": "application/json"})
    urllib.request.urlopen(request).close()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def consent(user="ana@example.com"):
    """The user allows everything; the client exchanges the code."""
    flow = Flow.from_client_config(CLIENT, SCOPES, redirect_uri=REDIRECT)
    address, state = flow.authorization_url(access_type="offline", prompt="consent")
    decision = urllib.parse.urlencode({"decision": "allow", "user": user}).encode()
    try:
        urllib.request.build_opener(NoRedirect).open(address, decision)
        raise AssertionError("the consent page sent nobody back")
    except urllib.error.HTTPError as answer:
        assert answer.code == 302, answer.code
        back = answer.headers["location"]
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(back).query)
    assert query["state"] == [state]
    assert "code_challenge_method=S256" in address
    flow.fetch_token(code=query["code"][0])
    return flow.credentials


def faults_of(schema, value, path="answer"):
    """Members the discovery document does not know, and values of another type than it says."""
    if "$ref" in schema:
        schema = DOCUMENT["schemas"][schema["$ref"]]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
    kind = schema.get("type")
    if kind in kinds and (not isinstance(value, kinds[kind])
                          or (kind in ("integer", "number") and isinstance(value, bool))):
        return [f"{path} is not a {kind}: {value!r}"]
    if kind == "array":
        return [fault for number, item in enumerate(value)
                for fault in faults_of(schema["items"], item, f"{path}[{number}]")]
    found = []
    if kind == "object":
        for name, member in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += ([f"{path}.{name} is unknown"] if known is None
                      else faults_of(known, member, f"{path}.{name}"))
    form = {"date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "date": r"\d{4}-\d\d-\d\d"}
    if schema.get("format") in form and not re.fullmatch(form[schema["format"]], value):
        found.append(f"{path} is not a {schema['format']}: {value}")
    return found


class Case(unittest.TestCase):
    def setUp(self):
        control("reset", {})
        self.credentials = consent()
        self.calendar = build_from_document(DOCUMENT, credentials=self.credentials)
        self.addCleanup(self.calendar.close)

    def ask(self, request, schema, **options):
        answer = request.execute(**options)
        self.assertEqual(faults_of({"$ref": schema}, answer), [])
        return answer

    def refused(self, request, status, reason):
        with self.assertRaises(HttpError) as caught:
            request.execute()
        told = json.loads(caught.exception.content)["error"]
        self.assertEqual((caught.exception.status_code, told["errors"][0]["reason"]), (status, reason))
        return told

    def insert(self, **members):
        body = {
            "summary": "Tea",
            "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "Europe/Lisbon"},
            "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "Europe/Lisbon"},
            **members,
        }
        return self.ask(self.calendar.events().insert(
            calendarId="primary", body=body, conferenceDataVersion=1), "Event")

    def list(self, **parameters):
        return self.ask(self.calendar.events().list(calendarId="primary", **parameters), "Events")

    def all_pages(self, **parameters):
        pages, request = [], self.calendar.events().list(calendarId="primary", **parameters)
        while request is not None:
            pages.append(self.ask(request, "Events"))
            request = self.calendar.events().list_next(request, pages[-1])
        return pages


class OAuth(Case):
    def test_pkce_and_basic_auth_bring_a_refresh_token(self):
        self.assertTrue(self.credentials.token.startswith("ya29."))
        self.assertTrue(self.credentials.refresh_token.startswith("1//"))

    def test_an_expired_access_token_is_refreshed_without_rotation(self):
        before, refresh = self.credentials.token, self.credentials.refresh_token
        control("expire", {"access_tokens": True})
        self.list()
        self.assertNotEqual(self.credentials.token, before)
        self.assertEqual(self.credentials.refresh_token, refresh)


class Events(Case):
    def test_insert_get_patch_update_delete(self):
        made = self.insert(extendedProperties={"private": {"a": "1"}}, attendees=[{"email": "guest@example.org"}])
        place = {"calendarId": "primary", "eventId": made["id"]}
        events = self.calendar.events()
        self.assertRegex(made["id"], "^[0-9a-v]{26}$")
        self.assertEqual(self.ask(events.get(**place), "Event"), made)
        patched = self.ask(events.patch(**place, body={"location": "Kitchen"}), "Event")
        self.assertEqual((patched["summary"], patched["location"]), ("Tea", "Kitchen"))
        whole = {"start": made["start"], "end": made["end"], "summary": "Coffee"}
        replaced = self.ask(events.update(**place, body=whole), "Event")
        self.assertEqual((replaced["summary"], replaced.get("location")), ("Coffee", None))
        self.assertEqual(events.delete(**place).execute(), "")
        self.assertEqual(self.ask(events.get(**place), "Event")["status"], "cancelled")

    def test_an_id_is_taken_409_also_by_a_deleted_event_and_a_second_delete_is_410(self):
        self.insert(id="abcde01234")
        delete = self.calendar.events().delete(calendarId="primary", eventId="abcde01234")
        delete.execute()
        self.refused(delete, 410, "deleted")
        body = {"id": "abcde01234", "start": {"date": "2026-04-01"}, "end": {"date": "2026-04-02"}}
        self.refused(self.calendar.events().insert(calendarId="primary", body=body), 409, "duplicate")

    def test_if_match_is_412_and_if_none_match_304(self):
        made = self.insert()
        place = {"calendarId": "primary", "eventId": made["id"]}
        patch = self.calendar.events().patch(**place, body={"summary": "Late"})
        patch.headers["If-Match"] = '"1"'
        self.refused(patch, 412, "conditionNotMet")
        get = self.calendar.events().get(**place)
        get.headers["If-None-Match"] = made["etag"]
        with self.assertRaises(HttpError) as caught:
            get.execute()
        self.assertEqual(caught.exception.status_code, 304)

    def test_meet_comes_with_the_insert(self):
        request = {"requestId": "one", "conferenceSolutionKey": {"type": "hangoutsMeet"}}
        made = self.insert(conferenceData={"createRequest": request})
        self.assertRegex(made["hangoutLink"], r"^https://meet\.google\.com/[a-z]{3}-[a-z]{4}-[a-z]{3}$")
        self.assertEqual(made["conferenceData"]["createRequest"]["status"]["statusCode"], "success")


class ListAndSync(Case):
    def test_only_the_last_page_has_a_sync_token(self):
        ids = [self.insert()["id"] for _ in range(5)]
        pages = self.all_pages(maxResults=2)
        self.assertEqual([item["id"] for page in pages for item in page["items"]], ids)
        self.assertEqual(["nextSyncToken" in page for page in pages], [False, False, True])

    def test_what_is_written_between_two_pages_is_never_missed(self):
        first, *_ = [self.insert()["id"] for _ in range(4)]
        page = self.calendar.events().list(calendarId="primary", maxResults=2)
        answer = self.ask(page, "Events")
        self.calendar.events().patch(calendarId="primary", eventId=first, body={"summary": "New"}).execute()
        last = self.ask(self.calendar.events().list_next(page, answer), "Events")
        changed = self.list(syncToken=last["nextSyncToken"])["items"]
        self.assertEqual([(item["id"], item["summary"]) for item in changed], [(first, "New")])

    def test_a_sync_tells_changes_and_sparse_deletions_once(self):
        kept, gone = self.insert()["id"], self.insert()["id"]
        token = self.list()["nextSyncToken"]
        self.calendar.events().delete(calendarId="primary", eventId=gone).execute()
        added = self.insert()["id"]
        page = self.list(syncToken=token)
        told = {item["id"]: item["status"] for item in page["items"]}
        self.assertEqual(told, {gone: "cancelled", added: "confirmed"})
        self.assertNotIn(kept, told)
        sparse = next(item for item in page["items"] if item["id"] == gone)
        self.assertEqual(sorted(sparse), ["etag", "id", "kind", "status"])
        empty = self.list(syncToken=page["nextSyncToken"])
        self.assertEqual(empty["items"], [])
        self.assertIn("nextSyncToken", empty)

    def test_a_sync_is_paged(self):
        token = self.list()["nextSyncToken"]
        ids = [self.insert()["id"] for _ in range(3)]
        pages = self.all_pages(syncToken=token, maxResults=2)
        self.assertEqual([item["id"] for page in pages for item in page["items"]], ids)

    def test_an_expired_sync_token_is_410_and_a_full_sync_heals_it(self):
        token = self.list()["nextSyncToken"]
        control("expire", {"sync_tokens": True})
        events = self.calendar.events()
        self.refused(events.list(calendarId="primary", syncToken=token), 410, "fullSyncRequired")
        self.list(syncToken=self.list()["nextSyncToken"])

    def test_a_garbled_or_foreign_sync_token_is_400(self):
        token = self.list()["nextSyncToken"]
        events = self.calendar.events()
        told = self.refused(events.list(calendarId="primary", syncToken="garbled"), 400, "invalid")
        self.assertEqual(told["message"], "Invalid sync token value.")
        self.refused(events.list(calendarId="primary", syncToken=token, singleEvents=True), 400, "invalid")
        with build_from_document(DOCUMENT, credentials=consent("ben@example.com")) as other:
            self.refused(other.events().list(calendarId="primary", syncToken=token), 400, "invalid")

    def test_a_sync_token_stands_beside_no_filter(self):
        token = self.list()["nextSyncToken"]
        time = "2026-04-01T00:00:00Z"
        for name, value in {
            "iCalUID": "x", "orderBy": "updated", "privateExtendedProperty": "a=b", "q": "x", "timeMin": time,
            "sharedExtendedProperty": "a=b", "timeMax": time, "updatedMin": time, "showDeleted": False,
        }.items():
            with self.subTest(name):
                request = self.calendar.events().list(calendarId="primary", syncToken=token, **{name: value})
                self.refused(request, 400, "badRequest")

    def test_both_ends_of_a_time_range_are_exclusive(self):
        self.insert()
        count = lambda **parameters: len(self.list(**parameters)["items"])
        self.assertEqual(count(timeMin="2026-04-01T11:00:00+01:00"), 0)
        self.assertEqual(count(timeMin="2026-04-01T10:59:59+01:00"), 1)
        self.assertEqual(count(timeMax="2026-04-01T10:00:00+01:00"), 0)
        self.assertEqual(count(timeMax="2026-04-01T10:00:01+01:00"), 1)
        without_offset = self.calendar.events().list(calendarId="primary", timeMin="2026-04-01T11:00:00")
        self.refused(without_offset, 400, "badRequest")

    def test_updated_min_reaches_back_28_days(self):
        request = self.calendar.events().list(calendarId="primary", updatedMin="2020-01-01T00:00:00Z")
        self.refused(request, 410, "updatedMinTooLongAgo")

    def test_start_time_order_needs_single_events(self):
        request = self.calendar.events().list(calendarId="primary", orderBy="startTime")
        self.refused(request, 400, "badRequest")
        late = self.insert(end={"dateTime": "2026-04-03T11:00:00Z"}, start={"dateTime": "2026-04-03T10:00:00Z"})["id"]
        early = self.insert()["id"]
        found = self.list(orderBy="startTime", singleEvents=True)["items"]
        self.assertEqual([item["id"] for item in found], [early, late])

    def test_filters_find_by_words_properties_uid_and_type(self):
        made = self.insert(summary="Green tea", location="Porto",
                           extendedProperties={"private": {"a": "1"}, "shared": {"b": "2"}})
        self.insert()
        for parameters in (
            {"q": "porto green"}, {"privateExtendedProperty": "a=1"}, {"sharedExtendedProperty": "b=2"},
            {"iCalUID": made["iCalUID"]},
        ):
            with self.subTest(parameters):
                self.assertEqual([item["id"] for item in self.list(**parameters)["items"]], [made["id"]])
        self.assertEqual(self.list(eventTypes=["focusTime"])["items"], [])
        self.assertEqual(len(self.list(eventTypes=["default", "focusTime"])["items"]), 2)

    def test_the_calendar_list_names_the_primary_calendar(self):
        entry, = self.ask(self.calendar.calendarList().list(), "CalendarList")["items"]
        self.assertEqual((entry["id"], entry["primary"]), ("ana@example.com", True))
        self.assertEqual(self.ask(self.calendar.calendarList().get(calendarId="primary"), "CalendarListEntry"), entry)
        self.ask(self.calendar.calendars().get(calendarId="primary"), "Calendar")


class Retries(Case):
    def test_the_client_retries_refusals_that_pass(self):
        for fault in ("rate_limited", "user_rate_limited", "server_error", "html_error"):
            with self.subTest(fault), mock.patch("time.sleep") as slept:
                control("faults", {"fault": fault, "times": 2, "method": "calendar.events.list"})
                self.ask(self.calendar.events().list(calendarId="primary"), "Events", num_retries=3)
                self.assertEqual(slept.call_count, 2)

    def test_an_exhausted_quota_is_not_retried(self):
        control("faults", {"fault": "quota_exceeded", "times": 1, "method": "calendar.events.list"})
        self.refused(self.calendar.events().list(calendarId="primary"), 403, "quotaExceeded")


if __name__ == "__main__":
    unittest.main()
