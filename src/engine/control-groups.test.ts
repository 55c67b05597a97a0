import { expect, test } from "vitest";
import { parseGroupMounts } from "./control-groups.ts";

test("finds the hierarchies of both versions among the mounts", () => {
  const text = [
    "25 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
    "30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct",
    "38 30 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate",
    "",
  ].join("\n");
  expect(parseGroupMounts(text)).toEqual([
    { version: 1, directory: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["rw", "cpu", "cpuacct"] },
    { version: 2, directory: "/sys/fs/cgroup/unified", controllers: [] },
  ]);
});
