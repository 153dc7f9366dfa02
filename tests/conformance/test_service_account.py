"""Service accounts, with and without the authority to act for a domain's users."""

import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from simulated import ANA, BEN, CALENDAR, PLAIN, PREFIX, Case, meet, tea

GOOGLE = "https://oauth2.googleapis.com/token"
DELEGATED = "delegated@project.iam.gserviceaccount.com"
ALONE = "alone@project.iam.gserviceaccount.com"
LIMITED = "limited@project.iam.gserviceaccount.com"
FRESH = "fresh@project.iam.gserviceaccount.com"
EVENTS = PREFIX + "calendar.events"


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


KEY, STRANGER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def account(email, *lines):
    return "\n".join(["\n[[service_account]]", f'email = "{email}"', f"public_key_pem = '''\n{PUBLIC}'''", *lines, ""])


ACCOUNTS = (
    account(DELEGATED, "delegation = true")
    + account(ALONE, "delegation = false")
    + account(LIMITED, "delegation = true", f'scopes = ["{EVENTS}"]')
    + account(FRESH, "delegation = true", "delegation_after_secs = 600"))


class ServiceCase(Case):
    seed = PLAIN + ACCOUNTS

    def start(self):
        pass

    def credentials_of(self, email, subject=None, scopes=(CALENDAR,), key=KEY):
        """The official client's credentials, from a key file's content."""
        info = {"type": "service_account", "client_email": email, "private_key": pem(key), "private_key_id": "k1",
                "project_id": "project", "token_uri": self.google.root + "token"}
        return service_account.Credentials.from_service_account_info(info, scopes=list(scopes), subject=subject)

    def claims(self, **members):
        now = int(time.time())
        claims = {"iss": DELEGATED, "sub": ANA, "scope": CALENDAR, "aud": GOOGLE, "iat": now, "exp": now + 3600, **members}
        return {name: value for name, value in claims.items() if value is not None}

    def exchange(self, key=KEY, **members):
        """The token endpoint's answer to claims signed with `key`."""
        signed = jwt.encode(crypt.RSASigner.from_string(pem(key)), self.claims(**members)).decode()
        return self.assert_(signed)

    def assert_(self, assertion):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return self.google.call("POST", "token", data=form)

    def granted(self, answer):
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def denied(self, answer, status, error, text=None):
        told = answer.json()
        self.assertEqual((answer.status_code, told["error"]), (status, error), told)
        if text is not None:
            self.assertIn(text, told["error_description"])


