import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readPageToken, writePageToken } from "./page-token.ts";

const scope = fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 4 });

test("a token gives its position back to its own list, and is URL-safe", () => {
  fc.assert(
    fc.property(scope, fc.string({ maxLength: 500, unit: "grapheme" }), (owner, position) => {
      const token = writePageToken(owner, position);
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(readPageToken(owner, token)).toBe(token.length <= 4096 ? position : undefined);
    }),
  );
});

test("a token of another list is not read", () => {
  fc.assert(
    fc.property(scope, scope, fc.string(), (mine, yours, position) => {
      fc.pre(JSON.stringify(mine) !== JSON.stringify(yours));
      expect(readPageToken(yours, writePageToken(mine, position))).toBeUndefined();
    }),
  );
});

test("no text makes the reader throw", () => {
  const base64 = fc.oneof(fc.json(), fc.string()).map((text) => Buffer.from(text).toString("base64url"));
  fc.assert(
    fc.property(fc.oneof(fc.string(), base64), (text) => {
      expect(readPageToken(["x"], text)).toBeUndefined();
    }),
  );
});
