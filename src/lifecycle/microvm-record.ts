import type { Log } from "../observability/log.ts";
import type { MicrovmState } from "../model/states.ts";
import type { MicrovmChange, MicrovmRow, MicrovmStore } from "../store/microvm-store.ts";

/** The row of one microVM: on disk first, then in memory. */
export class MicrovmRecord {
  readonly id: string;
  readonly #store: MicrovmStore;
  readonly #log: Log;
  #row: MicrovmRow;
  #isStored = true;

  constructor({ store, log }: { store: MicrovmStore; log: Log }, row: MicrovmRow) {
    this.id = row.id;
    this.#store = store;
    this.#log = log;
    this.#row = row;
  }

  get row(): MicrovmRow {
    return this.#row;
  }

  get state(): MicrovmState {
    return this.#row.state;
  }

  /** Whether the last change that was worth a write is on disk. */
  get isStored(): boolean {
    return this.#isStored;
  }

  /** Throws, and changes nothing, when the store cannot record it. */
  async update(change: MicrovmChange): Promise<void> {
    await this.#store.update(this.id, change);
    this.#isStored = true;
    this.assume(change);
  }

  /** For what is true whether it can be recorded or not, and what `recoverMicrovm` makes right again. */
  async tryUpdate(change: MicrovmChange): Promise<boolean> {
    const error = await this.#store.update(this.id, change).then(
      () => undefined,
      (cause: unknown) => ({ cause }),
    );
    this.assume(change);
    if (error !== undefined)
      this.#log.error(
        { err: error.cause, microvmId: this.id, state: this.state },
        "a microVM's state could not be stored",
      );
    this.#isStored = error === undefined;
    return this.#isStored;
  }

  /** In memory alone: what passes before it would be worth a write. */
  assume(change: MicrovmChange): void {
    this.#row = { ...this.#row, ...change };
  }
}
