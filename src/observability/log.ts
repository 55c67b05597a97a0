import { writeSync } from "node:fs";
import { pino, type Logger } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

const STDOUT = 1;

/** JSON lines on stdout. Values that may be secret have names that are cut out wherever they appear. */
export function createLog(level: string, descriptor = STDOUT): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_PATHS, censor: "[secret]" },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    { write: (line) => writeOrDrop(descriptor, line) },
  );
}

/** A full disk must end no server, nor hold it at its exit as the library's own writer does: the line is lost. */
function writeOrDrop(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, line);
  } catch {
    // where the disk is full, whoever met that reports it
  }
}

const SECRET_PATHS = [
  "token",
  "*.token",
  "authToken",
  "*.authToken",
  "environment",
  "*.environment",
  "runHookPayload",
  "*.runHookPayload",
  "secretAccessKey",
  "*.secretAccessKey",
];
