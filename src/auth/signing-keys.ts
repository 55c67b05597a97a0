import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

export interface SigningScope {
  /** "20261120" */
  readonly date: string;
  readonly region: string;
  readonly signingName: string;
}

/** Kept at most; clients sign a whole day for one service with one key. */
const MAX_KEYS = 1000;

/** The keys that secrets become for a day, Region and service, derived once each. */
export class SigningKeys {
  readonly #keys = new Map<string, KeyObject>();

  of(secretAccessKey: string, { date, region, signingName }: SigningScope): KeyObject {
    const parts = [date, region, signingName, "aws4_request"];
    const name = [secretAccessKey, ...parts].join("/"); // whatever the secret: the others hold no slash
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    let bytes: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
    for (const part of parts) bytes = createHmac("sha256", bytes).update(part).digest();
    const key = createSecretKey(bytes);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size >= MAX_KEYS && oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.set(name, key);
    return key;
  }
}
