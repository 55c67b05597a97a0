import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import type { AwsCli } from "./aws.ts";
import { BUILD_ROLE, buildReason } from "./walkthrough.ts";

const BUILD_LIMIT_MS = 300_000;
const BASE = "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1";

export interface Build {
  /**
   * Python that writes the archive, given `z`, a ZipFile; `SERVE`, a Dockerfile that serves a page on 8080; `app()`, which
   * adds the files it copies; `link(name, target)`; and `bomb(count)`, which lists one big entry many times.
   */
  readonly archive?: string;
  readonly uri?: string;
  readonly role?: string;
  /** Further options of create-microvm-image. */
  readonly options?: readonly string[];
}

export interface BuildEnd {
  /** Of the image. */
  readonly state: string;
  readonly reason: string;
  readonly arn: string;
  readonly buildId: string;
}

/** Builds of small busybox images, whose archives are written by the entry, through the real AWS CLI. */
export class Builds {
  readonly #aws: AwsCli;
  readonly #bucket: string;

  private constructor(aws: AwsCli, bucket: string) {
    this.#aws = aws;
    this.#bucket = bucket;
  }

  static async open(aws: AwsCli, bucket: string): Promise<Builds> {
    await aws.useApp("busybox", bucket);
    await copyFile("/bin/busybox", join(aws.folder, "busybox"));
    await aws.run("s3", "mb", `s3://${bucket}`);
    await makeRole(aws, BUILD_ROLE, { trusts: "lambda.amazonaws.com", mayRead: `arn:aws:s3:::${bucket}/*` });
    return new Builds(aws, bucket);
  }

  /** The image's final state, and the reason its build gives. */
  async build(name: string, { archive, uri, role = BUILD_ROLE, options = [] }: Build): Promise<BuildEnd> {
    if (archive !== undefined) await this.#upload(name, archive);
    const arn = await this.#aws.run(
      "lambda-microvms",
      "create-microvm-image",
      "--name",
      name,
      "--code-artifact",
      `uri=${uri ?? `s3://${this.#bucket}/${name}.zip`}`,
      "--base-image-arn",
      BASE,
      "--build-role-arn",
      `arn:aws:iam::123456789012:role/${role}`,
      ...options,
      "--query",
      "imageArn",
      "--output",
      "text",
    );
    const state = await eventually<string>(`the end of the build of ${name}`, BUILD_LIMIT_MS, async () => {
      const now = await this.#aws.run(
        "lambda-microvms",
        "get-microvm-image",
        "--image-identifier",
        arn,
        "--query",
        "state",
        "--output",
        "text",
      );
      return now === "CREATING" ? { saw: now } : { done: now };
    });
    const buildId = await this.#aws.run(
      "lambda-microvms",
      "list-microvm-image-builds",
      "--image-identifier",
      arn,
      "--image-version",
      "1.0",
      "--query",
      "items[0].buildId",
      "--output",
      "text",
    );
    return { state, reason: await buildReason(this.#aws, arn), arn, buildId };
  }

  async #upload(name: string, archive: string): Promise<void> {
    const script = `
import copy, stat, zipfile
SERVE = """FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/index.html
EXPOSE 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
def link(name, target):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    z.writestr(info, target)
def bomb(count):
    z.writestr("zeros", bytes(32 << 20))
    for number in range(count):
        again = copy.copy(z.filelist[-1])
        again.filename = f"zeros-{number}"
        z.filelist.append(again)
def app():
    z.write("busybox"); z.write("index.html")
z = zipfile.ZipFile("${name}.zip", "w", zipfile.ZIP_DEFLATED)
${archive}
z.close()
`;
    await this.#aws.shell(`/usr/bin/python3 - <<'SCRIPT'\n${script}\nSCRIPT`);
    await this.#aws.run("s3", "cp", `${name}.zip`, `s3://${this.#bucket}/${name}.zip`);
  }
}

export async function makeRole(
  aws: AwsCli,
  name: string,
  { trusts, mayRead }: { trusts: string; mayRead?: string },
): Promise<void> {
  const trust = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: trusts }, Action: ["sts:AssumeRole", "sts:TagSession"] }],
  };
  await aws.run("iam", "create-role", "--role-name", name, "--assume-role-policy-document", JSON.stringify(trust));
  if (mayRead === undefined) return;
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: mayRead }] };
  await aws.run(
    "iam",
    "put-role-policy",
    "--role-name",
    name,
    "--policy-name",
    "build",
    "--policy-document",
    JSON.stringify(policy),
  );
}
