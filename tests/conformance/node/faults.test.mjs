// Errors, retries and refreshes: what gaxios and google-auth-library do when Google has a bad day.

import assert from "node:assert/strict";
import { ANA, denied, insert, judged, primary, refused } from "./simulated.mjs";

const check = await judged();
const LIST = "calendar.events.list";
const INSERT = "calendar.events.insert";
// Retries that do not wait.
const retrying = (google, auth) =>
  google.calendar(auth, { retry: true, retryConfig: { retry: 3, retryDelay: 1, noResponseRetries: 2, retryDelayMultiplier: 1, maxRetryDelay: 1 } });

check("Fault knobs: status 429", async ({ google, auth }) => {
  await google.fault("rate_limited", { times: 2, method: LIST });
  await retrying(google, auth).events.list(primary);
  assert.deepEqual(await google.answers(LIST), [429, 429, 200]);
});

check("Fault knobs: status 500", async ({ google, auth }) => {
  await google.fault("server_error", { times: 2, method: LIST });
  await retrying(google, auth).events.list(primary);
  assert.deepEqual(await google.answers(LIST), [500, 500, 200]);
});

check("Fault knobs: status 403", async ({ google, auth }) => {
  await google.fault("user_rate_limited", { times: 1, method: LIST });
  await refused(google.calendar(auth).events.list(primary), 403, "userRateLimitExceeded");
});

check("Fault knobs: status 503", async ({ google, auth }) => {
  await google.fault("status", { status: 503, times: 1, method: INSERT });
  await refused(insert(retrying(google, auth).events), 503, "backendError");
  assert.deepEqual(await google.answers(INSERT), [503], "a POST is not sent again");
});

check("Fault knobs: HTML body", async ({ google, events }) => {
  await google.fault("html_error", { times: 1, method: LIST });
  const error = await events.list(primary).then(() => assert.fail(), (error) => error);
  assert.equal(error.response.status, 502);
  assert.match(String(error.response.data), /</);
});

check("Fault knobs: retry_after", async ({ google, events }) => {
  await google.fault("rate_limited", { times: 1, retry_after: 17, method: LIST });
  const { response } = await refused(events.list(primary), 429, "rateLimitExceeded");
  assert.equal(response.headers.get ? response.headers.get("retry-after") : response.headers["retry-after"], "17");
});

check("Fault knobs: hang", async ({ google, events }) => {
  await google.fault("hang", { times: 1, method: LIST });
  await assert.rejects(events.list(primary, { timeout: 200 }));
  await events.list(primary);
});

check("Fault knobs: reset_before", async ({ google, auth, events }) => {
  await google.fault("cut_before", { times: 1, method: INSERT });
  await assert.rejects(insert(events));
  await google.fault("cut_before", { times: 1, method: LIST });
  assert.deepEqual((await retrying(google, auth).events.list(primary)).data.items, []);
});

check("Fault knobs: reset_after_commit", async ({ google, events }) => {
  await google.fault("lost_answer", { times: 1, method: INSERT });
  await assert.rejects(insert(events, { id: "abcde12345" }));
  assert.equal((await events.get({ ...primary, eventId: "abcde12345" })).data.summary, "Tea");
  assert.deepEqual(await google.answers(INSERT), ["cut"], "a POST is not sent again");
});

check("Fault knobs: truncate_body", async ({ google, events }) => {
  await google.fault("truncated", { times: 1, method: INSERT });
  await assert.rejects(insert(events, { id: "abcde12345" }));
  assert.equal((await events.get({ ...primary, eventId: "abcde12345" })).data.summary, "Tea");
});

check("Fault knobs: 504_after_commit", async ({ google, events }) => {
  await google.fault("timeout_after_commit", { times: 1, method: INSERT });
  const error = await insert(events, { id: "abcde12345" }).then(() => assert.fail(), (error) => error);
  assert.equal(error.response.status, 504);
  await refused(insert(events, { id: "abcde12345" }), 409, "duplicate");
});

check("Fault knobs: expire_access_tokens", async ({ google, auth, events }) => {
  const before = { ...auth.credentials };
  // Else the client trusts the expiry date it knows, and refreshes before that for nothing.
  auth.forceRefreshOnFailure = true;
  await google.control("expire", { access_tokens: true });
  await events.list(primary);
  assert.notEqual(auth.credentials.access_token, before.access_token);
  assert.equal(auth.credentials.refresh_token, before.refresh_token);
  assert.deepEqual(await google.answers(LIST), [401, 200]);
});

check("Fault knobs: revoke_token(user)", async ({ google, auth, events }) => {
  auth.forceRefreshOnFailure = true;
  await google.control("expire", { user: ANA });
  await denied(events.list(primary), "invalid_grant", "Token has been expired or revoked.");
});

check("Fault knobs: token-endpoint 5xx", async ({ google, auth }) => {
  await google.fault("token_endpoint_error", { times: 1 });
  await auth.refreshAccessToken();
  assert.deepEqual((await google.answers("token")).slice(1), [500, 200]);
});

check("Quota: 403 vs 429 choice", async ({ google, events }) => {
  await google.fault("quota_exceeded", { times: 1, method: LIST });
  const error = await refused(events.list(primary), 403, "quotaExceeded");
  assert.equal(error.response.data.error.errors[0].domain, "usageLimits");
});
