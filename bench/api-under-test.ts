import { openControlPlane } from "../test/support/control-plane.ts";

/** A process of its own with the API over machines in memory: `node api-under-test.ts HOME`; prints where, as JSON. */
const plane = await openControlPlane({ home: process.argv[2] ?? "", environment: { CATNAP_LOG_LEVEL: "info" } });
console.log(JSON.stringify({ port: plane.port, key: plane.key }));
process.once("SIGINT", () => process.exit());
