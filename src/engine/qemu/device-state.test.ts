import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkDeviceState, sealDeviceState } from "./device-state.ts";

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
