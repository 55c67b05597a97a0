import type { GuestEvent, GuestLink } from "../../src/guest-link/guest-link.ts";
import type { SlotLease } from "../../src/network/slot-pool.ts";
import { MemoryEngine } from "./memory-engine.ts";

/** The host below a server, without machines or networks: what runs on it outlives the server, as on a real one. */
export class MemoryHost {
  readonly engine = new MemoryEngine();
  readonly #leased = new Set<number>();
  #nextSlot = 0;

  readonly slots = {
    acquire: async () => this.#lease(this.#nextSlot++),
    adopt: (number: number) => (this.#leased.has(number) ? this.#lease(number) : undefined),
  };

  /** A guest whose app runs on and serves nothing. */
  readonly link = {
    wake: async () => {},
    status: async () => ({ app: "running", pid: 2 }) as const,
    relay: async () => ({ refused: "port-closed" }) as const,
    events: silence,
  } as Partial<GuestLink> as GuestLink;

  #lease(number: number): SlotLease {
    this.#leased.add(number);
    return {
      number,
      network: { namespace: "n", tap: "t", mac: "m", userId: 1 },
      guest: { host: "127.0.0.1", port: 1 },
      setEgress: async () => {},
      release: async () => void this.#leased.delete(number),
    };
  }
}

async function* silence(_from: number, signal: AbortSignal): AsyncGenerator<GuestEvent> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  yield* [];
}
