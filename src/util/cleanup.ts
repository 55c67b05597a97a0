/** Undo steps, run once in reverse; every step runs even when one fails. */
export class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];
  #hasRun = false;

  /** A step added after the clean-up ran is run at once, rather than leaked. */
  add(step: () => Promise<unknown>): void {
    if (this.#hasRun) void step().catch(() => {});
    else this.#steps.push(step);
  }

  /** The errors of the steps that failed. */
  async run(): Promise<unknown[]> {
    this.#hasRun = true;
    const errors: unknown[] = [];
    for (const step of this.#steps.splice(0).toReversed()) {
      await step().catch((error: unknown) => errors.push(error));
    }
    return errors;
  }
}
