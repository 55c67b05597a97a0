import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatImageVersion, newMicrovmId, newRoleId, parseImageVersion } from "./ids.ts";

test("a version is read in both spellings", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), (number) => {
      expect(parseImageVersion(String(number))).toBe(number);
      expect(parseImageVersion(formatImageVersion(number))).toBe(number);
    }),
  );
});

test.each(["", "0", "0.0", "1.1", "01", "-1", "1.", "1.0.0", " 1", "$LATEST", "1e3", "9999999999"])(
  "%j is not a version",
  (text) => {
    expect(parseImageVersion(text)).toBeUndefined();
  },
);

test("any text reads as a version or as none, and a version spells itself", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const number = parseImageVersion(text);
      expect(number === undefined || [String(number), formatImageVersion(number)].includes(text)).toBe(true);
    }),
  );
});

test("ids have the service's form", () => {
  expect(newMicrovmId()).toMatch(/^microvm-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(newRoleId()).toMatch(/^AROA[A-Z2-7]{17}$/);
});
