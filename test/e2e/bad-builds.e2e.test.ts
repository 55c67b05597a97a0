import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { runLimited } from "../../src/util/run-limited.ts";
import { AwsCli } from "../support/aws.ts";
import { Builds, makeRole, type Build } from "../support/bad-builds.ts";
import { newCatnapServer } from "../support/catnap-server.ts";

const BUCKET = "bad-builds";
/** The build queue's own: more would only wait. */
const BUILDS_AT_ONCE = 2;

interface Case extends Build {
  /** Of the image. */
  readonly state?: string;
  /** Of its build. */
  readonly reason: string | RegExp;
  /** In the build's log. */
  readonly log?: string;
}

const app = (...lines: string[]) =>
  `app(); z.writestr("Dockerfile", ${JSON.stringify(["FROM scratch", "COPY busybox /bin/busybox", ...lines].join("\n"))})`;
const good = `app(); z.writestr("Dockerfile", SERVE)`;

const CASES: Readonly<Record<string, Case>> = {
  "broken-zip": {
    archive: `z.close(); z = open("broken-zip.zip", "wb"); z.write(b"PK nonsense")`,
    reason: /^ARCHIVE_INVALID: the artifact is not a zip archive: /,
  },
  "zip-bomb": { archive: `${good}; bomb(1000)`, reason: "ARCHIVE_INVALID: its entries overlap" },
  "path-out-of-the-archive": {
    archive: `${good}; z.writestr("../../escaped", "x")`,
    reason: "ARCHIVE_INVALID: invalid relative path: ../../escaped",
  },
  "link-out-of-the-archive": {
    archive: `${good}; link("tmp", "/tmp"); z.writestr("tmp/escaped", "x")`,
    reason: `ARCHIVE_INVALID: "tmp" is a symbolic link that leads out of the archive`,
  },
  "no-dockerfile": {
    archive: "app()",
    reason: "ARCHIVE_DOCKERFILE_NOT_FOUND: the artifact has no file named Dockerfile at its top level",
  },
  "failing-run": {
    archive: app('RUN ["/bin/busybox", "sh", "-c", "echo out of luck; exit 3"]'),
    reason: /^The container image build failed\. STEP 3\/3: RUN .*exit status 3: out of luck$/,
    log: "out of luck",
  },
  "app-ends": {
    archive: app('CMD ["/bin/busybox", "sh", "-c", "echo giving up; exit 4"]'),
    reason: "Failed to start container: the main process exited with code 4 before the snapshot; it printed: giving up",
    log: "giving up",
  },
  // as at the service, where an app without hooks is snapshotted as it is
  "app-never-listens": {
    archive: app("EXPOSE 8080", 'CMD ["/bin/busybox", "sleep", "1000"]'),
    state: "CREATED",
    reason: "None",
    log: "nothing accepts on the exposed port 8080; the snapshot is taken as the app is now",
  },
  "unknown-bucket": {
    uri: "s3://no-such-bucket-anywhere/app.zip",
    reason: /^S3_ACCESS_DENIED: .*is not authorized to perform s3:GetObject on .*no-such-bucket-anywhere/,
  },
  "unknown-bucket-allowed": {
    uri: "s3://no-such-bucket-anywhere/app.zip",
    role: "MayReadAll",
    reason: /no-such-bucket-anywhere/,
  },
  "unknown-key": {
    uri: `s3://${BUCKET}/no-such-key.zip`,
    reason: `S3_NO_SUCH_KEY: there is no object no-such-key.zip in bucket ${BUCKET}`,
  },
  "unknown-role": {
    uri: `s3://${BUCKET}/unused.zip`,
    role: "NoSuchRole",
    reason: /^S3_ACCESS_DENIED: .*role\/NoSuchRole does not exist in account 123456789012$/,
  },
  "role-without-permission": {
    uri: `s3://${BUCKET}/unused.zip`,
    role: "MayNothing",
    reason: /^S3_ACCESS_DENIED: .*: no statement of the role's policies allows it$/,
  },
  "role-that-trusts-others": {
    uri: `s3://${BUCKET}/unused.zip`,
    role: "TrustsOthers",
    reason: /^S3_ACCESS_DENIED: .*no statement of its trust policy allows sts:AssumeRole$/,
  },
};

test("whatever breaks a build is told as its reason, the log stays and nothing else does, and good builds go on", async () => {
  const server = await newCatnapServer({ CATNAP_READY_TIMEOUT: "3" });
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const builds = await Builds.open(aws, BUCKET);
  await makeRole(aws, "MayNothing", { trusts: "lambda.amazonaws.com" });
  await makeRole(aws, "MayReadAll", { trusts: "lambda.amazonaws.com", mayRead: "*" });
  await makeRole(aws, "TrustsOthers", { trusts: "ec2.amazonaws.com", mayRead: "*" });

  await runLimited(
    Object.entries(CASES),
    BUILDS_AT_ONCE,
    async ([name, { state = "CREATE_FAILED", reason, log, ...build }]) => {
      const built = await builds.build(name, build);
      const expected = typeof reason === "string" ? reason : expect.stringMatching(reason);
      expect({ name, ...built }).toMatchObject({ name, state, reason: expected });
      const directory = join(server.home, "images", built.buildId);
      if (state === "CREATE_FAILED")
        expect({ name, left: await readdir(directory) }).toEqual({ name, left: ["build.log"] });
      if (log !== undefined) expect(await readFile(join(directory, "build.log"), "utf8")).toContain(log);
    },
  );
  expect(await processesWorkingIn(server.home)).toEqual([]);
  expect(await readdir(join(server.home, "builds"))).toEqual([]);
  await expect(access("/tmp/escaped")).rejects.toThrow("ENOENT");

  expect(await builds.build("good", { archive: good })).toMatchObject({ state: "CREATED" });
});
