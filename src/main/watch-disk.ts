import type { DiskReserve } from "../util/disk-reserve.ts";
import type { House } from "./house.ts";

const INTERVAL_MS = 10_000;

/** Says in the log that the disk is running full, while the log can still be written. */
export function watchDisk({ log, cleanup }: House, disk: DiskReserve): void {
  let isLow = false;
  const look = async () => {
    const fault = await disk.requireRoom().catch((cause: unknown) => cause);
    if (fault !== undefined && !isLow)
      log.error({ err: fault }, "nothing new is started or built until there is room on the disk");
    if (fault === undefined && isLow) log.info("the disk has room again");
    isLow = fault !== undefined;
  };
  void look();
  const timer = setInterval(() => void look(), INTERVAL_MS);
  cleanup.add(async () => clearInterval(timer));
}
