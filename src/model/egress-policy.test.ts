import { expect, test } from "vitest";
import { isNetwork } from "./egress-policy.ts";

test.each(["10.20.0.0/16", "0.0.0.0/0", "192.0.2.7/32", "128.0.0.0/1"])("%s is a network", (text) => {
  expect(isNetwork(text)).toBe(true);
});

test.each(["10.20.0.1/16", "10.20.0.0/33", "10.256.0.0/16", "10.20.0.0", "fd00::/8", "10.0.0.0/8 accept", ""])(
  "%s is none",
  (text) => {
    expect(isNetwork(text)).toBe(false);
  },
);
