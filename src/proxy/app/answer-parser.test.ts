import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerParser, type ParserState } from "./answer-parser.ts";
import type { AnswerHead } from "../app-request.ts";

interface Read {
  state: ParserState;
  head: AnswerHead | undefined;
  body: string;
  trailers: readonly string[];
  rest: string;
}

/** Reads an answer cut into pieces of these sizes, again and again. */
function read(
  text: string,
  { method = "GET", sizes = [text.length] }: { method?: string; sizes?: number[] } = {},
): Read {
  let head: AnswerHead | undefined;
  let body = "";
  const parser = new AnswerParser(method, {
    onContinue: () => {},
    onInformation: () => {},
    onHead: (given) => void (head = given),
    onData: (chunk) => Boolean((body += chunk.toString("latin1"))) || true,
  });
  const bytes = Buffer.from(text, "latin1");
  let state: ParserState = "reading";
  let at = 0;
  for (let i = 0; at < bytes.length && state === "reading"; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    state = parser.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (state === "reading") state = parser.end();
  const rest = parser.rest.toString("latin1") + bytes.subarray(Math.min(at, bytes.length)).toString("latin1");
  return { state, head, body, trailers: parser.trailers, rest };
}

test.each([
  ["a sized body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"],
  ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n03;x=y\r\nllo\r\n0\r\n\r\n", "hello"],
  ["the end of the connection", "HTTP/1.1 200 OK\r\n\r\nhello", "hello"],
  ["nothing", "HTTP/1.1 204 No Content\r\n\r\n", ""],
  [
    "interim answers first",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\nHTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "ok",
  ],
])("an answer with %s reads the same however it is cut", (_what, text, body) => {
  const whole = read(text);
  expect(whole).toMatchObject({ state: "done", body, rest: "" });
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }), (sizes) => {
      expect(read(text, { sizes })).toEqual(whole);
    }),
    { numRuns: 50 },
  );
});

test("trailers are read, and what follows an answer is told apart from it", () => {
  const text =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 200 poison";
  expect(read(text)).toMatchObject({ state: "done", body: "a", trailers: ["X-Sum", "1"], rest: "HTTP/1.1 200 poison" });
});

test.each([
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"],
  ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na"],
  ["a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na"],
  ["chunks under HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["another encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["a chunk size that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"],
  ["a chunk size beyond all sense", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${"f".repeat(20)}\r\n`],
  ["an endless chunk size", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(500)}`],
  ["a chunk that is longer than its size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"],
  ["endless trailers", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(4000)}`],
  ["a bare line feed", "HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na"],
  ["a bare carriage return", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n"],
  ["a zero byte", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n"],
  ["a blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na"],
  ["a folded field", "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["HTTP/2 as a line", "HTTP/2 200 OK\r\n\r\n"],
  ["more fields than anybody sends", `HTTP/1.1 200 OK\r\n${"a:\r\n".repeat(1001)}\r\n`],
  ["endless interim answers", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100)],
  ["another protocol", "220 mail.example ESMTP\r\n"],
])("%s is no answer", (_what, text) => {
  expect(read(text).state).toBe("nonsense");
  expect(read(text, { sizes: [1] }).state).toBe("nonsense");
});

test("an answer that breaks off is not whole", () => {
  expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").state).toBe("reading");
  expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n").state).toBe("reading");
});

test("a TLS alert is told apart", () => {
  expect(read("\x15\x03\x01\x00\x02\x02\x46").state).toBe("wants-tls");
});

test("whatever comes, parsing ends and never throws", () => {
  const piece = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "\n",
    "\0",
    "x",
    "HTTP/1.1 100\r\n\r\n",
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(piece, fc.string({ unit: "binary" }))),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (pieces, sizes) => {
        const text = pieces.join("");
        const whole = read(text);
        expect(read(text, { sizes }).state).toBe(whole.state);
        expect(["reading", "done", "nonsense", "wants-tls"]).toContain(whole.state);
      },
    ),
    { numRuns: 2000 },
  );
});
