import { requiredMembers, type OperationModel } from "./service-model.ts";

/** Members found in the path, decoded. */
export type Labels = Readonly<Record<string, string>>;

export interface RouteQuestion {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  /** Labels known from elsewhere, such as the bucket from the host name; operations without that member do not match. */
  readonly ambient?: Labels;
}

export interface Route {
  readonly operation: OperationModel;
  readonly labels: Labels;
}

interface Entry {
  readonly operation: OperationModel;
  readonly pattern: RegExp;
  readonly labelNames: readonly string[];
  readonly inputLabels: ReadonlySet<string>;
  readonly staticQuery: readonly (readonly [string, string])[];
  readonly neededQuery: readonly string[];
  readonly neededHeaders: readonly string[];
  readonly weight: number;
}

/** Only a hint for logs: the SDKs send it, other clients do not. */
const OPERATION_HINT = "x-id";

/** Built once per service; asks for a malformed label or query throw URIError. */
export class RouteTable {
  readonly #entries: readonly Entry[];

  constructor(operations: Iterable<OperationModel>) {
    this.#entries = [...operations].map(compile).toSorted((a, b) => b.weight - a.weight);
  }

  /**
   * The most specific operation: S3 tells PutObject, UploadPart and CopyObject apart by required query and header
   * members. Where none has all it requires, the least demanding one is taken, so that it can say what is missing.
   */
  find(question: RouteQuestion): Route | undefined {
    const possible = this.#entries.flatMap((entry) => {
      const match = accepts(entry, question);
      return match ? [{ entry, match }] : [];
    });
    const complete = possible.filter(({ entry }) => isComplete(entry, question));
    const weight = complete[0]?.entry.weight;
    const hint = question.query.find(([name]) => name === OPERATION_HINT)?.[1];
    const hinted = complete.find(({ entry }) => entry.weight === weight && entry.operation.name === hint);
    const best = hinted ?? complete[0] ?? possible.at(-1);
    if (!best) return undefined;
    const { entry, match } = best;
    const labels = Object.fromEntries(
      entry.labelNames.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? "")]),
    );
    return { operation: entry.operation, labels: { ...question.ambient, ...labels } };
  }
}

/** Method, path, labels and the fixed query members. */
function accepts(entry: Entry, question: RouteQuestion): RegExpExecArray | undefined {
  if (entry.operation.method !== question.method) return undefined;
  const ambient = Object.keys(question.ambient ?? {});
  if (!ambient.every((label) => entry.inputLabels.has(label))) return undefined;
  for (const label of entry.inputLabels)
    if (!ambient.includes(label) && !entry.labelNames.includes(label)) return undefined;
  const isFixedQueryThere = entry.staticQuery.every(([name, value]) =>
    question.query.some((pair) => pair[0] === name && (value === "" || pair[1] === value)),
  );
  return isFixedQueryThere ? (entry.pattern.exec(question.path) ?? undefined) : undefined;
}

function isComplete(entry: Entry, question: RouteQuestion): boolean {
  return (
    entry.neededQuery.every((name) => question.query.some((pair) => pair[0] === name)) &&
    entry.neededHeaders.every((name) => Object.hasOwn(question.headers, name))
  );
}

function compile(operation: OperationModel): Entry {
  const labelNames: string[] = [];
  const pattern = operation.pathTemplate.replace(
    /\{([^}+]+)(\+?)\}|[.*+?^${}()|[\]\\]/g,
    (found, label: string | undefined, greedy: string) => {
      if (label === undefined) return `\\${found}`;
      labelNames.push(label);
      return greedy ? "(.+)" : "([^/]+)";
    },
  );
  const staticQuery = operation.staticQuery.filter(([name]) => name !== OPERATION_HINT);
  const bound = boundMembers(operation);
  return {
    operation,
    pattern: new RegExp(`^${pattern}$`, "s"),
    labelNames,
    staticQuery,
    ...bound,
    // A literal path beats a label; then whoever asks for more is the more specific.
    weight:
      (labelNames.length === 0 ? 0.5 : 0) + staticQuery.length + bound.neededQuery.length + bound.neededHeaders.length,
  };
}

function boundMembers({ input }: OperationModel): Pick<Entry, "inputLabels" | "neededQuery" | "neededHeaders"> {
  const inputLabels = new Set<string>();
  const neededQuery: string[] = [];
  const neededHeaders: string[] = [];
  const required = new Set(requiredMembers(input));
  for (const [name, member] of input.isStructSchema() ? input.structIterator() : []) {
    const traits = member.getMergedTraits();
    if (traits.httpLabel) inputLabels.add(name);
    else if (traits.httpQuery && required.has(name)) neededQuery.push(traits.httpQuery);
    else if (traits.httpHeader && required.has(name)) neededHeaders.push(traits.httpHeader.toLowerCase());
  }
  return { inputLabels, neededQuery, neededHeaders };
}
