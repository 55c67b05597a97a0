import * as fc from "fast-check";
import { expect, test } from "vitest";
import { imageArn, parseArn, parseImageArn, parseRoleArn, roleArn } from "./arn.ts";

const region = fc.constantFrom("us-east-1", "ap-northeast-1", "us-gov-west-1");
const account = fc.stringMatching(/^\d{12}$/);
const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);

test("an image ARN reads back what it was made of", () => {
  fc.assert(
    fc.property(fc.record({ region, account: fc.oneof(account, fc.constant("aws")), name }), (parts) => {
      expect(parseImageArn(imageArn(parts))).toEqual(parts);
    }),
  );
});

test("a role ARN reads back what it was made of", () => {
  const path = fc
    .array(fc.stringMatching(/^[a-z0-9]{1,8}$/), { maxLength: 3 })
    .map((parts) => `/${parts.map((part) => `${part}/`).join("")}`);
  const roleName = fc.stringMatching(/^[\w+=,.@-]{1,64}$/);
  fc.assert(
    fc.property(fc.record({ accountId: account, path, name: roleName }), (parts) => {
      expect(parseRoleArn(roleArn(parts))).toEqual(parts);
    }),
  );
});

test("no text makes the parsers throw, and only ARNs parse", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((tail) => `arn:aws:lambda:${tail}`),
      ),
      (text) => {
        const image = parseImageArn(text);
        expect(!image || imageArn(image) === text).toBe(true);
        const role = parseRoleArn(text);
        expect(!role || roleArn(role) === text.replace(/^arn:[a-z-]+:/, "arn:aws:")).toBe(true);
        expect(text.startsWith("arn:") || parseArn(text) === undefined).toBe(true);
      },
    ),
  );
});

test.each([
  "my-image",
  "arn:aws:lambda:us-east-1:123456789012:microvm-image/my-image",
  "arn:aws:lambda:us-east-1:123456789012:microvm-image:",
  "arn:aws:lambda:us-east-1:12345:microvm-image:a",
  "arn:aws:s3:us-east-1:123456789012:microvm-image:a",
  "arn:aws:lambda::123456789012:microvm-image:a",
  "arn:aws:lambda:us-east-1:123456789012:microvm-image:a\n",
])("%j is not an image ARN", (text) => {
  expect(parseImageArn(text)).toBeUndefined();
});
