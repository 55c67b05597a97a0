import type { LogDelivery } from "../logs/log-delivery.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { OutputFile } from "./output-file.ts";

const RETRY_MS = 250;

export interface LogPumpOptions {
  readonly link: GuestLink;
  readonly file: string;
  readonly fromOffset: number;
  /** The log stream that the output goes to as well; none when nobody wants it. It knows better how far it came. */
  readonly openDelivery: () => Promise<LogDelivery | undefined>;
  readonly onExit: (code: number) => void;
}

/** Copies a guest's output to its log file, from an offset of the guest's own ring on. */
export class LogPump {
  readonly #options: LogPumpOptions;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  #offset: number;
  #delivery: LogDelivery | undefined;

  constructor(options: LogPumpOptions) {
    this.#options = options;
    this.#offset = options.fromOffset;
    this.#finished = this.#run();
  }

  /** Everything before this offset is in the file. */
  get offset(): number {
    return this.#offset;
  }

  /** Reads no more. What was read may still be on its way to the log stream: see `closeDelivery`. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#delivery?.stopWaiting();
    await this.#finished;
  }

  async closeDelivery({ isFinal }: { isFinal: boolean }): Promise<void> {
    if (isFinal) void this.#delivery?.end();
    await this.#delivery?.close();
  }

  async #run(): Promise<void> {
    const output = new OutputFile(this.#options.file);
    this.#delivery = await this.#options.openDelivery();
    const delivery = this.#delivery;
    this.#offset = Math.max(this.#offset, delivery?.offset ?? 0);
    while (!this.#stop.signal.aborted) {
      try {
        for await (const event of this.#options.link.events(this.#offset, this.#stop.signal)) {
          if (event.kind === "exited") {
            await delivery?.end();
            this.#options.onExit(event.code);
          } else {
            const bytes =
              event.kind === "output" ? event.bytes : Buffer.from(`[${event.bytes} bytes of output dropped]\n`);
            await output.append(bytes);
            if (event.kind === "output") this.#offset = event.offset + event.bytes.length;
            if (event.kind === "output") await delivery?.take(event.stream, event.bytes, this.#offset);
            else await delivery?.note(`[${event.bytes} bytes of output were printed faster than they could be kept]`);
          }
        }
      } catch {
        // the link broke: the machine is going away, or the agent is busy; the offset says where to go on
      }
      if (!this.#stop.signal.aborted) await pause(RETRY_MS, this.#stop.signal);
    }
    await output.close();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
