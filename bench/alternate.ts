import type { Usage } from "./processes.ts";
import { progress } from "./scenario.ts";

/** One measurement: to the client's first useful byte. */
export interface Sample extends Partial<Usage> {
  readonly ms: number;
}

export interface Contender {
  readonly name: string;
  /** Starts from nothing, answers one request, and is gone again when this resolves. */
  round(): Promise<Sample>;
}

/** A contender whose rounds would take longer than this altogether is measured in fewer of them, at least one. */
const PATIENCE_MS = 60_000;

/**
 * Measures contenders in turn, so that what else happens on the machine happens to all of them; the first round of each
 * warms up and is not counted. Whoever cannot run here is left out, aloud.
 */
export async function alternate(contenders: readonly Contender[], rounds: number): Promise<Map<string, Sample[]>> {
  const left = new Map<Contender, number>();
  const samples = new Map<string, Sample[]>();
  for (const contender of contenders) {
    try {
      const { ms } = await contender.round();
      left.set(contender, Math.max(1, Math.min(rounds, Math.floor(PATIENCE_MS / ms))));
      samples.set(contender.name, []);
      progress(`${contender.name}: warm-up ${ms.toFixed(0)} ms, ${left.get(contender)} rounds follow`);
    } catch (cause) {
      progress(`${contender.name}: left out: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [contender, wanted] of left) {
      if (round > wanted) continue;
      const sample = await contender.round();
      samples.get(contender.name)?.push(sample);
      progress(`round ${round}: ${contender.name}: ${sample.ms.toFixed(0)} ms`);
    }
  }
  return samples;
}
