import { MAX_SESSION_CONFIG_BYTES } from "../model/guest.ts";
import type { SessionRequest } from "./guest-link.ts";
import { encodeRecords } from "./records.ts";

/** Body of the session request (guest/PROTOCOL.md). Throws ERR_GUEST_REFUSED for what no process can be given. */
export function encodeSessionConfig(request: SessionRequest): Buffer {
  const { argv, env = {}, workingDir, user, terminal, isBusybox } = request;
  const records = [
    ...argv.map((argument) => `arg=${argument}`),
    ...Object.entries(env).map(([name, value]) => `env=${name}=${value}`),
    ...(workingDir === undefined ? [] : [`dir=${workingDir}`]),
    ...(user === undefined ? [] : [`user=${user}`]),
    ...(terminal === undefined ? [] : [`terminal=${terminal.columns}x${terminal.rows}`]),
    ...(isBusybox === true ? ["program=busybox"] : []),
  ];
  return encodeRecords(records, MAX_SESSION_CONFIG_BYTES, "The session's command or environment");
}
