// OAuth and OpenID Connect with google-auth-library.

import assert from "node:assert/strict";
import { ClientAuthentication, CodeChallengeMethod } from "google-auth-library";
import { ANA, OTHER, PREFIX, SCOPES, denied, judged, primary, refused } from "./simulated.mjs";

const check = await judged();
const refresh = (google, tokens, options) => {
  const auth = google.auth(options);
  auth.setCredentials({ refresh_token: tokens.refresh_token });
  return auth.refreshAccessToken();
};

// The claims of a token, which must be signed by a key that Google publishes.
async function verified(google, auth, idToken) {
  const ticket = await google.auth().verifyIdToken({ idToken, audience: auth._clientId });
  return ticket.getPayload();
}

check("OAuth: state echo", async ({ google }) => {
  const state = "with space & ampersand=+/% é";
  const address = google.auth().generateAuthUrl({ scope: SCOPES, state });
  assert.equal((await google.decide(address)).get("state"), state);
});

check("OAuth: deny", async ({ google }) => {
  const address = google.auth().generateAuthUrl({ scope: SCOPES, state: "s" });
  const back = await google.decide(address, { decision: "deny" });
  assert.deepEqual(Object.fromEntries(back), { error: "access_denied", state: "s" });
});

check("OAuth: reduced scope", async ({ google }) => {
  const [events, list] = [PREFIX + "calendar.events", PREFIX + "calendar.calendarlist.readonly"];
  const auth = google.auth();
  const code = await google.code(auth, { scope: [events, list] }, { choose: "1", scope: events });
  const { tokens } = await auth.getToken(code);
  assert.deepEqual(tokens.scope.split(" "), [events]);
});

