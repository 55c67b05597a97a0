import { expect, test } from "vitest";
import { StepFollower } from "./build-steps.ts";

function describe(...lines: string[]): string {
  const follower = new StepFollower();
  for (const line of lines) follower.line(line);
  return follower.describeFailure("/home/builds/1/context");
}

test("a failed step is told with its status and its last words, not those of the step before", () => {
  expect(
    describe(
      "STEP 1/3: FROM x",
      "STEP 2/3: RUN a",
      "fine",
      "STEP 3/3: RUN b",
      "it\u001b[31m broke\u001b[0m",
      "subprocess exited with status 7",
      'Error: building at STEP "RUN b": while running runtime: exit status 7',
    ),
  ).toBe("STEP 3/3: RUN b: exit status 7: it broke");
  expect(describe("STEP 1/2: RUN a", "fine", "STEP 2/2: RUN b", 'Error: building at STEP "RUN b": exit status 1')).toBe(
    "STEP 2/2: RUN b: exit status 1",
  );
});

test("paths of the host are not told", () => {
  const error =
    'Error: building at STEP "COPY no /": checking on sources under "/home/builds/1/context": copier: stat: "/no": no such file or directory';
  expect(describe("STEP 1/1: COPY no /", error)).toBe(
    'STEP 1/1: COPY no /: checking on sources under "": copier: stat: "/no": no such file or directory',
  );
});

test("a base image that cannot be pulled is named, with the way out", () => {
  const error =
    "Error: creating build container: initializing source docker://registry.invalid/some/base:1: pinging container registry registry.invalid: dial tcp: no such host";
  expect(describe("STEP 1/1: FROM registry.invalid/some/base:1", error)).toMatch(
    /^STEP 1\/1: FROM \S+: the base image registry\.invalid\/some\/base:1 could not be pulled;.*CATNAP_BASE_IMAGES/,
  );
});

test("however much is printed, the text stays short", () => {
  const long = "x".repeat(5000);
  expect(describe(`STEP 1/1: RUN ${long}`, long, `Error: building at STEP "RUN ${long}": ${long}`).length).toBeLessThan(
    950,
  );
});
