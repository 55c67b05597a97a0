import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkDeviceState, readSavedState, sealDeviceState } from "./device-state.ts";

test("a flipped bit, a missing end and a missing file are all told as damage", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catnap-devices-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "device.state");
  const whole = sealDeviceState(Buffer.from("what a monitor saved"));
  await writeFile(file, whole);
  await checkDeviceState(file);
  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    await writeFile(file, flipped);
    await expect(checkDeviceState(file)).rejects.toThrow(/damaged/);
    await writeFile(file, whole.subarray(0, at));
    await expect(checkDeviceState(file)).rejects.toThrow(/damaged/);
  }
  await rm(file);
  await expect(checkDeviceState(file)).rejects.toMatchObject({ code: "ERR_ENGINE_SNAPSHOT" });
});

test("what a monitor saved is found behind what it saved before, and behind the hole that a killed server left", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catnap-devices-"));
  const scratch = await open(join(directory, "device.scratch"), "w+");
  onTestFinished(async () => {
    await scratch.close();
    await rm(directory, { recursive: true });
  });
  const [first, second] = [Buffer.from("QEVM the first one"), Buffer.from("QEVM the second one")];
  await scratch.write(first, 0, first.length, 0);
  expect(await readSavedState(scratch, 0)).toEqual(first);
  await scratch.write(second, 0, second.length, first.length);
  expect(await readSavedState(scratch, first.length)).toEqual(second);
  await scratch.truncate(0); // and killed, before it had its length again
  await scratch.write(second, 0, second.length, 200_000);
  expect(await readSavedState(scratch, 0)).toEqual(second);
  await scratch.write(Buffer.from("XXXX"), 0, 4, 200_000);
  await expect(readSavedState(scratch, 0)).rejects.toMatchObject({ code: "ERR_ENGINE_SNAPSHOT" });
});