check("OAuth: offline and consent rules for refresh_token", async ({ google }) => {
  const auth = google.auth();
  const again = await auth.getToken(await google.code(auth, { prompt: undefined }));
  assert.equal(again.tokens.refresh_token, undefined);
  const forced = await auth.getToken(await google.code(auth));
  assert.match(forced.tokens.refresh_token, /^1\/\//);
  const online = await auth.getToken(await google.code(auth, { access_type: "online" }));
  assert.equal(online.tokens.refresh_token, undefined);
});

check("OAuth: PKCE S256", async ({ google }) => {
  const auth = google.auth();
  const { codeVerifier, codeChallenge } = await auth.generateCodeVerifierAsync();
  const wish = { code_challenge: codeChallenge, code_challenge_method: CodeChallengeMethod.S256 };
  const { tokens } = await auth.getToken({ code: await google.code(auth, wish), codeVerifier });
  assert.match(tokens.access_token, /^ya29\./);
});

check("OAuth: PKCE plain", async ({ google }) => {
  const auth = google.auth();
  const codeVerifier = "a-plain-verifier.of_more~than-forty-three-chars";
  const wish = { code_challenge: codeVerifier, code_challenge_method: CodeChallengeMethod.Plain };
  await auth.getToken({ code: await google.code(auth, wish), codeVerifier });
});

check("OAuth: code bound to verifier", async ({ google }) => {
  const auth = google.auth();
  const { codeChallenge } = await auth.generateCodeVerifierAsync();
  const wish = { code_challenge: codeChallenge, code_challenge_method: CodeChallengeMethod.S256 };
  await denied(auth.getToken(await google.code(auth, wish)), "invalid_grant", "Missing code verifier.");
  const wrong = { code: await google.code(auth, wish), codeVerifier: "x".repeat(50) };
  await denied(auth.getToken(wrong), "invalid_grant", "Invalid code verifier.");
});

check("OAuth: code single use", async ({ google }) => {
  const auth = google.auth();
  const code = await google.code(auth);
  await auth.getToken(code);
  await denied(auth.getToken(code), "invalid_grant");
});

check("OAuth: code bound to client", async ({ google }) => {
  const code = await google.code(google.auth());
  await denied(google.auth(OTHER).getToken(code), "invalid_grant");
});

check("OAuth: code bound to redirect", async ({ google }) => {
  const auth = google.auth();
  const code = await google.code(auth);
  await denied(auth.getToken({ code, redirect_uri: "http://localhost:3001/oauth2callback" }), "redirect_uri_mismatch");
});

check("OAuth: Basic client auth", async ({ google }) => {
  const auth = google.auth({ clientAuthentication: ClientAuthentication.ClientSecretBasic });
  const { tokens } = await auth.getToken(await google.code(auth));
  assert.match(tokens.refresh_token, /^1\/\//);
  const wrong = google.auth({ clientAuthentication: ClientAuthentication.ClientSecretBasic, clientSecret: "wrong" });
  const response = await denied(wrong.getToken(await google.code(auth)), "invalid_client");
  assert.equal(response.status, 401);
});

check("OAuth: form client auth", async ({ google }) => {
  const auth = google.auth({ clientAuthentication: ClientAuthentication.ClientSecretPost });
  await auth.getToken(await google.code(auth));
  const wrong = google.auth({ clientSecret: "wrong" });
  assert.equal((await denied(wrong.getToken(await google.code(auth)), "invalid_client")).status, 401);
});

check("OAuth: 3599 s", async ({ auth }) => {
  const left = (auth.credentials.expiry_date - Date.now()) / 1000;
  assert.ok(left > 3580 && left <= 3600, String(left));
  assert.equal(auth.credentials.token_type, "Bearer");
});

check("OAuth: no rotation", async ({ google, auth }) => {
  const before = { ...auth.credentials };
  const { credentials } = await auth.refreshAccessToken();
  assert.notEqual(credentials.access_token, before.access_token);
  assert.equal(credentials.refresh_token, before.refresh_token);
  await refresh(google, before);
});

check("OAuth: invalid_grant texts", async ({ google, auth }) => {
  await denied(auth.getToken("garbage"), "invalid_grant", "Malformed auth code.");
  await google.control("expire", { user: ANA });
  await denied(refresh(google, auth.credentials), "invalid_grant", "Token has been expired or revoked.");
});

check("OAuth: revoke by query", async ({ google, auth }) => {
  const { refresh_token } = auth.credentials;
  assert.equal((await auth.revokeToken(refresh_token)).status, 200);
  await denied(google.auth().revokeToken(refresh_token), "invalid_token");
});

check("OAuth: whole grant dies", async ({ google, auth }) => {
  const kept = { ...auth.credentials };
  await auth.revokeCredentials();
  await denied(refresh(google, kept), "invalid_grant");
  const later = google.auth();
  later.setCredentials({ access_token: kept.access_token });
  await refused(google.calendar(later).events.list(primary), 401, "authError");
});

check("OAuth: 401 with WWW-Authenticate", async ({ google }) => {
  const nobody = google.auth();
  nobody.setCredentials({ access_token: "nonsense" });
  const { response } = await refused(google.calendar(nobody).events.list(primary), 401, "authError");
  const challenge = response.headers.get ? response.headers.get("www-authenticate") : response.headers["www-authenticate"];
  assert.match(challenge, /^Bearer realm="https:\/\/accounts\.google\.com\/"/);
});

check("OAuth: scope 403 with details", async ({ google }) => {
  const narrow = await google.consented({}, { scope: [PREFIX + "calendar.events"] });
  const { response } = await refused(google.calendar(narrow).calendarList.list(), 403, "insufficientPermissions");
  const { status, details } = response.data.error;
  assert.equal(status, "PERMISSION_DENIED");
  assert.ok(details.some((detail) => detail.reason === "ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
});

check("OAuth: id_token", async ({ google, auth }) => {
  const claims = await verified(google, auth, auth.credentials.id_token);
  assert.deepEqual([claims.email, claims.email_verified, claims.aud], [ANA, true, auth._clientId]);
});

check("OAuth: JWKS", async ({ google, auth }) => {
  const [head, body, signature] = auth.credentials.id_token.split(".");
  const other = signature[10] === "A" ? "B" : "A";
  const forged = [head, body, signature.slice(0, 10) + other + signature.slice(11)].join(".");
  await verified(google, auth, auth.credentials.id_token);
  await assert.rejects(verified(google, auth, forged), /signature/i);
});

check("OAuth: nonce", async ({ google }) => {
  const auth = google.auth();
  const { tokens } = await auth.getToken(await google.code(auth, { nonce: "n-0S6" }));
  assert.equal((await verified(google, auth, tokens.id_token)).nonce, "n-0S6");
});

check("OAuth: userinfo", async ({ google, auth }) => {
  const { data } = await auth.request({ url: google.root + "v1/userinfo" });
  assert.deepEqual([data.email, data.email_verified], [ANA, true]);
});
