/** The part of vitest's JSON report that the summary reads. */
export interface TestReport {
  readonly success?: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export interface TestSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedNames: readonly string[];
  readonly failedNames: readonly string[];
}

const NO_REPORT = "vitest wrote no report: it crashed or was ended";

/** Counts tests; a file that fails outside its tests, and a run that fails outside its files, count as one failure each. */
export function summarize(report: TestReport | undefined): TestSummary {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0, skippedNames: [], failedNames: [NO_REPORT] };
  const tests = report.testResults.flatMap((file) =>
    file.assertionResults.map((test) => ({ file: file.name, ...test })),
  );
  const titled = (wanted: (status: string) => boolean) =>
    tests.filter((test) => wanted(test.status)).map((test) => `${test.file}: ${test.fullName}`);
  const failedNames = [...titled((status) => status === "failed"), ...brokenFiles(report)];
  if (report.success === false && failedNames.length === 0) failedNames.push("an error outside all tests (see above)");
  const skippedNames = titled((status) => !["passed", "failed"].includes(status));
  return {
    passed: titled((status) => status === "passed").length,
    failed: failedNames.length,
    skipped: skippedNames.length,
    skippedNames,
    failedNames,
  };
}

function brokenFiles(report: TestReport): string[] {
  return report.testResults
    .filter((file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"))
    .map((file) => `${file.name}: ${file.message?.split("\n")[0] ?? "failed outside its tests"}`);
}
