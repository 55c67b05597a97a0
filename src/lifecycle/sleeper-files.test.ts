import { rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useDirectory } from "../../test/support/api-endpoint.ts";
import { ENGINE_FILES } from "../engine/engine.ts";
import { hasDiskMovedOn } from "./sleeper-files.ts";

test("a disk written after its memory was saved has moved on, unless its seal says that no guest did it", async () => {
  const directory = await useDirectory();
  const write = async (name: string, seconds: number) => {
    await writeFile(join(directory, name), "");
    await utimes(join(directory, name), seconds, seconds);
  };
  await Promise.all([
    write(ENGINE_FILES.changedPages, 20),
    write(ENGINE_FILES.devices, 21),
    write(ENGINE_FILES.upper, 10),
  ]);
  expect(await hasDiskMovedOn(directory)).toBe(false);
  await write(ENGINE_FILES.upper, 30);
  expect(await hasDiskMovedOn(directory)).toBe(true);
  expect(await hasDiskMovedOn(directory, 40_000)).toBe(false);
  await write(ENGINE_FILES.upperSeal, 22);
  expect(await hasDiskMovedOn(directory)).toBe(false);
  await rm(join(directory, ENGINE_FILES.upperSeal));
  expect(await hasDiskMovedOn(directory)).toBe(true);
});
