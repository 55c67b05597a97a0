import { createWriteStream, type WriteStream } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { once } from "node:events";
import type { GuestLink } from "../guest-link/guest-link.ts";

/** A log file is turned over at this size, once: a flooding guest costs at most twice this on disk. */
const MAX_LOG_BYTES = 32 * 1024 * 1024;
const RETRY_MS = 250;

export interface LogPumpOptions {
  readonly link: GuestLink;
  readonly file: string;
  readonly fromOffset: number;
  readonly onExit: (code: number) => void;
}

/** Copies a guest's output to its log file, from an offset of the guest's own ring on. */
export class LogPump {
  readonly #options: LogPumpOptions;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  #offset: number;

  constructor(options: LogPumpOptions) {
    this.#options = options;
    this.#offset = options.fromOffset;
    this.#finished = this.#run();
  }

  /** Everything before this offset is in the file. */
  get offset(): number {
    return this.#offset;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    let output = await openLog(this.#options.file);
    while (!this.#stop.signal.aborted) {
      try {
        for await (const event of this.#options.link.events(this.#offset, this.#stop.signal)) {
          if (event.kind === "exited") {
            this.#options.onExit(event.code);
          } else {
            const bytes =
              event.kind === "output" ? event.bytes : Buffer.from(`[${event.bytes} bytes of output dropped]\n`);
            if (!output.stream.write(bytes)) await once(output.stream, "drain");
            if (event.kind === "output") this.#offset = event.offset + event.bytes.length;
            output.size += bytes.length;
            if (output.size > MAX_LOG_BYTES) output = await turnOver(output, this.#options.file);
          }
        }
      } catch {
        // the link broke: the machine is going away, or the agent is busy; the offset says where to go on
      }
      if (!this.#stop.signal.aborted) await pause(RETRY_MS, this.#stop.signal);
    }
    output.stream.end();
    await once(output.stream, "close");
  }
}

interface OpenLog {
  readonly stream: WriteStream;
  size: number;
}

async function openLog(file: string): Promise<OpenLog> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  stream.on("error", () => {}); // a full disk must not take the server down; "close" follows
  return { stream, size };
}

async function turnOver(output: OpenLog, file: string): Promise<OpenLog> {
  output.stream.end();
  await once(output.stream, "close");
  await rename(file, `${file}.1`);
  return openLog(file);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
