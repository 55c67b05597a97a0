const REMEMBERED = 256;

/** Streams that were given up on this side lately: frames for them may still be under way, and are no error. */
export class OwnResets {
  readonly #streams = new Set<number>();

  add(stream: number): void {
    this.#streams.add(stream);
    if (this.#streams.size <= REMEMBERED) return;
    for (const oldest of this.#streams) {
      this.#streams.delete(oldest);
      return;
    }
  }

  has(stream: number): boolean {
    return this.#streams.has(stream);
  }
}
