// Calendar's resources with @googleapis/calendar: encoding, paging, preconditions, errors.

import assert from "node:assert/strict";
import { ANA, BEN, PLAIN, insert, judged, primary, refused, tea } from "./simulated.mjs";

const check = await judged(PLAIN + "\n[push]\nallow_http = true\n");
const meet = (requestId = "one") => ({ createRequest: { requestId, conferenceSolutionKey: { type: "hangoutsMeet" } } });
const place = (event) => ({ ...primary, eventId: event.id });

async function everyPage(events, options = {}) {
  const pages = [];
  do {
    pages.push((await events.list({ ...primary, ...options, pageToken: pages.at(-1)?.nextPageToken })).data);
  } while (pages.at(-1).nextPageToken);
  return pages;
}

check("Events: insert shape: false and empty omitted", async ({ events }) => {
  const made = await insert(events, { description: "", guestsCanModify: false, attendees: [] });
  for (const name of ["description", "guestsCanModify", "attendees", "conferenceData", "hangoutLink"]) assert.ok(!(name in made), name);
  assert.ok(!Object.values(made).includes(null));
});

check("Events: insert shape: ids base32hex", async ({ events }) => {
  assert.match((await insert(events)).id, /^[0-9a-v]{26}$/);
});

check("Events: insert shape: iCalUID", async ({ events }) => {
  const made = await insert(events);
  assert.equal(made.iCalUID, made.id + "@google.com");
});

check("Events: insert shape: order-insensitive", async ({ events }) => {
  const text = "Tē ☕ 日本語 🍵 \"quoted\" \\ / <b> & \n second line";
  const made = await insert(events, { summary: text, location: text });
  assert.deepEqual((await events.get(place(made))).data, made);
  assert.equal((await events.list({ calendarId: ANA, q: "日本語" })).data.items[0].summary, text);
});

check("Events: 409", async ({ events }) => {
  await insert(events, { id: "abcde12345" });
  const error = await refused(insert(events, { id: "abcde12345" }), 409, "duplicate");
  assert.equal(error.message, "The requested identifier already exists.");
});

check("Events: 400 required", async ({ events }) => {
  const error = await refused(events.insert({ ...primary, requestBody: { summary: "Tea" } }), 400, "required");
  assert.equal(error.code, 400);
});

check("Events: 400 timeRangeEmpty", async ({ events }) => {
  await refused(insert(events, { end: { dateTime: "2027-04-01T09:00:00Z" }, start: { dateTime: "2027-04-01T10:00:00Z" } }), 400, "timeRangeEmpty");
});

check("Events: offset rendering in calendar zone", async ({ events }) => {
  const made = await insert(events, { start: { dateTime: "2027-04-01T10:00:00-05:00" }, end: { dateTime: "2027-04-01T11:00:00-05:00" } });
  assert.equal(made.start.dateTime, "2027-04-01T16:00:00+01:00");
});

check("Events: timeZone echo", async ({ events }) => {
  const made = await insert(events, { start: { dateTime: "2027-04-01T05:00:00", timeZone: "America/Sao_Paulo" } });
  assert.deepEqual(made.start, { dateTime: "2027-04-01T09:00:00+01:00", timeZone: "America/Sao_Paulo" });
});

check("Events: patch merge", async ({ events }) => {
  const made = await insert(events, { location: "Porto", extendedProperties: { private: { a: "1" } } });
  const { data } = await events.patch({ ...place(made), requestBody: { extendedProperties: { private: { b: "2" } } } });
  assert.deepEqual([data.location, data.extendedProperties.private], ["Porto", { a: "1", b: "2" }]);
});

check("Events: patch null", async ({ events }) => {
  const made = await insert(events, { location: "Porto" });
  const { data } = await events.patch({ ...place(made), requestBody: { location: null } });
  assert.ok(!("location" in data));
});

check("Events: put clears", async ({ events }) => {
  const made = await insert(events, { location: "Porto", attendees: [{ email: BEN }] });
  const { data } = await events.update({ ...place(made), requestBody: tea() });
  assert.deepEqual([data.location, data.attendees], [undefined, undefined]);
});

check("Events: tombstones", async ({ events }) => {
  const made = await insert(events);
  const answer = await events.delete(place(made));
  assert.equal(answer.status, 204);
  await refused(events.delete(place(made)), 410, "deleted");
  assert.equal((await events.get(place(made))).data.status, "cancelled");
});

check("Events: If-Match", async ({ events }) => {
  const made = await insert(events);
  const change = (etag) => events.update({ ...place(made), requestBody: tea({ summary: "Coffee" }) }, { headers: { "If-Match": etag } });
  await refused(change('"1"'), 412, "conditionNotMet");
  assert.equal((await change(made.etag)).data.summary, "Coffee");
});

check("Events: If-None-Match", async ({ events }) => {
  const made = await insert(events);
  const options = { headers: { "If-None-Match": made.etag }, validateStatus: () => true };
  assert.equal((await events.get(place(made), options)).status, 304);
});

