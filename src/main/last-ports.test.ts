import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readLastPorts } from "./last-ports.ts";

test("the ports of the last server are known until the next one is up, however often its start is cut short", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catnap-ports-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "server.json");
  expect(await readLastPorts(file)).toEqual({ api: 0, endpoint: 0 });
  await writeFile(file, JSON.stringify({ apiUrl: "http://127.0.0.1:4510", endpointPort: 4443 }));
  expect(await readLastPorts(file)).toEqual({ api: 4510, endpoint: 4443 });
  expect(await readLastPorts(file)).toEqual({ api: 4510, endpoint: 4443 });
});
