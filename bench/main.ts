import { api } from "./api.ts";
import { density } from "./density.ts";
import { proxy } from "./proxy.ts";
import { proxyStreams } from "./proxy-streams.ts";
import { sleepers } from "./sleepers.ts";
import { start } from "./start.ts";
import { storm } from "./storm.ts";

/** Measurements side by side: ./dev bench [name]. */
const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = {
  start,
  proxy,
  "proxy-streams": proxyStreams,
  api,
  density,
  storm,
  sleepers,
};

const wanted = process.argv[2] ?? "start";
const scenario = SCENARIOS[wanted];
if (scenario === undefined) {
  process.stderr.write(`No measurement is called ${wanted}; there are: ${Object.keys(SCENARIOS).join(", ")}\n`);
  process.exitCode = 2;
} else await scenario();
