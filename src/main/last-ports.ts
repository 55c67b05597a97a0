import { readFile } from "node:fs/promises";
import type { ServerInfo } from "../model/server-info.ts";
import type { Ports } from "./doors.ts";

/**
 * Ports that "any free one" meant last time: endpoints handed out then should still answer. The file stays until the new
 * server writes its own, so that a start that is cut short forgets nothing.
 */
export async function readLastPorts(serverInfo: string): Promise<Ports> {
  const text = await readFile(serverInfo, "utf8").catch(() => undefined);
  if (text === undefined) return { api: 0, endpoint: 0 };
  const last = JSON.parse(text) as ServerInfo;
  return { api: Number(new URL(last.apiUrl).port), endpoint: last.endpointPort };
}
