// What a product's server does with the real client: every call once, then it is closed and flushed.
import { Analytics } from "@segment/analytics-node";

const [address, writeKey] = process.argv.slice(2);
const failures = [];
// The client takes the path from `path` alone: what stands behind the host in `host` is dropped.
const { origin: host, pathname } = new URL(address);
const analytics = new Analytics({ writeKey, host, path: `${pathname}/v1/batch`, maxEventsInBatch: 7, flushInterval: 50 });
analytics.on("error", (error) => failures.push(String(error.reason ?? error.code)));

const timestamp = new Date("2026-03-01T09:00:00Z");
analytics.identify({ userId: "u-1", traits: { email: "ada@northwind.example", name: "Ada" }, timestamp, messageId: "m-identify" });
analytics.group({ userId: "u-1", groupId: "g-1", traits: { name: "Northwind", domain: "northwind.example" }, timestamp, messageId: "m-group" });
analytics.alias({ userId: "u-1", previousId: "anonymous-1", timestamp, messageId: "m-alias" });
analytics.page({ userId: "u-1", name: "Pricing", timestamp, messageId: "m-page" });
analytics.screen({ userId: "u-1", name: "Home", timestamp, messageId: "m-screen" });
for (let number = 0; number < 40; number += 1) {
  const at = new Date(timestamp.getTime() + number * 60_000);
  analytics.track({ userId: "u-1", event: "Report Viewed", properties: { number }, context: { groupId: "g-1" }, timestamp: at, messageId: `m-track-${number}` });
}
await analytics.closeAndFlush({ timeout: 20_000 });
if (failures.length > 0) {
  console.error(failures.join("\n"));
  process.exit(1);
}
