import type { ContainerConfig } from "../model/container.ts";
import { MAX_START_CONFIG_BYTES } from "../model/guest.ts";
import { encodeRecords } from "./records.ts";

/** Body of the start request: NUL-terminated "key=value" records (guest/PROTOCOL.md). */
export function encodeStartConfig(config: ContainerConfig): Buffer {
  const records = [
    `dir=${config.workingDir === "" ? "/" : config.workingDir}`,
    `user=${config.user}`,
    `stop-signal=${config.stopSignal}`,
    `capabilities=${config.allCapabilities ? "all" : "default"}`,
    ...config.argv.map((argument) => `arg=${argument}`),
    ...Object.entries(config.env).map(([name, value]) => `env=${name}=${value}`),
  ];
  return encodeRecords(
    records,
    MAX_START_CONFIG_BYTES,
    "The container's command, environment, user or working directory",
  );
}
