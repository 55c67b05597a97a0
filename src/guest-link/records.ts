import { AppError } from "../errors/app-error.ts";

/** A request's body: records, each ended by NUL. `what` they are of is named in the refusal of ones that do not fit. */
export function encodeRecords(records: readonly string[], maxBytes: number, what: string): Buffer {
  if (records.some((record) => record.includes("\0"))) {
    throw new AppError("ERR_GUEST_REFUSED", { message: `${what} holds a NUL byte, which no process can be given` });
  }
  const body = Buffer.from(records.map((record) => `${record}\0`).join(""), "utf8");
  if (body.length > maxBytes) {
    const message = `${what} takes ${body.length} bytes; at most ${maxBytes} are possible`;
    throw new AppError("ERR_GUEST_REFUSED", { message });
  }
  return body;
}
