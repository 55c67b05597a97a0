import { FromStringShapeDeserializer } from "@smithy/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";
import { AppError } from "../../errors/app-error.ts";
import { MalformedInput } from "./malformed-input.ts";
import type { Labels } from "./route-table.ts";
import type { WireRequest } from "./wire.ts";

const EPOCH_SECONDS = 7;
const DATE_TIME = 5;

/** Timestamps outside bodies take the format that their place prescribes, unless a trait says otherwise. */
const strings = {
  restJson1: new FromStringShapeDeserializer({
    httpBindings: true,
    timestampFormat: { useTrait: true, default: EPOCH_SECONDS },
  }),
  restXml: new FromStringShapeDeserializer({
    httpBindings: true,
    timestampFormat: { useTrait: true, default: DATE_TIME },
  }),
};

/** The members bound to path, query and headers; body and payload members are left out. */
export function readHttpMembers(
  protocol: keyof typeof strings,
  input: NormalizedSchema,
  request: WireRequest,
  labels: Labels,
): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  if (!input.isStructSchema()) return members;
  for (const [name, member] of input.structIterator()) {
    const traits = member.getMergedTraits();
    let value: unknown;
    if (traits.httpLabel) value = scalar(protocol, member, labels[name]);
    else if (traits.httpQuery) value = queryMember(protocol, member, request);
    else if (traits.httpHeader) value = headerMember(protocol, member, request);
    else if (typeof traits.httpPrefixHeaders === "string") value = prefixHeaders(traits.httpPrefixHeaders, request);
    if (value !== undefined) members[name] = value;
  }
  return members;
}

type Protocol = keyof typeof strings;

function queryMember(protocol: Protocol, member: NormalizedSchema, request: WireRequest): unknown {
  const wireName = member.getMergedTraits().httpQuery;
  const values = request.query.filter(([name]) => name === wireName).map(([, value]) => value);
  if (values.length === 0) return undefined;
  if (member.isListSchema()) return values.map((value) => scalar(protocol, member.getValueSchema(), value, member));
  return scalar(protocol, member, values[0]);
}

function headerMember(protocol: Protocol, member: NormalizedSchema, request: WireRequest): unknown {
  const wireName = member.getMergedTraits().httpHeader?.toLowerCase() ?? "";
  const value = Object.hasOwn(request.headers, wireName) ? request.headers[wireName] : undefined;
  if (value === undefined) return undefined;
  return member.isListSchema() ? parse(protocol, member, value) : scalar(protocol, member, value);
}

function prefixHeaders(prefix: string, request: WireRequest): Record<string, string> | undefined {
  const lowerPrefix = prefix.toLowerCase();
  const found = Object.entries(request.headers).filter(([name]) => name.startsWith(lowerPrefix));
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.map(([name, value]) => [name.slice(lowerPrefix.length), value]));
}

/** The SDK's reader takes anything that looks near enough; a server must not. */
function scalar(protocol: Protocol, member: NormalizedSchema, text: string | undefined, owner = member): unknown {
  if (text === undefined) return undefined;
  const name = owner.getMemberName();
  if (member.isNumericSchema() && !/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text))
    throw new MalformedInput(`${name} is not a number`);
  if (member.isBooleanSchema() && !/^(true|false)$/i.test(text))
    throw new MalformedInput(`${name} is neither true nor false`);
  return parse(protocol, member, text);
}

function parse(protocol: Protocol, member: NormalizedSchema, text: string): unknown {
  try {
    return strings[protocol].read(member, text);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new MalformedInput(`${member.getMemberName()} could not be parsed`, { cause });
  }
}
