import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openJweEndpointTokens } from "../../src/auth/jwe-endpoint-tokens.ts";
import { AwsCli } from "../support/aws.ts";
import { Builds } from "../support/bad-builds.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { AWS, runProgram } from "../support/project.ts";
import { microvmBecomes } from "../support/walkthrough.ts";

interface Microvm {
  readonly microvmId: string;
  readonly endpoint: string;
}

test("callers without the right to are turned away at the API and at the endpoint, and the server goes on", async () => {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const env = server.clientEnv();

  // the API
  const list = ["lambda-microvms", "list-microvms"];
  const as = (changed: Record<string, string>) => runProgram(AWS, list, { env: { ...env, ...changed } });
  expect(await as({ AWS_SECRET_ACCESS_KEY: "wrong" })).toMatchObject({
    code: 255,
    stderr: expect.stringContaining("(InvalidSignatureException)"),
  });
  expect(await as({ AWS_ACCESS_KEY_ID: "AKIAUNKNOWNUNKNOWN00" })).toMatchObject({
    code: 255,
    stderr: expect.stringContaining("(UnrecognizedClientException)"),
  });
  const unsigned = await aws.shell(`curl -sS -w " %{http_code}" "$AWS_ENDPOINT_URL/2025-09-09/microvms"`);
  expect(unsigned).toMatch(/ 403$/);

  const builds = await Builds.open(aws, "bad-requests");
  const { arn } = await builds.build("page", { archive: `app(); z.writestr("Dockerfile", SERVE)` });
  const run = async (): Promise<Microvm> => {
    const text = await aws.run("lambda-microvms", "run-microvm", "--image-identifier", arn);
    const microvm = JSON.parse(text) as Microvm;
    await microvmBecomes(aws, microvm.microvmId, "RUNNING");
    return microvm;
  };
  const tokenFor = ({ microvmId }: Microvm, port: number) =>
    aws.run(
      "lambda-microvms",
      "create-microvm-auth-token",
      "--microvm-identifier",
      microvmId,
      "--expiration-in-minutes",
      "30",
      "--allowed-ports",
      JSON.stringify([{ port }]),
      "--query",
      'authToken."X-aws-proxy-auth"',
      "--output",
      "text",
    );
  const ask = (endpoint: string, ...headers: string[]) =>
    aws.shell(
      `curl -sS -w "|%{http_code} %header{x-aws-proxy-error}" "https://${endpoint}/" ${headers.map((header) => `-H "${header}"`).join(" ")}`,
    );
  const [one, two] = await Promise.all([run(), run()]);
  const [token, other] = await Promise.all([tokenFor(one, 8080), tokenFor(two, 8080)]);
  const auth = `x-aws-proxy-auth: ${token}`;
  expect(await ask(one.endpoint, auth)).toBe("hello\n|200");

  // the endpoint
  const tokens = await openJweEndpointTokens(join(server.home, "tls/endpoint-keys.json"));
  const expired = await tokens.mint({
    microvmId: one.microvmId,
    kind: "http",
    ports: [{ allPorts: {} }],
    expiresAt: new Date(Date.now() - 1000),
  });
  const refused = {
    "no token": [],
    "a garbled token": [`x-aws-proxy-auth: ${token.slice(0, -4)}AAAA`],
    "no token at all": ["x-aws-proxy-auth: letmein"],
    "an expired token": [`x-aws-proxy-auth: ${expired}`],
    "another microVM's token": [`x-aws-proxy-auth: ${other}`],
    "a port out of scope": [auth, "x-aws-proxy-port: 22"],
  };
  const answers: Record<string, string> = {};
  for (const [what, headers] of Object.entries(refused)) answers[what] = await ask(one.endpoint, ...headers);
  expect(answers).toEqual({
    "no token": "Request missing authentication|403 UNAUTHORIZED",
    "a garbled token": "Request missing authentication|403 UNAUTHORIZED",
    "no token at all": "Request missing authentication|403 UNAUTHORIZED",
    "an expired token": "Request missing authentication|403 UNAUTHORIZED",
    "another microVM's token": "Token authentication failed|403 UNAUTHORIZED",
    "a port out of scope": "Access to port denied|403 UNAUTHORIZED",
  });
  expect(await ask(one.endpoint, auth, "x-aws-proxy-port: nonsense")).toMatch(/\|400\b/);
  const unused = await tokenFor(one, 9999);
  expect(await ask(one.endpoint, `x-aws-proxy-auth: ${unused}`, "x-aws-proxy-port: 9999")).toMatch(
    /\|502 APP_CONNECT_FAILED$/,
  );
  const nobody = one.endpoint.replace(/^[0-9a-f-]{36}/, "00000000-0000-4000-8000-000000000000");
  expect(await ask(nobody, auth)).toMatch(/\|(403|502)\b/);

  await aws.run("lambda-microvms", "terminate-microvm", "--microvm-identifier", one.microvmId);
  await microvmBecomes(aws, one.microvmId, "TERMINATED");
  expect(await ask(one.endpoint, auth)).toMatch(/\|502 MICROVM_CONNECT_FAILED$/);
  const again = await aws.attempt("lambda-microvms", "suspend-microvm", "--microvm-identifier", one.microvmId);
  expect(again).toMatchObject({
    code: 255,
    stderr: expect.stringMatching(/\((ConflictException|ValidationException|ResourceNotFoundException)\)/),
  });

  expect(await ask(two.endpoint, `x-aws-proxy-auth: ${other}`)).toBe("hello\n|200");
});
