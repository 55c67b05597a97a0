import { spawn } from "node:child_process";
import { AppError } from "../errors/app-error.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string | undefined>;
  readonly input?: string;
  readonly signal?: AbortSignal;
  /** Called per chunk of stdout or stderr as it arrives. */
  readonly onOutput?: (chunk: Buffer, stream: "stdout" | "stderr") => void;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** Bytes of output kept per stream; more only reaches `onOutput`. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** Runs a program with an argument array, never through a shell; a non-zero exit is ERR_COMMAND_FAILED with its stderr. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      signal: options.signal,
      killSignal: "SIGKILL", // some tools that start others hear nothing less
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    const kept = { stdout: keepBounded(), stderr: keepBounded() };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.on("data", (chunk: Buffer) => {
        kept[stream].add(chunk);
        options.onOutput?.(chunk, stream);
      });
    }
    child.stdin?.on("error", () => {}); // the exit code tells more than EPIPE does
    child.stdin?.end(options.input);
    let cancelled: Error | undefined;
    child.on("error", (cause: NodeJS.ErrnoException) => {
      if (cause.name === "AbortError") cancelled = cause; // told at its end: until then it works on what it was given
      else if (cause.code === "ENOENT" && cause.path === file) {
        reject(new AppError("ERR_HOST_MISSING_TOOL", { message: `${file} is not installed; run ./dev setup`, cause }));
      } else reject(new AppError("ERR_COMMAND_FAILED", { cause }));
    });
    child.on("close", (code, killedBy) => {
      const result = { stdout: kept.stdout.text(), stderr: kept.stderr.text() };
      if (code === 0) return resolve(result);
      if (cancelled !== undefined) return reject(new AppError("ERR_CANCELLED", { cause: cancelled }));
      const how = killedBy ? `was killed by ${killedBy}` : `exited with code ${code}`;
      const message = `${file} ${how}: ${(result.stderr || result.stdout).trim().slice(-2000)}`;
      reject(new AppError("ERR_COMMAND_FAILED", { message, details: { file, args, code, killedBy } }));
    });
  });
}

function keepBounded(): { add(chunk: Buffer): void; text(): string } {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk) {
      if (size >= MAX_KEPT_BYTES) return;
      chunks.push(chunk);
      size += chunk.length;
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}
