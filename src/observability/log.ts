import { pino, type Logger } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

const STDOUT = 1;
/** Kept while the disk is full; more lines are dropped. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** JSON lines on stdout. Values that may be secret have names that are cut out wherever they appear. */
export function createLog(level: string, descriptor = STDOUT): Log {
  const destination = pino.destination({ dest: descriptor, sync: false, maxLength: MAX_BUFFERED_BYTES });
  // Without a listener a full disk would end the server. What could not be written is tried again with the next line.
  destination.on("error", () => {});
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_PATHS, censor: "[secret]" },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    destination,
  );
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
