import { parseArgs } from "node:util";

/**
 * What a program of ./dev was started with: one number and options with a value each. Ends it with its usage when asked
 * for that (exit code 0) and when it is none of that (2).
 */
export function readArguments<Name extends string>(
  usage: string,
  names: readonly Name[],
): { readonly first: string | undefined; readonly values: Readonly<Partial<Record<Name, string>>> } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) {
      process.stdout.write(`${usage}\n`);
      process.exit(0);
    }
    const [first, ...more] = positionals;
    if (more.length > 0) throw new Error(`Unexpected argument '${more[0]}'`);
    return { first, values: values as Partial<Record<Name, string>> };
  } catch (cause) {
    return refuseArguments(usage, (cause as Error).message);
  }
}

export function refuseArguments(usage: string, why: string): never {
  process.stderr.write(`${why}\n${usage}\n`);
  process.exit(2);
}
