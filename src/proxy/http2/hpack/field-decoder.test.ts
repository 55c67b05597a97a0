import { describe, expect, test } from "vitest";
import { FieldDecoder } from "./field-decoder.ts";
import { encodeFields, encodeStatus } from "./field-encoder.ts";

const LIMITS = { maxBytes: 32 * 1024, maxFields: 1000 };

function decode(decoder: FieldDecoder, hex: string): unknown {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const fields = decoder.decode(bytes, 0, bytes.length);
  return Array.isArray(fields) ? fields.map(({ name, value }) => `${name}: ${value}`) : fields;
}

/** Examples of RFC 7541. */
describe("three requests of one connection", () => {
  const FIRST = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
  const SECOND = [...FIRST, "cache-control: no-cache"];
  const THIRD = [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ];

  test("as they are (C.3)", () => {
    const decoder = new FieldDecoder(LIMITS);
    expect(decode(decoder, "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d")).toEqual(FIRST);
    expect(decode(decoder, "8286 84be 5808 6e6f 2d63 6163 6865")).toEqual(SECOND);
    expect(decode(decoder, "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65")).toEqual(THIRD);
  });

  test("in Huffman's code (C.4)", () => {
    const decoder = new FieldDecoder(LIMITS);
    expect(decode(decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")).toEqual(FIRST);
    expect(decode(decoder, "8286 84be 5886 a8eb 1064 9cbf")).toEqual(SECOND);
    expect(decode(decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")).toEqual(THIRD);
  });
});

test("what a table of 256 bytes has no room for is forgotten (C.5)", () => {
  const decoder = new FieldDecoder(LIMITS);
  const first = `3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
    2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`;
  expect(decode(decoder, first.replaceAll(/\s/g, ""))).toHaveLength(4);
  expect(decode(decoder, "4803 3330 37c1 c0bf")).toEqual([
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ]);
  expect(decode(decoder, "c2")).toBe("broken"); // ":status: 302" has left
});

test.each([
  ["the index 0", "80"],
  ["an index that nothing has", "be"],
  ["a string longer than the block", "0004 6162"],
  ["a string that ends in its length", "00ff"],
  ["a number without an end", `7f${"80".repeat(20)}01`],
  ["a number beyond all lengths", "7fffffffffff01"],
  ["a table larger than allowed", "3fe2 1f"],
  ["a table's size after a field", "8220"],
  ["a name without a value", "0001 61"],
  ["Huffman's code with the end of the string in it", "0084 ffff ffff 00"],
  ["Huffman's code filled up with zeros", "0081 18 00"],
  ["Huffman's code filled up with a whole byte", "0082 1fff 00"],
])("%s is refused", (_what, hex) => {
  expect(decode(new FieldDecoder(LIMITS), hex)).toBe("broken");
});

test("fields beyond the limits are not kept, and the next block is read rightly", () => {
  const decoder = new FieldDecoder({ maxBytes: 200, maxFields: 10 });
  // A field of 100 bytes that is remembered, and then meant a thousand times.
  const bomb = `4001 61 43 ${"78".repeat(67)} ${"be".repeat(1000)}`;
  expect(decode(decoder, bomb)).toBe("too-large");
  expect(decode(decoder, "be")).toEqual([`a: ${"x".repeat(67)}`]);
  expect(decode(new FieldDecoder({ maxBytes: 10_000, maxFields: 10 }), "82".repeat(11))).toBe("too-large");
});

test("no bytes make it throw or run on", () => {
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 0x7fff_ffff) % below;
  for (let round = 0; round < 2000; round++) {
    const decoder = new FieldDecoder(LIMITS);
    const bytes = Buffer.from(Array.from({ length: random(200) }, () => random(256)));
    expect(() => decoder.decode(bytes, 0, bytes.length)).not.toThrow();
  }
});

test("what is encoded here is decoded", () => {
  const long = "é".repeat(20_000);
  const block = encodeStatus(200) + encodeStatus(418) + encodeFields(["Content-Type", "text/html", "x-long", long]);
  const bytes = Buffer.from(block, "latin1");
  expect(new FieldDecoder(LIMITS).decode(bytes, 0, bytes.length)).toMatchObject([
    { name: ":status", value: "200" },
    { name: ":status", value: "418" },
    { name: "content-type", value: "text/html" },
    { name: "x-long", value: long },
  ]);
});
