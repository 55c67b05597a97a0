import { expect, onTestFinished, test, vi } from "vitest";
import { AppError } from "../errors/app-error.ts";
import { DiskReserve, isDiskFull, type DiskSpace } from "./disk-reserve.ts";

/** A disk of which so much is free as the test says. */
function useDisk(space: DiskSpace, reserveMiB: number | "auto" = 1000) {
  const state = { ...space };
  return { state, disk: new DiskReserve({ directory: "/none", reserveMiB, readSpace: async () => state }) };
}

const FULL = { code: "ERR_DISK_FULL", message: expect.stringMatching(/CATNAP_DISK_RESERVE_MIB.*Make room/) };

test("what is new needs the whole reserve, a sleeper that wakes a quarter of it", async () => {
  const { state, disk } = useDisk({ totalMiB: 10_000, freeMiB: 1000 });
  await disk.requireRoom();
  state.freeMiB = 999;
  await expect(disk.requireRoom()).rejects.toMatchObject(FULL);
  state.freeMiB = 250;
  await disk.requireRoomToWake();
  state.freeMiB = 249;
  await expect(disk.requireRoomToWake()).rejects.toMatchObject(FULL);
});

test.each([
  [4_000, 512],
  [100_000, 5_000],
  [10_000_000, 16_384],
])("of a disk of %i MiB %i are kept free where nobody says how much", async (totalMiB, reserveMiB) => {
  await useDisk({ totalMiB, freeMiB: reserveMiB }, "auto").disk.requireRoom();
  await expect(useDisk({ totalMiB, freeMiB: reserveMiB - 1 }, "auto").disk.requireRoom()).rejects.toMatchObject(FULL);
});

test("who watches is told once the disk is below the reserve", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { state, disk } = useDisk({ totalMiB: 10_000, freeMiB: 5000 });
  const watch = disk.watch();
  onTestFinished(() => watch.stop());
  await vi.advanceTimersByTimeAsync(10_000);
  expect(watch.signal.aborted).toBe(false);
  state.freeMiB = 10;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(watch.signal.reason).toMatchObject(FULL);
  expect(await disk.isExhausted()).toBe(true);
});

test("a full disk is recognized in whatever wraps it", () => {
  const enospc = Object.assign(new Error("write"), { code: "ENOSPC" });
  expect(isDiskFull(new AppError("ERR_COMMAND_FAILED", { cause: enospc }))).toBe(true);
  expect(isDiskFull(new Error("cp: error writing 'x': No space left on device"))).toBe(true);
  expect(isDiskFull(new AppError("ERR_COMMAND_FAILED"))).toBe(false);
});
