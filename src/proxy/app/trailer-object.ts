/** Fields as node takes HTTP/2 trailers. */
export function trailerObject(fields: readonly string[]): Record<string, string[]> {
  const trailers: Record<string, string[]> = {};
  for (let i = 0; i + 1 < fields.length; i += 2)
    (trailers[fields[i]?.toLowerCase() ?? ""] ??= []).push(fields[i + 1] ?? "");
  return trailers;
}