class ServiceAccount(ServiceCase):
    def test_the_registered_key_signs(self):
        """Service account: RS256 verification with registered key."""
        told = self.granted(self.exchange())
        self.assertEqual((told["expires_in"], told["token_type"]), (3599, "Bearer"))
        self.assertNotIn("refresh_token", told)
        self.denied(self.exchange(key=STRANGER), 400, "invalid_grant")
        head, body, signature = jwt.encode(crypt.RSASigner.from_string(pem(KEY)), self.claims()).decode().split(".")
        other = jwt.encode(crypt.RSASigner.from_string(pem(KEY)), self.claims(sub=BEN)).decode().split(".")[1]
        self.denied(self.assert_(f"{head}.{other}.{signature}"), 400, "invalid_grant")

    def test_the_official_client_acts_for_a_user(self):
        """Service account: RS256 verification with registered key (official client)."""
        credentials = self.credentials_of(DELEGATED, ANA)
        calendar = self.service(credentials)
        made = self.ask(calendar.events().insert(calendarId="primary", body=tea()))
        self.assertEqual(made["organizer"]["email"], ANA)
        before = credentials.token
        self.google.control("expire", {"access_tokens": True})
        self.ask(calendar.events().get(calendarId=ANA, eventId=made["id"]))
        self.assertNotEqual(credentials.token, before)

    def test_audience(self):
        """Service account: aud both forms."""
        self.granted(self.exchange(aud=GOOGLE))
        self.granted(self.exchange(aud=self.google.root + "token"))
        self.denied(self.exchange(aud="https://example.org/token"), 400, "invalid_grant")

    def test_window(self):
        """Service account: iat/exp window."""
        now = int(time.time())
        self.granted(self.exchange(iat=now - 1800, exp=now + 1800))
        self.denied(self.exchange(iat=now - 7200, exp=now - 3600), 400, "invalid_grant")
        self.denied(self.exchange(iat=now + 3600, exp=now + 7200), 400, "invalid_grant")
        self.denied(self.exchange(exp=now + 2 * 3600), 400, "invalid_grant")
        self.denied(self.exchange(iat=None), 400, "invalid_grant")
        self.denied(self.exchange(exp=None), 400, "invalid_grant")

    def test_skew(self):
        """Service account: skew."""
        now = int(time.time())
        self.granted(self.exchange(iat=now + 60, exp=now + 3660))
        self.google.advance(minutes=30)
        self.granted(self.exchange(iat=now, exp=now + 3600))
        self.google.advance(hours=2)
        self.denied(self.exchange(iat=now, exp=now + 3600), 400, "invalid_grant", "Invalid JWT")

    def test_subject(self):
        """Service account: sub must exist."""
        self.granted(self.exchange(sub=BEN))
        self.denied(self.exchange(sub="nobody@example.com"), 400, "invalid_grant", "Invalid email or User ID")

    def test_scopes(self):
        """Service account: scope allow-list."""
        self.granted(self.exchange(iss=LIMITED, scope=EVENTS))
        self.assertGreaterEqual(self.exchange(iss=LIMITED, scope=CALENDAR).status_code, 400)
        self.assertGreaterEqual(self.exchange(iss=LIMITED, scope=f"{EVENTS} {CALENDAR}").status_code, 400)

    def test_propagation(self):
        """Service account: propagation delay."""
        self.denied(self.exchange(iss=FRESH), 401, "unauthorized_client")
        self.google.advance(seconds=601)
        now = int(self.google.now().timestamp())
        self.granted(self.exchange(iss=FRESH, iat=now, exp=now + 3600))

    def test_own_primary(self):
        """Service account: own primary."""
        calendar = self.service(self.credentials_of(ALONE))
        self.assertEqual(self.ask(calendar.events().list(calendarId="primary"))["items"], [])
        made = self.ask(calendar.events().insert(calendarId="primary", body=tea()))
        self.assertEqual(made["organizer"]["email"], ALONE)
        self.assertEqual(self.ask(calendar.calendars().get(calendarId="primary"))["id"], ALONE)
        self.refused(calendar.events().list(calendarId=ANA), 404, "notFound")

    def test_no_attendees(self):
        """Service account: no-DWD attendee refusal."""
        events = self.service(self.credentials_of(ALONE)).events()
        body = tea(attendees=[{"email": BEN}])
        told = self.refused(events.insert(calendarId="primary", body=body), 403, "forbiddenForServiceAccounts")
        self.assertEqual(told["message"],
                         "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority.")
        self.assertEqual(told["errors"][0]["domain"], "calendar")
        made = self.ask(events.insert(calendarId="primary", body=tea()))
        self.refused(events.patch(calendarId="primary", eventId=made["id"], body={"attendees": [{"email": BEN}]}),
                     403, "forbiddenForServiceAccounts")
        self.assertEqual(self.google.mails(), [])

    def test_no_meet(self):
        """Service account: no-DWD Meet refusal."""
        events = self.service(self.credentials_of(ALONE)).events()
        request = events.insert(calendarId="primary", body=tea(conferenceData=meet()), conferenceDataVersion=1)
        self.refused(request, 400, "invalid", "Invalid conference type value.")
        self.assertEqual(self.ask(events.list(calendarId="primary"))["items"], [])


class ErrorTexts(ServiceCase):
    def test_no_delegation(self):
        """Service account: error texts (no delegation)."""
        answer = self.exchange(iss=ALONE)
        self.denied(answer, 401, "unauthorized_client")
        self.assertRegex(answer.json()["error_description"],
                         r"^(Unauthorized client or scope in request\.|Client is unauthorized to retrieve access tokens using this method)")

    def test_official_client_without_delegation(self):
        """Service account: error texts (no delegation, official client)."""
        with self.assertRaises(RefreshError) as caught:
            self.credentials_of(ALONE, ANA).refresh(Request())
        self.assertEqual(caught.exception.args[1]["error"], "unauthorized_client")

    def test_scope_not_authorized(self):
        """Service account: error texts (scope not authorised)."""
        answer = self.exchange(iss=LIMITED, scope=CALENDAR)
        self.assertIn(answer.json()["error"], ("access_denied", "unauthorized_client"))

    def test_invalid_subject(self):
        """Service account: error texts (no such user)."""
        self.denied(self.exchange(sub="nobody@example.com"), 400, "invalid_grant", "Invalid email or User ID")

    def test_invalid_issuer(self):
        """Service account: error texts (no such account)."""
        self.assertEqual(self.exchange(iss="nobody@project.iam.gserviceaccount.com").status_code, 400)

    def test_invalid_signature(self):
        """Service account: error texts (signature)."""
        self.denied(self.exchange(key=STRANGER), 400, "invalid_grant", "Invalid JWT Signature.")

    def test_not_short_lived(self):
        """Service account: error texts (not short-lived)."""
        now = int(time.time())
        self.denied(self.exchange(exp=now + 4 * 3600), 400, "invalid_grant",
                    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe")

    def test_invalid_scope(self):
        """Service account: error texts (invalid scope)."""
        self.denied(self.exchange(scope=""), 400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")

    def test_no_token_at_all(self):
        """Service account: error texts (no JWT)."""
        self.assertEqual(self.assert_("nonsense").status_code, 400)
        self.assertEqual(self.assert_("a.b.c").status_code, 400)
