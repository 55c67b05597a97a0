import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { writeWorkingSet } from "./working-set.ts";

test("ranges near to each other are one, and a place that cannot be written is no fault", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catnap-set-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "memory.touched");
  const runs = [
    { firstPage: 0, pages: 2 },
    { firstPage: 18, pages: 1 },
    { firstPage: 100, pages: 3 },
  ];
  writeWorkingSet(file, runs);
  expect(await readFile(file, "utf8")).toBe(`0 ${19 * 4096}\n${100 * 4096} ${3 * 4096}\n`);
  expect(() => writeWorkingSet(join(directory, "none", "x"), runs)).not.toThrow();
});
