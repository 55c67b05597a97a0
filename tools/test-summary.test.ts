import { expect, test } from "vitest";
import { summarize } from "./test-summary.ts";

const file = (status: string, ...results: string[]) => ({
  name: "a.test.ts",
  status,
  message: "boom\nat x",
  assertionResults: results.map((each) => ({ fullName: `is ${each}`, status: each })),
});

test("every status that is neither passed nor failed counts as skipped", () => {
  const summary = summarize({ success: true, testResults: [file("passed", "passed", "pending", "skipped", "todo")] });
  expect(summary).toMatchObject({ passed: 1, failed: 0, skipped: 3 });
  expect(summary.skippedNames[0]).toBe("a.test.ts: is pending");
});

test("a file that cannot be loaded is a failure", () => {
  const summary = summarize({ success: false, testResults: [file("failed")] });
  expect(summary).toMatchObject({ passed: 0, failed: 1, failedNames: ["a.test.ts: boom"] });
});

test("a failed test is counted once, not again as its file", () => {
  expect(summarize({ success: false, testResults: [file("failed", "failed", "passed")] }).failed).toBe(1);
});

test("an error outside all tests is a failure", () => {
  expect(summarize({ success: false, testResults: [file("passed", "passed")] }).failed).toBe(1);
});

test("a missing report is a failure", () => {
  expect(summarize(undefined)).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
});
