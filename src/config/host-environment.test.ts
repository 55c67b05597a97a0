import { expect, test } from "vitest";
import { hostEnvironment } from "./host-environment.ts";

test("proxies pass in both spellings, credentials and unknown names do not", () => {
  const { PATH, ...rest } = hostEnvironment({
    https_proxy: "http://p",
    NO_PROXY: "localhost",
    AWS_SECRET_ACCESS_KEY: "s",
    BUILDAH_LAYERS: "false",
    http_proxy: "",
  });
  expect(rest).toEqual({ https_proxy: "http://p", NO_PROXY: "localhost" });
  expect(PATH).not.toBe("");
});
