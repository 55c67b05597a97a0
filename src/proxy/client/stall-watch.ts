import type { ExchangeRecord } from "../exchange-record.ts";
import { sendRefusal } from "../refusal.ts";

const CHECK_MS = 5000;

export interface StallLimits {
  /** How long a client of HTTP/1.1 may leave an application waiting for the body it announced; 120 s. */
  readonly uploadMs?: number;
  /** How long a client may take no byte of an answer that waits for it; 300 s. */
  readonly downloadMs?: number;
  /** How often is looked; 5 s. */
  readonly checkMs?: number;
}

/** Ends exchanges whose client neither sends nor takes what is due, one timer for all. */
export class StallWatch {
  readonly #records = new Set<ExchangeRecord>();
  readonly #uploadMs: number;
  readonly #downloadMs: number;
  readonly #timer: NodeJS.Timeout;

  constructor({ uploadMs = 120_000, downloadMs = 300_000, checkMs = CHECK_MS }: StallLimits = {}) {
    this.#uploadMs = uploadMs;
    this.#downloadMs = downloadMs;
    this.#timer = setInterval(this.#check, checkMs).unref();
  }

  add(record: ExchangeRecord): void {
    this.#records.add(record);
  }

  delete(record: ExchangeRecord): void {
    this.#records.delete(record);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  readonly #check = (): void => {
    const now = performance.now();
    for (const record of this.#records) {
      const { bytes } = record;
      if (bytes !== record.lastBytes) {
        record.lastBytes = bytes;
        record.stillSince = now;
      } else this.#judge(record, now - record.stillSince);
    }
  };

  #judge(record: ExchangeRecord, stillMs: number): void {
    const { client } = record;
    if (client.isDone || client.upgrade !== undefined) return; // nobody can say what is due in another protocol
    if (client.unsentBytes > 0) {
      if (stillMs > this.#downloadMs) client.cut();
      return;
    }
    // Streams of HTTP/2 are often conversations, and cost little.
    const owesBody = client.version !== "2" && record.isBodyAwaited && !client.isBegun;
    if (!owesBody || stillMs < this.#uploadMs) return;
    record.refused = "request-timeout";
    sendRefusal(client, { refused: "request-timeout" });
  }
}
