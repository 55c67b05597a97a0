import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import type { BenchMicrovm } from "./catnap-under-test.ts";

/**
 * Takes an answer that does not end as fast as it comes, in a process of its own, so that it does not delay who measures;
 * resolves with its bytes once its microVM is gone.
 */
export async function downloadEndlessly({ endpoint, token }: BenchMicrovm, path: string): Promise<number> {
  const [name = "", port = ""] = endpoint.split(":");
  const curl = spawn(
    "curl",
    [
      ...["--silent", "--insecure", "--http1.1", "--noproxy", "*", "--output", "/dev/null"],
      ...["--resolve", `${name}:${port}:127.0.0.1`, "--header", `x-aws-proxy-auth: ${token}`],
      ...["--write-out", "%{size_download}", `https://${endpoint}${path}`],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  return Number(await text(curl.stdout));
}
