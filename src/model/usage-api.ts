/*
 * The one operation that the service does not have, in the form in which the AWS SDK's clients export theirs. It is
 * signed as one of lambda, and found by its path.
 */

const NAMESPACE = "catnap";
const TEXT = 0;
const DOCUMENT = 15;

const GetUsageInput$ = [
  3,
  NAMESPACE,
  "GetUsageInput",
  0,
  ["from", "until"],
  [
    [TEXT, { httpQuery: "from" }],
    [TEXT, { httpQuery: "until" }],
  ],
  0,
] as const;

const GetUsageOutput$ = [3, NAMESPACE, "GetUsageOutput", 0, ["report"], [DOCUMENT], 1] as const;

export const GetUsage$ = [
  9,
  NAMESPACE,
  "GetUsage",
  { http: ["GET", "/catnap/usage", 200] },
  () => GetUsageInput$,
  () => GetUsageOutput$,
] as const;

export const ValidationException$ = [
  -3,
  NAMESPACE,
  "ValidationException",
  { error: "client", httpError: 400 },
  ["message"],
  [TEXT],
] as const;

/** A moment as `from` and `until` take it: ISO 8601, a day alone is its beginning in UTC. Undefined for anything else. */
export function parseMoment(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}
