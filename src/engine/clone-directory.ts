import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../util/run-command.ts";
import { ENGINE_FILES, type TemplateFiles } from "./engine.ts";

/** Makes the directory of a new clone: it starts with a copy of the disk its template was snapshotted with. */
export async function makeCloneDirectory(directory: string, template: TemplateFiles): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const from = join(template.directory, ENGINE_FILES.templateUpper);
  await runCommand("cp", ["--reflink=auto", "--sparse=always", from, join(directory, ENGINE_FILES.upper)]);
}
