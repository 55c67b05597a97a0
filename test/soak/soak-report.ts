/** What a soak did and met, by name. */
export interface SoakReport {
  readonly seed: number;
  readonly microvms: number;
  readonly seconds: number;
  readonly operations: Counts;
  readonly faults: Counts;
  /** How microVMs ended that had a reason to. */
  readonly endings: Counts;
  /** Times that store, processes, namespaces, mounts, control groups, routes, rules and files agreed. */
  readonly agreements: number;
  /** Of the server's own log, by their words. */
  readonly loggedErrors: Counts;
}

export type Counts = Readonly<Record<string, number>>;

/** Counts things by name. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  get counts(): Counts {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => a.localeCompare(b)));
  }
}

export function describeProgress({ seconds, operations, faults, endings, agreements }: SoakReport): string {
  return `${seconds} s: ${sum(operations)} operations, ${sum(faults)} faults, ${sum(endings)} microVMs ended as told, ${agreements} times all agreed`;
}

/** For docs/soak.md. */
export function toMarkdown(report: SoakReport): string {
  const { seed, microvms, seconds, agreements } = report;
  const rows = (title: string, counts: Counts) => [
    `| **${title}** | **${sum(counts).toLocaleString("en")}** |`,
    ...Object.entries(counts).map(([name, count]) => `| ${name} | ${count.toLocaleString("en")} |`),
  ];
  return [
    `| seed ${seed}, ${microvms} microVMs, ${Math.round(seconds / 60)} minutes | |`,
    "|---|---|",
    ...rows("operations", report.operations),
    ...rows("faults", report.faults),
    ...rows("microVMs that ended, each with its reason", report.endings),
    `| times store, processes, namespaces, mounts, control groups, routes, rules and files agreed | ${agreements} |`,
    "",
  ].join("\n");
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
