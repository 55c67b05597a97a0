import { loadConfig } from "../config/load-config.ts";
import { createLog } from "../observability/log.ts";
import { startServer } from "./server.ts";

const config = loadConfig();
const log = createLog(config.logLevel);

process.on("unhandledRejection", (reason) => {
  log.error({ err: reason }, "unhandled rejection");
});

try {
  const server = await startServer(config, log);
  let isStopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      server.stop().then(
        () => process.exit(0),
        (cause: unknown) => {
          log.error({ err: cause }, "stop failed");
          process.exit(1);
        },
      );
    });
  }
} catch (cause) {
  log.error({ err: cause }, "Catnap did not start");
  process.exit(1); // whatever a part that did not come up left running
}
