import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export const PROJECT = join(import.meta.dirname, "../..");
export const CATNAP = join(PROJECT, "bin/catnap");

const VENV_AWS = join(PROJECT, ".cache/awscli/bin/aws");
/** The AWS CLI of the test tools, or the system's. */
export const AWS = existsSync(VENV_AWS) ? VENV_AWS : "aws";

export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program as a user would, and gives back whatever it did. */
export function runProgram(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => {});
    child.stdin.end(options.input);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/** As runProgram, but anything but success is an error that shows what the program said. */
export async function mustRun(
  file: string,
  args: readonly string[],
  options: Parameters<typeof runProgram>[2] = {},
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} exited with ${code}\n${stdout}\n${stderr}`);
  return stdout;
}
