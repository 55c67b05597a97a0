/** V8 collects its whole heap when it counts 64 MB more of buffers; each chunk of a body is one. */
const COLLECT_EVERY_BYTES = 32 * 1024 * 1024;

type Collect = (options: { readonly type: "minor" }) => unknown;

/**
 * Frees the buffers of bodies that passed. They are young and nearly all are dropped at once, but they live beside V8's
 * heap: its few new objects call for no collection, and its count of buffers calls for one of everything, twenty times in
 * a gigabyte. One of what is young takes less than a millisecond.
 */
export class YoungBuffers {
  readonly #collect: Collect | undefined;
  #bytes = 0;

  /** `collect`: only where the process was started with `--expose-gc`. */
  constructor(collect: Collect | undefined = globalThis.gc) {
    this.#collect = collect;
  }

  note(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collect?.({ type: "minor" });
  }
}

/** Of this process. */
export const youngBuffers = new YoungBuffers();
