import { randomBytes } from "node:crypto";
import type { GuestLink } from "./guest-link.ts";

/** Randomness handed to a woken guest's kernel. */
const ENTROPY_BYTES = 64;

/** After every restore and before anything else: the host's clock, fresh randomness, dead non-local TCP. */
export async function wakeGuest(link: GuestLink): Promise<void> {
  await link.wake({ wallClock: new Date(), entropy: randomBytes(ENTROPY_BYTES) });
}
