import { setTimeout } from "node:timers/promises";
import type { QmpClient } from "./qmp-client.ts";

const RETRY_MS = 1_000;

/**
 * A guest whose write finds the host's disk full is stopped by its monitor (`werror=enospc`, which is its default), the
 * write kept: an error instead would cost the guest what its kernel had promised to write, and its file system with it.
 * It is let go on until there is room.
 */
export class DiskStall {
  readonly #qmp: QmpClient;
  readonly #listeners: (() => void)[] = [];
  /** Stopped by ourselves: not to be let go on. */
  #isHeld = false;
  #isStalled = false;
  #isOver = false;

  constructor(qmp: QmpClient) {
    this.#qmp = qmp;
    void qmp.closed.then(() => (this.#isOver = true));
    qmp.onEvent("BLOCK_IO_ERROR", (data) => {
      if (isOutOfSpace(data)) this.noticed();
    });
  }

  /** As of now: that it goes on again is noticed a moment later. */
  async isStalled(): Promise<boolean> {
    return this.#isStalled && !(await this.#runs().catch(() => true));
  }

  onStall(listener: () => void): void {
    this.#listeners.push(listener);
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
  }

  /** The machine is seen to stand still. */
  noticed(): void {
    if (this.#isStalled) return;
    this.#isStalled = true;
    for (const listener of this.#listeners) listener();
    void this.#letGoOn().catch(() => {}); // the monitor is gone, which others are told
  }

  async #letGoOn(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(RETRY_MS, undefined, { ref: false });
      if (this.#isHeld || this.#isOver) continue;
      if (await this.#runs()) {
        this.#isStalled = false;
        return;
      }
      // Who held it meanwhile has told the monitor already, and must have the last word.
      if (!this.#isHeld) await this.#qmp.execute("cont");
    }
  }

  async #runs(): Promise<boolean> {
    const { status } = await this.#qmp.execute<{ status: string }>("query-status");
    return status === "running";
  }
}

/** Data of BLOCK_IO_ERROR (QEMU's qapi/block-core.json). */
function isOutOfSpace(data: unknown): boolean {
  return typeof data === "object" && data !== null && "nospace" in data && data.nospace === true;
}
