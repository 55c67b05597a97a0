import type { Random } from "../support/random.ts";

/** Texts that have broken servers before. */
const TEXTS: readonly string[] = [
  "",
  " ",
  "\0",
  "a\0b",
  "\r\nx-injected: 1",
  "../../../../etc/passwd",
  "..",
  ".",
  "/",
  "//",
  "%",
  "%00",
  "%zz",
  "%2e%2e%2f",
  "+",
  "a=b&c=d",
  "'; DROP TABLE images; --",
  "${jndi:ldap://127.0.0.1/a}",
  "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
  "]]>",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "NaN",
  "Infinity",
  "-0",
  "1e999",
  "9223372036854775808",
  "-1",
  "0x10",
  "true",
  "[]",
  "{}",
  "\u{1F600}".repeat(40),
  "\uD800",
  "\uFEFF",
  "\u202Eevil",
  "e\u0301".repeat(20),
  "ÿ",
  "arn:",
  "arn:aws:lambda:::microvm-image:",
  "arn:aws:lambda:us-east-1:123456789012:microvm-image",
  "arn:aws:lambda:us-east-1:123456789012:microvm-image:a:b:c",
  "arn:aws:lambda:us-east-1:999999999999:microvm-image:app",
  "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:toString",
  "arn:aws:iam::123456789012:role/__proto__",
  "s3://",
  "s3://bucket",
  "s3:///key",
  "s3://bucket/../../key",
  "1.0.0.0",
  "99999999999999999999.0",
  "-1.0",
  "eyJhbGciOiJub25lIn0.e30.",
];

const NUMBERS: readonly number[] = [
  0,
  -1,
  1,
  0.5,
  -0,
  61,
  65_536,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 63,
  1e300,
  Number.MIN_VALUE,
];

export function hostileText(random: Random): string {
  const kind = random.integer(0, 9);
  if (kind < 6) return random.pick(TEXTS);
  if (kind === 6) return "a".repeat(random.pick([128, 129, 256, 257, 2048, 2049, 4097, 20_000]));
  if (kind === 7) return random.bytes(random.integer(1, 40)).toString("latin1");
  if (kind === 8) return random.bytes(random.integer(1, 40)).toString("base64url");
  return `arn:aws:lambda:us-east-1:123456789012:microvm-image:${random.pick(TEXTS)}`;
}

/** A value of any type that JSON knows. */
export function hostileJson(random: Random): unknown {
  switch (random.integer(0, 9)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
    case 3:
      return random.pick(NUMBERS);
    case 4:
      return [];
    case 5:
      return {};
    case 6:
      return Array.from({ length: random.integer(1, 60) }, () => hostileText(random));
    case 7:
      return { [hostileText(random)]: hostileText(random), __type: hostileText(random) };
    default:
      return hostileText(random);
  }
}
