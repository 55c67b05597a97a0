import { Cleanup } from "../src/util/cleanup.ts";

/**
 * Runs a measurement. What it adds to the clean-up is undone at its end, when it fails, and on Ctrl-C: nothing that it
 * started is left.
 */
export async function runScenario(body: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup();
  let undone: Promise<void> | undefined;
  const undo = () => (undone ??= undoAloud(cleanup));
  const interrupt = (signal: NodeJS.Signals) => {
    if (undone === undefined) console.error(`  ${signal}: ending what this measurement started`);
    void undo().then(() => process.exit(130));
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await body(cleanup);
  } finally {
    await undo();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function undoAloud(cleanup: Cleanup): Promise<void> {
  for (const error of await cleanup.run()) console.error("  clean-up:", error);
}

/** A line about how far a measurement is, beside the results. */
export function progress(line: string): void {
  console.error(`  ${line}`);
}
