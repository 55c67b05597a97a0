import type { NormalizedSchema } from "@smithy/core/schema";
import { isInputBodyMember, payloadMember } from "../../src/aws/protocol/http-output.ts";
import type { OperationModel } from "../../src/aws/protocol/service-model.ts";
import type { ServiceDefinition } from "../../src/aws/service.ts";
import type { RequestDraft } from "../support/sign-request.ts";

type Members = Readonly<Record<string, unknown>>;

/** An operation's input on the wire of its service, whatever the types of its members. */
export function toRequest(definition: ServiceDefinition, operation: OperationModel, members: Members): RequestDraft {
  if (definition.protocol === "awsQuery") return formRequest(definition, operation, members);
  if (definition.protocol === "awsJson1_1") return targetRequest(definition, operation, members);
  const { target, headers } = boundMembers(operation, members);
  const isXml = definition.protocol === "restXml";
  const prefix = isXml && members["Bucket"] !== undefined ? `/${encodeURIComponent(text(members["Bucket"]))}` : "";
  const body = isXml ? xmlBody(operation.input, members) : jsonBody(operation.input, members);
  const type = isXml ? "application/xml" : "application/json";
  return {
    method: operation.method,
    target: prefix + target,
    headers: { host: "localhost", ...(body.length > 0 && { "content-type": type }), ...headers },
    body,
  };
}

/** Members of the path, the query and the headers. */
function boundMembers({ input, pathTemplate, staticQuery }: OperationModel, members: Members) {
  let path = pathTemplate;
  const query = staticQuery.map(([name, value]) => (value === "" ? name : `${name}=${value}`));
  const headers: Record<string, string> = {};
  for (const [name, member] of input.isStructSchema() ? input.structIterator() : []) {
    const value = members[name];
    const { httpLabel, httpQuery, httpHeader, httpPrefixHeaders } = member.getMergedTraits();
    if (httpLabel) path = path.replace(new RegExp(`\\{${name}\\+?\\}`), () => encodeURIComponent(text(value)));
    if (value === undefined || value === null) continue;
    if (httpQuery) for (const one of [value].flat()) query.push(`${httpQuery}=${encodeURIComponent(text(one))}`);
    // a length of its own would leave the server waiting for the rest
    if (httpHeader && httpHeader !== "Content-Length") headers[httpHeader.toLowerCase()] = headerText(value);
    if (typeof httpPrefixHeaders === "string" && typeof value === "object")
      for (const [key, one] of Object.entries(value))
        headers[(httpPrefixHeaders + key).toLowerCase().replaceAll(/[^a-z0-9-]/g, "")] = headerText(one);
  }
  return { target: query.length > 0 ? `${path}?${query.join("&")}` : path, headers };
}

function jsonBody(input: NormalizedSchema, members: Members): Buffer {
  const entries = [...(input.isStructSchema() ? input.structIterator() : [])].filter(([, member]) =>
    isInputBodyMember(member),
  );
  if (entries.length === 0) return Buffer.alloc(0);
  return Buffer.from(JSON.stringify(Object.fromEntries(entries.map(([name]) => [name, members[name]]))));
}

function xmlBody(input: NormalizedSchema, members: Members): Buffer {
  const payload = payloadMember(input);
  if (!payload) return Buffer.alloc(0);
  const [name, member] = payload;
  const value = members[name];
  if (value === undefined) return Buffer.alloc(0);
  if (!member.isStructSchema()) return Buffer.from(text(value), "base64");
  return Buffer.from(element(member.getMergedTraits().xmlName ?? name, xmlContent(member, value)));
}

function xmlContent(schema: NormalizedSchema, value: unknown): string {
  if (!schema.isStructSchema() || !isRecord(value)) return escapeXml(text(value));
  return [...schema.structIterator()]
    .map(([key, member]) => {
      const name = member.getMergedTraits().xmlName ?? key;
      const given = value[key];
      if (given === undefined) return "";
      if (!member.isListSchema() || !Array.isArray(given)) return element(name, xmlContent(member, given));
      const items = given.map((one) => xmlContent(member.getValueSchema(), one));
      if (member.getMergedTraits().xmlFlattened) return items.map((item) => element(name, item)).join("");
      const itemName = member.getValueSchema().getMergedTraits().xmlName ?? "member";
      return element(name, items.map((item) => element(itemName, item)).join(""));
    })
    .join("");
}

/** The operation in a header, its members in the body. */
function targetRequest({ targetPrefix }: ServiceDefinition, { name }: OperationModel, members: Members): RequestDraft {
  const headers = {
    host: "localhost",
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `${targetPrefix}.${name}`,
  };
  return { method: "POST", target: "/", headers, body: Buffer.from(JSON.stringify(members)) };
}

function formRequest({ schemas }: ServiceDefinition, { name, input }: OperationModel, members: Members): RequestDraft {
  const form = new URLSearchParams({ Action: name, Version: "CreateRole$" in schemas ? "2010-05-08" : "2011-06-15" });
  const write = (at: string, schema: NormalizedSchema | undefined, value: unknown): void => {
    if (Array.isArray(value)) {
      const isFlat = schema?.getMergedTraits().xmlFlattened === 1;
      const item = schema?.isListSchema() ? schema.getValueSchema() : undefined;
      for (const [index, one] of value.entries()) write(`${at}${isFlat ? "" : ".member"}.${index + 1}`, item, one);
    } else if (isRecord(value)) {
      for (const [key, one] of Object.entries(value))
        write(at === "" ? key : `${at}.${key}`, memberOf(schema, key), one);
    } else if (value !== undefined) form.append(at, text(value));
  };
  write("", input, members);
  return {
    method: "POST",
    target: "/",
    headers: { host: "localhost", "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: Buffer.from(form.toString()),
  };
}

function memberOf(schema: NormalizedSchema | undefined, name: string): NormalizedSchema | undefined {
  if (!schema?.isStructSchema()) return undefined;
  return new Map(schema.structIterator()).get(name);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const element = (name: string, content: string) => `<${name}>${content}</${name}>`;
const escapeXml = (value: string) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function text(value: unknown): string {
  return (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed();
}

/** What an HTTP header can carry at all. */
function headerText(value: unknown): string {
  return text(value)
    .replaceAll(/[^\t\x20-\x7E\x80-\xFF]/g, "?")
    .trim();
}
