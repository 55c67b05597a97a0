import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { OutputFile } from "./output-file.ts";

async function usePath() {
  const directory = await mkdtemp(join(tmpdir(), "catnap-output-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return join(directory, "app.log");
}

test("output is appended over openings, and a file that is too large is turned over", async () => {
  const path = await usePath();
  for (const text of ["one\n", "two\n"]) {
    const file = new OutputFile(path, 8);
    await file.append(Buffer.from(text));
    await file.close();
  }
  const file = new OutputFile(path, 8);
  await file.append(Buffer.from("three\n"));
  await file.append(Buffer.from("four\n"));
  await file.close();
  expect([await readFile(`${path}.1`, "utf8"), await readFile(path, "utf8")]).toEqual(["one\ntwo\nthree\n", "four\n"]);
});

test("a full disk costs output, and the file tells how much once there is room", async () => {
  const path = await usePath();
  await symlink("/dev/full", path);
  const file = new OutputFile(path);
  await file.append(Buffer.from("lost\n"));
  await file.append(Buffer.from("too\n"));
  await file.close();
  await rm(path);
  await file.append(Buffer.from("kept\n"));
  await file.close();
  expect(await readFile(path, "utf8")).toBe("\n[9 bytes of output could not be written to disk]\nkept\n");
});
