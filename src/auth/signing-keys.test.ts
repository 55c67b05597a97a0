import { expect, test } from "vitest";
import { SigningKeys } from "./signing-keys.ts";

const DAY = { date: "20150830", region: "us-east-1", signingName: "iam" };
/** The example of AWS's own documentation of Signature Version 4. */
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const DERIVED = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";

test("a key is the published one, also when it is asked for again and after many others", () => {
  const keys = new SigningKeys();
  const derive = () => keys.of(SECRET, DAY).export().toString("hex");
  expect([derive(), derive()]).toEqual([DERIVED, DERIVED]);
  for (let day = 0; day < 1500; day++) keys.of(SECRET, { ...DAY, date: String(day) });
  expect(derive()).toBe(DERIVED);
});

test("keys of other secrets, days, Regions and services are others", () => {
  const keys = new SigningKeys();
  const scopes = [DAY, { ...DAY, date: "20150831" }, { ...DAY, region: "eu-west-1" }, { ...DAY, signingName: "s3" }];
  const derived = scopes.map((scope) => keys.of(SECRET, scope).export().toString("hex"));
  expect(new Set([...derived, keys.of("other", DAY).export().toString("hex")]).size).toBe(5);
});
