import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePort, parseSignal } from "./image-config.ts";

test.each([
  ["8080", [8080]],
  ["8080/tcp", [8080]],
  ["8000-8002/tcp", [8000, 8001, 8002]],
  ["53/udp", []],
  ["0", []],
  ["70000", []],
  ["9-1", []],
  ["http", []],
])("EXPOSE %s gives %j", (text, ports) => {
  expect(parsePort(text)).toEqual(ports);
});

test("any text gives only ports that exist", () => {
  fc.assert(fc.property(fc.string(), (text) => parsePort(text).every((port) => port >= 1 && port <= 65535)));
});

test.each([
  [undefined, 15],
  ["SIGINT", 2],
  ["QUIT", 3],
  ["9", 9],
  ["SIGRTMIN+3", 37],
  ["nonsense", 15],
  ["400", 15],
])("STOPSIGNAL %s is %i", (text, number) => {
  expect(parseSignal(text)).toBe(number);
});
