import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseClientHead } from "./client-head.ts";
import { findHeadEnd } from "../http/head-end.ts";

const MAX = 1000;

test("a head is taken apart, fields in order and spelling as they came", () => {
  expect(parseClientHead("POST /a?b HTTP/1.1\r\nHost: x\r\nX-B:\t1 \r\nx-b:\r\nContent-Length: 12")).toEqual({
    method: "POST",
    path: "/a?b",
    version: "1.1",
    fields: expect.objectContaining({
      rawHeaders: ["Host", "x", "X-B", "1", "x-b", "", "Content-Length", "12"],
      length: 12,
    }),
    mayKeepAlive: true,
    expectsContinue: false,
    upgrade: undefined,
  });
});

test.each([
  ["HTTP/1.1", "", true],
  ["HTTP/1.1", "close", false],
  ["HTTP/1.1", "keep-alive, Close", false],
  ["HTTP/1.0", "", false],
  ["HTTP/1.0", "Keep-Alive", true],
])("%s with Connection: %s may keep the connection: %s", (version, connection, mayKeepAlive) => {
  expect(parseClientHead(`GET / ${version}\r\nConnection: ${connection}`)).toMatchObject({ mayKeepAlive });
});

test.each([
  ["GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket", "websocket"],
  ["GET / HTTP/1.1\r\nConnection: keep-alive, upgrade\r\nUpgrade: a\r\nUpgrade: b", "a, b"],
  ["GET / HTTP/1.1\r\nUpgrade: websocket", undefined],
  ["GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket", undefined],
  ["POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket", undefined],
  ["GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1", undefined],
  ["GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked", undefined],
  ["GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c", undefined],
])("%j upgrades to %s", (text, upgrade) => {
  const head = parseClientHead(text);
  expect(head).not.toHaveProperty("refused");
  expect(head).toHaveProperty("upgrade", upgrade);
});

test.each([
  "",
  "GET /",
  "GET / HTTP/1.2",
  "GET / HTTP/2.0",
  "GET  / HTTP/1.1",
  "GET / x HTTP/1.1",
  "GET / HTTP/1.1 ",
  "G\tT / HTTP/1.1",
  " GET / HTTP/1.1",
  "GET / HTTP/1.1\r\nno colon",
  "GET / HTTP/1.1\r\n: no name",
  "GET / HTTP/1.1\r\nX : blank",
  "GET / HTTP/1.1\r\nX: a\r\n folded",
  "GET / HTTP/1.1\r\nX: a\nb",
  "GET / HTTP/1.1\r\nX: a\rb",
  "GET / HTTP/1.1\r\nX: a\0b",
  "GET / HTTP/1.1\r\nX: a\x7fb",
  "GET / HTTP/1.1\r\nX\xe9: a",
  "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1",
  "POST / HTTP/1.1\r\nContent-Length: 1, 1",
  "POST / HTTP/1.1\r\nContent-Length: -1",
  "POST / HTTP/1.1\r\nContent-Length:",
  "POST / HTTP/1.1\r\nContent-Length: 9999999999999999",
  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1",
  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
  "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked",
  "POST / HTTP/1.1\r\nTransfer-Encoding:\x0bchunked",
  "POST / HTTP/1.1\r\nTransfer-Encoding:",
  "POST / HTTP/1.0\r\nTransfer-Encoding: chunked",
])("%j is malformed", (text) => {
  expect(parseClientHead(text)).toMatchObject({ refused: "malformed" });
});

test.each([
  ["GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x", "POST /b HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: x"],
  ["POST / HTTP/1.1\r\nExpect: 100-continue", "POST / HTTP/1.0\r\nExpect: 100-continue"],
  ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked"],
  ["GET / HTTP/1.1\r\nX: 1", "GET / HTTP/1.1\r\nX: 2"],
  ["GET / HTTP/1.1\r\nX: 1", "GET / HTTP/1.1\r\nX: 1\r\nY: 2"],
  ["GET / HTTP/1.1", "GET / HTTP/1.1\r\n"],
])("after %j, %j reads as it would alone", (first, second) => {
  const before = parseClientHead(first);
  if ("refused" in before) throw new Error(before.refused);
  expect(parseClientHead(second, before)).toEqual(parseClientHead(second));
});

test("the end of a head is found however it is cut, and what never becomes one is told early", () => {
  const head = fc.string({
    unit: fc.constantFrom("\r", "\n", "\r\n", "\r\n\r\n", "a", ":", "\0", "\t", "\xff"),
    maxLength: 30,
  });
  fc.assert(
    fc.property(head, fc.integer({ min: 0, max: 60 }), (text, cut) => {
      const bytes = Buffer.from(text, "latin1");
      const known = Math.min(cut, bytes.length);
      const before = findHeadEnd(bytes.subarray(0, known), 0, MAX);
      const whole = findHeadEnd(bytes, 0, MAX);
      if (before === "incomplete") expect(findHeadEnd(bytes, known, MAX)).toBe(whole);
      else if (typeof before === "number") expect(before).toBe(text.indexOf("\r\n\r\n"));
      if (whole === "incomplete") expect(text).not.toMatch(/\0|(?<!\r)\n|\r(?!\n|$)/);
    }),
    { numRuns: 2000 },
  );
  expect(findHeadEnd(Buffer.alloc(MAX + 1, "a"), 0, MAX)).toBe("too-large");
  expect(findHeadEnd(Buffer.from(`${"a".repeat(MAX + 1)}\r\n\r\n`), 0, MAX)).toBe("too-large");
});
