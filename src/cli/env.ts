import { readFile } from "node:fs/promises";
import { loadConfig } from "../config/load-config.ts";
import { homePaths } from "../config/paths.ts";
import { readServerInfo } from "./server-process.ts";

/** Variables that make the AWS CLI, the SDKs, curl, Node, Python and Go use and trust this Catnap. */
export async function environment(): Promise<Record<string, string> | undefined> {
  const info = await readServerInfo(homePaths(loadConfig().home).serverInfo);
  if (info === undefined) return undefined;
  const { accessKeyId, secretAccessKey } = JSON.parse(await readFile(info.credentials, "utf8")) as Record<
    string,
    string
  >;
  const bundle = info.caBundle;
  return {
    AWS_ENDPOINT_URL: info.apiUrl,
    AWS_REGION: info.region,
    AWS_DEFAULT_REGION: info.region,
    AWS_ACCOUNT_ID: info.accountId,
    AWS_ACCESS_KEY_ID: accessKeyId ?? "",
    AWS_SECRET_ACCESS_KEY: secretAccessKey ?? "",
    AWS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    NODE_EXTRA_CA_CERTS: bundle,
  };
}

/** Prints them for `eval "$(catnap env)"`, or as JSON. */
export async function env(options: { json?: boolean }): Promise<number> {
  const variables = await environment();
  if (variables === undefined) {
    process.stderr.write("Catnap is not running; start it with: catnap up --detach\n");
    return 1;
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(variables, null, 2)}\n`);
  else {
    for (const [name, value] of Object.entries(variables)) process.stdout.write(`export ${name}=${quote(value)}\n`);
    process.stdout.write("unset AWS_SESSION_TOKEN AWS_PROFILE\n"); // a real account's session must not mix with these keys
  }
  return 0;
}

function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
