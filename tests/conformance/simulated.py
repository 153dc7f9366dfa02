"""Simulated Googles to judge, and Google's own Python client in front of them.

SIMULATOR_COMMAND starts one, such as `calbridge simulator --listen {address} --seed {seed}`: the first
address it prints is its own. Each seed has one simulator, which is reset before every test. Whatever
it answers is held against the discovery document that comes with the client.
"""

import atexit
import datetime
import functools
import importlib.resources
import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

import requests
from google_auth_oauthlib.flow import Flow
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError

# A call that is never answered fails its test, and holds up no other.
socket.setdefaulttimeout(30)

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
REDIRECT = "http://127.0.0.1:3001/oauth2callback"
CLIENT_ID = "407408718192-simulator.apps.googleusercontent.com"
SECRET = "GOCSPX-known-to-everybody"
OTHER_ID = "407408718192-other.apps.googleusercontent.com"
PREFIX = "https://www.googleapis.com/auth/"
CALENDAR = PREFIX + "calendar"
SCOPES = ["openid", PREFIX + "userinfo.email", PREFIX + "userinfo.profile", CALENDAR]

# The clock stands still until a test moves it; every test begins at the machine's present, because
# Google's clients look at the machine's clock when they judge a token.
PLAIN = f"""
seed = 7

[clock]
mode = "fixed"

[[user]]
email = "{ANA}"
name = "Ana"
time_zone = "Europe/Lisbon"

[[user]]
email = "{BEN}"
name = "Ben"
time_zone = "America/New_York"

[[user]]
email = "{CLEO}"
name = "Cleo"
time_zone = "Asia/Kolkata"

[[client]]
id = "{CLIENT_ID}"
secret = "{SECRET}"
redirect_uris = ["{REDIRECT}", "http://localhost:3001/oauth2callback"]

[[client]]
id = "{OTHER_ID}"
secret = "GOCSPX-another"
redirect_uris = ["{REDIRECT}"]
"""

DOCUMENT = json.loads(
    (importlib.resources.files("googleapiclient") / "discovery_cache/documents/calendar.v3.json").read_text())


def methods(resources):
    for resource in resources.values():
        for method in resource.get("methods", {}).values():
            yield method["id"], method
        yield from methods(resource.get("resources", {}))


METHODS = dict(methods(DOCUMENT["resources"]))


