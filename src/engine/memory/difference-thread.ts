import { Worker } from "node:worker_threads";
import { AppError } from "../../errors/app-error.ts";
import type { ErrorCode } from "../../errors/catalogue.ts";
import type { DifferenceJob } from "./difference-job.ts";

export type DifferenceAnswer =
  | { readonly id: number; readonly bytes: number }
  | { readonly id: number; readonly code: ErrorCode; readonly message: string };

interface Waiting {
  readonly resolve: (bytes: number) => void;
  readonly reject: (cause: Error) => void;
}

/** Saves and loads page differences on a thread of its own; it starts with the first job and does not keep a process alive. */
export class DifferenceThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** Starts the thread ahead of its first job. */
  warmUp(): void {
    this.#worker ??= this.#start();
  }

  /** Bytes of the difference, for a save; AppError when it cannot be used. */
  run(job: DifferenceJob): Promise<number> {
    this.warmUp();
    const id = ++this.#lastId;
    this.#worker?.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker?.postMessage({ id, job });
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("difference-worker.ts", import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 4 }, // it allocates buffers, hardly any objects
    });
    worker.unref();
    worker.on("message", (answer: DifferenceAnswer) => this.#settle(answer));
    worker.on("error", (cause) => this.#giveUp(worker, cause));
    worker.on("exit", () => this.#giveUp(worker, new Error("The thread for page differences ended")));
    return worker;
  }

  #settle(answer: DifferenceAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ("bytes" in answer) waiting?.resolve(answer.bytes);
    else waiting?.reject(new AppError(answer.code, { message: answer.message }));
  }

  #giveUp(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const fault = new AppError("ERR_ENGINE_MEMORY", { cause });
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
  }
}
