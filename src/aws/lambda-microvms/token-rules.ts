import type { MicrovmService, MicrovmView } from "../../lifecycle/microvm-service.ts";
import { must } from "../../util/assert.ts";
import type { OperationContext } from "../service.ts";
import { microvmNotFound, validation } from "./faults.ts";
import { requireMicrovm } from "./microvm-view.ts";

const MAX_MINUTES = 60;
const MS_PER_MINUTE = 60_000;

interface TokenInput {
  readonly microvmIdentifier?: string;
  readonly expirationInMinutes?: number;
}

/** When a token asked for at `now` ends; the upper limit is the server's own, not the model's (contract 1.2). */
export function tokenExpiry(input: TokenInput, now: number): Date {
  const minutes = must(input.expirationInMinutes, "an expiration");
  if (minutes > MAX_MINUTES) throw validation(`ExpirationMinutes ${minutes} exceeded max allowed of ${MAX_MINUTES}.`);
  return new Date(now + minutes * MS_PER_MINUTE);
}

/** Any microVM that is or will be reachable: also PENDING and SUSPENDED ones, but none that is gone. */
export async function requireReachable(
  microvms: MicrovmService,
  context: OperationContext,
  input: TokenInput,
): Promise<MicrovmView> {
  const id = must(input.microvmIdentifier, "a microVM");
  const view = await requireMicrovm(microvms, context, id);
  if (view.state === "TERMINATING" || view.state === "TERMINATED") throw microvmNotFound(id);
  return view;
}
