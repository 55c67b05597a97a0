import { expect, test } from "vitest";
import { parseAnswerHead } from "./answer-head.ts";

test.each([
  ["HTTP/1.1 200 OK\r\nContent-Length: 3", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3", "HEAD"],
  ["HTTP/1.1 200 OK\r\nContent-Length: 3", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4", "GET"],
  ["HTTP/1.1 200 OK\r\nContent-Length: 3", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 3", "GET"],
  ["HTTP/1.1 200 OK\r\nX: 1", "GET", "HTTP/1.1 200 OK\r\nX: 1\r\nConnection: close", "GET"],
])("after %j to %s, %j to %s reads as it would alone", (first, firstMethod, second, secondMethod) => {
  const before = parseAnswerHead(first, firstMethod);
  expect(before).toBeDefined();
  expect(parseAnswerHead(second, secondMethod, before)).toEqual(parseAnswerHead(second, secondMethod));
});

test("an answer head that is repeated to the byte is not read again", () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 3";
  const before = parseAnswerHead(text, "GET");
  expect(parseAnswerHead(text, "GET", before)).toBe(before);
});
