import { randomBytes, randomInt } from "node:crypto";

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** AKIA: a key that lasts; ASIA: a temporary one, which needs its session token. */
export function newAccessKey(prefix: "AKIA" | "ASIA"): AccessKey {
  return {
    accessKeyId: `${prefix}${Array.from({ length: 16 }, () => LETTERS[randomInt(LETTERS.length)]).join("")}`,
    secretAccessKey: randomBytes(30).toString("base64"),
  };
}
