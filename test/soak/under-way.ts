/** What the server is asked to do at this moment, so that faults can strike in the midst of it. */
export type Work = "build" | "run" | "suspend" | "resume" | "terminate" | "delete";

export const WORKS: readonly Work[] = ["build", "run", "suspend", "resume", "terminate", "delete"];

export class UnderWay {
  readonly #counts = new Map<Work, number>();
  readonly #waiting = new Map<Work, (() => void)[]>();

  async during<T>(work: Work, call: () => Promise<T>): Promise<T> {
    this.#counts.set(work, this.#count(work) + 1);
    for (const wake of this.#waiting.get(work)?.splice(0) ?? []) wake();
    try {
      return await call();
    } finally {
      this.#counts.set(work, this.#count(work) - 1);
    }
  }

  get now(): Work[] {
    return WORKS.filter((work) => this.#count(work) > 0);
  }

  /** Resolves when such work is under way, or when that takes too long. */
  async next(work: Work, limitMs: number): Promise<void> {
    if (this.#count(work) > 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      const waiting = this.#waiting.get(work) ?? [];
      this.#waiting.set(work, [...waiting, () => (clearTimeout(timer), resolve())]);
    });
  }

  #count(work: Work): number {
    return this.#counts.get(work) ?? 0;
  }
}
