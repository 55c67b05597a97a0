import { Broken } from "../counted/counted-microvm.ts";

/** What was done to a microVM that may end it, and how its end is then told. */
const TOLD = {
  "machine killed": /^The virtual machine of this MicroVM ended unexpectedly\.$|^The MicroVM could not be started: /,
  "sleeper's files damaged": /^The MicroVM could not be resumed: /,
  "suspend hook ignored": /^Suspend lifecycle hook timed out$/,
  "app ended": /^Container Stopped with Exit Code: 3$/,
  terminated: /^Success\.$/,
} as const;

export type Blow = keyof typeof TOLD;

/** The blows that one microVM was dealt. */
export class Fate {
  readonly #blows = new Set<Blow>();

  deal(blow: Blow): void {
    this.#blows.add(blow);
  }

  /** It lived through it. */
  spare(blow: Blow): void {
    this.#blows.delete(blow);
  }

  /** The blow that explains this end. Throws Broken when none does. */
  explain(microvmId: string, { state, reason }: { state: string; reason: string }, cause?: unknown): Blow {
    const blow = [...this.#blows].find((each) => TOLD[each].test(reason));
    if (state === "TERMINATED" && blow !== undefined) return blow;
    const dealt = [...this.#blows].join(", ") || "nothing";
    throw new Broken(`${microvmId} is ${state} (${reason || "no reason"}); what was done to it: ${dealt}`, { cause });
  }
}
