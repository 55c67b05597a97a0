/** Holds everybody up between two operations, so that what is looked at meanwhile stands still. */
export class Gate {
  #inside = 0;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  /** One operation. Waits while the gate is closed. */
  async pass<T>(operation: () => Promise<T>): Promise<T> {
    while (this.#isClosed) await this.#changed.promise;
    this.#inside++;
    try {
      return await operation();
    } finally {
      this.#inside--;
      this.#tell();
    }
  }

  /** Runs when everybody is out, and nobody comes in meanwhile. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#isClosed = true;
    try {
      while (this.#inside > 0) await this.#changed.promise;
      return await work();
    } finally {
      this.#isClosed = false;
      this.#tell();
    }
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
