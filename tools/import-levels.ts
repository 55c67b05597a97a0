/**
 * Who may import whom. Levels from the ground up: a module sees its own folder and every level below, and of its
 * neighbours on the same level only the files listed as ports.
 */
export const LEVELS: readonly (readonly string[])[] = [
  ["model", "errors", "util"],
  ["config", "observability"],
  ["store", "network", "engine", "guest-link", "auth"],
  ["hooks", "shell", "logs", "metering"],
  ["build"],
  ["images"],
  ["lifecycle"],
  ["aws", "metadata", "proxy"],
  ["main"],
];

/** What neighbours on the same level may import: interfaces and tables, never a driver. */
export const PORTS: readonly RegExp[] = [
  /^src\/(model|errors|util)\//,
  /^src\/store\/[^/]+\.ts$/,
  /^src\/engine\/engine\.ts$/,
  /^src\/guest-link\/guest-link\.ts$/,
  /^src\/network\/slot\.ts$/,
  /^src\/auth\/(authorizer|endpoint-token)\.ts$/,
  /^src\/aws\/service\.ts$/,
];

/** The command line speaks to the server over HTTP; beyond the model it knows settings, errors and small leaves. */
export const CLI_MAY_IMPORT: readonly string[] = ["cli", "model", "errors", "util", "config"];

/** Sibling folders that never import each other: drivers of one port, and the AWS services. */
export const SEPARATE: readonly RegExp[] = [
  /^src\/engine\/(qemu|firecracker)\//,
  /^src\/store\/(sqlite|postgres)\//,
  /^src\/aws\/(lambda-microvms|lambda-core|s3|iam|sts|logs)\//,
];

/** One import, both ends as paths from the project's root; a package keeps its name. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

/** What is wrong with an import, or undefined; tests may import anything. */
export function judge({ from, to }: Import, developmentPackages: readonly string[]): string | undefined {
  if (!from.startsWith("src/") || isTest(from)) return undefined;
  if (!to.startsWith("src/")) return judgeOutside(to, developmentPackages);
  if (isTest(to)) return "source may not import tests";
  return judgeLevels(from, to) ?? judgeSeparation(from, to);
}

/** Test support lies beside the code it helps and is named so. */
export function isTest(file: string): boolean {
  return /(\.test|-fixture)\.ts$|\/use-[^/]+\.ts$/.test(file);
}

function judgeOutside(to: string, developmentPackages: readonly string[]): string | undefined {
  if (/^(test|bench|tools|guest|bin)\//.test(to)) return "source may not import tests, measurements or tools";
  return developmentPackages.includes(to) ? `${to} is a development package` : undefined;
}

function judgeLevels(from: string, to: string): string | undefined {
  const [importer, imported] = [moduleOf(from), moduleOf(to)];
  if (importer === imported) return undefined;
  if (importer === "cli")
    return CLI_MAY_IMPORT.includes(imported) ? undefined : `the command line may not import ${imported}`;
  const [fromLevel, toLevel] = [levelOf(importer), levelOf(imported)];
  if (fromLevel < 0) return `${importer} is in no level: add it to tools/import-levels.ts`;
  if (toLevel < 0 || toLevel > fromLevel) return `${importer} may not import ${imported}, which is above it`;
  if (toLevel < fromLevel || PORTS.some((port) => port.test(to))) return undefined;
  return `of its neighbour ${imported}, ${importer} may import the ports only`;
}

function judgeSeparation(from: string, to: string): string | undefined {
  for (const family of SEPARATE) {
    const [mine, theirs] = [family.exec(from)?.[1], family.exec(to)?.[1]];
    if (mine && theirs && mine !== theirs) return `${mine} may not import ${theirs}`;
  }
  return undefined;
}

const moduleOf = (file: string) => file.split("/")[1] ?? "";

const levelOf = (module: string) => LEVELS.findIndex((level) => level.includes(module));
