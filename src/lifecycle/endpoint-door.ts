/**
 * Whether endpoint traffic may reach a microVM now. Closed before a transition is recorded, open after. Who is inside when
 * it closes may finish; when it is shut, what is left is cut.
 */
export class EndpointDoor {
  readonly #listeners = new Set<() => void>();
  #isOpen = false;
  #inside = 0;
  #whenEmpty: (() => void) | undefined;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** A request goes in; call what is returned when it has its answer. Undefined: the door is closed. */
  enter(): (() => void) | undefined {
    if (!this.#isOpen) return undefined;
    let isInside = true;
    this.#inside++;
    return () => {
      if (isInside && --this.#inside === 0) this.#whenEmpty?.();
      isInside = false;
    };
  }

  /** Lets nobody else in. */
  close(): void {
    this.#isOpen = false;
  }

  /** Resolves when nobody is inside, or when that takes too long. */
  async drained(limitMs: number): Promise<void> {
    if (this.#inside === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#whenEmpty = undefined;
  }

  /** Connections through it are dead from here on, and those who hold some are told. */
  shut(): void {
    this.#isOpen = false;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  onShut(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
