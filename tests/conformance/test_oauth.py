"""OAuth and OpenID Connect, as a web application meets them."""

import base64
import hashlib
import urllib.parse

import jwt
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2.rfc6749.errors import OAuth2Error

from simulated import (
    ANA, BEN, CALENDAR, CLEO, CLIENT_ID, OTHER_ID, PLAIN, PREFIX, REDIRECT, SCOPES, SECRET, Case,
    client_config, consent, decide, query_of)

EVENTS = PREFIX + "calendar.events"
LIST = PREFIX + "calendar.calendarlist.readonly"
VERIFIER = "a-verifier.of_forty-three~characters-at-least0"


def hashed(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Browsing(Case):
    """A test that sends the browser itself."""

    def start(self):
        pass

    def address(self, **parameters):
        query = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT, "response_type": "code",
                 "scope": CALENDAR, "access_type": "offline", "state": "s", **parameters}
        query = {name: value for name, value in query.items() if value is not None}
        return "o/oauth2/v2/auth?" + urllib.parse.urlencode(query)

    def page(self, **parameters):
        return self.google.call("GET", self.address(**parameters))

    def back(self, decision="allow", user=ANA, fields=None, **parameters):
        """The query with which the browser comes back."""
        answer = decide(self.google, self.address(**parameters), decision, user=user, **(fields or {}))
        self.assertEqual(answer.status_code, 302, answer.text)
        self.assertEqual(answer.headers["location"].split("?")[0], parameters.get("redirect_uri", REDIRECT))
        return query_of(answer.headers["location"])

    def code(self, **parameters):
        return self.back(**parameters)["code"]

    def token(self, auth=None, **form):
        """The token endpoint's answer; without `auth` the client stands in the form."""
        if auth is None:
            form = {"client_id": CLIENT_ID, "client_secret": SECRET, **form}
        form = {name: value for name, value in form.items() if value is not None}
        return self.google.call("POST", "token", data=form, auth=auth)

    def exchange(self, code, **form):
        return self.token(**{"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **form})

    def refresh(self, token, **form):
        return self.token(grant_type="refresh_token", refresh_token=token, **form)

    def granted(self, answer):
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def denied(self, answer, status, error, description=None):
        told = answer.json()
        self.assertEqual((answer.status_code, told["error"]), (status, error), told)
        if description:
            self.assertEqual(told["error_description"], description)

    def usable(self, access_token):
        answer = self.google.call("GET", "calendar/v3/calendars/primary/events",
                                  headers={"Authorization": "Bearer " + access_token})
        return answer.status_code == 200

    def refused_page(self, name, **parameters):
        answer = self.page(**parameters)
        self.assertEqual(answer.status_code, 400)
        self.assertNotIn("location", answer.headers)
        self.assertTrue(answer.headers["content-type"].startswith("text/html"))
        self.assertIn(name, answer.text)


class Consent(Browsing):
    def test_exact_redirect_match(self):
        """OAuth: exact redirect match."""
        self.assertEqual(self.page().status_code, 200)
        for other in (REDIRECT + "/", REDIRECT.upper(), REDIRECT.replace("http:", "https:"),
                      REDIRECT + "?a=b", REDIRECT.replace("3001", "3002"), "http://example.org/"):
            with self.subTest(other):
                self.refused_page("redirect_uri_mismatch", redirect_uri=other)

    def test_what_is_not_redirected(self):
        """OAuth: HTML 400 without redirect."""
        self.refused_page("redirect_uri_mismatch", redirect_uri="http://127.0.0.1:3001/elsewhere")
        self.refused_page("invalid_client", client_id="nobody.apps.googleusercontent.com")
        self.refused_page("invalid_request", response_type=None)
        self.refused_page("invalid_request", client_id=None)

    def test_state(self):
        """OAuth: state echo."""
        for state in ("s", "with space & ampersand=+/%", "é~ü", "x" * 500):
            self.assertEqual(self.back(state=state)["state"], state)
            self.assertEqual(self.back("deny", state=state)["state"], state)
        self.assertNotIn("state", self.back(state=None))

    def test_deny(self):
        """OAuth: deny."""
        self.assertEqual(self.back("deny"), {"error": "access_denied", "state": "s"})

    def test_every_account_can_be_chosen(self):
        """OAuth: account chooser."""
        page = self.page(prompt="select_account").text
        for user in (ANA, BEN, CLEO):
            self.assertIn(user, page)
            code = self.code(user=user, scope="openid email")
            told = self.granted(self.exchange(code))
            who = self.google.call("GET", "v1/userinfo", headers={"Authorization": "Bearer " + told["access_token"]})
            self.assertEqual(who.json()["email"], user)

    def test_a_hint_chooses(self):
        """OAuth: account chooser (login_hint)."""
        answer = decide(self.google, self.address(login_hint=BEN, scope="openid email"))
        told = self.granted(self.exchange(query_of(answer.headers["location"])["code"]))
        who = self.google.call("GET", "v1/userinfo", headers={"Authorization": "Bearer " + told["access_token"]})
        self.assertEqual(who.json()["email"], BEN)

    def test_checkboxes(self):
        """OAuth: per-scope checkboxes."""
        page = self.page(scope=f"{EVENTS} {LIST}").text
        for scope in (EVENTS, LIST):
            self.assertRegex(page, f'<input[^>]*type="?checkbox"?[^>]*{scope}|<input[^>]*{scope}[^>]*type="?checkbox"?')

    def test_reduced_scope(self):
        """OAuth: reduced scope."""
        code = self.code(scope=f"openid email {EVENTS} {LIST}", fields={"choose": "1", "scope": EVENTS})
        told = self.granted(self.exchange(code))
        self.assertEqual(set(told["scope"].split()), {"openid", PREFIX + "userinfo.email", EVENTS})
        refreshed = self.granted(self.refresh(told["refresh_token"]))
        self.assertEqual(set(refreshed["scope"].split()), {"openid", PREFIX + "userinfo.email", EVENTS})
        self.assertTrue(self.usable(told["access_token"]))
        answer = self.google.call("GET", "calendar/v3/users/me/calendarList",
                                  headers={"Authorization": "Bearer " + told["access_token"]})
        self.assertEqual(answer.status_code, 403)

    def test_the_official_flow_sees_the_reduced_scope(self):
        """OAuth: reduced scope (official client)."""
        credentials = consent(self.google, scopes=["openid", EVENTS, LIST], ticked=[LIST])
        self.assertEqual(set(credentials.granted_scopes), {"openid", LIST})
        # It asks again for all it once asked for, which Google refuses.
        with self.assertRaises(RefreshError) as caught:
            credentials.refresh(Request())
        self.assertEqual(caught.exception.args[1], {"error": "invalid_scope", "error_description": "Bad Request"})


class RefreshTokens(Browsing):
    def test_only_the_first_offline_consent_brings_one(self):
        """OAuth: offline and consent rules for refresh_token (the first only)."""
        self.assertIn("refresh_token", self.granted(self.exchange(self.code())))
        self.assertNotIn("refresh_token", self.granted(self.exchange(self.code())))

    def test_a_forced_consent_brings_another(self):
        """OAuth: offline and consent rules for refresh_token (prompt=consent)."""
        first = self.granted(self.exchange(self.code()))["refresh_token"]
        second = self.granted(self.exchange(self.code(prompt="consent")))["refresh_token"]
        self.assertNotEqual(first, second)
        for token in (first, second):
            self.granted(self.refresh(token))

    def test_online_access_brings_none(self):
        """OAuth: offline and consent rules for refresh_token (online)."""
        for access_type in ("online", None):
            answer = self.exchange(self.code(access_type=access_type, prompt="consent"))
            self.assertNotIn("refresh_token", self.granted(answer))

    def test_a_revoked_grant_makes_the_next_consent_the_first(self):
        """OAuth: offline and consent rules for refresh_token (after a revocation)."""
        token = self.granted(self.exchange(self.code()))["refresh_token"]
        self.google.call("POST", "revoke", data={"token": token})
        self.assertIn("refresh_token", self.granted(self.exchange(self.code())))

    def test_a_refresh_token_is_not_rotated(self):
        """OAuth: no rotation."""
        first = self.granted(self.exchange(self.code()))
        second = self.granted(self.refresh(first["refresh_token"]))
        self.assertNotIn("refresh_token", second)
        third = self.granted(self.refresh(first["refresh_token"]))
        self.assertEqual(len({told["access_token"] for told in (first, second, third)}), 3)
        for told in (first, second, third):
            self.assertTrue(self.usable(told["access_token"]), "older tokens live on until they expire")

    def test_the_official_client_refreshes_and_keeps_its_token(self):
        """OAuth: no rotation (official client)."""
        credentials = consent(self.google)
        access, refresh = credentials.token, credentials.refresh_token
        self.assertTrue(access.startswith("ya29.") and refresh.startswith("1//"))
        credentials.refresh(Request())
        self.assertNotEqual(credentials.token, access)
        self.assertEqual(credentials.refresh_token, refresh)

    def test_an_expired_token_is_refreshed_in_the_middle(self):
        """OAuth: 3599 s (expiry)."""
        credentials = consent(self.google)
        events, before = self.service(credentials).events(), credentials.token
        self.google.advance(seconds=3598)
        self.assertTrue(self.usable(before))
        self.google.advance(seconds=2)
        self.assertFalse(self.usable(before))
        self.ask(events.list(calendarId="primary"))
        self.assertNotEqual(credentials.token, before)

    def test_an_access_token_says_how_long_it_lives(self):
        """OAuth: 3599 s."""
        told = self.granted(self.exchange(self.code()))
        self.assertEqual((told["expires_in"], told["token_type"]), (3599, "Bearer"))
        self.assertEqual(self.granted(self.refresh(told["refresh_token"]))["expires_in"], 3599)


class Codes(Browsing):
    def test_pkce_s256(self):
        """OAuth: PKCE S256."""
        code = self.code(code_challenge=hashed(VERIFIER), code_challenge_method="S256")
        self.granted(self.exchange(code, code_verifier=VERIFIER))

    def test_the_official_flow_uses_pkce(self):
        """OAuth: PKCE S256 (official client)."""
        flow = Flow.from_client_config(client_config(self.google), SCOPES, redirect_uri=REDIRECT)
        address, _ = flow.authorization_url()
        self.assertEqual(query_of(address)["code_challenge_method"], "S256")
        code = query_of(decide(self.google, address, user=ANA).headers["location"])["code"]
        flow.code_verifier = "x" * 43
        with self.assertRaises(OAuth2Error) as caught:
            flow.fetch_token(code=code)
        self.assertEqual(caught.exception.error, "invalid_grant")

    def test_pkce_plain(self):
        """OAuth: PKCE plain."""
        for method in ("plain", None):
            code = self.code(code_challenge=VERIFIER, code_challenge_method=method)
            self.denied(self.exchange(code, code_verifier=VERIFIER[:-1] + "1"), 400, "invalid_grant")
            code = self.code(code_challenge=VERIFIER, code_challenge_method=method)
            self.granted(self.exchange(code, code_verifier=VERIFIER))

    def test_a_code_serves_once(self):
        """OAuth: code single use."""
        code = self.code()
        self.granted(self.exchange(code))
        self.denied(self.exchange(code), 400, "invalid_grant")

    def test_a_code_does_not_live_long(self):
        """OAuth: code TTL."""
        code = self.code()
        self.google.advance(hours=1)
        self.denied(self.exchange(code), 400, "invalid_grant")

    def test_a_code_is_for_one_client(self):
        """OAuth: code bound to client."""
        self.denied(self.exchange(self.code(), client_id=OTHER_ID, client_secret="GOCSPX-another"), 400, "invalid_grant")

    def test_a_code_is_for_one_address(self):
        """OAuth: code bound to redirect."""
        other = "http://localhost:3001/oauth2callback"
        self.denied(self.exchange(self.code(), redirect_uri=other), 400, "redirect_uri_mismatch")
        self.granted(self.exchange(self.code(redirect_uri=other), redirect_uri=other))

    def test_a_code_is_for_one_verifier(self):
        """OAuth: code bound to verifier."""
        challenge = {"code_challenge": hashed(VERIFIER), "code_challenge_method": "S256"}
        self.denied(self.exchange(self.code(**challenge)), 400, "invalid_grant")
        self.denied(self.exchange(self.code(**challenge), code_verifier=VERIFIER + "x"), 400, "invalid_grant")


class TokenEndpoint(Browsing):
    def test_basic(self):
        """OAuth: Basic client auth."""
        told = self.granted(self.exchange(self.code(), auth=(CLIENT_ID, SECRET)))
        self.granted(self.refresh(told["refresh_token"], auth=(CLIENT_ID, SECRET)))
        self.denied(self.exchange(self.code(), auth=(CLIENT_ID, "wrong")), 401, "invalid_client")

    def test_form(self):
        """OAuth: form client auth."""
        told = self.granted(self.exchange(self.code()))
        self.granted(self.refresh(told["refresh_token"]))
        self.denied(self.exchange(self.code(), client_secret="wrong"), 401, "invalid_client")
        self.denied(self.exchange(self.code(), client_id="nobody"), 401, "invalid_client")

    def test_text_of_a_revoked_token(self):
        """OAuth: invalid_grant texts (expired or revoked)."""
        told = self.granted(self.exchange(self.code()))
        self.google.control("expire", {"user": ANA})
        self.denied(self.refresh(told["refresh_token"]), 400, "invalid_grant", "Token has been expired or revoked.")

    def test_text_of_a_malformed_code(self):
        """OAuth: invalid_grant texts (malformed)."""
        self.denied(self.exchange("garbage"), 400, "invalid_grant", "Malformed auth code.")

    def test_text_of_somebody_elses_token(self):
        """OAuth: invalid_grant texts (client mismatch)."""
        told = self.granted(self.exchange(self.code()))
        other = {"client_id": OTHER_ID, "client_secret": "GOCSPX-another"}
        self.denied(self.exchange(self.code(), **other), 400, "invalid_grant")
        self.assertIn(self.refresh(told["refresh_token"], **other).json()["error"], ("invalid_grant", "unauthorized_client"))

    def test_texts_of_verifiers(self):
        """OAuth: invalid_grant texts (verifiers)."""
        challenge = {"code_challenge": hashed(VERIFIER), "code_challenge_method": "S256"}
        self.denied(self.exchange(self.code(**challenge)), 400, "invalid_grant", "Missing code verifier.")
        wrong = self.exchange(self.code(**challenge), code_verifier=VERIFIER + "x")
        self.denied(wrong, 400, "invalid_grant", "Invalid code verifier.")

    def test_the_official_client_knows_it_must_not_retry(self):
        """OAuth: invalid_grant texts (official client)."""
        credentials = consent(self.google)
        self.google.control("expire", {"user": ANA})
        with self.assertRaises(RefreshError) as caught:
            credentials.refresh(Request())
        self.assertEqual(caught.exception.args[1]["error"], "invalid_grant")
        self.assertFalse(caught.exception.retryable)
        self.assertEqual(len(self.google.ledger("token")), 2, "one exchange and one refresh")

    def test_other_refusals(self):
        """An unknown grant type and missing members have their own errors."""
        self.denied(self.token(grant_type="password"), 400, "unsupported_grant_type", "Invalid grant_type: password")
        self.denied(self.token(), 400, "unsupported_grant_type")
        self.denied(self.token(grant_type="authorization_code", redirect_uri=REDIRECT), 400, "invalid_request")
        told = self.granted(self.exchange(self.code(scope=EVENTS)))
        self.denied(self.refresh(told["refresh_token"], scope=LIST), 400, "invalid_scope")

    def test_nothing_is_kept_on_the_way(self):
        """OAuth: Cache-Control: no-store."""
        good = self.exchange(self.code())
        for answer in (good, self.exchange("garbage"), self.refresh(good.json()["refresh_token"])):
            self.assertIn("no-store", answer.headers["cache-control"])


class Revocation(Browsing):
    def test_form(self):
        """OAuth: revoke by form."""
        told = self.granted(self.exchange(self.code()))
        answer = self.google.call("POST", "revoke", data={"token": told["refresh_token"]})
        self.assertEqual(answer.status_code, 200)
        again = self.google.call("POST", "revoke", data={"token": told["refresh_token"]})
        self.denied(again, 400, "invalid_token")

    def test_query(self):
        """OAuth: revoke by query."""
        told = self.granted(self.exchange(self.code()))
        path = "revoke?" + urllib.parse.urlencode({"token": told["refresh_token"]})
        self.assertEqual(self.google.call("POST", path).status_code, 200)
        self.denied(self.google.call("POST", path), 400, "invalid_token")

    def test_all_of_the_grant_ends(self):
        """OAuth: whole grant dies."""
        for kind in ("access_token", "refresh_token"):
            with self.subTest(kind):
                told = self.granted(self.exchange(self.code(prompt="consent")))
                more = self.granted(self.refresh(told["refresh_token"]))
                self.google.call("POST", "revoke", data={"token": told[kind]})
                self.denied(self.refresh(told["refresh_token"]), 400, "invalid_grant")
                self.assertFalse(self.usable(told["access_token"]))
                self.assertFalse(self.usable(more["access_token"]))

    def test_of_another_user_nothing_ends(self):
        """OAuth: whole grant dies (nobody else's)."""
        hers, his = self.granted(self.exchange(self.code())), self.granted(self.exchange(self.code(user=BEN)))
        self.google.call("POST", "revoke", data={"token": hers["refresh_token"]})
        self.assertTrue(self.usable(his["access_token"]))


class Refusals(Case):
    def test_without_a_token(self):
        """OAuth: 401 with WWW-Authenticate (no token)."""
        answer = self.google.call("GET", "calendar/v3/calendars/primary/events")
        error = answer.json()["error"]
        self.assertEqual((answer.status_code, error["errors"][0]["reason"], error["status"]),
                         (401, "required", "UNAUTHENTICATED"))
        self.assertTrue(answer.headers["www-authenticate"].startswith('Bearer realm="https://accounts.google.com/"'))

    def test_with_a_dead_token(self):
        """OAuth: 401 with WWW-Authenticate."""
        self.google.control("expire", {"access_tokens": True})
        answer = self.raw("GET", "calendars/primary/events")
        error = answer.json()["error"]
        self.assertEqual((answer.status_code, error["errors"][0]["reason"], error["status"]),
                         (401, "authError", "UNAUTHENTICATED"))
        self.assertRegex(answer.headers["www-authenticate"],
                         r'^Bearer realm="https://accounts\.google\.com/".*error="?invalid_token"?')

    def test_with_too_small_a_scope(self):
        """OAuth: scope 403 with details."""
        calendar = self.another(ANA, scopes=[PREFIX + "calendar.events.readonly"])
        self.ask(calendar.events().list(calendarId="primary"))
        told = self.refused(calendar.events().insert(calendarId="primary", body={}), 403, "insufficientPermissions")
        self.assertEqual(told["status"], "PERMISSION_DENIED")
        self.assertIn("ACCESS_TOKEN_SCOPE_INSUFFICIENT", [detail.get("reason") for detail in told["details"]])

    def test_scopes_are_per_method(self):
        """OAuth: scope 403 with details (per method, by the discovery document)."""
        calendar = self.another(ANA, scopes=[PREFIX + "calendar.events"])
        self.ask(calendar.events().list(calendarId="primary"))
        self.refused(calendar.calendarList().list(), 403, "insufficientPermissions")
        listing = self.another(ANA, scopes=[LIST])
        self.ask(listing.calendarList().list())
        self.refused(listing.events().list(calendarId="primary"), 403, "insufficientPermissions")
        self.refused(listing.calendarList().delete(calendarId=ANA), 403, "insufficientPermissions")


class OpenId(Browsing):
    def verified(self, token):
        """The claims, once google-auth found a published key that signed them for this client."""
        return id_token.verify_token(token, Request(), CLIENT_ID, self.google.root + "oauth2/v3/certs")

    def test_an_identity_scope_brings_an_id_token(self):
        """OAuth: id_token."""
        told = self.granted(self.exchange(self.code(scope="openid email profile")))
        claims = self.verified(told["id_token"])
        self.assertIn(claims["iss"], ("https://accounts.google.com", "accounts.google.com"))
        self.assertEqual((claims["aud"], claims["azp"]), (CLIENT_ID, CLIENT_ID))
        self.assertEqual((claims["email"], claims["email_verified"]), (ANA, True))
        self.assertEqual(claims["exp"] - claims["iat"], 3600)
        self.assertNotIn("id_token", self.granted(self.exchange(self.code(scope=EVENTS))))

    def test_the_subject_stays(self):
        """OAuth: id_token (sub)."""
        subjects = [self.verified(self.granted(self.exchange(self.code(scope="openid", user=user)))["id_token"])["sub"]
                    for user in (ANA, ANA, BEN)]
        self.assertEqual(subjects[0], subjects[1])
        self.assertNotEqual(subjects[0], subjects[2])
        self.assertRegex(subjects[0], r"^\d{1,255}$")

    def test_published_keys(self):
        """OAuth: JWKS."""
        answer = self.google.call("GET", "oauth2/v3/certs")
        self.assertEqual(answer.status_code, 200)
        keys = answer.json()["keys"]
        for key in keys:
            self.assertEqual((key["kty"], key["alg"], key["use"]), ("RSA", "RS256", "sig"))
            self.assertTrue(key["kid"] and key["n"] and key["e"])
        told = self.granted(self.exchange(self.code(scope="openid")))
        self.assertIn(jwt.get_unverified_header(told["id_token"])["kid"], [key["kid"] for key in keys])

    def test_a_forged_token_fails(self):
        """OAuth: JWKS (a forged token fails)."""
        told = self.granted(self.exchange(self.code(scope="openid")))
        head, body, signature = told["id_token"].split(".")
        other = ("A" if signature[10] != "A" else "B")
        with self.assertRaises(jwt.InvalidSignatureError):
            self.verified(".".join((head, body, signature[:10] + other + signature[11:])))

    def test_nonce(self):
        """OAuth: nonce."""
        told = self.granted(self.exchange(self.code(scope="openid", nonce="n-0S6_WzA2Mj")))
        self.assertEqual(self.verified(told["id_token"])["nonce"], "n-0S6_WzA2Mj")
        told = self.granted(self.exchange(self.code(scope="openid")))
        self.assertNotIn("nonce", self.verified(told["id_token"]))

    def test_userinfo(self):
        """OAuth: userinfo."""
        told = self.granted(self.exchange(self.code(scope="openid email profile")))
        answer = self.google.call("GET", "v1/userinfo", headers={"Authorization": "Bearer " + told["access_token"]})
        who = answer.json()
        self.assertEqual((who["email"], who["email_verified"], who["name"]), (ANA, True, "Ana"))
        self.assertEqual(who["sub"], self.verified(told["id_token"])["sub"])
        dead = self.google.call("GET", "v1/userinfo", headers={"Authorization": "Bearer nonsense"})
        self.assertEqual(dead.status_code, 401)
        less = self.granted(self.exchange(self.code(scope="openid")))
        who = self.google.call("GET", "v1/userinfo", headers={"Authorization": "Bearer " + less["access_token"]})
        self.assertNotIn("email", who.json())

    def test_discovery(self):
        """OAuth: discovery."""
        told = self.google.call("GET", ".well-known/openid-configuration").json()
        self.assertEqual(told["issuer"], "https://accounts.google.com")
        paths = {"authorization_endpoint": "o/oauth2/v2/auth", "token_endpoint": "token",
                 "revocation_endpoint": "revoke", "userinfo_endpoint": "v1/userinfo", "jwks_uri": "oauth2/v3/certs"}
        for name, path in paths.items():
            self.assertEqual(told[name], self.google.root + path)
        self.assertEqual(set(told["token_endpoint_auth_methods_supported"]), {"client_secret_post", "client_secret_basic"})
        self.assertEqual(set(told["code_challenge_methods_supported"]), {"plain", "S256"})
        self.assertIn("RS256", told["id_token_signing_alg_values_supported"])
        self.assertLessEqual({"openid", "email", "profile"}, set(told["scopes_supported"]))
        self.assertIn("code", told["response_types_supported"])


class MoreOfOAuth(Browsing):
    """What a bridge should be shown, besides."""

    def test_include_granted_scopes(self):
        """The new grant takes in the old one."""
        self.exchange(self.code(scope=EVENTS))
        told = self.granted(self.exchange(self.code(scope=LIST, include_granted_scopes="true")))
        self.assertEqual(set(told["scope"].split()), {EVENTS, LIST})

    def test_the_oldest_of_a_hundred_and_one_refresh_tokens_dies(self):
        """More than 100 live refresh tokens for one account and client."""
        tokens = [self.granted(self.exchange(self.code(prompt="consent")))["refresh_token"] for _ in range(101)]
        self.denied(self.refresh(tokens[0]), 400, "invalid_grant")
        self.granted(self.refresh(tokens[1]))
        self.granted(self.refresh(tokens[100]))

    def test_six_idle_months(self):
        """A refresh token that is not used for six months dies, one that is used lives."""
        idle, used = (self.granted(self.exchange(self.code(user=user)))["refresh_token"] for user in (ANA, BEN))
        for _ in range(2):
            self.google.advance(days=100)
            self.granted(self.refresh(used))
        self.denied(self.refresh(idle), 400, "invalid_grant")

    def test_tokeninfo(self):
        """tokeninfo tells what a token is for."""
        told = self.granted(self.exchange(self.code(scope=f"openid email {EVENTS}")))
        answer = self.google.call("GET", "tokeninfo", params={"access_token": told["access_token"]})
        info = answer.json()
        self.assertEqual((info["aud"], info["email"]), (CLIENT_ID, ANA))
        self.assertEqual(set(info["scope"].split()), {"openid", PREFIX + "userinfo.email", EVENTS})
        self.assertEqual(self.google.call("GET", "tokeninfo", params={"access_token": "x"}).status_code, 400)

    def test_prompt_none(self):
        """`prompt=none` shows no page."""
        answer = self.page(prompt="none", login_hint=ANA)
        self.assertEqual(query_of(answer.headers["location"])["error"], "interaction_required")
        self.exchange(self.code())
        answer = self.page(prompt="none", login_hint=ANA)
        self.assertIn("code", query_of(answer.headers["location"]))


class Testing(Browsing):
    """A consent screen in testing, and clients that are no more."""

    seed = PLAIN + f"""
[[client]]
id = "testing.apps.googleusercontent.com"
secret = "GOCSPX-testing"
redirect_uris = ["{REDIRECT}"]
publishing = "testing"

[[client]]
id = "gone.apps.googleusercontent.com"
secret = "GOCSPX-gone"
redirect_uris = ["{REDIRECT}"]
state = "deleted"
"""
    CLIENT = {"client_id": "testing.apps.googleusercontent.com", "client_secret": "GOCSPX-testing"}

    def test_seven_days(self):
        """In testing a refresh token for more than the identity lives seven days."""
        told = self.granted(self.exchange(self.code(client_id=self.CLIENT["client_id"]), **self.CLIENT))
        self.google.advance(days=7, seconds=-60)
        self.granted(self.refresh(told["refresh_token"], **self.CLIENT))
        self.google.advance(seconds=120)
        self.denied(self.refresh(told["refresh_token"], **self.CLIENT), 400, "invalid_grant")

    def test_identity_scopes_live_on(self):
        """In testing a refresh token for the identity alone lives on."""
        code = self.code(client_id=self.CLIENT["client_id"], scope="openid email")
        told = self.granted(self.exchange(code, **self.CLIENT))
        self.google.advance(days=8)
        self.granted(self.refresh(told["refresh_token"], **self.CLIENT))

    def test_deleted_client(self):
        """A deleted client is told so on a page and at the token endpoint."""
        self.refused_page("deleted_client", client_id="gone.apps.googleusercontent.com")
        answer = self.token(grant_type="refresh_token", refresh_token="1//x",
                            client_id="gone.apps.googleusercontent.com", client_secret="GOCSPX-gone")
        self.assertEqual(answer.json()["error"], "deleted_client")
