import { expect, test } from "vitest";
import { DifferenceThread } from "./difference-thread.ts";

test("a fault on the thread comes back as what it was, and the thread goes on", async () => {
  const thread = new DifferenceThread();
  const job = { work: "save", pid: process.pid, base: "/no/such/memory", file: "/no/such/difference" } as const;
  const unmapped = { code: "ERR_ENGINE_MEMORY", message: `Process ${process.pid} does not map /no/such/memory` };
  await expect(thread.run(job)).rejects.toMatchObject(unmapped);
  await expect(thread.run({ ...job, pid: 0 })).rejects.toThrow(/cannot be saved: .*ENOENT/);
  await expect(thread.run(job)).rejects.toMatchObject(unmapped);
});
