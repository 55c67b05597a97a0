/** Bound to one host, sent over TLS alone, for all its paths: browsers see to it that nobody else sets it (RFC 6265bis, 4.1.3). */
export const COOKIE_NAME = "__Host-catnap";

/** The proxy's own cookie among a request's; undefined when there is none. */
export function readCookie(field: string): string | undefined {
  for (const pair of field.split(";")) {
    const text = pair.trim();
    if (text.startsWith(`${COOKIE_NAME}=`)) return text.slice(COOKIE_NAME.length + 1);
  }
  return undefined;
}

/** A Cookie field without the proxy's own; undefined when nothing is left. */
export function withoutCookie(field: string): string | undefined {
  if (!field.includes(COOKIE_NAME)) return field;
  const kept = field.split(";").filter((pair) => !pair.trim().startsWith(`${COOKIE_NAME}=`));
  const text = kept.join(";").trim();
  return text === "" ? undefined : text;
}

/** Whether a Set-Cookie field is about the proxy's own cookie, which applications have no business with. */
export function setsCookie(setCookieField: string): boolean {
  return setCookieField.trimStart().toLowerCase().startsWith(`${COOKIE_NAME.toLowerCase()}=`);
}

export function cookieField(token: string, maxAgeSeconds: number): string {
  return `${COOKIE_NAME}=${token}; Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Lax`;
}
