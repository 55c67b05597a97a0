import type { RequestDraft } from "../support/sign-request.ts";
import { hostileText } from "./hostile-values.ts";
import type { Random } from "../support/random.ts";

type Damage = (draft: RequestDraft, random: Random) => RequestDraft;

const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
const TYPES = [
  "",
  "text/plain",
  "application/xml",
  "application/x-www-form-urlencoded",
  "application/json; charset=utf-16",
  "application/x-amz-json-1.1",
  "application/x-amz-json-1.0",
  "application/cbor",
  "multipart/form-data; boundary=x",
  "application/json, application/json",
  "x/y/z",
];
const TARGET_PARTS = ["/", "//", "/..", "/%2e%2e", "%", "%zz", "%00", "/\xff", "?", "?=", "?&&&", "?a=b=c", "#f"];
const MEGABYTE = 1024 * 1024;

const inTarget: readonly Damage[] = [
  (draft, random) => ({ ...draft, target: draft.target + random.pick(TARGET_PARTS) }),
  (draft, random) => {
    const at = random.integer(1, draft.target.length);
    return { ...draft, target: draft.target.slice(0, at) + random.pick(TARGET_PARTS) + draft.target.slice(at) };
  },
  (draft, random) => ({ ...draft, target: draft.target.slice(0, random.integer(1, draft.target.length)) }),
  (draft) => ({ ...draft, target: withQuery(draft.target, "__proto__=1&constructor=2&toString=3&x-id=toString") }),
  (draft) => ({
    ...draft,
    target: withQuery(draft.target, Array.from({ length: 300 }, (_, i) => `p${i}=1`).join("&")),
  }),
  (draft) => ({ ...draft, target: `/${"a/".repeat(3000)}` }),
  (draft, random) => ({
    ...draft,
    target: withQuery(
      draft.target,
      `${random.pick(["nextToken", "maxResults", "prefix", "uploadId", "partNumber", "list-type", "versionId", "max-keys"])}=${encodeURIComponent(hostileText(random).toWellFormed())}`,
    ),
  }),
  (draft, random) => ({ ...draft, method: random.pick(METHODS) }),
];

const inHeaders: readonly Damage[] = [
  (draft, random) => withHeader(draft, "content-type", random.pick(TYPES)),
  (draft, random) => withHeader(draft, "content-encoding", random.pick(["gzip", "aws-chunked", "br", "identity"])),
  (draft, random) => withHeader(draft, "host", random.pick(["", "localhost", "x.localhost", "..", "a b", "[::1]:80"])),
  (draft, random) => withHeader(draft, "range", random.pick(["bytes=0-", "bytes=-0", "bytes=9-1", "bytes=a-b", "x=1"])),
  (draft, random) => withHeader(draft, "x-amz-decoded-content-length", random.pick(["0", "-1", "1e9", "", "99"])),
  (draft, random) => withHeader(draft, "x-amz-copy-source", hostileHeader(random)),
  (draft, random) => withHeader(draft, "content-md5", hostileHeader(random)),
  (draft, random) => withHeader(draft, "x-amz-checksum-crc32", hostileHeader(random)),
  (draft, random) => withHeader(draft, "x-amz-trailer", hostileHeader(random)),
  (draft, random) => withHeader(draft, "x-amz-target", hostileHeader(random)),
  (draft, random) => withHeader(draft, "if-modified-since", hostileHeader(random)),
  (draft, random) => withHeader(draft, `x-amz-meta-${random.integer(0, 9)}`, "m".repeat(random.pick([1, 3000]))),
  (draft) => withHeader(draft, "expect", "100-continue"),
  (draft) => withHeader(draft, "x-long", "h".repeat(20_000)),
];

const inBody: readonly Damage[] = [
  (draft, random) => withBody(draft, draft.body.subarray(0, random.integer(0, draft.body.length))),
  (draft, random) => {
    const body = Buffer.from(draft.body);
    for (let times = random.integer(1, 4); times > 0 && body.length > 0; times--)
      body[random.integer(0, body.length - 1)] = random.integer(0, 255);
    return withBody(draft, body);
  },
  (draft) => withBody(draft, Buffer.concat([Buffer.from("\uFEFF"), draft.body])),
  (draft) => withBody(draft, Buffer.from(draft.body.toString(), "utf16le")),
  (draft, random) => withBody(draft, random.bytes(random.integer(1, 400))),
  (draft, random) => withBody(draft, Buffer.from(random.pick(["null", "[]", '""', "1", "{", "{}", "{}{}", "nul"]))),
  (draft) => withBody(draft, Buffer.from("[".repeat(50_000))),
  (draft) => withBody(draft, Buffer.from(`{"a":`.repeat(5000) + "1" + "}".repeat(5000))),
  (draft) => withBody(draft, Buffer.from(`{"name":"a","name":{"__proto__":{"isAdministrator":true}},"constructor":1}`)),
  (draft) => withBody(draft, Buffer.from("<a>".repeat(10_000))),
  (draft) =>
    withBody(
      draft,
      Buffer.from(
        `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
      ),
    ),
  (draft) => withBody(draft, Buffer.from("<Delete><Object><Key>&#x0;&#xFFFFFFFF;</Key></Object></Delete>")),
  (draft) => withBody(draft, Buffer.from("<__proto__><constructor/></__proto__>")),
  (draft) => withBody(draft, Buffer.from("Action=CreateRole&".repeat(2000))),
  (draft) =>
    withBody(draft, Buffer.from(`Action=CreateRole&${"Tags.member.".repeat(40)}1=a&Tags.member.999999999.Key=b`)),
  (draft) => withBody(draft, Buffer.alloc(MEGABYTE + 1, 0x20)),
];

/** Broken in one to three ways. */
export function damage(draft: RequestDraft, random: Random): RequestDraft {
  let damaged = draft;
  for (let times = random.integer(1, 3); times > 0; times--)
    damaged = random.pick(random.pick([inTarget, inHeaders, inBody, inBody]))(damaged, random);
  return damaged;
}

/** Framing that the bytes of the body do not keep; the server may then end the connection without an answer. */
export function breakFraming(draft: RequestDraft, random: Random): RequestDraft {
  const { headers, body } = draft;
  switch (random.integer(0, 3)) {
    case 0:
      return { ...draft, headers: { ...headers, "content-length": String(body.length + random.integer(1, 1000)) } };
    case 1:
      return { ...draft, headers: { ...headers, "transfer-encoding": "chunked" } };
    case 2:
      return { ...draft, headers: { ...headers, "transfer-encoding": "chunked", "content-length": "5" } };
    default:
      return {
        ...draft,
        headers: { ...headers, "content-length": random.pick(["-1", "x", "1e3", "99999999999999999999"]) },
      };
  }
}

function withQuery(target: string, query: string): string {
  return `${target}${target.includes("?") ? "&" : "?"}${query}`;
}

function withHeader(draft: RequestDraft, name: string, value: string): RequestDraft {
  return { ...draft, headers: { ...draft.headers, [name]: value } };
}

function withBody(draft: RequestDraft, body: Buffer): RequestDraft {
  return { ...draft, body };
}

function hostileHeader(random: Random): string {
  return hostileText(random)
    .replaceAll(/[^\t\x20-\x7E\x80-\xFF]/g, "?")
    .slice(0, 4000);
}
