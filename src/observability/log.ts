import { pino, type Logger } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

/** JSON lines on stdout. Values that may be secret have names that are cut out wherever they appear. */
export function createLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_PATHS, censor: "[secret]" },
    serializers: { err: pino.stdSerializers.errWithCause },
  });
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