class Simulator:
    """A running simulator and its controls."""

    def __init__(self, seed, address="127.0.0.1:0"):
        self.place = tempfile.TemporaryDirectory()
        path = os.path.join(self.place.name, "seed.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(seed)
        command = os.environ["SIMULATOR_COMMAND"].format(address=address, seed=path).split()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SIMULATOR_")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        atexit.register(self.stop)
        self.first_line = self.process.stdout.readline()
        found = re.search(r"http://[^\s/]+", self.first_line)
        if not found:
            raise AssertionError(f"the simulator did not start with this seed:\n{seed}")
        self.root = found[0] + "/"
        self.session = requests.Session()
        self.document = {**DOCUMENT, "rootUrl": self.root, "baseUrl": self.root + "calendar/v3/"}

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.place.cleanup()

    def call(self, method, path, **options):
        """An HTTP call without a client; redirects are not followed."""
        return self.session.request(
            method, self.root + path, **{"allow_redirects": False, "timeout": 20, **options})

    def control(self, path, body=None, method="POST"):
        """A call of `/simulator/…`, and what it tells."""
        answer = self.call(method, "simulator/" + path, json=body)
        if not answer.ok:
            raise AssertionError(f"{method} simulator/{path} {body}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def fault(self, name, **members):
        """Arms a fault."""
        self.control("faults", {"fault": name, **members})

    def ledger(self, method=None):
        """The calls so far, of one method if it is named."""
        entries = self.control("ledger", method="GET")["entries"]
        return [entry for entry in entries if method in (None, entry["method"])]

    def mails(self):
        return self.control("ledger", method="GET")["mails"]

    def now(self):
        text = self.control("clock", method="GET")["now"]
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    def advance(self, **span):
        self.control("clock", {"advance_secs": int(datetime.timedelta(**span).total_seconds())})

    def advance_until(self, happened, step=1, longest=600):
        """Moves the clock on in steps of seconds until something happened; tells whether it did.

        `happened` waits a little for it itself: what follows from a step comes by another thread.
        """
        for _ in range(0, longest, step):
            if happened():
                return True
            self.advance(seconds=step)
        return happened()

    def reset(self):
        present = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.control("clock", {"set": present.isoformat()})
        self.control("reset")


@functools.cache
def simulator(seed):
    """The one simulator of this seed."""
    return Simulator(seed)


def client_config(google, client=CLIENT_ID, secret=SECRET):
    return {"web": {
        "client_id": client, "client_secret": secret, "redirect_uris": [REDIRECT],
        "auth_uri": google.root + "o/oauth2/v2/auth", "token_uri": google.root + "token",
    }}


def decide(google, address, decision="allow", **fields):
    """Posts the consent page's form, and returns the answer."""
    path = address.removeprefix(google.root)
    return google.call("POST", path, data={"decision": decision, **fields})


def query_of(address):
    parameters = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query, keep_blank_values=True)
    return {name: values[0] for name, values in parameters.items()}


def consent(google, user=ANA, scopes=SCOPES, client=CLIENT_ID, secret=SECRET, ticked=None, **parameters):
    """The user allows what is asked, or what is `ticked`; the official client exchanges the code."""
    flow = Flow.from_client_config(client_config(google, client, secret), scopes, redirect_uri=REDIRECT)
    address, _ = flow.authorization_url(**{"access_type": "offline", "prompt": "consent", **parameters})
    fields = {} if ticked is None else {"choose": "1", "scope": ticked}
    answer = decide(google, address, user=user, **fields)
    if answer.status_code != 302:
        raise AssertionError(f"the consent page sent nobody back: {answer.status_code} {answer.text}")
    flow.fetch_token(code=query_of(answer.headers["location"])["code"])
    return flow.credentials


# What the schemas call a format, as the document's readers understand it.
FORMS = {
    "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "date": r"\d{4}-\d\d-\d\d",
    "int64": r"-?\d{1,19}",
}
KINDS = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def amiss(schema, value, path="answer"):
    """Members the discovery document does not know, and values of another type or form than it says."""
    if "$ref" in schema:
        schema = DOCUMENT["schemas"][schema["$ref"]]
    kind, form = schema.get("type"), schema.get("format")
    if kind in KINDS and (not isinstance(value, KINDS[kind])
                          or (kind in ("integer", "number") and isinstance(value, bool))):
        return [f"{path} is not a {kind}: {value!r}"]
    if kind == "array":
        return [fault for number, item in enumerate(value)
                for fault in amiss(schema["items"], item, f"{path}[{number}]")]
    if kind == "object":
        found = []
        for name, member in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += [f"{path}.{name} is unknown"] if known is None else amiss(known, member, f"{path}.{name}")
        return found
    if kind == "string" and form in FORMS and not re.fullmatch(FORMS[form], value):
        return [f"{path} is not a {form}: {value}"]
    if form == "int32" and not -2**31 <= value < 2**31:
        return [f"{path} is no int32: {value}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path} is none of {schema['enum']}: {value}"]
    return []


def tea(**members):
    """The body of an event: an hour in Lisbon's summer; `None` leaves a member out."""
    body = {
        "summary": "Tea",
        "start": {"dateTime": "2027-04-01T10:00:00", "timeZone": "Europe/Lisbon"},
        "end": {"dateTime": "2027-04-01T11:00:00", "timeZone": "Europe/Lisbon"},
        **members,
    }
    return {name: value for name, value in body.items() if value is not None}


def meet(request_id="one", kind="hangoutsMeet"):
    """The wish for a conference."""
    return {"createRequest": {"requestId": request_id, "conferenceSolutionKey": {"type": kind}}}


class Waiting:
    """A call on a thread of its own, which the simulator may hold."""

    def __init__(self, call):
        self.outcome = None
        self.thread = threading.Thread(target=self.run, args=(call,), daemon=True)
        self.thread.start()

    def run(self, call):
        try:
            self.outcome = ("answer", call())
        except Exception as error:
            self.outcome = ("error", error)

    def is_held(self, seconds=0.2):
        """Whether it still waits, after it had time enough to be answered."""
        self.thread.join(seconds)
        return self.thread.is_alive()

    def end(self):
        """What it got, which must come soon."""
        self.thread.join(10)
        return self.outcome


class Case(unittest.TestCase):
    """A test with a simulator of `seed`, and Ana's client in front of it."""

    seed = PLAIN

    def setUp(self):
        self.google = simulator(self.seed)
        self.google.reset()
        self.start()

    def start(self):
        self.credentials = consent(self.google)
        self.calendar = self.service(self.credentials)
        self.events = self.calendar.events()

    def service(self, credentials):
        """The official client with these credentials."""
        service = build_from_document(self.google.document, credentials=credentials)
        self.addCleanup(service.close)
        return service

    def another(self, user, **wishes):
        """Another user's client."""
        return self.service(consent(self.google, user, **wishes))

    def ask(self, request, **options):
        """What Google answers, which its own schema must allow."""
        answer = request.execute(**options)
        wanted = METHODS[request.methodId].get("response") if request.methodId else None
        if wanted:
            self.assertEqual(amiss(wanted, answer), [], request.methodId)
        return answer

    def refused(self, request, status, reason=None, message=None, domain=None):
        """The error Google must answer."""
        with self.assertRaises(HttpError) as caught:
            request.execute()
        error = caught.exception
        try:
            told = json.loads(error.content)["error"]
        except ValueError:
            self.fail(f"{error.status_code} without JSON: {error.content!r}")
        first = told["errors"][0]
        self.assertEqual((error.status_code, told["code"], first["reason"]), (status, status, reason or first["reason"]), told)
        for name, wanted in (("message", message), ("domain", domain)):
            if wanted is not None:
                self.assertEqual(first[name], wanted)
        return told

    def raw(self, method, path, credentials=None, **options):
        """A call below `calendar/v3/` without the client, in Ana's name."""
        token = (credentials or self.credentials).token
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self.google.call(method, "calendar/v3/" + path, headers=headers, **options)

    def insert(self, calendar="primary", events=None, sendUpdates=None, **members):
        """An event of Ana's with these members."""
        more = {"sendUpdates": sendUpdates} if sendUpdates else {}
        return self.ask((events or self.events).insert(
            calendarId=calendar, body=tea(**members), conferenceDataVersion=1, **more))

    def get(self, event, calendar="primary", events=None):
        return self.ask((events or self.events).get(calendarId=calendar, eventId=event))

    def patch(self, event, body, calendar="primary", **options):
        return self.ask(self.events.patch(calendarId=calendar, eventId=event, body=body, **options))

    def update(self, event, body, calendar="primary", **options):
        return self.ask(self.events.update(calendarId=calendar, eventId=event, body=body, **options))

    def delete(self, event, calendar="primary", **options):
        self.events.delete(calendarId=calendar, eventId=event, **options).execute()

    def list(self, calendar="primary", **parameters):
        return self.ask(self.events.list(calendarId=calendar, **parameters))

    def pages(self, calendar="primary", **parameters):
        """All pages of a list of events."""
        pages, request = [], self.events.list(calendarId=calendar, **parameters)
        while request is not None:
            pages.append(self.ask(request))
            request = self.events.list_next(request, pages[-1])
        return pages

    def listed(self, **parameters):
        """The ids of a whole list, in its order."""
        return [item["id"] for page in self.pages(**parameters) for item in page["items"]]
