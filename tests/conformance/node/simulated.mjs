// A simulated Google to judge, and Google's own Node client in front of it. SIMULATOR_COMMAND starts
// one, as in simulated.py.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { calendar } from "@googleapis/calendar";
import { OAuth2Client } from "google-auth-library";

export const ANA = "ana@example.com";
export const BEN = "ben@example.com";
export const REDIRECT = "http://127.0.0.1:3001/oauth2callback";
export const CLIENT = { clientId: "407408718192-simulator.apps.googleusercontent.com", clientSecret: "GOCSPX-known-to-everybody" };
export const OTHER = { clientId: "407408718192-other.apps.googleusercontent.com", clientSecret: "GOCSPX-another" };
export const PREFIX = "https://www.googleapis.com/auth/";
export const SCOPES = ["openid", PREFIX + "userinfo.email", PREFIX + "calendar"];

const client = ({ clientId, clientSecret }) => `
[[client]]
id = "${clientId}"
secret = "${clientSecret}"
redirect_uris = ["${REDIRECT}", "http://localhost:3001/oauth2callback"]
`;

// The clock stands still until a test moves it. It starts at the machine's present, at which Google's
// clients look when they judge a token.
export const PLAIN = `
seed = 7

[clock]
mode = "fixed"

[[user]]
email = "${ANA}"
name = "Ana"
time_zone = "Europe/Lisbon"

[[user]]
email = "${BEN}"
name = "Ben"
time_zone = "America/New_York"
${client(CLIENT)}${client(OTHER)}`;

class Simulator {
  async start(seed) {
    this.place = mkdtempSync(join(tmpdir(), "simulator-"));
    const file = join(this.place, "seed.toml");
    writeFileSync(file, seed);
    const words = process.env.SIMULATOR_COMMAND.replace("{address}", "127.0.0.1:0").replace("{seed}", file).split(" ");
    const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("SIMULATOR_"));
    this.process = spawn(words[0], words.slice(1), { env: Object.fromEntries(kept), stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface(this.process.stdout)) {
      const found = line.match(/http:\/\/[^\s/]+/);
      assert.ok(found, line);
      this.root = found[0] + "/";
      return this;
    }
    throw new Error(`the simulator did not start with this seed:\n${seed}`);
  }

  stop() {
    this.process.kill();
    rmSync(this.place, { recursive: true });
  }

  // A call of `/simulator/…`, and what it tells.
  async control(path, body, method = body === undefined ? "GET" : "POST") {
    const options = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(`${this.root}simulator/${path}`, options);
    const text = await answer.text();
    assert.ok(answer.ok, `${method} simulator/${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  fault(fault, members) {
    return this.control("faults", { fault, ...members });
  }

  async reset() {
    await this.control("clock", { set: new Date().toISOString() });
    await this.control("reset", undefined, "POST");
  }

  // How the calls of a method were answered.
  async answers(method) {
    const { entries } = await this.control("ledger");
    return entries.filter((entry) => entry.method === method).map((entry) => entry.answered);
  }

  // The official client's half of the consent.
  auth(options = {}) {
    return new OAuth2Client({
      ...CLIENT, redirectUri: REDIRECT,
      endpoints: {
        oauth2AuthBaseUrl: this.root + "o/oauth2/v2/auth", oauth2TokenUrl: this.root + "token",
        oauth2RevokeUrl: this.root + "revoke", tokenInfoUrl: this.root + "tokeninfo",
        oauth2FederatedSignonPemCertsUrl: this.root + "oauth2/v1/certs",
      },
      ...options,
    });
  }

  // The user decides; the query with which the browser comes back.
  async decide(address, fields = { decision: "allow" }) {
    const body = new URLSearchParams({ user: ANA, ...fields });
    const answer = await fetch(address, { method: "POST", body, redirect: "manual" });
    assert.equal(answer.status, 302, await answer.text());
    return new URL(answer.headers.get("location")).searchParams;
  }

  // A code, as the user allowed it.
  async code(auth, options = {}, fields = {}) {
    const address = auth.generateAuthUrl({ access_type: "offline", prompt: "consent", scope: SCOPES, ...options });
    return (await this.decide(address, { decision: "allow", ...fields })).get("code");
  }

  // A client with the user's consent.
  async consented(fields = {}, options = {}) {
    const auth = this.auth();
    auth.setCredentials((await auth.getToken(await this.code(auth, options, fields))).tokens);
    return auth;
  }

  calendar(auth, options = {}) {
    return calendar({ version: "v3", auth, rootUrl: this.root, retry: false, ...options });
  }
}

// Starts a simulator for the tests of a file; each test begins with nothing there, and with Ana's consent.
export async function judged(seed = PLAIN) {
  const google = await new Simulator().start(seed);
  after(() => google.stop());
  const check = (title, body) => test(title, async () => {
    await google.reset();
    const auth = await google.consented();
    await body({ google, auth, events: google.calendar(auth).events, calendar: google.calendar(auth) });
  });
  return check;
}

export function tea(members = {}) {
  return {
    summary: "Tea",
    start: { dateTime: "2027-04-01T10:00:00", timeZone: "Europe/Lisbon" },
    end: { dateTime: "2027-04-01T11:00:00", timeZone: "Europe/Lisbon" },
    ...members,
  };
}

export const primary = { calendarId: "primary" };

// The event that was made.
export async function insert(events, members, options = {}) {
  return (await events.insert({ ...primary, requestBody: tea(members), ...options })).data;
}

// The refusal a call must meet, by status and reason.
export async function refused(call, status, reason) {
  const error = await call.then(() => assert.fail("it was not refused"), (error) => error);
  assert.equal(error.response?.status, status, String(error));
  if (reason) assert.equal(error.response.data.error.errors[0].reason, reason);
  return error;
}

// The OAuth error a call must meet.
export async function denied(call, error, description) {
  const { response } = await call.then(() => assert.fail("it was not refused"), (caught) => caught);
  assert.equal(response?.data?.error, error);
  if (description) assert.equal(response.data.error_description, description);
  return response;
}
