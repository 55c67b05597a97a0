import { randomBytes } from "node:crypto";

/** How long a link waits to be opened. */
const LINK_LIFE_MS = 2 * 60_000;
const MAX_LINKS = 1000;
const CODE_BYTES = 32;

export interface BrowserLink {
  readonly code: string;
  readonly expiresAt: Date;
}

interface Grant {
  readonly microvmId: string;
  readonly port: number;
  readonly expiresAt: number;
}

/** One-time codes that open one port of one microVM in a browser. In memory: a restart ends those not opened yet. */
export class BrowserLinks {
  readonly #now: () => number;
  readonly #grants = new Map<string, Grant>();

  constructor(now: () => number) {
    this.#now = now;
  }

  create(microvmId: string, port: number): BrowserLink {
    const code = randomBytes(CODE_BYTES).toString("base64url");
    const expiresAt = this.#now() + LINK_LIFE_MS;
    this.#grants.set(code, { microvmId, port, expiresAt });
    const oldest = this.#grants.keys().next().value;
    if (this.#grants.size > MAX_LINKS && oldest !== undefined) this.#grants.delete(oldest);
    return { code, expiresAt: new Date(expiresAt) };
  }

  /** The port that a code opens at this microVM; the code opens nothing afterwards. */
  redeem(code: string, microvmId: string): number | undefined {
    const grant = this.#grants.get(code);
    if (grant === undefined || grant.microvmId !== microvmId) return undefined;
    this.#grants.delete(code);
    return grant.expiresAt > this.#now() ? grant.port : undefined;
  }
}
