export const HEAD_END = Buffer.from("\r\n\r\n");
/** What no head has: control characters, and halves of line ends. A last carriage return may still get its other half. */
// oxlint-disable-next-line no-control-regex -- finding them is the point
const NEVER_IN_A_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|$)|(?<!\r)\n/g;

/**
 * Where a request's head ends, its final empty line not counted. "incomplete": more must come; bytes that can never become
 * a head are told from it at once, so that nobody waits for their end. The first `known` bytes were looked through before.
 */
export function findHeadEnd(
  bytes: Buffer,
  known: number,
  maxBytes: number,
): number | "incomplete" | "too-large" | "malformed" {
  const end = bytes.indexOf(HEAD_END, Math.max(0, known - HEAD_END.length));
  if (end >= 0) return end > maxBytes ? "too-large" : end;
  const from = Math.max(0, known - 2);
  NEVER_IN_A_HEAD.lastIndex = from === 0 ? 0 : 1; // the first is there for the one after it
  if (NEVER_IN_A_HEAD.test(bytes.toString("latin1", from, maxBytes))) return "malformed";
  return bytes.length > maxBytes ? "too-large" : "incomplete";
}
