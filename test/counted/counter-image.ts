import { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import { clientSettings } from "../../src/cli/client-settings.ts";
import { AwsCli } from "../support/aws.ts";
import { Builds } from "../support/bad-builds.ts";
import type { CatnapServer } from "../support/catnap-server.ts";
import type { Place } from "./counted-microvm.ts";

/**
 * A page that counts in memory and on disk, "3 3", in a container of nothing but busybox. Requests that were given up
 * run beside the next: a file that only one can make lets them count one after the other, whoever hangs up. Nothing
 * before the answer starts a process.
 */
const COUNT_PAGE = `#!/bin/busybox sh
trap "" PIPE
printf "Content-Type: text/plain\\r\\n\\r\\n"
set -C
until true 2>/dev/null >/dev/shm/lock; do /bin/busybox sleep 0.01; done
n=0; d=0
read -r n 2>/dev/null </dev/shm/n
read -r d 2>/dev/null </n
n=$((n+1)); d=$((d+1))
echo $n >|/dev/shm/n
echo $d >|/n
echo $n $d
exec >&-
/bin/busybox rm /dev/shm/lock
`;

const COUNTER_ARCHIVE = `
z.write("busybox")
z.writestr("page", "a page")
z.writestr("count", ${JSON.stringify(COUNT_PAGE)})
z.writestr("Dockerfile", """FROM scratch
COPY busybox /bin/busybox
COPY count /www/cgi-bin/
COPY page /www/page
RUN ["/bin/busybox", "chmod", "755", "/www/cgi-bin/count"]
EXPOSE 8080
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
""")`;

/** Builds the image on a running server. */
export async function buildCounter(server: CatnapServer): Promise<Place> {
  const aws = await AwsCli.open(server.clientEnv);
  try {
    const builds = await Builds.open(aws, "counters");
    const { arn, state, reason } = await builds.build("counter", { archive: COUNTER_ARCHIVE });
    if (state !== "CREATED") throw new Error(`the image is ${state}: ${reason}`);
    const env = server.clientEnv();
    const client = new LambdaMicrovmsClient({ ...clientSettings(env), maxAttempts: 1 });
    return { client: () => client, caFile: env["AWS_CA_BUNDLE"] ?? "", imageArn: arn };
  } finally {
    await aws.dispose();
  }
}
