import { AppError } from "../errors/app-error.ts";
import type { ContainerConfig } from "../model/container.ts";
import { MAX_START_CONFIG_BYTES } from "../model/guest.ts";

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
  if (records.some((record) => record.includes("\0"))) {
    throw new AppError("ERR_GUEST_REFUSED", {
      message:
        "The container's command, environment, user or working directory holds a NUL byte, which no process can be given",
    });
  }
  const body = Buffer.from(records.map((record) => `${record}\0`).join(""), "utf8");
  if (body.length > MAX_START_CONFIG_BYTES) {
    const message = `The container's command and environment take ${body.length} bytes; at most ${MAX_START_CONFIG_BYTES} are possible`;
    throw new AppError("ERR_GUEST_REFUSED", { message });
  }
  return body;
}
