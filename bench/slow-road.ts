import { once } from "node:events";
import { createConnection, createServer, type AddressInfo } from "node:net";
import type { Cleanup } from "../src/util/cleanup.ts";

/**
 * A port that leads to another with every byte held for `delayMs` on its way in either direction, as a long road does.
 * (Not every kernel has netem; what flow control above TCP makes of a round trip shows here as well.)
 */
export async function openSlowRoad(cleanup: Cleanup, port: number, delayMs: number): Promise<number> {
  const road = createServer((near) => {
    const far = createConnection({ host: "127.0.0.1", port, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
      from.on("data", (chunk: Buffer) => void setTimeout(() => to.destroyed || to.write(chunk), delayMs));
    }
  });
  await once(road.listen(0, "127.0.0.1"), "listening");
  cleanup.add(async () => void road.close());
  return (road.address() as AddressInfo).port;
}
