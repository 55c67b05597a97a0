/** Ports remembered over all microVMs; most speak plain HTTP and need no memory. */
const MAX_REMEMBERED = 4096;

/** Which ports of which microVMs speak TLS: found out once, and kept while the microVM sleeps. */
export class TlsPorts {
  readonly #known = new Set<string>();

  has(microvmId: string, port: number): boolean {
    return this.#known.size > 0 && this.#known.has(`${microvmId}:${port}`);
  }

  add(microvmId: string, port: number): void {
    this.#known.add(`${microvmId}:${port}`);
    const oldest = this.#known.values().next().value;
    if (this.#known.size > MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }

  delete(microvmId: string, port: number): void {
    this.#known.delete(`${microvmId}:${port}`);
  }
}
