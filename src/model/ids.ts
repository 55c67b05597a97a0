import { randomInt, randomUUID } from "node:crypto";

const ROLE_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ROLE_ID_RANDOM_CHARACTERS = 17;

/** Contract 2.5. */
export function newMicrovmId(): string {
  return `microvm-${randomUUID()}`;
}

export function newBuildId(): string {
  return randomUUID();
}

/** "AROA" and seventeen characters, as IAM makes them; never reused, so a recreated role is another one. */
export function newRoleId(): string {
  const random = Array.from(
    { length: ROLE_ID_RANDOM_CHARACTERS },
    () => ROLE_ID_ALPHABET[randomInt(ROLE_ID_ALPHABET.length)],
  );
  return `AROA${random.join("")}`;
}

/** The number of an image version spelled `1` or `1.0`; undefined for anything else. */
export function parseImageVersion(text: string): number | undefined {
  const digits = /^([1-9]\d{0,8})(?:\.0)?$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Contract 2.5: the major number counts, the minor one stays 0. */
export function formatImageVersion(number: number): string {
  return `${number}.0`;
}
