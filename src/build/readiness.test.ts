import { expect, test } from "vitest";
import { judgeReadiness, type ReadinessSample } from "./readiness.ts";

const RUNNING = { app: "running", pid: 2 } as const;

/** Samples every 100 ms; each entry is [listening ports, busy milliseconds since the last]. */
function samples(...looks: [number[], number][]): ReadinessSample[] {
  let busyMs = 0;
  return looks.map(([listening, busy], index) => ({
    atMs: index * 100,
    status: RUNNING,
    listening,
    busyMs: (busyMs += busy),
  }));
}

const quiet = (ports: number[], count: number) => Array.from({ length: count }, (): [number[], number] => [ports, 1]);
const busy = (ports: number[], count: number) => Array.from({ length: count }, (): [number[], number] => [ports, 90]);

test("all exposed ports accepting is ready at once", () => {
  expect(judgeReadiness(samples(...busy([8080], 1)), [8080])).toBe("ready");
});

test("one of two exposed ports is ready only when the guest is quiet", () => {
  expect(judgeReadiness(samples(...busy([8080], 30)), [8080, 9000])).toBe("wait");
  expect(judgeReadiness(samples(...quiet([8080], 12)), [8080, 9000])).toBe("ready");
});

test("an exposed port that nothing accepts on keeps waiting, however quiet", () => {
  expect(judgeReadiness(samples(...quiet([], 100)), [8080])).toBe("wait");
});

test("without exposed ports the default port or two quiet seconds decide", () => {
  expect(judgeReadiness(samples(...busy([8080], 1)), [])).toBe("ready");
  expect(judgeReadiness(samples(...quiet([], 10)), [])).toBe("wait");
  expect(judgeReadiness(samples(...quiet([], 22)), [])).toBe("ready");
});

test("an app that ended is told with its code", () => {
  expect(
    judgeReadiness([{ atMs: 0, status: { app: "exited", code: 3 }, listening: [8080], busyMs: 0 }], [8080]),
  ).toEqual({ exited: 3 });
});
