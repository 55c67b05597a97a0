import { createHash, createHmac, createSecretKey } from "node:crypto";
import { Readable } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { authenticate } from "./authenticate.ts";
import { ChunkedPayload, type ChunkedPayloadOptions } from "./chunked-payload.ts";

const signing = {
  key: createSecretKey(Buffer.from("key")),
  timestamp: "20261120T120000Z",
  scope: "20261120/us-east-1/s3/aws4_request",
  seedSignature: "5eed",
};
const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");

/** Chunk and trailer signatures as the documentation of SigV4 streaming prescribes them. */
function encodeSigned(chunks: readonly Buffer[], trailers: Record<string, string> = {}): Buffer {
  let previous = signing.seedSignature;
  const chain = (algorithm: string, ...rest: string[]) => {
    const lines = [algorithm, signing.timestamp, signing.scope, previous, ...rest];
    previous = createHmac("sha256", signing.key).update(lines.join("\n")).digest("hex");
    return previous;
  };
  const parts = [...chunks, Buffer.alloc(0)].flatMap((chunk) => {
    const signature = chain("AWS4-HMAC-SHA256-PAYLOAD", sha256(""), sha256(chunk));
    return [
      Buffer.from(`${chunk.length.toString(16)};chunk-signature=${signature}\r\n`),
      chunk,
      Buffer.from(chunk.length > 0 ? "\r\n" : ""),
    ];
  });
  const names = Object.entries(trailers);
  const lines = names.map(([name, value]) => `${name}:${value}\r\n`).join("");
  const canonical = names.map(([name, value]) => `${name}:${value}\n`).join("");
  const signature =
    names.length > 0 ? `x-amz-trailer-signature:${chain("AWS4-HMAC-SHA256-TRAILER", sha256(canonical))}\r\n` : "";
  return Buffer.concat([...parts, Buffer.from(`${lines}${signature}\r\n`)]);
}

function encodeUnsigned(chunks: readonly Buffer[], trailers: Record<string, string>): Buffer {
  const parts = chunks.flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from("\r\n"),
  ]);
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\r\n`);
  return Buffer.concat([...parts, Buffer.from(`0\r\n${lines.join("")}\r\n`)]);
}

/** Feeds the bytes cut at the given sizes, over and over. */
async function decode(
  bytes: Buffer,
  options: ChunkedPayloadOptions,
  cuts: readonly number[] = [65536],
): Promise<{ data: Buffer; trailers: Record<string, string> }> {
  const payload = new ChunkedPayload(options);
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = cuts[turn % cuts.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  const source = Readable.from(pieces);
  source.pipe(payload);
  const data: Buffer[] = [];
  for await (const chunk of payload as AsyncIterable<Buffer>) data.push(chunk);
  return { data: Buffer.concat(data), trailers: payload.trailers };
}

const chunkList = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 300 }).map((each) => Buffer.from(each)),
  { maxLength: 5 },
);
const cutList = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });
const CRC = { "x-amz-checksum-crc32": "AAAAAA==" };

test("signed chunks and trailers are decoded wherever the network cuts them", async () => {
  await fc.assert(
    fc.asyncProperty(chunkList, cutList, fc.boolean(), async (chunks, cuts, hasTrailer) => {
      const trailers: Record<string, string> = hasTrailer ? CRC : {};
      const data = Buffer.concat(chunks);
      const options = { signing, trailerNames: Object.keys(trailers), decodedLength: data.length };
      expect(await decode(encodeSigned(chunks, trailers), options, cuts)).toEqual({ data, trailers });
    }),
  );
});

test("unsigned chunks with a trailer are decoded", async () => {
  await fc.assert(
    fc.asyncProperty(chunkList, cutList, async (chunks, cuts) => {
      const data = Buffer.concat(chunks);
      const options = { trailerNames: Object.keys(CRC), decodedLength: data.length };
      expect(await decode(encodeUnsigned(chunks, CRC), options, cuts)).toEqual({ data, trailers: CRC });
    }),
  );
});

test("any changed byte of a signed body is noticed", async () => {
  const bytes = encodeSigned([Buffer.from("hello"), Buffer.from("world")], CRC);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 5), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ change;
      const options = { signing, trailerNames: Object.keys(CRC), decodedLength: 10 };
      const outcome = await decode(changed, options).then(
        ({ data, trailers }) => ({ data: data.toString(), trailers }),
        () => "refused",
      );
      // The case of a hexadecimal size, or the blank around a value, may change without changing what is said.
      if (outcome !== "refused") expect(outcome).toEqual({ data: "helloworld", trailers: CRC });
    }),
    { numRuns: 400 },
  );
});

test.each([
  ["an end before the last chunk", "5\r\nhello\r\n", "IncompleteBody"],
  ["less than it announced", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "IncompleteBody"],
  ["more than it announced", "6\r\nabcdef\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "IncompleteBody"],
  ["no promised trailer", "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"],
  ["a trailer nobody promised", "5\r\nhello\r\n0\r\nx-other:1\r\n\r\n", "InvalidRequest"],
  ["a size that is none", "zz\r\nhello\r\n", "InvalidRequest"],
  ["a chunk longer than its size", "5\r\nhello!\r\n0\r\n\r\n", "InvalidRequest"],
  ["data after its end", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\nmore", "InvalidRequest"],
  ["an endless line", "5".repeat(10_000), "InvalidRequest"],
])("a body with %s is refused", async (_name, text, shape) => {
  await expect(decode(Buffer.from(text), { trailerNames: Object.keys(CRC), decodedLength: 5 })).rejects.toMatchObject({
    shape,
  });
});

test("chunks without the signatures they must have are refused", async () => {
  await expect(
    decode(Buffer.from("5\r\nhello\r\n0\r\n\r\n"), { signing, trailerNames: [], decodedLength: 5 }),
  ).rejects.toMatchObject({ shape: "InvalidRequest" });
});

test("the example of the S3 documentation is accepted", async () => {
  const accessKeyId = "AKIAIOSFODNN7EXAMPLE";
  const principal = {
    arn: "arn:aws:iam::123456789012:root",
    accountId: "123456789012",
    accessKeyId,
    isAdministrator: true,
  };
  const signedHeaders =
    "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class";
  const headers = {
    host: "s3.amazonaws.com",
    "x-amz-date": "20130524T000000Z",
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "66560",
    "content-length": "66824",
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9`,
  };
  const identity = await authenticate({
    request: { method: "PUT", path: "/examplebucket/chunkObject.txt", query: [], headers },
    credentials: { lookup: async () => ({ secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", principal }) },
    readBody: async () => Buffer.alloc(0),
    now: new Date("2013-05-24T00:01:00Z"),
  });
  if ("refused" in identity) throw new Error(identity.message);
  const chunk = (size: number, signature: string) =>
    `${size.toString(16)};chunk-signature=${signature}\r\n${"a".repeat(size)}\r\n`;
  const body =
    chunk(65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
    chunk(1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
    chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
  const { data } = await decode(Buffer.from(body), {
    signing: identity.signing,
    trailerNames: [],
    decodedLength: 66560,
  });
  expect(data.equals(Buffer.alloc(66560, "a"))).toBe(true);
});
