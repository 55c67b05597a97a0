import type { Guest } from "./guest-directory.ts";

/** A build, as its machines are to be known. */
export interface BuildIdentity {
  readonly buildId: string;
  readonly accountId: string;
  readonly region: string;
  readonly imageArn: string;
  readonly buildRoleArn: string;
}

/** Machines of builds: no record names them, and none outlives the server. */
export class BuildGuests {
  readonly #bySlot = new Map<number, Guest>();

  find(slot: number): Guest | undefined {
    return this.#bySlot.get(slot);
  }

  /** Who calls from this slot is a machine of that build, until the result is called, before the slot is given back. */
  admit(slot: number, { buildId, buildRoleArn, accountId, region, imageArn }: BuildIdentity): () => void {
    const guest = { microvmId: buildId, accountId, region, imageArn, executionRoleArn: buildRoleArn, isOfBuild: true };
    this.#bySlot.set(slot, guest);
    return () => {
      if (this.#bySlot.get(slot) === guest) this.#bySlot.delete(slot);
    };
  }
}
