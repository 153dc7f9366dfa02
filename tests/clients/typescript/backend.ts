// A backend on the types that are generated from the document of the API: it creates, reads and cancels an event.
// BRIDGE is the bridge's address, KEY an API key.
import createClient from "openapi-fetch";
import type { paths } from "./bridge.js";

declare const process: { env: Record<string, string | undefined> };

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

function expect(holds: boolean, shown: unknown): asserts holds {
  if (!holds) throw new Error(`unexpected: ${JSON.stringify(shown)}`);
}

const bridge = createClient<paths>({
  baseUrl: given("BRIDGE"),
  headers: { Authorization: `Bearer ${given("KEY")}` },
});

const made = await bridge.POST("/api/v1/events", {
  params: { header: { Prefer: "wait=20" } },
  body: {
    summary: "Tea in TypeScript",
    start: "2030-05-02T14:00:00",
    end: "2030-05-02T15:00:00",
    time_zone: "Europe/Lisbon",
    external_id: "order-18",
  },
});
const event = made.data;
expect(event?.object === "event" && event.state === "confirmed", event ?? made.error);

const read = await bridge.GET("/api/v1/events/{id}", { params: { path: { id: event.id } } });
expect(read.data !== undefined, read.error);
expect(read.data.summary === "Tea in TypeScript" && read.data.external_id === "order-18", read.data);
expect(read.data.meet.state === "ready" && (read.data.meet.link ?? "").startsWith("https://"), read.data.meet);

const gone = await bridge.DELETE("/api/v1/events/{id}", {
  params: { path: { id: event.id }, header: { Prefer: "wait=20" } },
});
expect(gone.data?.object === "event" && gone.data.state === "cancelled", gone.data ?? gone.error);

const unknown = await bridge.GET("/api/v1/events/{id}", { params: { path: { id: "0".repeat(26) } } });
expect(unknown.error !== undefined, unknown.data);
expect(unknown.error.code === "not_found" && unknown.error.status === 404, unknown.error);