check("Events: ext props query", async ({ events }) => {
  const made = await insert(events, { extendedProperties: { private: { bridge_request_id: "7", "a b": "c=d&e" } } });
  await insert(events);
  for (const privateExtendedProperty of [["bridge_request_id=7"], ["a b=c=d&e"], ["bridge_request_id=7", "a b=c=d&e"]]) {
    const { data } = await events.list({ ...primary, privateExtendedProperty });
    assert.deepEqual(data.items.map((item) => item.id), [made.id]);
  }
});

check("Events: eventTypes", async ({ events }) => {
  await insert(events);
  const focus = await insert(events, { eventType: "focusTime" });
  assert.deepEqual((await events.list({ ...primary, eventTypes: ["focusTime"] })).data.items.map((item) => item.id), [focus.id]);
  assert.equal((await events.list({ ...primary, eventTypes: ["focusTime", "default"] })).data.items.length, 2);
});

check("Events: sendUpdates recorded in an outbox", async ({ google, events }) => {
  await insert(events, { attendees: [{ email: "guest@example.org" }] }, { sendUpdates: "all" });
  const { mails } = await google.control("ledger");
  assert.deepEqual(mails.map((mail) => [mail.to, mail.kind]), [["guest@example.org", "invitation"]]);
});

check("Events: Meet version 0", async ({ events }) => {
  assert.equal((await insert(events, { conferenceData: meet() })).hangoutLink, undefined);
});

check("Events: Meet version 1", async ({ events }) => {
  const made = await insert(events, { conferenceData: meet() }, { conferenceDataVersion: 1 });
  assert.match(made.hangoutLink, /^https:\/\/meet\.google\.com\/[a-z]{3}-[a-z]{4}-[a-z]{3}$/);
});

check("Recurrence: instances()", async ({ events }) => {
  const made = await insert(events, { recurrence: ["RRULE:FREQ=WEEKLY;COUNT=3"] });
  const { data } = await events.instances(place(made));
  assert.deepEqual(data.items.map((item) => item.id), ["20270401", "20270408", "20270415"].map((day) => `${made.id}_${day}T090000Z`));
});

check("List/sync: stable paging under concurrent writes", async ({ events }) => {
  const ids = [];
  for (let count = 0; count < 5; count += 1) ids.push((await insert(events)).id);
  const pages = await everyPage(events, { maxResults: 2 });
  assert.deepEqual(pages.flatMap((page) => page.items.map((item) => item.id)), ids);
  assert.deepEqual(pages.map((page) => "nextSyncToken" in page), [false, false, true]);
});

check("List/sync: empty pages with token", async ({ events }) => {
  const page = (await everyPage(events)).at(-1);
  const { data } = await events.list({ ...primary, syncToken: page.nextSyncToken });
  assert.deepEqual([data.items, typeof data.nextSyncToken], [[], "string"]);
});

check("List/sync: deletions as sparse cancelled", async ({ events }) => {
  const made = await insert(events);
  const syncToken = (await everyPage(events)).at(-1).nextSyncToken;
  await events.delete(place(made));
  const { data } = await events.list({ ...primary, syncToken });
  assert.deepEqual(data.items.map(({ id, status, summary }) => [id, status, summary]), [[made.id, "cancelled", undefined]]);
});

check("List/sync: 410 on expiry", async ({ google, events }) => {
  const syncToken = (await everyPage(events)).at(-1).nextSyncToken;
  await google.control("expire", { sync_tokens: true });
  await refused(events.list({ ...primary, syncToken }), 410, "fullSyncRequired");
});

check("List/sync: garbled 400", async ({ events }) => {
  await refused(events.list({ ...primary, syncToken: "garbled" }), 400, "invalid");
});

check("List/sync: incompatible params 400", async ({ events }) => {
  const syncToken = (await everyPage(events)).at(-1).nextSyncToken;
  await refused(events.list({ ...primary, syncToken, q: "x" }), 400);
});

check("FreeBusy: per-id errors", async ({ calendar, events }) => {
  await insert(events);
  const requestBody = { timeMin: "2027-04-01T00:00:00Z", timeMax: "2027-04-02T00:00:00Z", items: [{ id: ANA }, { id: "nobody@example.com" }] };
  const { data } = await calendar.freebusy.query({ requestBody });
  assert.deepEqual(data.calendars[ANA].busy, [{ start: "2027-04-01T09:00:00Z", end: "2027-04-01T10:00:00Z" }]);
  assert.equal(data.calendars["nobody@example.com"].errors[0].reason, "notFound");
});

const channel = { id: "one", type: "web_hook", address: "http://127.0.0.1:9/notify", token: "secret" };

check("Push: 7-day default", async ({ google, events }) => {
  const { data } = await events.watch({ ...primary, requestBody: channel });
  const { now } = await google.control("clock");
  assert.ok(Math.abs(Number(data.expiration) - Date.parse(now) - 604_800_000) <= 1000);
});

check("Push: duplicate id 400", async ({ events }) => {
  await events.watch({ ...primary, requestBody: channel });
  await refused(events.watch({ ...primary, requestBody: channel }), 400, "channelIdNotUnique");
});

check("Push: stop 204", async ({ calendar, events }) => {
  const { id, resourceId } = (await events.watch({ ...primary, requestBody: channel })).data;
  assert.equal((await calendar.channels.stop({ requestBody: { id, resourceId } })).status, 204);
});
