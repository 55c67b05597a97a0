/** Measurements side by side: ./dev bench [name]. Each reads its own arguments when it is loaded. */
const SCENARIOS: Readonly<Record<string, () => Promise<void>>> = {
  start: async () => (await import("./start.ts")).start(),
  alternatives: async () => (await import("./alternatives.ts")).alternatives(),
  proxy: async () => (await import("./proxy.ts")).proxy(),
  "proxy-streams": async () => (await import("./proxy-streams.ts")).proxyStreams(),
  api: async () => (await import("./api.ts")).api(),
  density: async () => (await import("./density.ts")).density(),
  storm: async () => (await import("./storm.ts")).storm(),
  sleepers: async () => (await import("./sleepers.ts")).sleepers(),
  mixed: async () => (await import("./mixed.ts")).mixed(),
  fair: async () => (await import("./fair.ts")).fair(),
};

const wanted = process.argv[2] ?? "start";
const scenario = SCENARIOS[wanted];
if (scenario === undefined) {
  process.stderr.write(`No measurement is called ${wanted}; there are: ${Object.keys(SCENARIOS).join(", ")}\n`);
  process.exitCode = 2;
} else await scenario();
