import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AuditLog } from "./audit-log.ts";

async function useFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "catnap-audit-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("every record is a line of a file for its owner alone, also over a reopening", async () => {
  const file = join(await useFolder(), "audit.log");
  for (const n of [1, 2]) {
    const log = new AuditLog({ file, onError: () => expect.unreachable() });
    log.record({ n, text: "two\nlines" });
    await log.close();
  }
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { n: 1, text: "two\nlines" },
    { n: 2, text: "two\nlines" },
  ]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("the file is turned over by size, no line is lost, and only so many old files stay", async () => {
  const folder = await useFolder();
  const log = new AuditLog({ file: join(folder, "audit.log"), maxBytes: 400, keep: 2, onError: () => {} });
  for (let n = 0; n < 25; n++) log.record({ n, padding: "x".repeat(80) });
  await log.close();
  expect((await readdir(folder)).toSorted()).toEqual(["audit.log", "audit.log.1", "audit.log.2"]);
  const texts = await Promise.all(
    ["audit.log.2", "audit.log.1", "audit.log"].map((name) => readFile(join(folder, name), "utf8")),
  );
  const numbers = texts.flatMap((text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { n: number }).n),
  );
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => 25 - numbers.length + index));
  expect(numbers.length).toBeGreaterThan(8);
});

test("a file that cannot be written is told and does not fail the call", async () => {
  const told = Promise.withResolvers<unknown>();
  const log = new AuditLog({ file: join(await useFolder(), "missing", "audit.log"), onError: told.resolve });
  log.record({ n: 1 });
  expect(await told.promise).toMatchObject({ code: "ENOENT" });
  log.record({ n: 2 });
  await log.close();
});
