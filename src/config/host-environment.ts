import { searchPath } from "./search-path.ts";

/** Proxies, certificates and registry logins of the host, in the spellings that programs look for. */
const PASSED_ON = [
  "HOME",
  "TMPDIR",
  "XDG_RUNTIME_DIR",
  "REGISTRY_AUTH_FILE",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  ...["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"].flatMap((name) => [name, name.toUpperCase()]),
];

/** What an image build may know of this process's environment; credentials and everything else stay here. */
export function hostEnvironment(environment: Record<string, string | undefined> = process.env): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return { PATH: searchPath(), ...Object.fromEntries(passed) };
}
