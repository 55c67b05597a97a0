import { join } from "node:path";

/** Where everything lives below CATNAP_HOME. */
export interface HomePaths {
  readonly home: string;
  readonly pidFile: string;
  readonly serverInfo: string;
  readonly database: string;
  /** Log groups, streams and events. */
  readonly logDatabase: string;
  readonly certificates: string;
  readonly objects: string;
  readonly images: string;
  readonly rootfs: string;
  /** Formatted empty disks, one per size. */
  readonly emptyDisks: string;
  readonly microvms: string;
  /** Machines started ahead, of no microVM yet. */
  readonly preparedMachines: string;
  /** Empty; the root directory of the virtual machine monitors. */
  readonly jailRoot: string;
  /** Monitors, kernels and agents that snapshots were made with. */
  readonly engines: string;
  readonly engineReport: string;
  readonly buildWork: string;
  readonly containerStorage: string;
  readonly log: string;
  /** One JSON line per API call. */
  readonly auditLog: string;
}

export function homePaths(home: string): HomePaths {
  return {
    home,
    pidFile: join(home, "catnap.pid"),
    serverInfo: join(home, "server.json"),
    database: join(home, "catnap.db"),
    logDatabase: join(home, "logs.db"),
    certificates: join(home, "tls"),
    objects: join(home, "s3"),
    images: join(home, "images"),
    rootfs: join(home, "rootfs"),
    emptyDisks: join(home, "empty-disks"),
    microvms: join(home, "microvms"),
    preparedMachines: join(home, "prepared"),
    jailRoot: join(home, "empty"),
    engines: join(home, "engines"),
    engineReport: join(home, "engines.json"),
    buildWork: join(home, "builds"),
    containerStorage: join(home, "containers"),
    log: join(home, "catnap.log"),
    auditLog: join(home, "audit.log"),
  };
}
