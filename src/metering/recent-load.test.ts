import { expect, test } from "vitest";
import { RecentLoad } from "./recent-load.ts";

function useLoad() {
  const load = new RecentLoad();
  return {
    /** Of a baseline of half a vCPU. */
    takes: (vcpus: number, seconds: number) => {
      for (let second = 0; second < seconds; second++) load.note({ used: vcpus, baseline: 0.5, seconds: 1 });
      return load.priority;
    },
  };
}

test("a burst is within the baseline, a stretch of it is not", () => {
  const { takes } = useLoad();
  expect(takes(1, 1)).toBe("baseline");
  expect(takes(1, 1)).toBe("surplus");
});

test("who comes back well below the baseline is served as before, and near it nothing flutters", () => {
  const { takes } = useLoad();
  expect(takes(2, 5)).toBe("surplus");
  expect(takes(0.5, 60)).toBe("surplus");
  expect(takes(0.4, 60)).toBe("surplus");
  expect(takes(0.1, 3)).toBe("baseline");
  expect(takes(0.4, 60)).toBe("baseline");
});

test("a reading without time between says nothing", () => {
  const load = new RecentLoad();
  load.note({ used: 5, baseline: 1, seconds: 0 });
  expect(load.priority).toBe("baseline");
});
