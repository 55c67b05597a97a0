import { expect, test } from "vitest";
import { mappingsFor, parseBaseImages } from "./base-images.ts";

const NAME = "public.ecr.aws/lambda/microvms:al2023-minimal";

test("pairs are parsed, blanks and empty settings allowed", () => {
  expect(parseBaseImages("")).toEqual([]);
  expect(parseBaseImages(` ${NAME}=oci-archive:/a/b.tar , x=y:1 `)).toEqual([
    { name: NAME, source: "oci-archive:/a/b.tar" },
    { name: "x", source: "y:1" },
  ]);
});

test.each(["no-source", "=x", "a=", "a b=c"])("%j is refused", (setting) => {
  expect(() => parseBaseImages(setting)).toThrow(/name=source/);
});

test.each([
  `from ${NAME}`,
  `FROM --platform=linux/arm64 ${NAME} AS base`,
  `ARG BASE=${NAME}\nFROM $BASE`,
  `FROM \${BASE:-${NAME}}`,
  `FROM scratch\nCOPY --from=${NAME} /a /b`,
  `FROM scratch\nRUN --mount=type=bind,from=${NAME},target=/x true`,
])("a mapping applies to %j", (dockerfile) => {
  expect(mappingsFor(dockerfile, parseBaseImages(`${NAME}=x`))).toHaveLength(1);
});

test.each(["FROM scratch", `FROM ${NAME}-2`, `FROM mirror/${NAME}`, `FROM ${NAME}@sha256:0000`])(
  "a mapping does not apply to %j",
  (dockerfile) => {
    expect(mappingsFor(dockerfile, parseBaseImages(`${NAME}=x`))).toEqual([]);
  },
);
