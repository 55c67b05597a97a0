import { randomBytes } from "node:crypto";
import type { GuestLink, WakeOptions } from "./guest-link.ts";

/** Randomness handed to a woken guest's kernel. */
const ENTROPY_BYTES = 64;

/** After every restore and before anything else: the host's clock, fresh randomness, dead non-local TCP. */
export async function wakeGuest(link: GuestLink): Promise<void> {
  await link.wake(now());
}

/** All of it ahead of time, for a guest whose app is frozen. */
export async function rehearseWake(link: GuestLink): Promise<void> {
  await link.rehearse(now());
}

function now(): WakeOptions {
  return { wallClock: new Date(), entropy: randomBytes(ENTROPY_BYTES) };
}
