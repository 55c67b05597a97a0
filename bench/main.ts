import { proxy } from "./proxy.ts";
import { start } from "./start.ts";

/** Measurements side by side: ./dev bench [name]. */
const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = { start, proxy };

const wanted = process.argv[2] ?? "start";
const scenario = SCENARIOS[wanted];
if (scenario === undefined) {
  process.stderr.write(`No measurement is called ${wanted}; there are: ${Object.keys(SCENARIOS).join(", ")}\n`);
  process.exitCode = 2;
} else await scenario();
