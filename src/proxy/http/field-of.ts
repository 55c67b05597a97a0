/** The first value of a header field. */
export function fieldOf(rawHeaders: readonly string[], wanted: string): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === wanted) return rawHeaders[i + 1];
  return undefined;
}
