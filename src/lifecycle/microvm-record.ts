import type { Meter } from "../metering/meter.ts";
import type { Log } from "../observability/log.ts";
import type { MicrovmState } from "../model/states.ts";
import type { MicrovmChange, MicrovmRow, MicrovmStore } from "../store/microvm-store.ts";
import { SerialQueue } from "../util/serial-queue.ts";

const RETRY_MS = 10_000;

/** Where microVMs are recorded, and what notes their usage with every change of state. */
export interface RecordKeeping {
  readonly store: MicrovmStore;
  readonly log: Log;
  readonly meter?: Pick<Meter, "entryFor">;
}

/** The row of one microVM: on disk first, then in memory. */
export class MicrovmRecord {
  readonly id: string;
  readonly #store: MicrovmStore;
  readonly #log: Log;
  readonly #meter: RecordKeeping["meter"];
  readonly #writes = new SerialQueue();
  #row: MicrovmRow;
  /** True, but not on disk: goes there with the next write. */
  #unsaved: MicrovmChange = {};

  constructor({ store, log, meter }: RecordKeeping, row: MicrovmRow) {
    this.id = row.id;
    this.#store = store;
    this.#log = log;
    this.#meter = meter;
    this.#row = row;
  }

  get row(): MicrovmRow {
    return this.#row;
  }

  get state(): MicrovmState {
    return this.#row.state;
  }

  get isSaved(): boolean {
    return Object.keys(this.#unsaved).length === 0;
  }

  /** Throws, and changes nothing, when the store cannot record it. */
  async update(change: MicrovmChange): Promise<void> {
    await this.#writes.run(async () => {
      const all = { ...this.#unsaved, ...change };
      const entry = all.state === undefined ? undefined : await this.#meter?.entryFor({ ...this.#row, ...all });
      await this.#store.update(this.id, all, entry?.write);
      entry?.committed();
      this.#unsaved = {};
      this.assume(change);
    });
  }

  /** For what is true whether it can be recorded or not, and what `recoverMicrovm` makes right again. */
  async tryUpdate(change: MicrovmChange): Promise<boolean> {
    try {
      await this.update(change);
    } catch (cause) {
      this.assume(change);
      this.#unsaved = { ...this.#unsaved, ...change };
      setTimeout(() => void this.#retry(), RETRY_MS).unref();
      this.#log.error(
        { err: cause, microvmId: this.id, state: this.state },
        "a microVM's state could not be stored; it is tried again",
      );
    }
    return this.isSaved;
  }

  /** In memory alone: what passes before it would be worth a write. */
  assume(change: MicrovmChange): void {
    this.#row = { ...this.#row, ...change };
  }

  async #retry(): Promise<void> {
    if (!this.isSaved) await this.tryUpdate({});
  }
}
