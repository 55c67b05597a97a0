const LABEL = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const REGION = /^[a-z]{2}(?:-[a-z]{1,16}){1,4}-\d$/;
const MAX_NAME_CHARACTERS = 253;

/** A name `<uuid>.lambda-microvm.<region>.<domain>` taken apart. */
export interface EndpointName {
  readonly label: string;
  readonly region: string;
}

/** Reads an endpoint's host name, without a port; undefined for any other name. */
export function parseEndpointName(name: string, domain: string): EndpointName | undefined {
  if (name.length > MAX_NAME_CHARACTERS) return undefined;
  const lower = name.toLowerCase();
  if (!lower.endsWith(`.${domain}`)) return undefined;
  const [label = "", service, region = "", ...rest] = lower.slice(0, -domain.length - 1).split(".");
  if (service !== "lambda-microvm" || rest.length > 0 || !LABEL.test(label) || !REGION.test(region)) return undefined;
  return { label, region };
}

/** The name a certificate carries for all endpoints of a region. */
export function endpointWildcard(region: string, domain: string): string {
  return `*.lambda-microvm.${region}.${domain}`;
}

/** The host of a Host header, lower case, without port or final dot; undefined when it is no host at all. */
export function hostOfHeader(header: string): string | undefined {
  const match = /^([A-Za-z0-9.-]{1,254}?)\.?(?::\d{1,5})?$/.exec(header);
  return match?.[1]?.toLowerCase();
}
