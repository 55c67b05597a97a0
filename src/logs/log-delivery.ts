import { setTimeout } from "node:timers/promises";
import type { Log } from "../observability/log.ts";
import { LineSplitter } from "../util/line-splitter.ts";
import { appendEvents, bytesOf, type NewEvent } from "./log-events.ts";
import { ensureStream, type LogOwner, type LogStreamRow } from "./log-groups.ts";
import type { LogDb } from "./log-tables.ts";

/** The service's limit for one event. */
const MAX_LINE_BYTES = 256 * 1024;
/** What waits to be written is at most this much: beyond it whoever prints has to wait. */
const MAX_QUEUED_BYTES = 512 * 1024;
/** Events of this long are written together. */
const GATHER_MS = 200;
/** A prompt, say, is shown although no line feed follows. */
const UNFINISHED_LINE_MS = 2_000;
const RETRY_MS = 1_000;

export interface LogTarget extends LogOwner {
  readonly group: string;
  readonly stream: string;
}

export interface LogDeliveryOptions {
  readonly db: LogDb;
  readonly target: LogTarget;
  /** Whose output it is: its progress is kept under this name. */
  readonly source: string;
  readonly log: Log;
  readonly now?: () => number;
}

type Output = "stdout" | "stderr";

/**
 * Delivers one program's output to a log stream, line by line. How far it came is written together with the events, so
 * that nothing is lost or doubled by a crash: whoever opens it again reads on from `offset`.
 */
export class LogDelivery {
  readonly #options: LogDeliveryOptions;
  readonly #now: () => number;
  readonly #lines: Record<Output, LineSplitter>;
  #stream: LogStreamRow | undefined;
  #queue: NewEvent[] = [];
  #queuedBytes = 0;
  #offset: number;
  #isChanged = false;
  readonly #closing = new AbortController();
  #writing: Promise<void> | undefined;
  #unfinished: NodeJS.Timeout | undefined;

  private constructor(options: LogDeliveryOptions, progress: Progress) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#offset = progress.offset;
    this.#lines = {
      stdout: new LineSplitter({ maxBytes: MAX_LINE_BYTES, rest: progress.stdout }),
      stderr: new LineSplitter({ maxBytes: MAX_LINE_BYTES, rest: progress.stderr }),
    };
  }

  static async open(options: LogDeliveryOptions): Promise<LogDelivery> {
    return new LogDelivery(options, await readProgress(options.db, options.source));
  }

  /** Everything before this byte of the output was taken. */
  get offset(): number {
    return this.#offset;
  }

  /** Takes bytes up to the offset `end`; resolves when more may come. */
  async take(output: Output, bytes: Buffer, end: number): Promise<void> {
    this.#add(this.#lines[output].push(bytes));
    this.#offset = end;
    this.#isChanged = true;
    clearTimeout(this.#unfinished);
    this.#unfinished = globalThis.setTimeout(() => this.#endLines(), UNFINISHED_LINE_MS).unref();
    await this.#writeSoon();
  }

  /** A line of our own among the program's. */
  async note(line: string): Promise<void> {
    this.#add([line]);
    await this.#writeSoon();
  }

  /** The program has ended, so its last line has too. */
  async end(): Promise<void> {
    this.#endLines();
    await this.#writeSoon();
  }

  /** Whoever waits for room goes on: this is about to be closed. */
  stopWaiting(): void {
    this.#closing.abort();
  }

  /** Resolves when all that was taken is written, or cannot be. A line without its end is kept for the next delivery. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#unfinished);
    await this.#writing;
    if (this.#isChanged || this.#queue.length > 0) await this.#write().catch((cause: unknown) => this.#complain(cause));
  }

  #add(lines: readonly string[]): void {
    const timestamp = this.#now();
    const events = lines.filter((line) => line !== "").map((message) => ({ timestamp, message }));
    this.#queue.push(...events);
    this.#queuedBytes += bytesOf(events);
    if (events.length > 0) this.#isChanged = true;
  }

  #endLines(): void {
    this.#add([...this.#lines.stdout.end(), ...this.#lines.stderr.end()]);
    if (!this.#closing.signal.aborted) void this.#writeSoon();
  }

  async #writeSoon(): Promise<void> {
    if (this.#isChanged) this.#writing ??= this.#writeUntilDone().finally(() => (this.#writing = undefined));
    while (this.#queuedBytes > MAX_QUEUED_BYTES && !this.#closing.signal.aborted) await this.#writing;
  }

  async #writeUntilDone(): Promise<void> {
    while (this.#isChanged && !this.#closing.signal.aborted) {
      if (this.#queuedBytes < MAX_QUEUED_BYTES) await this.#pause(GATHER_MS);
      try {
        await this.#write();
      } catch (cause) {
        this.#complain(cause);
        this.#stream = undefined; // somebody may have deleted it
        await this.#pause(RETRY_MS);
      }
    }
  }

  async #write(): Promise<void> {
    const { db, target, source } = this.#options;
    const events = this.#queue;
    const row = {
      output_offset: this.#offset,
      stdout_rest: this.#lines.stdout.rest.toString("base64"),
      stderr_rest: this.#lines.stderr.rest.toString("base64"),
    };
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#isChanged = false;
    try {
      if (events.length > 0) this.#stream ??= await this.#openStream(target);
      const stream = this.#stream;
      await db.transaction().execute(async (within) => {
        if (stream !== undefined) await appendEvents(within, stream, events, this.#now());
        await within
          .insertInto("log_sources")
          .values({ id: source, ...row })
          .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
          .execute();
      });
    } catch (cause) {
      this.#queue = [...events, ...this.#queue];
      this.#queuedBytes = bytesOf(this.#queue);
      this.#isChanged = true;
      throw cause;
    }
  }

  /** Ends early when this is closed. */
  async #pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {});
  }

  #openStream(target: LogTarget): Promise<LogStreamRow> {
    return ensureStream(this.#options.db, target, { group: target.group, stream: target.stream, now: this.#now() });
  }

  #complain(cause: unknown): void {
    const { target, log } = this.#options;
    log.warn(
      { err: cause, group: target.group, stream: target.stream },
      "output could not be written to its log stream",
    );
  }
}

interface Progress {
  readonly offset: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function readProgress(db: LogDb, source: string): Promise<Progress> {
  const row = await db.selectFrom("log_sources").selectAll().where("id", "=", source).executeTakeFirst();
  return {
    offset: row?.output_offset ?? 0,
    stdout: Buffer.from(row?.stdout_rest ?? "", "base64"),
    stderr: Buffer.from(row?.stderr_rest ?? "", "base64"),
  };
}

/** Forgets how far a program's output was delivered: it will not be opened again. */
export async function forgetSource(db: LogDb, source: string): Promise<void> {
  await db.deleteFrom("log_sources").where("id", "=", source).execute();
}
