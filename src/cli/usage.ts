import type { BilledUsage, UsageReport } from "../model/usage-report.ts";
import { USAGE_ITEMS, type Usage } from "../model/usage.ts";
import { askUsage } from "./ask-usage.ts";

export interface UsageOptions {
  readonly from?: string;
  readonly until?: string;
  readonly by: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const HEADINGS: Readonly<Record<keyof Usage, string>> = {
  baselineVcpuSeconds: "vCPU-s",
  aboveVcpuSeconds: "above",
  baselineGbSeconds: "GB-s",
  aboveGbSeconds: "above",
  snapshotReadGb: "read GB",
  snapshotWrittenGb: "written GB",
  storageGbHours: "stored GB-h",
};

/** What a row stands for, and its sums. */
interface Row extends BilledUsage {
  readonly name: string;
}

/** Prints what was used and what it costs by the price table; 2 for options that make no sense. */
export async function usage(options: UsageOptions): Promise<number> {
  if (!["microvm", "image", "total"].includes(options.by)) {
    process.stderr.write(`catnap: --by ${options.by} is none of microvm, image and total\n`);
    return 2;
  }
  const { from, until } = options;
  const report = await askUsage({ ...(from !== undefined && { from }), ...(until !== undefined && { until }) });
  if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else if (options.csv === true) process.stdout.write(asCsv(rowsOf(report, options.by), report));
  else process.stdout.write(asTable(rowsOf(report, options.by), report));
  return 0;
}

function rowsOf(report: UsageReport, by: string): Row[] {
  if (by === "microvm") return report.microvms.map((each) => ({ ...each, name: each.microvmId }));
  if (by === "image") return report.images.map((each) => ({ ...each, name: each.imageArn }));
  return [];
}

/** One line per row and one for all; amounts to a millionth, as they add up. */
export function asTable(rows: readonly Row[], { total, currency, omittedMicrovms }: UsageReport): string {
  const all = [...rows, { name: "total", ...total }];
  const heading = ["", ...USAGE_ITEMS.map((item) => HEADINGS[item]), currency];
  const cells = all.map(({ name, usage: used, cost }) => [
    name,
    ...USAGE_ITEMS.map((item) => amount(used[item])),
    cost.total.toFixed(6),
  ]);
  const widths = heading.map((_, column) => Math.max(...[heading, ...cells].map((line) => line[column]?.length ?? 0)));
  const lines = [heading, ...cells].map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const note = omittedMicrovms > 0 ? `${omittedMicrovms} earlier microVMs are in the total only\n` : "";
  return `${lines.join("\n")}\n${note}`;
}

/** Numbers as they are; names hold neither quotes nor commas. */
export function asCsv(rows: readonly Row[], { total, currency }: UsageReport): string {
  const heading = ["name", ...USAGE_ITEMS, `cost${currency}`];
  const lines = [...rows, { name: "total", ...total }].map(({ name, usage: used, cost }) => [
    name,
    ...USAGE_ITEMS.map((item) => used[item]),
    cost.total,
  ]);
  return [heading, ...lines].map((line) => `${line.join(",")}\n`).join("");
}

/** Four digits that matter. */
function amount(value: number): string {
  if (value === 0) return "-";
  if (value < 0.0001) return "<0.0001";
  return value >= 100 ? value.toFixed(1) : value.toPrecision(4);
}
