/** Whether endpoint traffic may reach a microVM now. Shut before a transition is recorded, open after. */
export class EndpointDoor {
  readonly #listeners = new Set<() => void>();
  #isOpen = false;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
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
