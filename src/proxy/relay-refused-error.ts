import { AppError } from "../errors/app-error.ts";
import type { RelayRefusal } from "../guest-link/guest-link.ts";

/** Carries a relay's refusal through node's HTTP agent, which passes on nothing but errors. */
export class RelayRefusedError extends AppError {
  readonly refused: RelayRefusal["refused"];

  constructor(refusal: RelayRefusal) {
    const cause = "cause" in refusal ? refusal.cause : undefined;
    super(refusal.refused === "port-closed" ? "ERR_GUEST_REFUSED" : "ERR_GUEST_UNREACHABLE", { cause });
    this.refused = refusal.refused;
  }
}
