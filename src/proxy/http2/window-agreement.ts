import { DEFAULT_WINDOW_BYTES } from "./frames.ts";

/** How long the other side may go on by an old window. */
const AGREE_WITHIN_MS = 10_000;

/** What streams begin with, from when the other side has agreed to it (RFC 9113, 6.5.3, 6.9.2). */
export class WindowAgreement {
  #initialBytes = DEFAULT_WINDOW_BYTES;
  readonly #proposed: number[];
  #agreeBy = Number.POSITIVE_INFINITY;

  /** `first`: the first proposal, which may be answered at any time: the window that everybody begins with is narrower. */
  constructor(first: number) {
    this.#proposed = [first];
  }

  /** As both sides know. */
  get initialBytes(): number {
    return this.#initialBytes;
  }

  get isPending(): boolean {
    return this.#proposed.length > 0;
  }

  propose(initialBytes: number): void {
    this.#proposed.push(initialBytes);
    this.#agreeBy = performance.now() + AGREE_WITHIN_MS;
  }

  /** The other side goes by what was proposed: the change for open streams, or undefined when nothing was. */
  agree(): number | undefined {
    const agreed = this.#proposed.shift();
    if (agreed === undefined) return undefined;
    if (!this.isPending) this.#agreeBy = Number.POSITIVE_INFINITY;
    const change = agreed - this.#initialBytes;
    this.#initialBytes = agreed;
    return change;
  }

  /** `now`: by `performance.now()`. */
  isOverdue(now: number): boolean {
    return now >= this.#agreeBy;
  }
}
