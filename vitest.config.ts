import { defineConfig } from "vitest/config";

/** Tests that share the machine's network or CPU: one file at a time, one kind after the other. */
function serialProject(need: "net" | "vm" | "e2e" | "heavy", order: number, timeoutMs: number) {
  return {
    test: {
      name: need,
      include: [`src/**/*.${need}.test.ts`, `test/**/*.${need}.test.ts`],
      fileParallelism: false,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      sequence: { groupOrder: order },
    },
  };
}

export default defineConfig({
  test: {
    environment: "node",
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts", "bench/**/*.test.ts"],
          exclude: ["**/*.{net,vm,e2e,heavy}.test.ts"],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      serialProject("net", 1, 120_000),
      serialProject("vm", 2, 300_000),
      serialProject("e2e", 3, 600_000),
      serialProject("heavy", 4, 1_800_000), // minutes each: ./dev heavy, never a part of ./dev test
    ],
  },
});
