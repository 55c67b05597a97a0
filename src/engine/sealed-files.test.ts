import { copyFile, mkdtemp, open, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mustRun, PROJECT } from "../../test/support/project.ts";
import { SealedFiles } from "./sealed-files.ts";

const MIB = 1024 * 1024;
const LENGTH = 64 * MIB;

/** A file of 64 MiB with little in it. */
async function useSparseFile() {
  const directory = await mkdtemp(join(tmpdir(), "catnap-seal-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "memory.base");
  await writeFile(path, "");
  await truncate(path, LENGTH);
  const write = async (text: string, at: number) => {
    const file = await open(path, "r+");
    await file.write(Buffer.from(text), 0, text.length, at);
    await file.close();
  };
  await write("first", 0);
  await write("middle", 20 * MIB + 123);
  await write("last", LENGTH - 4);
  const files = new SealedFiles(join(PROJECT, ".cache/guest/sparse-sum"));
  return { directory, path, write, files, seal: await files.seal(path) };
}

test("a file that nobody touched is whole, and one whose content is the same after all", async () => {
  const { directory, path, files, seal } = await useSparseFile();
  expect(await files.isWhole(path, seal)).toBe(true);
  await utimes(path, 1, 1);
  expect(await files.isWhole(path, seal)).toBe(true);
  const copy = join(directory, "copy");
  await mustRun("cp", ["--sparse=never", path, copy]); // as a backup may put it back
  await rename(copy, path);
  expect(await files.isWhole(path, seal)).toBe(true);
  expect(await files.verify(path, seal)).toBe(true);
});

test.each([
  ["a flipped bit", 20 * MIB + 123, "Middle"],
  ["something where nothing was", 40 * MIB, "x"],
  ["zeros where something was", 0, "\0\0\0\0\0"],
])("%s is found", async (_, at, text) => {
  const { path, write, files, seal } = await useSparseFile();
  await write(text, at);
  expect(await files.isWhole(path, seal)).toBe(false);
  expect(await files.isWhole(path, seal)).toBe(false); // remembered, not read again
});

test("a file that became shorter, longer, another or none is found", async () => {
  const { directory, path, files, seal } = await useSparseFile();
  await truncate(path, LENGTH - MIB);
  expect(await files.isWhole(path, seal)).toBe(false);
  await truncate(path, LENGTH);
  expect(await files.verify(path, seal)).toBe(false); // its last words are lost
  await writeFile(join(directory, "other"), "other");
  await copyFile(join(directory, "other"), path);
  expect(await files.isWhole(path, seal)).toBe(false);
  await rm(path);
  expect(await files.isWhole(path, seal)).toBe(false);
  expect(await files.verify(path, seal)).toBe(false);
});

test("what the disk forgot shows only when it is read, and from then on", async () => {
  const { path, write, files, seal } = await useSparseFile();
  await write("Middle", 20 * MIB + 123);
  const forgetful = { ...seal, look: (await files.seal(path)).look };
  expect(await files.isWhole(path, forgetful)).toBe(true);
  expect(await files.verify(path, forgetful)).toBe(false);
  expect(await files.isWhole(path, forgetful)).toBe(false);
  await write("middle", 20 * MIB + 123);
  expect(await files.isWhole(path, forgetful)).toBe(true);
});

test("a disk with much on it is not summed up", async () => {
  const { path, files, seal } = await useSparseFile();
  expect(await files.sumUpTo(path, MIB)).toBe(seal.sum);
  expect(await files.sumUpTo(path, 4096)).toBeUndefined();
  await expect(files.sumUpTo(`${path}.gone`, MIB)).rejects.toThrow(/could not be summed up: .*No such file/);
});

test("many questions at once get their own answers, and a program that ends is started again", async () => {
  const { directory, path, files, seal } = await useSparseFile();
  const other = join(directory, "other");
  await writeFile(other, "other");
  const sums = await Promise.all([path, other, path, other].map((one) => files.sumUpTo(one, MIB)));
  expect(sums[0]).toBe(seal.sum);
  expect(sums).toEqual([sums[0], sums[1], sums[0], sums[1]]);
  expect(sums[0]).not.toBe(sums[1]);
  const never = new SealedFiles("/bin/false");
  await expect(never.seal(path)).rejects.toThrow(/could not be summed up/);
  await expect(never.seal(path)).rejects.toThrow(/could not be summed up/);
});
