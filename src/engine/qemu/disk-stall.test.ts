import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import { DiskStall } from "./disk-stall.ts";
import type { QmpClient } from "./qmp-client.ts";

/** A monitor that stands still, and goes on at "cont" where there is room. */
function useMonitor() {
  const told = new EventEmitter();
  const closing = Promise.withResolvers<void>();
  const listeners: ((data: unknown) => void)[] = [];
  const monitor = { status: "running", hasRoom: false, conts: 0 };
  const qmp = {
    closed: closing.promise,
    onEvent: (_name: string, listener: (data: unknown) => void) => void listeners.push(listener),
    async execute(command: string) {
      if (command === "cont") {
        monitor.conts++;
        if (monitor.hasRoom) monitor.status = "running";
      }
      told.emit(command);
      return { status: monitor.status };
    },
  } as unknown as QmpClient;
  const stall = new DiskStall(qmp);
  const fail = (nospace: boolean) => {
    monitor.status = "io-error";
    for (const listener of listeners) listener({ device: "upper", operation: "write", nospace });
  };
  return { monitor, stall, fail, close: closing.resolve, told };
}

test("a guest without room for its writes is let go on until there is room, and everybody hears of it once", async () => {
  const { monitor, stall, fail, told } = useMonitor();
  let heard = 0;
  stall.onStall(() => heard++);
  fail(true);
  expect(await stall.isStalled()).toBe(true);
  await once(told, "cont");
  fail(true);
  monitor.hasRoom = true;
  await expect.poll(() => stall.isStalled(), { timeout: 20_000 }).toBe(false);
  expect([heard, monitor.status]).toEqual([1, "running"]);
  await once(told, "query-status"); // it is seen to run
  await new Promise(setImmediate);
  fail(true);
  expect(heard).toBe(2);
});

test("one that is held is not let go on, and a monitor that is gone is left alone", async () => {
  const { monitor, stall, fail, close, told } = useMonitor();
  stall.hold();
  fail(true);
  stall.release();
  await once(told, "query-status");
  stall.hold();
  const before = monitor.conts;
  monitor.hasRoom = true;
  close();
  await new Promise(setImmediate);
  stall.release();
  expect([monitor.conts - before, monitor.status]).toEqual([0, "io-error"]);
});

test("another fault of the disk is the guest's to handle", async () => {
  const { stall, fail } = useMonitor();
  fail(false);
  expect(await stall.isStalled()).toBe(false);
});
