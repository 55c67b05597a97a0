import { ToStringShapeSerializer } from "@smithy/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";

const DATE_TIME = 5;
const strings = new ToStringShapeSerializer({
  httpBindings: true,
  timestampFormat: { useTrait: true, default: DATE_TIME },
});

/** Whether a member travels in the body's own structure rather than in the head of the message or as the whole body. */
export function isBodyMember(member: NormalizedSchema): boolean {
  const traits = member.getMergedTraits();
  return (
    !traits.httpHeader &&
    !traits.httpPayload &&
    !traits.httpResponseCode &&
    typeof traits.httpPrefixHeaders !== "string"
  );
}

/** Input side of the same question: labels and query members are not of the body either. */
export function isInputBodyMember(member: NormalizedSchema): boolean {
  const traits = member.getMergedTraits();
  return isBodyMember(member) && !traits.httpLabel && !traits.httpQuery && !traits.httpQueryParams;
}

export function payloadMember(schema: NormalizedSchema): readonly [string, NormalizedSchema] | undefined {
  if (!schema.isStructSchema()) return undefined;
  for (const [name, member] of schema.structIterator()) if (member.getMergedTraits().httpPayload) return [name, member];
  return undefined;
}

/** Headers for the members bound to them. */
export function writeHeaders(schema: NormalizedSchema, value: Record<string, unknown>): Record<string, string> {
  const headers: Record<string, string> = {};
  if (!schema.isStructSchema()) return headers;
  for (const [name, member] of schema.structIterator()) {
    const memberValue = value[name];
    if (memberValue === undefined || memberValue === null) continue;
    const { httpHeader, httpPrefixHeaders } = member.getMergedTraits();
    if (httpHeader) {
      strings.write(member, memberValue);
      headers[httpHeader.toLowerCase()] = strings.flush();
    } else if (typeof httpPrefixHeaders === "string") {
      for (const [suffix, text] of Object.entries(memberValue))
        headers[httpPrefixHeaders.toLowerCase() + suffix] = String(text);
    }
  }
  return headers;
}
