import { expect, test } from "vitest";
import { mappingsFor, namedImages, parseBaseImages } from "./base-images.ts";

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

test("every image a Dockerfile names is found, flags, stages and copies included", () => {
  const dockerfile = `FROM --platform=linux/arm64 ${NAME} AS base\nFROM base\nCOPY --from=docker.io/library/busybox:1 /bin/busybox /b\n`;
  expect(namedImages(dockerfile)).toEqual(new Set([NAME, "base", "docker.io/library/busybox:1"]));
});

test("only mappings that the Dockerfile names are applied", () => {
  expect(mappingsFor("FROM scratch", parseBaseImages(`${NAME}=x`))).toEqual([]);
  expect(mappingsFor(`from ${NAME}`, parseBaseImages(`${NAME}=x`))).toHaveLength(1);
});
