import { stat } from "node:fs/promises";
import type { EngineCapabilities } from "../engine/engine.ts";
import type { EnginesInUse } from "../images/sweep-templates.ts";
import type { EngineReport } from "../model/engine-report.ts";
import { writeFileDurably } from "../util/write-file-durably.ts";

/** Keeps `file` true; the host's files are told as they are now, when the engine was made of them. */
export async function openEngineReport(
  file: string,
  { fingerprint, hostFiles }: EngineCapabilities,
): Promise<(uses: EnginesInUse) => Promise<void>> {
  const files = await Promise.all(
    hostFiles.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return { path, bytes: size, modifiedMs: mtimeMs };
    }),
  );
  return (uses) => {
    const report: EngineReport = { engine: fingerprint, hostFiles: files, uses: Object.fromEntries(uses) };
    return writeFileDurably(file, `${JSON.stringify(report, null, 2)}\n`, 0o600);
  };
}
