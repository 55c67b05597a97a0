/** Values of condition keys, whose names are in lower case; a list for keys that hold several values. */
export interface PolicyContext extends ReadonlyMap<string, string | readonly string[]> {
  /** Whether the resource may have tags that are not in here. */
  readonly hasHiddenTags?: boolean;
}

/**
 * Keys whose value is always put into the context when they have one: for these, and for these alone, absence means that
 * the request has no such value. Any other key may well have one at the service.
 */
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  "aws:currenttime",
  "aws:epochtime",
  "aws:multifactorauthage",
  "aws:multifactorauthpresent",
  "aws:principalaccount",
  "aws:principalarn",
  "aws:principalisawsservice",
  "aws:principaltype",
  "aws:requestedregion",
  "aws:securetransport",
  "aws:sourceaccount",
  "aws:sourcearn",
  "aws:sourceip",
  "aws:sourcevpc",
  "aws:sourcevpce",
  "aws:tagkeys",
  "aws:tokenissuetime",
  "aws:useragent",
  "aws:userid",
  "aws:username",
  "iam:passedtoservice",
  "s3:delimiter",
  "s3:max-keys",
  "s3:prefix",
  "sts:externalid",
  "sts:rolesessionname",
]);

const KNOWN_FAMILIES = ["aws:principaltag/", "aws:requesttag/", "aws:resourcetag/"];

/** Whether a key that the context lacks certainly has no value. */
export function isAbsent(key: string, context: PolicyContext): boolean {
  if (context.has(key) || (context.hasHiddenTags && key.startsWith("aws:resourcetag/"))) return false;
  return KNOWN_KEYS.has(key) || KNOWN_FAMILIES.some((family) => key.startsWith(family));
}

type Keys = Iterable<readonly [string, string | readonly string[]]>;

/** The context with further keys; hidden tags stay hidden. */
export function withKeys(context: PolicyContext, ...further: readonly Keys[]): PolicyContext {
  const all = new Map(context);
  for (const keys of further) for (const [key, value] of keys) all.set(key, value);
  return Object.assign(all, { hasHiddenTags: context.hasHiddenTags });
}

export function withHiddenTags(context: PolicyContext): PolicyContext {
  return Object.assign(new Map(context), { hasHiddenTags: true });
}
